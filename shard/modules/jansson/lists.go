package jansson

import (
	"bytes"

	"viaduct/shard/route"
)

// lists declares what turns JSON texts into lists and back.
func lists(m *route.Module) {
	json := route.Text("json", "a JSON text: an object, or an array of objects")
	name := route.Text("xavp", "the name of the list, without $xavp()")
	route.Func2(m, "jansson_xdecode", route.Anywhere, json, name, "Makes a list of an object, and of "+
		"each object of an array, the last of which is the newest. True and false are 1 and 0, arrays "+
		"and objects a JSON text; what is null has no field. False: the text is no such JSON, has two "+
		"values for a name, or there is no room; then no list is made.", decode)
	dst := route.Writable("dst", "the variable that the JSON text is written to")
	route.Func2(m, "jansson_xencode", route.Anywhere, name, dst,
		"Writes the newest list of a name as "+
			"an object. Of several fields of a name it has the oldest. False: there is no list, it has "+
			"another list in it (Kamailio writes an address of memory), or a text in it is no UTF-8.",
		encode)
}

func decode(c *route.Ctx, json, name []byte) route.Result {
	b, ok := document(c, json)
	if !ok || len(name) == 0 || b[0] != '{' && b[0] != '[' {
		return -1
	}
	k, key := c.Kept(), route.KeyOf(name)
	if b[0] == '{' {
		return route.Truth(decodeObject(c, b, &key))
	}
	made := 0
	for i := 1; i < len(b)-1; i++ {
		end := valueEnd(b, i)
		if !decodeObject(c, b[i:end:end], &key) {
			for ; made > 0; made-- {
				k.Remove(route.XAVPs, k.Nth(route.XAVPs, &key, false, 0))
			}
			return -1
		}
		made++
		i = end
	}
	return 1
}

// decodeObject makes one list. What is no object makes an empty one, as in Kamailio.
func decodeObject(c *route.Ctx, b []byte, key *route.Key) bool {
	k := c.Kept()
	in := k.Push(route.XAVPs, key, route.Null)
	if in == 0 || b[0] != '{' {
		return in != 0
	}
	for i := 1; i < len(b)-1; i++ {
		colon := textEnd(b, i)
		end := valueEnd(b, colon+1)
		name := c.Built(plainText(c.Room(), b[i:colon]))
		field := route.KeyOf(name.S)
		v := plain(c, b[colon+1:end:end])
		if name.IsNull() || k.Nth(in, &field, false, 0) != 0 ||
			!v.IsNull() && k.Push(in, &field, v) == 0 {
			k.Remove(route.XAVPs, in)
			return false
		}
		i = end
	}
	return true
}

func encode(c *route.Ctx, name []byte, dst *route.Place) route.Result {
	k, key := c.Kept(), route.KeyOf(name)
	in := k.Nth(route.XAVPs, &key, false, 0)
	if in == 0 || !k.IsList(in) {
		return -1
	}
	out := append(c.Room(), '{')
	for i := k.First(in); i != 0; i = k.Next(i) {
		if earlier(k, in, i) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		ok := false
		if out, ok = appendText(out, k.Name(i)); !ok {
			return -1
		}
		oldest := i
		for j := k.Next(i); j != 0; j = k.Next(j) {
			if bytes.Equal(k.Name(j), k.Name(i)) {
				oldest = j
			}
		}
		out = append(out, ": "...)
		switch v := k.Value(oldest); {
		case k.IsList(oldest):
			return -1
		case v.IsText():
			if out, ok = appendText(out, v.S); !ok {
				return -1
			}
		default:
			out = v.Append(out)
		}
	}
	v := c.Built(append(out, '}'))
	if v.IsNull() {
		return -1
	}
	return dst.Put(c, v)
}

// earlier tells whether a field of the name of i stands before it.
func earlier(k *route.Kept, in, i route.Item) bool {
	for j := k.First(in); j != i; j = k.Next(j) {
		if bytes.Equal(k.Name(j), k.Name(i)) {
			return true
		}
	}
	return false
}
