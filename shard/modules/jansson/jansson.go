// Package jansson reads and writes JSON texts: Kamailio's module jansson.
package jansson

import (
	"strconv"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	path := route.Text("path", "where, such as a.b[0].c; empty: the whole")
	json := route.Text("json", "a JSON text")
	dst := route.Writable("dst", "the variable for the result")
	get := func(c *route.Ctx, path, json []byte, dst *route.Place) route.Result {
		b, ok := document(c, json)
		if !ok {
			return -1
		}
		at, _, rest, ok := find(b, path, c.Room())
		if !ok || len(rest) > 0 {
			return -1
		}
		return dst.Put(c, plain(c, b[at.from:at.to:at.to]))
	}
	route.Func3(m, "jansson_get", route.Anywhere, path, json, dst,
		"Writes the value at a path. True and false are 1 and 0, arrays and objects a JSON text.",
		get)
	route.Func3(m, "jansson_get_field", route.Anywhere, json, path, dst,
		"The same as jansson_get, with its arguments in another order.",
		func(c *route.Ctx, json, key []byte, dst *route.Place) route.Result {
			return get(c, key, json, dst)
		})
	route.Func3(m, "jansson_array_size", route.Anywhere, path, json, dst,
		"Writes how many items the array at a path has.",
		func(c *route.Ctx, path, json []byte, dst *route.Place) route.Result {
			b, ok := document(c, json)
			if !ok {
				return -1
			}
			at, _, rest, ok := find(b, path, c.Room())
			if !ok || len(rest) > 0 || b[at.from] != '[' {
				return -1
			}
			return dst.Put(c, route.IntValue(int64(count(b, at))))
		})
	lists(m)

	kind := route.Text("type",
		"integer (int), string (str), real, true, false, null, object (obj), array")
	value := route.Text("value", "the value as text")
	into := route.Writable("result", "the variable with the JSON text, which is replaced")
	route.Func4(m, "jansson_set", route.Anywhere, kind, path, value, into,
		"Sets the value at a path. Missing objects on the way are created.", set)
	route.Func4(m, "jansson_append", route.Anywhere, kind, path, value, into,
		"Adds a value to the array at a path, or the members of an object to the object there.",
		add)
}

// document is a JSON text in its compact form, which lives until the statement ends.
func document(c *route.Ctx, json []byte) ([]byte, bool) {
	b, ok := compact(c.Room(), json)
	if !ok {
		return nil, false
	}
	v := c.Built(b)
	return v.S, v.IsText()
}

// plain is a value of a compact text as a value of the script.
func plain(c *route.Ctx, b []byte) route.Value {
	switch b[0] {
	case '"':
		return c.Built(plainText(c.Room(), b))
	case '{', '[':
		return route.TextValue(b)
	case 't':
		return route.IntValue(1)
	case 'f':
		return route.IntValue(0)
	case 'n':
		return route.Null
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return route.IntValue(n)
	}
	f, _ := strconv.ParseFloat(string(b), 64)
	return c.Built(strconv.AppendFloat(c.Room(), f, 'g', 15, 64))
}

// written is a value in JSON.
func written(c *route.Ctx, kind, value []byte) ([]byte, bool) {
	b, ok := c.Room(), false
	switch string(kind) {
	case "integer", "int":
		n, err := strconv.ParseInt(string(value), 10, 64)
		b, ok = strconv.AppendInt(b, n, 10), err == nil
	case "real":
		f, err := strconv.ParseFloat(string(value), 64)
		b, ok = appendReal(b, f), err == nil && f-f == 0
	case "string", "str":
		b, ok = appendText(b, value)
	case "true", "false", "null":
		b, ok = append(b, kind...), true
	case "object", "obj", "array":
		b, ok = compact(b, value)
		ok = ok && (b[0] == '[') == (kind[0] == 'a') && (b[0] == '[' || b[0] == '{')
	}
	if !ok {
		return nil, false
	}
	v := c.Built(b)
	return v.S, v.IsText()
}

// nothing is what an object is made of where no text is yet: null, and a number, as a $var is that
// is not set (5.6.3).
var nothing = []byte("{}")

// edit reads the document and the value of set and add, and finds the path.
func edit(c *route.Ctx, kind, path, value []byte, into *route.Place) (b, json []byte, at span,
	last step, rest []byte, ok bool) {
	text := nothing
	if v := into.Value(c); v.IsText() {
		text = v.S
	}
	if json, ok = written(c, kind, value); !ok {
		return
	}
	if b, ok = document(c, text); !ok {
		return
	}
	at, last, rest, ok = find(b, path, c.Room())
	return
}

// put writes the document with what stands at a span replaced.
func put(c *route.Ctx, b []byte, at span, with []byte, into *route.Place) route.Result {
	out := append(append(append(c.Room(), b[:at.from]...), with...), b[at.to:]...)
	v := c.Built(out)
	if v.IsNull() {
		return -1
	}
	return into.Put(c, v)
}

func set(c *route.Ctx, kind, path, value []byte, into *route.Place) route.Result {
	b, json, at, _, rest, ok := edit(c, kind, path, value, into)
	switch {
	case !ok || len(path) == 0:
		return -1
	case len(rest) == 0:
		return put(c, b, at, json, into)
	case b[at.from] != '{':
		return -1
	}
	// What is left of the path are the keys of objects that are made.
	out := append(c.Room(), b[:at.to-1]...)
	if at.to-at.from > 2 {
		out = append(out, ',')
	}
	open := 0
	for first := len(rest) == len(path); len(rest) > 0; first = false {
		s, behind, ok := next(rest, first)
		if !ok || s.index >= 0 {
			return -1
		}
		if open > 0 {
			out = append(out, '{')
		}
		if out, ok = appendText(out, s.key); !ok {
			return -1
		}
		out = append(out, ':')
		open, rest = open+1, behind
	}
	if open > maxDepth {
		return -1
	}
	out = append(out, json...)
	for range open {
		out = append(out, '}')
	}
	v := c.Built(append(out, b[at.to:]...))
	if v.IsNull() {
		return -1
	}
	return into.Put(c, v)
}

func add(c *route.Ctx, kind, path, value []byte, into *route.Place) route.Result {
	b, json, at, last, rest, ok := edit(c, kind, path, value, into)
	if !ok || len(rest) > 0 {
		return -1
	}
	switch {
	case b[at.from] == '[':
	case b[at.from] == '{' && json[0] == '{':
		return merge(c, b, at, json, into)
	case last.index >= 0:
		return put(c, b, at, json, into)
	default:
		return -1
	}
	v := c.Built(appended(c.Room(), b, at, json))
	if v.IsNull() {
		return -1
	}
	return into.Put(c, v)
}

// appended writes b with one more item in the list at a span.
func appended(dst, b []byte, at span, item []byte) []byte {
	dst = append(dst, b[:at.to-1]...)
	if at.to-at.from > 2 {
		dst = append(dst, ',')
	}
	return append(append(dst, item...), b[at.to-1:]...)
}

// merge puts the members of an object into the one at a span. A key that both have is the second's.
func merge(c *route.Ctx, b []byte, at span, json []byte, into *route.Place) route.Result {
	for i := 1; i < len(json)-1; i++ {
		k := textEnd(json, i)
		end := valueEnd(json, k+1)
		out := c.Room()
		if old, both := member(b, at, json[i:k]); both {
			out = append(append(append(out, b[:old.from]...), json[k+1:end]...), b[old.to:]...)
		} else {
			out = appended(out, b, at, json[i:end])
		}
		v := c.Built(out)
		if v.IsNull() {
			return -1
		}
		at.to += len(v.S) - len(b)
		b, i = v.S, end
	}
	return into.Put(c, route.TextValue(b))
}
