package parser

import (
	"encoding/binary"
	"math/bits"
)

// Parse indexes the message in b. b is kept by reference until the next Parse. Nothing is
// allocated, except once in the life of m when a message has more than InlineHeaders rows.
//
// The work, in order:
//
//  1. skip line ends in front of the start line (RFC 3261 §7.5)
//  2. look at every byte up to the empty line, 64 at a time: where lines end, where a plain word
//     ends (lines.go)
//  3. cut the start line at its spaces
//  4. per header row find the colon in the first 16 bytes, which gives name
//     and Kind; a line that starts with white space goes to the row above it
//  5. stop at the empty line: what follows is the body and is not read
//
// A fault is remembered and the work goes on where that is possible: a 400 or 505 is
// built from the Via, From, To, Call-ID and CSeq of the faulty message.
func (m *Message) Parse(b []byte) Reason {
	m.Raw = b
	m.seen, m.twice, m.cached, m.Control = 0, 0, 0, false
	if len(b) > MaxMessageBytes {
		m.forget()
		return TooLarge
	}
	p := 0
	for p < len(b) && (b[p] == '\r' || b[p] == '\n') {
		p++
	}
	if p == len(b) || b[p] == 0 && onlyNULs(b[p:]) {
		m.forget()
		return Empty
	}
	lf, odd := m.lines.first(b, p)
	m.Control = odd
	start := p
	p, reason := m.parseStartLine(b, p, lf)
	if r := m.parseHeaders(b, p); reason == OK {
		reason = r
	}
	if m.Control {
		// Slow path: there may be something that does not belong there.
		m.Control = strayControl(b[start:m.BodyStart])
	}
	return reason
}

// forget leaves an index of nothing.
func (m *Message) forget() {
	m.Headers = nil
	m.StartLine, m.MethodName, m.URI, m.Phrase = Span{}, Span{}, Span{}, Span{}
	m.HeaderStart, m.HeaderEnd, m.BodyStart = 0, 0, uint32(len(m.Raw))
	m.Status, m.Method, m.IsRequest = 0, MethodOther, false
}

func onlyNULs(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// parseHeaders indexes the rows from offset p on.
//
// Line ends are found first, a stretch at a time (lines.go), so that the rows do not wait for one
// another: where the next row starts is known before this one is understood, and the processor
// works on several at once. knownRows knows one thing only, a row with a name of the table;
// everything else does not match and is sorted out on the slow path.
func (m *Message) parseHeaders(b []byte, p int) (reason Reason) {
	rows := m.few[:]
	if m.many != nil {
		rows = m.many
	}
	m.HeaderStart = uint32(p)
	n := 0 // rows so far
	for l := &m.lines; ; {
		n, p = m.knownRows(rows, n, p)
		if isCRLF(b, p) {
			m.Headers = rows[:n:n]
			m.HeaderEnd, m.BodyStart = uint32(p), uint32(p+2)
			return reason
		}
		if l.next == l.n && l.scanned < len(b) {
			l.find(b)
			continue
		}
		// Slow path: whatever is not "Known-Name: value".
		lf, odd := l.lineEnd(b, p)
		m.Control = m.Control || odd
		if lf < 0 {
			break
		}
		step, r := m.slowRow(b, p, lf, &rows, n)
		reason = firstReason(reason, r)
		if step < 0 {
			m.Headers = rows[:n:n]
			return reason
		}
		n += step
		p = lf + 1
	}
	m.Headers = rows[:n:n]
	m.HeaderEnd, m.BodyStart = uint32(p), uint32(len(b))
	return firstReason(reason, NoHeaderEnd)
}

// knownRowsGo takes rows as long as they are of the one known form, from offset p on: it advances
// m.lines.next, and returns the number of rows and the offset of the first line it did not take.
// rows is m.many, or m.few while there is no m.many.
func (m *Message) knownRowsGo(rows []Header, n, p int) (int, int) {
	b, l := m.Raw, &m.lines
	for l.next < l.n && n < len(rows) {
		cr := int(l.end[l.next&(lineCap-1)])
		kind := rows[n].read(b, p, cr)
		if kind == KindOther {
			break
		}
		m.enter(kind, n)
		l.next++
		n++
		p = cr + 2
	}
	return n, p
}

// read fills h from the line b[p:cr] if it is "Known-Name: value" and CRLF is behind it; else it
// gives KindOther and h is not touched. A function of its own because its few values stay in
// registers, which in the loop they do not.
func (h *Header) read(b []byte, p, cr int) Kind {
	if len(b)-p < 16 {
		return KindOther
	}
	// The name: everything in front of the first colon, if a table knows it.
	var (
		x    = b[p:]
		w0   = binary.LittleEndian.Uint64(x)
		name int
		kind Kind
	)
	if c := colonsIn(w0); c != 0 {
		name = bits.TrailingZeros64(c) >> 3
		kind = kindOfWords(foldWord(w0&bytesUpTo(c)), 0)
	} else {
		w1 := binary.LittleEndian.Uint64(x[8:])
		if c = colonsIn(w1); c == 0 {
			return KindOther
		}
		name = 8 + bits.TrailingZeros64(c)>>3
		kind = kindOfWords(foldWord(w0), foldWord(w1&bytesUpTo(c)))
	}
	if kind == KindOther {
		return KindOther
	}

	// The value: one space in front of it and CRLF behind it are the rule.
	end := cr - p
	if name+2 >= end || end+1 >= len(x) || x[name+1] != ' ' || x[name+2] <= ' ' ||
		x[end-1] <= ' ' || x[end] != '\r' || x[end+1] != '\n' {
		return KindOther
	}
	h.Line = Span{uint32(p), uint32(end + 2)}
	h.Name = Span{uint32(p), uint32(name)}
	h.Value = Span{uint32(p + name + 2), uint32(end - name - 2)}
	h.Kind = kind
	h.Folded = false
	return kind
}

// enter notes that row n is of kind k.
func (m *Message) enter(k Kind, n int) {
	bit := uint64(1) << (k & 63)
	if m.seen&bit == 0 {
		m.seen |= bit
		m.first[k&63] = uint16(n)
	} else {
		m.twice |= bit
	}
}

// slowRow takes any line but CRLF, up to its LF at lf: LF alone (step is -1: done), a fold, an
// unknown name, white space in front of the colon, an empty value, a name of 16 bytes or more, no
// name at all. step is the number of rows that came of it. rows may be replaced by a longer slice.
func (m *Message) slowRow(b []byte, p, lf int, rows *[]Header, n int) (step int, r Reason) {
	switch c := b[p]; {
	case c == '\n':
		m.HeaderEnd, m.BodyStart = uint32(p), uint32(lf+1)
		return -1, OK
	case c == ' ' || c == '\t':
		// A fold belongs to the row above it, if that has become one.
		switch {
		case uint32(p) == m.HeaderStart:
			return 0, BadHeader
		case n > 0 && (*rows)[n-1].Line.End() == uint32(p):
			(*rows)[n-1].fold(b, p, lf)
		}
		return 0, OK
	}
	// token *( SP / HTAB ) ":" (RFC 3261 §25.1, HCOLON).
	e := run(b, p, classToken)
	colon := run(b, e, classSpace)
	if e == p || colon >= lf || b[colon] != ':' {
		// It is no header. §16.3 step 1: whatever a proxy does not need, well formed or not, stays
		// as it is. But where someone could make one of it that we go by, there would be two
		// readings.
		if goneBy>>(KindOf(b[p:e])&63)&1 != 0 {
			return 0, BadHeader
		}
		return 0, OK
	}
	if n == len(*rows) {
		if m.many != nil {
			m.HeaderEnd, m.BodyStart = uint32(p), uint32(len(b))
			return -1, TooManyHeaders
		}
		// The overflow rule: the first message with more than InlineHeaders rows costs one
		// allocation of MaxHeaders rows, kept for good.
		m.many = make([]Header, MaxHeaders)
		copy(m.many, *rows)
		*rows = m.many
	}
	value := run(b[:lf], colon+1, classSpace)
	end := lf
	if end > value && b[end-1] == '\r' {
		end--
	}
	for end > value && is(b[end-1], classSpace) {
		end--
	}
	kind := KindOf(b[p:e])
	(*rows)[n] = Header{Line: span(p, lf+1), Name: span(p, e), Value: span(value, end), Kind: kind}
	m.enter(kind, n)
	return 1, OK
}

// goneBy is the set of kinds that forwarding goes by, or that say where a message ends.
const goneBy = neededKinds | singleKinds | 1<<KindRoute | 1<<KindRecordRoute |
	1<<KindContact | 1<<KindProxyRequire | 1<<KindMaxBreadth

// fold takes the line b[p:lf] into the row. It looks at this line only: a value of ten thousand
// folds must not cost ten thousand passes over it.
func (h *Header) fold(b []byte, p, lf int) {
	h.Folded = true
	h.Line.Len = uint32(lf+1) - h.Line.Off
	i, e := trimLWS(b, p, lf)
	switch {
	case e <= i: // white space only
	case h.Value.Len == 0:
		h.Value = span(i, e)
	default:
		h.Value.Len = uint32(e) - h.Value.Off
	}
}

// firstReason keeps the reason found first.
func firstReason(a, b Reason) Reason {
	if a != OK {
		return a
	}
	return b
}

// colonsIn has the top bit set in the first byte of w that is a colon (bytes above it may be
// marked wrongly: only the lowest set bit counts); 0 if there is none.
func colonsIn(w uint64) uint64 {
	w ^= 0x3a3a3a3a3a3a3a3a
	return (w - 0x0101010101010101) & ^w & 0x8080808080808080
}

// bytesUpTo masks the bytes up to and with the one whose top bit is the lowest bit set in c.
func bytesUpTo(c uint64) uint64 { return c ^ (c - 1) }
