package proxy

import (
	"encoding/binary"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// What the arena keeps of a request besides its bytes is written as numbers of variable length and
// texts, so that a part about which nothing was decided takes one byte. None of it is changed in
// place.

// stateFormat is the version of what saved_write.go, hold_state.go, hold_reply.go and this file
// write, and part of the arena's layout. Raise it with any change there.
const stateFormat = 9

// stateWriter appends to b.
type stateWriter struct{ b []byte }

func (w *stateWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *stateWriter) signed(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }

// text writes a text so that nil differs from an empty one.
func (w *stateWriter) text(b []byte) {
	if b == nil {
		w.number(0)
		return
	}
	w.number(uint64(len(b)) + 1)
	w.b = append(w.b, b...)
}

func (w *stateWriter) span(s parser.Span) {
	w.number(uint64(s.Off))
	w.number(uint64(s.Len))
}

func (w *stateWriter) addr(a *netio.Addr) {
	w.b = append(w.b, a.Family)
	if a.Family == 0 {
		return
	}
	w.b = append(append(w.b, uint8(a.Proto)), a.IP[:ipBytes(a.Family)]...)
	w.number(uint64(a.Port))
	w.number(uint64(a.Zone))
}

// ipBytes returns how many bytes of an Addr's IP are used.
func ipBytes(family uint8) int {
	if family == 4 {
		return 4
	}
	return 16
}

// stateReader reads b from its start. bad says that b is not what a stateWriter writes.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *stateReader) signed() int {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *stateReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *stateReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *stateReader) text() []byte {
	if n := r.number(); n > 0 {
		return r.take(n - 1)
	}
	return nil
}

func (r *stateReader) span() parser.Span {
	return parser.Span{Off: uint32(r.number()), Len: uint32(r.number())}
}

func (r *stateReader) addr() (a netio.Addr) {
	if a.Family = r.byte(); a.Family == 0 {
		return a
	}
	if b := r.take(1 + uint64(ipBytes(a.Family))); b != nil {
		a.Proto = netio.Proto(b[0])
		copy(a.IP[:], b[1:])
	}
	a.Port, a.Zone = uint16(r.number()), uint32(r.number())
	return a
}

// count reads the number of items that follow; more than most is bad.
func (r *stateReader) count(most int) int {
	n := r.number()
	if n > uint64(most) {
		r.bad = true
		return 0
	}
	return int(n)
}

// Bits of the decisions.
const (
	decidedHasMF = 1 << iota
	decidedRecordRoute
	decidedPickURI
	decidedRPort
	decidedToRoute
	decidedTexts // texts of Record-Route follow
	decidedServer
	decidedViaParams // they follow the edits
)

// decisions writes what was decided about how the request leaves.
func (w *stateWriter) decisions(c *course, ch *changes) {
	bits := uint64(0)
	for i, set := range [...]bool{c.hasMF, c.rr.kind != notRecorded, c.pickURI, c.leave.rport,
		c.toRoute, c.rr.texts != nil, c.leave.server, len(c.leave.params) > 0} {
		if set {
			bits |= 1 << i
		}
	}
	w.number(bits)
	w.text(c.uri)
	w.text(c.dst)
	w.text(c.appendRoute)
	w.text(c.routed)
	w.recordRoute(&c.rr)
	w.addr(&c.dstAddr)
	w.number(uint64(c.target))
	w.signed(c.maxForwards)
	w.signed(c.side)
	w.number(uint64(c.nCuts))
	for _, s := range ch.cuts[:c.nCuts] {
		w.span(s)
	}
	l := &c.leave
	w.signed(l.forced)
	w.b = append(w.b, uint8(l.options), uint8(l.ignore))
	w.number(uint64(l.port))
	w.text(l.host)
	w.text(l.path)
	w.text(l.reply)
	w.edits(&ch.edits)
	if len(l.params) > 0 {
		w.text(l.params)
	}
}

func (w *stateWriter) edits(e *edits) {
	w.number(uint64(e.n))
	for i := range e.list[:e.n] {
		w.span(e.list[i].Old)
		w.text(e.list[i].Text)
	}
}

// decisions reads back what was decided about m. The texts are not copied.
func (r *stateReader) decisions(c *course, ch *changes, m *parser.Message) {
	bits := r.number()
	c.hasMF, c.toRoute = bits&decidedHasMF != 0, bits&decidedToRoute != 0
	c.pickURI, c.leave.rport = bits&decidedPickURI != 0, bits&decidedRPort != 0
	c.leave.server = bits&decidedServer != 0
	c.uri, c.dst, c.appendRoute, c.routed = r.text(), r.text(), r.text(), r.text()
	c.rr = r.recordRoute(bits)
	c.dstAddr, c.target = r.addr(), uint16(r.number())
	c.maxForwards, c.side = r.signed(), r.signed()
	c.nCuts = r.count(len(ch.cuts))
	for i := range ch.cuts[:c.nCuts] {
		ch.cuts[i] = r.span()
	}
	l := &c.leave
	l.forced = r.signed()
	if n := r.take(2); n != nil {
		l.options, l.ignore = txn.StreamOptions(n[0]), blocklist.Reason(n[1])
	}
	l.port = uint16(r.number())
	l.host, l.path, l.reply = r.text(), r.text(), r.text()
	r.edits(&ch.edits)
	if bits&decidedViaParams != 0 {
		l.params = r.text()
	}
	ch.edits.about(m)
}

// edits reads back what the writer's edits wrote; see edits.about.
func (r *stateReader) edits(e *edits) {
	e.n = r.count(len(e.list))
	for i := range e.list[:e.n] {
		e.list[i] = Edit{r.span(), r.text()}
	}
}

// recordRoute writes what the bits of decisions do not say, which most often is nothing.
func (w *stateWriter) recordRoute(rr *recordRoute) {
	if rr.texts == nil {
		return
	}
	w.b = append(w.b, uint8(rr.kind))
	w.text(rr.texts)
	w.number(uint64(rr.user))
	w.number(uint64(rr.address))
	w.number(uint64(rr.second))
	w.number(uint64(rr.early))
}

func (r *stateReader) recordRoute(bits uint64) (rr recordRoute) {
	if bits&decidedTexts == 0 {
		if bits&decidedRecordRoute != 0 {
			rr.kind = recordOwn
		}
		return rr
	}
	rr.kind, rr.texts = recordKind(r.byte()), r.text()
	rr.user, rr.address, rr.second = uint16(r.number()), uint16(r.number()), uint16(r.number())
	rr.early = uint16(r.number())
	if int(rr.user)+int(rr.address)+int(rr.second)+int(rr.early) > len(rr.texts) {
		r.bad = true
		return recordRoute{}
	}
	return rr
}

func (w *stateWriter) target(t *target) {
	w.text(t.uri)
	w.text(t.dst)
	w.addr(&t.addr)
	w.number(uint64(t.uid))
	w.signed(int(t.q))
	w.number(uint64(t.flags))
}

func (r *stateReader) target() target {
	return target{r.text(), r.text(), r.addr(), uint16(r.number()), int16(r.signed()),
		uint32(r.number())}
}
