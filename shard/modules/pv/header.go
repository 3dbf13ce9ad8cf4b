package pv

import (
	"unsafe"

	"viaduct/shard/route"
)

// headerVar is $hdr(Name), $hdr($var(name)) and $(hdr(Name)[i]).
func headerVar(b *route.VarBuild, inner, index string) route.Place {
	at, ok := b.Index(index)
	if !ok {
		return route.Place{}
	}
	name := func(*route.Ctx) string { return inner }
	_, all, known := at.Known()
	place := route.Place{NoRoom: !all && known}
	if inner[0] == '$' {
		val := b.Variable(inner)
		// A view is enough: nothing keeps the name.
		name = func(c *route.Ctx) string {
			s := c.TextOf(val(c))
			return unsafe.String(unsafe.SliceData(s), len(s))
		}
		place.NoRoom = false
	}
	if all {
		place.Text = func(c *route.Ctx) ([]byte, bool) { return allHeaders(c, name(c)) }
	} else {
		place.Text = func(c *route.Ctx) ([]byte, bool) {
			n, _ := at.At(c)
			return c.Header(name(c), n)
		}
	}
	return place
}

// allHeaders is $(hdr(name)[*]). A single value is a view of the message.
func allHeaders(c *route.Ctx, name string) ([]byte, bool) {
	m := c.Msg
	i := m.HeaderByName(name, 0)
	if i < 0 {
		return nil, false
	}
	first, next := m.Bytes(m.FieldBody(&m.Headers[i])), m.HeaderByName(name, i+1)
	if next < 0 {
		return first, true
	}
	b := append(c.Room(), first...)
	for ; next >= 0; next = m.HeaderByName(name, next+1) {
		b = append(append(b, ','), m.Bytes(m.FieldBody(&m.Headers[next]))...)
	}
	return built(c, b)
}
