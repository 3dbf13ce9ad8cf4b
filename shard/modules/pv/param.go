package pv

import (
	"math"

	"viaduct/shard/route"
)

// params are the transformations {param.…}, of lists "name=value;name=value".
func params(m *route.Module) {
	sep := route.Optional(route.Verbatim(char("separator", "the separator of parameters")), ';')
	name := route.Text("name", "the name; case is ignored")
	index := route.Int("index", math.MinInt32, math.MaxInt32,
		"the index; negative ones count from the last")
	route.Transform2(m, "param.value", name, sep,
		"The value of a parameter, without quotes around it; of several with the name, the last.",
		func(c *route.Ctx, v route.Value, name []byte, sep byte) route.Value {
			p, ok := lastParam(c.TextOf(v), name, sep)
			if !ok {
				return route.Null
			}
			return view(p.value)
		})
	route.Transform2(m, "param.in", name, sep, "Whether there is a parameter: 1 or 0.",
		func(c *route.Ctx, v route.Value, name []byte, sep byte) route.Value {
			p, ok := lastParam(c.TextOf(v), name, sep)
			if !ok {
				return route.Null
			}
			return truth(p.there)
		})
	route.Transform2(m, "param.valueat", index, sep, "The value of the parameter with that index.",
		func(c *route.Ctx, v route.Value, index int, sep byte) route.Value {
			p, ok := paramAt(c.TextOf(v), index, sep)
			if !ok {
				return route.Null
			}
			return view(p.value)
		})
	route.Transform2(m, "param.name", index, sep, "The name of the parameter with that index.",
		func(c *route.Ctx, v route.Value, index int, sep byte) route.Value {
			p, ok := paramAt(c.TextOf(v), index, sep)
			if !ok {
				return route.Null
			}
			return view(p.name)
		})
	route.Transform1(m, "param.count", route.Rest(sep), "How many parameters there are.",
		func(c *route.Ctx, v route.Value, sep byte) route.Value {
			n, ok := countParams(c.TextOf(v), sep)
			if !ok {
				return route.Null
			}
			return route.IntValue(int64(n))
		})
}

// char is an argument of one character, known at load.
func char(name, doc string) route.Arg[byte] {
	return route.Parsed(name, "one character for the "+name, "is not one character", doc,
		func(s string) (byte, bool) { return (s + "\x00")[0], len(s) == 1 })
}

func truth(b bool) route.Value {
	if b {
		return route.IntValue(1)
	}
	return route.IntValue(0)
}

// param is one parameter: views.
type param struct {
	name, value []byte
	there       bool
}

// paramList reads a list, which a comma ends.
type paramList struct {
	b   []byte
	sep byte
	bad bool // it is no list from here on
}

// next is the next parameter. It says false behind the last, and at what is none.
func (l *paramList) next() (p param, ok bool) {
	l.b = skipBlank(l.b)
	if l.bad || len(l.b) == 0 || l.b[0] == ',' {
		return p, false
	}
	p.there = true
	p.name, l.b = l.word(l.b, true)
	l.b = skipBlank(l.b)
	if len(l.b) > 0 && l.b[0] == '=' {
		l.b = skipBlank(l.b[1:])
		if len(l.b) > 0 && (l.b[0] == '"' || l.b[0] == '\'') {
			p.value, l.b, ok = quoted(l.b)
			if !ok {
				l.bad = true
				return p, false
			}
		} else {
			p.value, l.b = l.word(l.b, false)
		}
		l.b = skipBlank(l.b)
	}
	switch {
	case len(l.b) == 0 || l.b[0] == ',':
	case l.b[0] == l.sep:
		l.b = l.b[1:]
	default:
		l.bad = true
		return p, false
	}
	return p, true
}

// word is what stands before white space, the separator or a comma, and before "=" if that ends it.
func (l *paramList) word(b []byte, equals bool) (word, rest []byte) {
	for i, x := range b {
		if isBlank(x) || x == l.sep || x == ',' || equals && x == '=' {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

// quoted is what stands in the quotes that b begins with. There are no escapes in them.
func quoted(b []byte) (text, rest []byte, ok bool) {
	for i := 1; i < len(b); i++ {
		if b[i] == b[0] {
			return b[1:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

func isBlank(x byte) bool { return x == ' ' || x == '\t' || x == '\r' || x == '\n' }

func skipBlank(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}

// lastParam is the last parameter of that name. It says false if b is empty or no list.
func lastParam(b, name []byte, sep byte) (found param, ok bool) {
	l := paramList{b: b, sep: sep}
	for {
		p, more := l.next()
		if !more {
			return found, len(b) > 0 && !l.bad
		}
		if sameFold(p.name, name) {
			found = p
		}
	}
}

// paramAt is the parameter of that index; an empty one if there is none.
func paramAt(b []byte, index int, sep byte) (at param, ok bool) {
	n, ok := countParams(b, sep)
	if !ok {
		return at, false
	}
	if index < 0 {
		index += n
	}
	if index < 0 || index >= n {
		return at, true
	}
	for l := (paramList{b: b, sep: sep}); index >= 0; index-- {
		at, _ = l.next()
	}
	return at, true
}

func countParams(b []byte, sep byte) (n int, ok bool) {
	l := paramList{b: b, sep: sep}
	for {
		if _, more := l.next(); !more {
			return n, len(b) > 0 && !l.bad
		}
		n++
	}
}

// sameFold compares without the case of the letters A to Z.
func sameFold[A, B []byte | string](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x^y != 0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
