package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Values walks the values of a list header, across rows, quotes and angle brackets
// respected:
//
//	for v := m.Values(KindRoute); v.Next(); {
//		… v.Value …
//	}
//	if v.Reason != OK { … }
//
// Rows of other kinds in between do not matter (RFC 3261 §7.3.1). An empty row is malformed in the
// headers that forwarding depends on (Via, Route, Record-Route, Path, Service-Route, Contact) and
// skipped in others, where it means "none" (Supported, Allow, Accept).
type Values struct {
	Value Span // the current value without surrounding white space
	// what to remove so that only this value is gone: with one comma, or the whole row if it is the
	// only one
	Cut    Span
	Row    int    // index in Headers of the row it stands in
	First  bool   // it is the first value of its row
	More   bool   // another value follows in the same row
	Reason Reason // why Next gave false: OK at the end of the list

	m    *Message
	next int // offset of the next value in the row; -1 means go to the next row
	kind Kind
	done bool
}

// Values iterates over the comma-joined values of all rows of kind k. The iterator is valid until
// the next Parse.
func (m *Message) Values(k Kind) Values {
	return Values{m: m, kind: k, Row: -1, next: -1}
}

// Before is the piece of the row in front of the current value: what to remove, together with the
// rows above, so that this value becomes the first one. Len 0 if it is the first of its row.
func (v *Values) Before() Span {
	start := v.m.Headers[v.Row].Value.Off
	return Span{start, v.Value.Off - start}
}

// Another tells whether something stands behind the current value: a value, or what is none, of
// which Next says so.
func (v *Values) Another() bool { return v.next >= 0 || v.m.Next(v.Row) >= 0 }

// Next goes to the next value. It returns false at the end, or at a malformed list (then Reason
// says which).
func (v *Values) Next() bool {
	m := v.m
	if v.Reason != OK || v.done {
		return false
	}
	prevEnd := v.Value.End() // of the value in front of this one, if it is in the same row
	v.First = v.next < 0
	for v.next < 0 {
		if v.Row < 0 {
			v.Row = m.First(v.kind)
		} else {
			v.Row = m.Next(v.Row)
		}
		if v.Row < 0 {
			v.done = true
			return false
		}
		h := &m.Headers[v.Row]
		if h.Value.Len > 0 {
			v.next = int(h.Value.Off)
		} else if needsValue>>(v.kind&63)&1 != 0 {
			return v.fail()
		}
	}

	h := &m.Headers[v.Row]
	b := m.Raw[:h.Value.End()]
	i := v.next
	comma := valueEnd(b, i)
	if comma < 0 {
		return v.fail()
	}
	_, e := trimLWS(b, i, comma)
	if e <= i {
		return v.fail() // an empty list element: two commas, or one at the start or end
	}
	v.Value = span(i, e)
	v.More = comma < len(b)
	switch {
	case v.More:
		v.next = skipLWS(b, comma+1)
		if v.next == len(b) {
			return v.fail()
		}
		v.Cut = span(i, v.next)
	case v.First:
		v.next = -1
		v.Cut = h.Line
	default:
		v.next = -1
		v.Cut = span(int(prevEnd), e)
	}
	return true
}

func (v *Values) fail() bool {
	v.Value, v.Cut = Span{}, Span{}
	v.Reason = BadList
	switch v.kind {
	case KindVia:
		v.Reason = BadVia
	case KindRoute:
		v.Reason = BadRoute
	case KindRecordRoute:
		v.Reason = BadRecordRoute
	case KindContact:
		v.Reason = BadContact
	}
	return false
}

// needsValue is the set of kinds whose rows may not be empty.
const needsValue = 1<<KindVia | 1<<KindRoute | 1<<KindRecordRoute | 1<<KindContact |
	1<<KindPath | 1<<KindServiceRoute

// valueEnd is the offset of the comma behind the value that starts at i, or len(b). It returns -1
// if a quote or bracket does not end.
func valueEnd(b []byte, i int) int {
	for {
		switch i = listMark(b, i); byteAt(b, i) {
		case ',':
			return i
		case '"':
			if i = quotedEnd(b, i); i < 0 {
				return -1
			}
		case '<':
			gt := bytes.IndexByte(b[i:], '>')
			if gt < 0 {
				return -1
			}
			i += gt + 1
		default:
			return i
		}
	}
}

// listMark is the offset of the first comma, quote or opening bracket of b[i:]; len(b) if there is
// none.
func listMark(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if stop := (equals(w, ',') | equals(w, '"') | equals(w, '<')) & tops; stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	for i < len(b) && b[i] != ',' && b[i] != '"' && b[i] != '<' {
		i++
	}
	return i
}
