package avpops

import (
	"strings"

	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

// substitute is avp_subst, and avp_subst_pv where the expression is known at load but for the
// variables in its replacement.
func substitute(b *route.Build) route.Call {
	x := textops.SubstAt(b, 1)
	if x == nil {
		return nil
	}
	return substituted(b, x.Made)
}

// substituteText is avp_subst_pv: the expression is read anew by each run, its variables filled in.
func substituteText(expression route.Arg[[]byte]) func(b *route.Build) route.Call {
	return func(b *route.Build) route.Call {
		in, ok := expression.At(b, 1)
		if !ok {
			return nil
		}
		if _, known := in.Known(); known {
			return substitute(b)
		}
		return substituted(b, func(c *route.Ctx, text []byte) (route.Value, int) {
			s, r := in.Get(c)
			if r <= 0 {
				return route.Null, -1
			}
			// A copy: what is built next would stand in its place.
			return textops.SubstText(c, c.Built(append(c.Room(), s...)).S, text)
		})
	}
}

// substituted applies made to texts of the source: to the newest, or with g to all.
func substituted(b *route.Build,
	made func(c *route.Ctx, text []byte) (route.Value, int)) route.Call {
	from, to, flags, ok := twoNames(b, 0, "gd")
	if !ok {
		return nil
	}
	all, move := strings.Contains(flags, "g"), strings.Contains(flags, "d")
	s, _ := b.Literal(0)
	inPlace := !strings.Contains(s, "/")
	return func(c *route.Ctx) route.Result {
		k, old, key := c.Kept(), from.AVP(c), to.AVP(c)
		r := route.Result(-1)
		for i := k.Nth(route.AVPs, &old, false, 0); i != 0; {
			next := k.Named(k.Next(i), &old, false)
			v := k.Value(i)
			if !v.IsText() {
				i = next
				continue
			}
			v, n := made(c, v.S)
			switch {
			case n < 0:
				return -1
			case n == 0:
				if !all {
					return r
				}
				i = next
				continue
			case inPlace:
				if !k.Replace(i, v) {
					c.TooLong()
					return -1
				}
			case k.Push(route.AVPs, &key, v) == 0:
				c.TooLong()
				return -1
			case move:
				k.Remove(route.AVPs, i)
			}
			if r = 1; !all {
				return r
			}
			i = next
		}
		return r
	}
}

// destinations are where avp_pushto writes.
var destinations = map[string]func(c *route.Ctx, v route.Value) bool{
	"$ru": func(c *route.Ctx, v route.Value) bool { return c.SetRURI(v) == route.SetDone },
	"$ru/username": func(c *route.Ctx, v route.Value) bool {
		return c.SetURIPart(route.UserPart, v) == route.SetDone
	},
	"$ru/domain": func(c *route.Ctx, v route.Value) bool {
		return c.SetURIPart(route.HostPart, v) == route.SetDone
	},
	"$du": func(c *route.Ctx, v route.Value) bool { return c.SetDURI(v) == route.SetDone },
	"$br": func(c *route.Ctx, v route.Value) bool { return c.Request.AppendBranch(c.TextOf(v), -1) },
}

// push is avp_pushto.
func push(b *route.Build) route.Call {
	dst, _ := b.Literal(0)
	write := destinations[dst]
	if write == nil {
		b.Errorf(0, "avp_pushto writes to $ru, $ru/username, $ru/domain, $du or $br, not to %s",
			route.Quote(dst))
		return nil
	}
	s, _ := b.Literal(1)
	name, flags, _ := strings.Cut(s, "/")
	p := b.Place(1, name)
	if p == nil {
		return nil
	}
	if at := strings.Trim(strings.ToLower(flags), "g"); at != "" {
		b.Errorf(1, "avp_pushto: there is no flag %c; there is g", at[0])
		return nil
	}
	all := flags != "" && p.AVP != nil
	return func(c *route.Ctx) route.Result {
		if !all {
			v := p.Value(c)
			return route.Truth(!v.IsNull() && write(c, v))
		}
		k, key := c.Kept(), p.AVP(c)
		r := route.Result(-1)
		for i := k.Nth(route.AVPs, &key, false, 0); i != 0; i = k.Named(k.Next(i), &key, false) {
			if !write(c, k.Value(i)) {
				return -1
			}
			r = 1
		}
		return r
	}
}

// print is avp_print: a line for each value, the newest first.
func print(c *route.Ctx) route.Result {
	const info = 2
	log := c.Shard.Log
	if log.LogLevel() < info {
		return 1
	}
	k := c.Kept()
	for i := k.First(route.AVPs); i != 0; i = k.Next(i) {
		line := append(c.Room(), "avpops: $avp("...)
		line = append(append(line, k.Name(i)...), ") = "...)
		log.Log(info, k.Value(i).Append(line))
	}
	return 1
}
