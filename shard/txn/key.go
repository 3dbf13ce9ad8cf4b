package txn

import (
	"encoding/binary"
	"hash/maphash"

	"viaduct/parser"
)

// Key is what §17.2.3 compares: the top Via's branch and sent-by and the method, where an ACK
// counts as the INVITE it ends. For a request without the magic cookie it is RFC 2543's fields
// instead. A Key is valid until the table makes the next one.
type Key struct {
	hash  uint64
	bytes []byte
}

// Key returns the match key of m, taken as a request of that method: an ACK is taken as INVITE to
// find what it acknowledges, and so is a CANCEL.
func (t *Table) Key(m *parser.Message, method parser.Method) Key {
	b := t.keyBuf[:0]
	via, _ := m.TopVia()
	if m.HasMagicCookie() {
		b = append(b, via.Branch.Of(m.Raw)...)
		b = append(b, '\n')
		b = appendLower(b, via.SentBy.Of(m.Raw))
	} else {
		b = t.key2543(b, m, via)
	}
	b = append(b, '\n')
	if method == parser.MethodOther {
		b = append(b, m.MethodBytes()...)
	} else {
		b = append(b, byte(method))
	}
	if len(b) > maxKeyBytes {
		// Slow path: no honest request is that long. Two keyed hashes of the whole stand for what
		// is cut off.
		h1, h2 := maphash.Bytes(t.seed, b), maphash.Bytes(t.seed2, b)
		b = binary.LittleEndian.AppendUint64(b[:maxKeyBytes-16], h1)
		b = binary.LittleEndian.AppendUint64(b, h2)
	}
	t.keyBuf = b[:0]
	return Key{maphash.Bytes(t.seed, b), b}
}

// key2543 writes the key of a request whose branch is not unique (§17.2.3,
// second list): Request-URI, From tag, Call-ID, CSeq number and the whole top
// Via. The To tag is left out, since an ACK's is that of our response and the
// INVITE had none.
func (t *Table) key2543(b []byte, m *parser.Message, via *parser.Via) []byte {
	from, _ := m.From()
	cseq, _ := m.CSeq()
	b = append(b, "2543\n"...)
	b = append(b, m.Bytes(m.URI)...)
	b = append(b, '\n')
	if from != nil {
		b = append(b, from.Tag.Of(m.Raw)...)
	}
	b = append(b, '\n')
	b = append(b, m.CallID()...)
	b = append(b, '\n')
	b = binary.BigEndian.AppendUint32(b, cseq.Number)
	if via != nil {
		b = append(b, via.Value.Of(m.Raw)...)
	}
	return b
}

// appendLower appends ASCII letters in lower case: host names are compared
// without case (§19.1.4).
func appendLower(b, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}
