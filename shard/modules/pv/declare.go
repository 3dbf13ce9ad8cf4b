package pv

import (
	"strconv"

	"viaduct/shard/route"
)

// The forms that most of the plain variables have. A file need not load the module for them.

// textVar declares one that is a text, a view that needs no scratch room.
func textVar(m *route.Module, name, doc string, read func(c *route.Ctx) ([]byte, bool)) {
	plainVar(m, name, doc, route.Place{NoRoom: true, Text: read})
}

// madeVar declares one that is a text made in the scratch room.
func madeVar(m *route.Module, name, doc string, read func(c *route.Ctx) ([]byte, bool)) {
	plainVar(m, name, doc, route.Place{Text: read})
}

// numberVar declares one that is a number.
func numberVar(m *route.Module, name, doc string, read func(c *route.Ctx) (int64, bool)) {
	plainVar(m, name, doc, route.Place{NoRoom: true, Int: read})
}

// bothVar declares one that is a text, and a number where one is wanted.
func bothVar(m *route.Module, name, doc string, text func(c *route.Ctx) ([]byte, bool),
	number func(c *route.Ctx) (int64, bool)) {
	plainVar(m, name, doc, route.Place{NoRoom: true, Text: text, Int: number})
}

// digitsVar declares one that is the text of a number.
func digitsVar(m *route.Module, name, doc string, number func(c *route.Ctx) (int64, bool)) {
	plainVar(m, name, doc, route.Place{Text: digits(number), Int: number})
}

// digits reads a number as a text.
func digits(number func(c *route.Ctx) (int64, bool)) func(c *route.Ctx) ([]byte, bool) {
	return func(c *route.Ctx) ([]byte, bool) {
		n, ok := number(c)
		if !ok {
			return nil, false
		}
		return built(c, strconv.AppendInt(c.Room(), n, 10))
	}
}

// plainVar declares a plain variable.
func plainVar(m *route.Module, name, doc string, p route.Place) {
	m.Var(route.Var{Name: name, Doc: doc, Always: true, Place: p})
}

// built is what c.Built gives, for a reader of texts.
func built(c *route.Ctx, b []byte) ([]byte, bool) {
	v := c.Built(b)
	return v.S, !v.IsNull()
}
