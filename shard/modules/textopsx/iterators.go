package textopsx

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// maxIterators is how many iterators of a kind there may be at once, as in Kamailio.
const maxIterators = 4

// maxIteratorName is the longest name of one, in bytes. Beyond: false.
const maxIteratorName = 32

// An iterator stands at a header, or at a line of the body, of the message of a run.
type iterator struct {
	name  [maxIteratorName]byte
	n     int         // bytes of the name; 0 means nobody has it
	row   int         // of headers: -1 before the first, past the end behind the last
	line  parser.Span // of a body: the line at hand; empty before the first and behind the last
	moved bool        // next has been called
}

// iterators are those of a shard. They end with the run that began them.
type iterators struct {
	headers, lines [maxIterators]iterator
	armed          bool
	done           func(*route.Ctx) // end, made once
}

func (s *iterators) end() {
	for i := range s.headers {
		s.headers[i].n, s.lines[i].n = 0, 0
	}
	s.armed = false
}

// named is the iterator of that name. It is nil if there is none.
func named(list *[maxIterators]iterator, name []byte) *iterator {
	for i := range list {
		if it := &list[i]; it.n > 0 && string(it.name[:it.n]) == string(name) {
			return it
		}
	}
	return nil
}

// start begins an iterator anew.
func start(list *[maxIterators]iterator, name []byte) *iterator {
	if len(name) == 0 || len(name) > maxIteratorName {
		return nil
	}
	it := named(list, name)
	for i := 0; it == nil && i < len(list); i++ {
		if list[i].n == 0 {
			it = &list[i]
		}
	}
	if it != nil {
		*it = iterator{n: len(name), row: -1}
		copy(it.name[:], name)
	}
	return it
}

// iterate declares the iterators.
func iterate(m *route.Module) {
	of := route.NewPerShard(m, func(int) *iterators {
		s := new(iterators)
		s.done = func(*route.Ctx) { s.end() }
		return s
	})
	declare(m, of, "hf_iterator_", func(s *iterators) *[maxIterators]iterator { return &s.headers },
		"header",
		func(c *route.Ctx, it *iterator) bool {
			it.row = min(it.row+1, len(c.Msg.Headers))
			return it.row < len(c.Msg.Headers)
		},
		func(c *route.Ctx, it *iterator) (parser.Span, bool) {
			if it.row < 0 || it.row >= len(c.Msg.Headers) {
				return parser.Span{}, false
			}
			return c.Msg.Headers[it.row].Line, true
		})
	declare(m, of, "bl_iterator_", func(s *iterators) *[maxIterators]iterator { return &s.lines },
		"line of the body",
		func(c *route.Ctx, it *iterator) bool {
			at := c.Msg.BodyStart
			if it.moved {
				at = it.line.End()
			}
			end := c.Msg.BodyStart + uint32(len(c.Msg.Body()))
			_, rest := route.Line(c.Msg.Raw[at:end])
			it.moved, it.line = true, parser.Span{Off: at, Len: end - at - uint32(len(rest))}
			return it.line.Len > 0
		},
		func(_ *route.Ctx, it *iterator) (parser.Span, bool) { return it.line, it.line.Len > 0 })
	name := route.Text("name", "the name of the iterator")
	route.Func1(m, "hf_iterator_prev", route.Anywhere, name,
		"Goes back to the previous header, and from the first one to in front of it.",
		func(c *route.Ctx, name []byte) route.Result {
			it := named(&of.Of(c).headers, name)
			if it == nil || it.row >= len(c.Msg.Headers) {
				return -1
			}
			it.row = max(it.row-1, -1)
			return 1
		})
	value := func(name, doc string, read func(c *route.Ctx, s *iterators, name []byte) ([]byte,
		bool)) {
		m.Var(route.Var{Name: name, Inner: "ITERATOR", Doc: doc,
			Compile: func(_ *route.VarBuild, inner, _ string) route.Place {
				name := []byte(inner)
				return route.Place{Text: func(c *route.Ctx) ([]byte, bool) { return read(c, of.Of(c), name) },
					NoRoom: true}
			}})
	}
	header := func(c *route.Ctx, s *iterators, name []byte) *parser.Header {
		it := named(&s.headers, name)
		if it == nil || it.row < 0 || it.row >= len(c.Msg.Headers) {
			return nil
		}
		return &c.Msg.Headers[it.row]
	}
	value("hfitname", "The name of the header that an iterator is at.",
		func(c *route.Ctx, s *iterators, name []byte) ([]byte, bool) {
			if h := header(c, s, name); h != nil {
				return c.Msg.Bytes(h.Name), true
			}
			return nil, false
		})
	value("hfitbody", "Its value.", func(c *route.Ctx, s *iterators, name []byte) ([]byte, bool) {
		if h := header(c, s, name); h != nil {
			return c.Msg.Bytes(c.Msg.FieldBody(h)), true
		}
		return nil, false
	})
	value("blitval", "The line that an iterator is at, with its line end.",
		func(c *route.Ctx, s *iterators, name []byte) ([]byte, bool) {
			if it := named(&s.lines, name); it != nil && it.line.Len > 0 {
				return c.Msg.Bytes(it.line), true
			}
			return nil, false
		})
}

// declare declares the functions of one kind of iterator: next goes on, at is what it stands at.
func declare(m *route.Module, of *route.PerShard[iterators], prefix string,
	list func(s *iterators) *[maxIterators]iterator, what string,
	next func(c *route.Ctx, it *iterator) bool, at func(c *route.Ctx, it *iterator) (parser.Span,
		bool)) {
	name := route.Text("name", "the name of the iterator")
	route.Func1(m, prefix+"start", route.Anywhere, name,
		"Begins to go through each "+what+". A run may have 4 such iterators at once.",
		func(c *route.Ctx, name []byte) route.Result {
			s := of.Of(c)
			if !s.armed {
				s.armed = true
				c.AtEnd(s.done)
			}
			return route.Truth(start(list(s), name) != nil)
		})
	route.Func1(m, prefix+"end", route.Anywhere, name, "Releases an iterator.",
		func(c *route.Ctx, name []byte) route.Result {
			it := named(list(of.Of(c)), name)
			if it == nil {
				return -1
			}
			it.n = 0
			return 1
		})
	route.Func1(m, prefix+"next", route.Anywhere, name,
		"Goes to the next "+what+", at first to the first one. False: there is none.",
		func(c *route.Ctx, name []byte) route.Result {
			it := named(list(of.Of(c)), name)
			return route.Truth(it != nil && next(c, it))
		})
	edit := func(name, doc string, f func(c *route.Ctx, at parser.Span, text []byte) route.Result) {
		route.Func2(m, prefix+name, route.Anywhere, route.Text("name", "the name of the iterator"),
			route.Text("text", "what goes in"), doc,
			func(c *route.Ctx, name, text []byte) route.Result {
				it := named(list(of.Of(c)), name)
				if it == nil {
					return -1
				}
				at, ok := at(c, it)
				if !ok {
					return -1
				}
				return f(c, at, text)
			})
	}
	insert := (*route.Ctx).Insert
	if prefix == "hf_iterator_" {
		insert = (*route.Ctx).InsertRows
	}
	edit("append", "Adds a text after the iterator's "+what+".",
		func(c *route.Ctx, at parser.Span, text []byte) route.Result { return insert(c, at.End(), text) })
	edit("insert", "Adds a text in front of the iterator's "+what+".",
		func(c *route.Ctx, at parser.Span, text []byte) route.Result { return insert(c, at.Off, text) })
	route.Func1(m, prefix+"rm", route.Anywhere, name, "Removes the iterator's "+what+".",
		func(c *route.Ctx, name []byte) route.Result {
			it := named(list(of.Of(c)), name)
			if it == nil {
				return -1
			}
			at, ok := at(c, it)
			if !ok {
				return -1
			}
			return c.Edit(at, nil)
		})
}
