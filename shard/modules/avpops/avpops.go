// Package avpops works on the values that $avp keeps: the part of Kamailio's module avpops that
// copies, deletes and looks for them.
package avpops

import (
	"strings"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	const noDB = "there are no databases yet"
	m.IdleText(noDB, "db_url", "avp_table", "uuid_column", "username_column", "domain_column",
		"attribute_column", "value_column", "type_column", "db_scheme")
	m.IdleInt(noDB, "use_domain")
	from := route.Special("name", "$avp(name), perhaps with /flags behind it")
	to := route.Special("new_name",
		"$avp(name), perhaps with /flags behind it: g copies all values, "+
			"d deletes the old ones, n makes them numbers, s texts")
	m.Func(route.Func{Name: "is_avp_set", In: route.Anywhere, Args: []route.AnyArg{from},
		Build: isSet,
		Doc:   "True if there is a value. Flags: n it is a number, s a text, e it is 0 or empty."})
	m.Func(route.Func{Name: "avp_delete", In: route.Anywhere, Args: []route.AnyArg{from},
		Build: remove,
		Doc:   "Deletes the newest value, with the flag g all of them. False: there is none."})
	m.Func(route.Func{Name: "avp_copy", In: route.Anywhere, Args: []route.AnyArg{from, to},
		Build: copyTo,
		Doc: "Adds the newest value to another name. False: there is none, or it is no number " +
			"for n."})
}

// name is argument i: the AVP, and the flags behind it, which are some of allowed.
func name(b *route.Build, i int, allowed string) (p *route.Place, flags string) {
	s, _ := b.Literal(i)
	text, flags, _ := strings.Cut(s, "/")
	if p = b.Place(i, text); p == nil {
		return nil, ""
	}
	if p.AVP == nil {
		b.Errorf(i, "%s wants an AVP such as $avp(x), not %s", b.Name(), route.Quote(text))
		return nil, ""
	}
	if at := strings.Trim(flags, allowed); at != "" {
		b.Errorf(i, "%s: there is no flag %c; there are %s", b.Name(), at[0], allowed)
		return nil, ""
	}
	return p, flags
}

func isSet(b *route.Build) route.Call {
	p, flags := name(b, 0, "nse")
	if p == nil {
		return nil
	}
	number, text := strings.Contains(flags, "n"), strings.Contains(flags, "s")
	empty := strings.Contains(flags, "e")
	return func(c *route.Ctx) route.Result {
		v := p.Value(c)
		return route.Truth(!v.IsNull() && (!number || v.IsInt()) && (!text || v.IsText()) &&
			(!empty || v.N == 0 && len(v.S) == 0))
	}
}

func remove(b *route.Build) route.Call {
	p, flags := name(b, 0, "g")
	if p == nil {
		return nil
	}
	all := flags != ""
	return func(c *route.Ctx) route.Result {
		k, key := c.Kept(), p.AVP(c)
		i := k.Nth(route.AVPs, &key, false, 0)
		switch {
		case i == 0:
			return -1
		case all:
			k.RemoveAll(route.AVPs, &key, false)
		default:
			k.Remove(route.AVPs, i)
		}
		return 1
	}
}

func copyTo(b *route.Build) route.Call {
	from, _ := name(b, 0, "g")
	to, flags := name(b, 1, "gdns")
	if from == nil || to == nil {
		return nil
	}
	has := func(f string) bool { return strings.Contains(flags, f) }
	all, move, number, text := has("g"), has("d"), has("n"), has("s")
	return func(c *route.Ctx) route.Result {
		k, old, key := c.Kept(), from.AVP(c), to.AVP(c)
		i := k.Nth(route.AVPs, &old, false, 0)
		if i == 0 {
			return -1
		}
		for i != 0 {
			next := k.Named(k.Next(i), &old, false)
			v := k.Value(i)
			switch {
			case number && v.IsText():
				if !isNumber(v.S) {
					return -1
				}
				v = route.IntValue(v.Int())
			case text && v.IsInt():
				v = route.TextValue(c.TextOf(v))
			}
			if k.Push(route.AVPs, &key, v) == 0 {
				c.TooLong()
				return -1
			}
			if move {
				k.Remove(route.AVPs, i)
			}
			if !all {
				return 1
			}
			i = next
		}
		return 1
	}
}

// isNumber tells whether a text is a decimal number.
func isNumber(b []byte) bool {
	if len(b) > 1 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(b) > 0
}
