// Package avpops works on the values that $avp keeps: Kamailio's module avpops, but for what it
// does with databases.
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
	from := route.Special("name", "$avp(name), optionally followed by /flags")
	to := route.Special("new_name",
		"$avp(name), optionally followed by /flags: g copies all values, d deletes the old ones, "+
			"n makes them numbers, s texts")
	m.Func(route.Func{Name: "is_avp_set", In: route.Anywhere, Args: []route.AnyArg{from},
		Build: isSet,
		Doc:   "Tells whether there is a value. Flags: n a number, s a text, e 0 or empty."})
	m.Func(route.Func{Name: "avp_delete", In: route.Anywhere, Args: []route.AnyArg{from},
		Build: remove,
		Doc:   "Deletes the newest value, or with the flag g all values. False: there is none."})
	m.Func(route.Func{Name: "avp_copy", In: route.Anywhere, Args: []route.AnyArg{from, to},
		Build: copyTo,
		Doc: "Copies the newest value to another name. False: there is none, or with n it is not " +
			"a number."})
	operation := func(examples string) route.AnyArg {
		return route.Special("op_value", "OPERATOR/VALUE/FLAGS; the value is i:NUMBER, s:TEXT, a text "+
			"or a variable; the operators are "+examples)
	}
	names := route.Special("names", "SOURCE, SOURCE/DESTINATION or SOURCE/DESTINATION/FLAGS, AVPs; g "+
		"takes all values of the source, d deletes them")
	m.Func(route.Func{Name: "avp_check", In: route.Anywhere, Build: check,
		Args: []route.AnyArg{route.Special("name", "a variable"), operation("eq, ne, lt, le, gt, ge, " +
			"re, fm, and, or, xor")},
		Doc: "Compares a value with another one of its kind. With the flag g it is enough that " +
			"one value of an AVP matches. i: eq and ne ignore case."})
	m.Func(route.Func{Name: "avp_op", In: route.Anywhere, Build: calculate,
		Args: []route.AnyArg{route.Special("names", "SOURCE or SOURCE/DESTINATION, AVPs"),
			operation("add, sub, mul, div, mod, and, or, xor, and not, the complement of the value")},
		Doc: "Applies the operator to each number of the source, and adds the results to the " +
			"destination. d deletes the source. False: the source has no number."})
	expression := route.Text("subst", "/pattern/replacement/flags")
	m.Func(route.Func{Name: "avp_subst", In: route.Anywhere, Build: substitute,
		Args: []route.AnyArg{names, route.Special("subst", "/pattern/replacement/flags, as for "+
			"{re.subst}")},
		Doc: "Makes a substitution in the newest text. False: nothing matched."})
	m.Func(route.Func{Name: "avp_subst_pv", In: route.Anywhere, Build: substituteText(expression),
		Args: []route.AnyArg{names, expression},
		Doc:  "The same as avp_subst, with variables filled in before the expression is read."})
	m.Func(route.Func{Name: "avp_pushto", In: route.InRequest | route.InFailure, Build: push,
		Args: []route.AnyArg{route.Special("destination", "$ru, $ru/username, $ru/domain, $du or $br"),
			route.Special("name", "a variable, optionally followed by /g for all values of "+
				"an AVP")},
		Doc: "Writes a value to the Request-URI, the outbound URI or a new branch."}).
		Soon(route.InBranch | route.InReplies)
	route.Func2(m, "avp_printf", route.Anywhere, route.Writable("dest", "the AVP"),
		route.Text("format", "a text"), "Adds a text to an AVP. The same as pv_printf of kex.",
		func(c *route.Ctx, into *route.Place, text []byte) route.Result {
			return into.Put(c, route.TextValue(text))
		})
	route.Func0(m, "avp_print", route.Anywhere, "Logs all AVPs, at level 2.", print)
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
