package txn

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shm"
)

// Once an INVITE has had a provisional response it is not repeated (§17.1.1.2), so what was sent
// serves only for its CANCEL, its ACKs, and the rows that responses repeat. A transaction that
// keeps its request as it came needs no more of the other copy than that. So what may be long, the
// body and rows that nobody asks for, goes at the first provisional: by another slot, which takes
// the place of the first one as an ACK does.

// shrink lets go of what nobody needs any more of the request of br. It does nothing if that may
// still be sent elsewhere, or if there is no room for the rest.
func (t *Table) shrink(br *Branch) {
	tx := t.tx(br.tx)
	if tx.saved == 0 || br.request == 0 || tx.flags&txOurs != 0 || t.Spares(tx, int(br.index)) {
		return
	}
	raw := t.storedBytes(br.request)
	b := t.appendLasting(t.scratch[:0], raw)
	t.scratch = b[:0]
	n := shm.HeaderBytes + len(b)
	if len(b) == 0 || shm.SlotBytes(n) >= shm.SlotBytes(shm.HeaderBytes+len(raw)) {
		return
	}
	off, ok := t.slab.Alloc(KindMessage, n)
	if !ok {
		return
	}
	copy(t.arena.Bytes(off, 0, len(b)), b)
	h := shm.Ptr[shm.Header](t.arena, off)
	h.Owner, h.Len = t.offOf(&br.node), uint32(len(b))
	t.slab.Publish(off)
	t.replace(&br.request, off)
}

// appendLasting appends what lasts of the request raw: its first line and the rows that lasting
// names. It appends nothing if raw cannot be read.
func (t *Table) appendLasting(b, raw []byte) []byte {
	m := &t.stored
	if m.Parse(raw) != parser.OK {
		return b
	}
	b = append(append(b, m.StartLine.Of(raw)...), "\r\n"...)
	for i := range m.Headers {
		if h := &m.Headers[i]; t.lasting(m, h) {
			b = append(b, h.Line.Of(raw)...)
		}
	}
	return append(b, "\r\n"...)
}

// lasting reports whether a row of m is one that responses, CANCEL, ACK or BYE repeat.
func (t *Table) lasting(m *parser.Message, h *parser.Header) bool {
	switch h.Kind {
	case parser.KindVia, parser.KindRoute, parser.KindRecordRoute, parser.KindFrom, parser.KindTo,
		parser.KindCallID, parser.KindCSeq, parser.KindMaxForwards, parser.KindTimestamp,
		parser.KindAuthorization, parser.KindProxyAuthorization:
		return true
	}
	if n := len(t.hopHeaders); n > 0 {
		name := m.Bytes(h.Name)
		return len(name) >= n && bytes.EqualFold(name[:n], []byte(t.hopHeaders))
	}
	return false
}
