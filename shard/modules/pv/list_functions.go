package pv

import (
	"bytes"
	"math"
	"strings"

	"viaduct/shard/route"
)

// listFunctions are the functions about $xavp, $xavi and $xavu.
func listFunctions(m *route.Module) {
	xavp.functions(m)
	xavi.functions(m)
	explode(m, xavp)
	explode(m, xavu)
	xavp.print(m)
	xavi.print(m)
	xavu.print(m)
	copying(m)
	betweenVars(m)
}

// named is an argument that is a name.
func named(name, doc string) route.Arg[[]byte] { return route.NonEmpty(route.Text(name, doc)) }

var (
	rootArg  = named("name", "the name of the list")
	fieldArg = named("field", "the name of the field")
)

// functions set and remove by names that are texts.
func (l listKind) functions(m *route.Module) {
	set := func(c *route.Ctx, root, field []byte, v route.Value) route.Result {
		k, rk, fk := c.Kept(), route.KeyOf(root), route.KeyOf(field)
		in := k.Nth(l.list, &rk, l.anyCase, 0)
		if in == 0 {
			in = k.Push(l.list, &rk, route.Null)
		}
		return route.Truth(in != 0 && k.IsList(in) && setOne(k, in, &fk, l.anyCase, v))
	}
	route.Func3(m, l.name+"_child_seti", route.Anywhere, rootArg, fieldArg,
		route.Int("value", math.MinInt, math.MaxInt, "the number"),
		"Sets a field of the newest list of that name to a number.",
		func(c *route.Ctx, root, field []byte, n int) route.Result {
			return set(c, root, field, route.IntValue(int64(n)))
		})
	route.Func3(m, l.name+"_child_sets", route.Anywhere, rootArg, fieldArg,
		route.Any("value", "the value"), "Sets a field of the newest list of that name to a text.",
		func(c *route.Ctx, root, field []byte, v route.Value) route.Result {
			return set(c, root, field, route.TextValue(c.TextOf(v)))
		})
	route.Func1(m, l.name+"_rm", route.Anywhere, rootArg, "Removes the newest list of that name.",
		func(c *route.Ctx, root []byte) route.Result {
			k, rk := c.Kept(), route.KeyOf(root)
			i := k.Nth(l.list, &rk, l.anyCase, 0)
			if i != 0 {
				k.Remove(l.list, i)
			}
			return 1
		})
	route.Func2(m, l.name+"_child_rm", route.Anywhere, rootArg, fieldArg,
		"Removes a field of the newest list of that name.",
		func(c *route.Ctx, root, field []byte) route.Result {
			k, rk, fk := c.Kept(), route.KeyOf(root), route.KeyOf(field)
			in := k.Nth(l.list, &rk, l.anyCase, 0)
			if in == 0 || !k.IsList(in) {
				return 1
			}
			if i := k.Nth(in, &fk, l.anyCase, 0); i != 0 {
				k.Remove(in, i)
			}
			return 1
		})
}

// explode declares NAME_params_explode and NAME_params_implode.
func explode(m *route.Module, l listKind) {
	params := route.Text("params", "name=value;name=value")
	route.Func2(m, l.name+"_params_explode", route.Anywhere, params, rootArg,
		"Makes a list of parameters. False: the text is no such list; one semicolon may stand at its "+
			"end. A comma ends it.", func(c *route.Ctx, params, root []byte) route.Result {
			if len(params) == 0 || !wellFormed(params) {
				return -1
			}
			k, rk := c.Kept(), route.KeyOf(root)
			if l.list == route.XAVUs {
				k.RemoveAll(l.list, &rk, false)
			}
			in := k.Push(l.list, &rk, route.Null)
			for in != 0 && len(params) > 0 {
				var name, value []byte
				name, value, params, _ = nextParam(params)
				key := route.KeyOf(name)
				if k.PushLast(in, &key, route.TextValue(value)) == 0 {
					return -1
				}
			}
			return route.Truth(in != 0)
		})
	route.Func2(m, l.name+"_params_implode", route.Anywhere, rootArg,
		route.Writable("to", "the variable to set"),
		"Writes the fields of the newest list of that name as name=value;.",
		func(c *route.Ctx, root []byte, to *route.Place) route.Result {
			k, rk := c.Kept(), route.KeyOf(root)
			in := k.Nth(l.list, &rk, l.anyCase, 0)
			if in == 0 || !k.IsList(in) || k.First(in) == 0 {
				return -1
			}
			b := c.Room()
			for i := k.First(in); i != 0; i = k.Next(i) {
				if !k.IsList(i) {
					b = append(append(b, k.Name(i)...), '=')
					b = append(k.Value(i).Append(b), ';')
				}
			}
			return to.Put(c, c.Built(b))
		})
}

// wellFormed tells whether nextParam can read a whole list.
func wellFormed(s []byte) bool {
	if strings.IndexByte(blanks, s[0]) >= 0 {
		return false
	}
	for ok := true; len(s) > 0; {
		if _, _, s, ok = nextParam(s); !ok {
			return false
		}
	}
	return true
}

// nextParam takes the first parameter off a list, which a comma ends. A value may stand in quotes,
// and semicolons in there. It returns false for what is no parameter.
func nextParam(s []byte) (name, value, rest []byte, ok bool) {
	i := bytes.IndexAny(s, "=;,"+blanks)
	if i < 0 {
		return s, nil, nil, true
	}
	name, s = s[:i], bytes.TrimLeft(s[i:], blanks)
	if len(name) == 0 {
		return nil, nil, nil, false
	}
	if len(s) > 0 && s[0] == '=' {
		s = bytes.TrimLeft(s[1:], blanks)
		switch {
		case len(s) == 0: // a value that is empty may stand at the end alone
		case s[0] == '"' || s[0] == '\'':
			end := bytes.IndexByte(s[1:], s[0])
			if end < 0 {
				return nil, nil, nil, false
			}
			value, s = s[1:end+1], s[end+2:]
		default:
			end := bytes.IndexAny(s, ";,"+blanks)
			if end < 0 {
				end = len(s)
			}
			if value, s = s[:end], s[end:]; end == 0 {
				return nil, nil, nil, false
			}
		}
		s = bytes.TrimLeft(s, blanks)
	}
	switch {
	case len(s) == 0 || s[0] == ',':
		return name, value, nil, true
	case s[0] != ';':
		return nil, nil, nil, false
	}
	rest = bytes.TrimLeft(s[1:], blanks)
	return name, value, rest, len(rest) > 0 || len(s) == 1
}

// print declares pv_NAME_print.
func (l listKind) print(m *route.Module) {
	const info = 2
	route.Func0(m, "pv_"+l.name+"_print", route.Anywhere,
		"Logs all of $"+l.name+", a line for each.",
		func(c *route.Ctx) route.Result {
			k := c.Kept()
			if c.Shard.Log.LogLevel() < info {
				return 1
			}
			for i := k.First(l.list); i != 0; i = k.Next(i) {
				b := append(append(append(c.Room(), '$'), l.name...), '(')
				b = appendItem(b, k, i)
				c.Shard.Log.Log(info, append(b, ')'))
			}
			return 1
		})
}

func appendItem(b []byte, k *route.Kept, i route.Item) []byte {
	b = append(b, k.Name(i)...)
	if !k.IsList(i) {
		return k.Value(i).Append(append(b, '='))
	}
	b = append(b, "=>{"...)
	for j := k.First(i); j != 0; j = k.Next(j) {
		b = append(appendItem(append(b, ' '), k, j), ';')
	}
	return append(b, " }"...)
}

// copying declares xavp_copy and xavp_slist_explode.
func copying(m *route.Module) {
	index := route.Int("index", math.MinInt32, math.MaxInt32, "which list of that name; 0 is the "+
		"newest")
	at := route.Optional(route.Int("at", math.MinInt32, math.MaxInt32,
		"which list of the target's name is replaced; without it, the copy is added as "+
			"the oldest"), none)
	to := named("to", "the name of the copy")
	route.Func4(m, "xavp_copy", route.Anywhere, rootArg, index, to, at, "Copies a list.",
		func(c *route.Ctx, from []byte, index int, to []byte, at int) route.Result {
			k, fk, tk := c.Kept(), route.KeyOf(from), route.KeyOf(to)
			in := k.Nth(route.XAVPs, &fk, false, index)
			if in == 0 || !k.IsList(in) {
				return -1
			}
			if at == none {
				made := k.PushLast(route.XAVPs, &tk, route.Null)
				return route.Truth(made != 0 && copyFields(k, in, made))
			}
			old := k.Nth(route.XAVPs, &tk, false, at)
			if old == 0 || old == in {
				return route.Truth(old != 0)
			}
			return route.Truth(k.Replace(old, route.Null) && copyFields(k, in, old))
		})

	list, sep := route.Text("list", "the texts"),
		route.Text("separator", "one character between them")
	mode := route.Text("mode", "t: white space around each is cut")
	route.Func4(m, "xavp_slist_explode", route.Anywhere, list, sep, mode, rootArg,
		"Makes a list whose fields v are the pieces of a text.",
		func(c *route.Ctx, list, sep, mode, root []byte) route.Result {
			k, rk, key := c.Kept(), route.KeyOf(root), route.KeyOf(fieldV)
			if len(list) == 0 || len(sep) == 0 {
				return -1
			}
			in := k.Push(route.XAVPs, &rk, route.Null)
			for more := true; more && in != 0; {
				var one []byte
				if one, list, more = bytes.Cut(list, sep[:1]); bytes.IndexByte(mode, 't') >= 0 {
					one = bytes.TrimSpace(one)
				}
				if k.PushLast(in, &key, route.TextValue(one)) == 0 {
					return -1
				}
			}
			return route.Truth(in != 0)
		})
}

// none is an index that nobody writes.
const none = math.MaxInt32

var fieldV = []byte("v")

// copyFields copies what is in a list into an empty one.
func copyFields(k *route.Kept, from, to route.Item) bool {
	for i := k.First(from); i != 0; i = k.Next(i) {
		key := route.KeyOf(k.Name(i))
		j := k.PushLast(to, &key, k.Value(i))
		if j == 0 || k.IsList(i) && !copyFields(k, i, j) {
			return false
		}
	}
	return true
}
