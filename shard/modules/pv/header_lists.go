package pv

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// headerLists are the variables that take rows with several values apart.
func headerLists(m *route.Module) {
	m.Var(route.Var{Name: "hfl", Inner: "name", Always: true, Compile: headerListVar,
		Doc: "A value of a header that may have several in a row.",
		Index: "which of them, 0 the first; negative numbers count from the last, * is all rows " +
			"of that name, joined by commas"})
	m.Var(route.Var{Name: "hflc", Inner: "name", Always: true,
		Doc: "How many values a header has, all rows of that name together.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
				return int64(valueCount(c.Msg, inner)), true
			}}
		}})
}

// headerListVar is $(hfl(Name)[i]).
func headerListVar(b *route.VarBuild, inner, index string) route.Place {
	at, ok := b.Index(index)
	if !ok {
		return route.Place{}
	}
	return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
		want, all := at.At(c)
		if all {
			return allHeaders(c, inner)
		}
		if want < 0 {
			want += valueCount(c.Msg, inner)
		}
		var found parser.Span
		eachValue(c.Msg, inner, func(n int, s parser.Span) bool {
			if n == want {
				found = s
			}
			return n < want
		})
		return c.Msg.Bytes(found), found.Len > 0
	}}
}

// listed are the headers whose rows may have several values (RFC 3261 §7.3.1) and that this takes
// apart; the value of another one is its row.
var listed = [...]parser.Kind{parser.KindVia, parser.KindRoute, parser.KindRecordRoute,
	parser.KindContact, parser.KindDiversion, parser.KindPAssertedIdentity}

// valueCount is how many values a header has.
func valueCount(m *parser.Message, name string) int {
	return eachValue(m, name, func(int, parser.Span) bool { return true })
}

// eachValue calls f with the values of a header until it returns false. It returns how many it has
// called it with.
func eachValue(m *parser.Message, name string, f func(n int, s parser.Span) bool) (n int) {
	for i := m.HeaderByName(name, 0); i >= 0; i = m.HeaderByName(name, i+1) {
		rest := m.Headers[i].Value
		for several := isListed(m.Headers[i].Kind); ; {
			s := rest
			if several {
				s = firstIn(m, rest)
			}
			next := s.End() + 1 // behind the comma
			last := s.Len == rest.Len
			if several {
				s = trimmed(m, s)
			}
			if n++; !f(n-1, s) {
				return n
			}
			if last {
				break
			}
			rest = parser.Span{Off: next, Len: rest.End() - next}
		}
	}
	return n
}

func isListed(kind parser.Kind) bool {
	for _, k := range listed {
		if k == kind {
			return true
		}
	}
	return false
}

// trimmed is s without white space around it.
func trimmed(m *parser.Message, s parser.Span) parser.Span {
	blank := func(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
	for s.Len > 0 && blank(m.Raw[s.Off]) {
		s.Off, s.Len = s.Off+1, s.Len-1
	}
	for s.Len > 0 && blank(m.Raw[s.End()-1]) {
		s.Len--
	}
	return s
}
