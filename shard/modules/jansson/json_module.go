package jansson

import (
	"bytes"

	"viaduct/shard/route"
)

// DefineJSON is module json, an older sister: fields of an object, by their name.
func DefineJSON(m *route.Module) {
	json := route.Text("json_string", "a JSON text, an object")
	field := route.Text("field_name", "the name of a field")
	dst := route.Writable("destination", "the variable for the field")
	// get finds a field. It returns nil if the text is no object, or has no such field, or null.
	get := func(c *route.Ctx, json, field []byte) []byte {
		b, ok := document(c, json)
		if !ok {
			return nil
		}
		key, ok := appendText(c.Room(), field)
		if !ok {
			return nil
		}
		if b = last(b, key); string(b) == "null" {
			return nil
		}
		return b
	}
	route.Func3(m, "json_get_field", route.Anywhere, json, field, dst,
		"Writes a field as a JSON text, a string with its quotes. False: it is missing, or null.",
		func(c *route.Ctx, json, field []byte, dst *route.Place) route.Result {
			b := get(c, json, field)
			if b == nil {
				return -1
			}
			return dst.Put(c, c.Built(appendSpaced(c.Room(), b)))
		})
	route.Func3(m, "json_get_string", route.Anywhere, json, field, dst,
		"The same as json_get_field, with a string decoded and without quotes.",
		func(c *route.Ctx, json, field []byte, dst *route.Place) route.Result {
			b := get(c, json, field)
			switch {
			case b == nil:
				return -1
			case b[0] == '"':
				return dst.Put(c, c.Built(plainText(c.Room(), b)))
			}
			return dst.Put(c, c.Built(appendSpaced(c.Room(), b)))
		})
	path := route.Text("path", "where, such as a.b[0].c")
	route.Transform1(m, "json.parse", path, "What a JSON text has at a path: a string as what it "+
		"means, anything else as a JSON text. It is empty where there is nothing, or null.",
		func(c *route.Ctx, v route.Value, path []byte) route.Value {
			nothing := route.TextValue([]byte{})
			b, ok := document(c, c.TextOf(v))
			if !ok || len(path) == 0 {
				return nothing
			}
			at, _, rest, ok := find(b, path, c.Room())
			if !ok || len(rest) > 0 {
				return nothing
			}
			switch x := b[at.from:at.to]; x[0] {
			case '"':
				return c.Built(plainText(c.Room(), x))
			case 'n':
				return nothing
			default:
				return c.Built(appendSpaced(c.Room(), x))
			}
		})
}

// last is the last of the fields of a name, which is written as a string, in a compact text; nil if
// there is none.
func last(b, key []byte) (field []byte) {
	if b[0] != '{' {
		return nil
	}
	for i := 1; i < len(b)-1; i++ {
		k := textEnd(b, i)
		end := valueEnd(b, k+1)
		if bytes.Equal(b[i:k], key) {
			field = b[k+1 : end : end]
		}
		i = end
	}
	return field
}

// appendSpaced writes a compact text with the spaces that module json has in it.
func appendSpaced(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			end := textEnd(b, i)
			dst = append(dst, b[i:end]...)
			i = end - 1
		case c == '{' || c == '[':
			dst = append(dst, c, ' ')
		case c == '}' || c == ']':
			if n := len(dst); n == 0 || dst[n-1] != ' ' {
				dst = append(dst, ' ')
			}
			dst = append(dst, c)
		case c == ',':
			dst = append(dst, ',', ' ')
		case c == ':':
			dst = append(dst, ':', ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
