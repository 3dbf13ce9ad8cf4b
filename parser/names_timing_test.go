package parser

import (
	"strings"
	"testing"
)

// switchKindOf is what KindOf would be without the table: a switch on length and first byte. It
// knows the names of inviteSDP only, which flatters it.
func switchKindOf(name []byte) Kind {
	s := string(name)
	switch len(name) {
	case 2:
		if strings.EqualFold(s, "To") {
			return KindTo
		}
	case 3:
		if strings.EqualFold(s, "Via") {
			return KindVia
		}
	case 4:
		switch name[0] | 0x20 {
		case 'f':
			if strings.EqualFold(s, "From") {
				return KindFrom
			}
		case 'c':
			if strings.EqualFold(s, "CSeq") {
				return KindCSeq
			}
		}
	case 5:
		if strings.EqualFold(s, "Allow") {
			return KindAllow
		}
	case 7:
		switch name[2] | 0x20 {
		case 'l':
			if strings.EqualFold(s, "Call-ID") {
				return KindCallID
			}
		case 'n':
			if strings.EqualFold(s, "Contact") {
				return KindContact
			}
		}
	case 10:
		if strings.EqualFold(s, "User-Agent") {
			return KindUserAgent
		}
	case 12:
		switch name[0] | 0x20 {
		case 'm':
			if strings.EqualFold(s, "Max-Forwards") {
				return KindMaxForwards
			}
		case 'c':
			if strings.EqualFold(s, "Content-Type") {
				return KindContentType
			}
		}
	case 14:
		if strings.EqualFold(s, "Content-Length") {
			return KindContentLength
		}
	}
	return KindOther
}

// BenchmarkKindOf: one run is the eleven names of inviteSDP, found from their lines: "table" by the
// Go code, "rows" by what this machine has.
func BenchmarkKindOf(b *testing.B) {
	var m Message
	m.Parse(inviteSDP)
	b.Run("table", func(b *testing.B) {
		var h Header
		for b.Loop() {
			for i := range m.Headers {
				l := m.Headers[i].Line
				if h.read(inviteSDP, int(l.Off), int(l.End())-2) != m.Headers[i].Kind {
					b.Fatal(i)
				}
			}
		}
	})
	b.Run("rows", func(b *testing.B) {
		for b.Loop() {
			m.seen, m.twice, m.lines.next = 0, 0, 1
			if n, p := m.knownRows(m.few[:], 0, int(m.HeaderStart)); n != len(m.Headers) || p != int(m.HeaderEnd) {
				b.Fatal(n, p)
			}
		}
	})
	b.Run("switch", func(b *testing.B) {
		for b.Loop() {
			for i := range m.Headers {
				h := &m.Headers[i]
				line := h.Line.Of(inviteSDP)
				n := 0
				for n < len(line) && line[n] != ':' {
					n++
				}
				if switchKindOf(line[:n]) != h.Kind {
					b.Fatal(i)
				}
			}
		}
	})
}
