package proxy

import (
	"encoding/binary"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// The state of a request in the middle of its program: what was decided so far, and what the next
// Relay is to do. It is written as numbers of variable length and texts, so that what nothing was
// decided about takes one byte.

// stateWriter appends to b.
type stateWriter struct{ b []byte }

func (w *stateWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *stateWriter) signed(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }

// text writes a text; nil is told from an empty one.
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
	w.b = append(append(w.b, uint8(a.Proto)), a.IP[:]...)
	w.number(uint64(a.Port))
	w.number(uint64(a.Zone))
}

// stateReader reads b; bad says that it was not written so.
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
	if f := r.take(1); len(f) == 1 {
		a.Family = f[0]
	}
	if a.Family == 0 {
		return a
	}
	if b := r.take(1 + uint64(len(a.IP))); b != nil {
		a.Proto = netio.Proto(b[0])
		copy(a.IP[:], b[1:])
	}
	a.Port, a.Zone = uint16(r.number()), uint32(r.number())
	return a
}

// Bits of the state.
const (
	stateFresh = 1 << iota
	stateRelayed
	stateHasMF
	stateRecordRoute
	statePickURI
	stateRPort
	stateSymmetric
	stateSips
	stateNo100
)

// AppendState appends the state of the request to b.
func (r *Request) AppendState(b []byte) []byte {
	w := stateWriter{b}
	bits := uint64(0)
	for i, set := range [...]bool{r.fresh, r.relayed, r.hasMF, r.recordRoute, r.pickURI, r.leave.rport,
		r.symmetric, r.sips, r.no100} {
		if set {
			bits |= 1 << i
		}
	}
	w.number(bits)
	w.signed(r.maxForwards)
	w.signed(r.maxBreadth)
	w.signed(r.side)
	w.number(uint64(r.Flags))
	w.number(uint64(r.BranchFlags))
	for _, n := range [...]uint8{uint8(r.lastCause), r.forceProto, uint8(r.waits), uint8(r.replyOptions),
		uint8(r.leave.options), uint8(r.leave.ignore)} {
		w.b = append(w.b, n)
	}
	w.number(uint64(r.target))
	w.number(uint64(r.lastTarget))
	w.addr(&r.dstAddr)
	w.text(r.uri)
	w.text(r.dst)
	w.text(r.appendRoute)
	w.number(uint64(r.nCuts))
	for _, s := range r.cuts[:r.nCuts] {
		w.span(s)
	}
	l := &r.leave
	w.signed(l.forced)
	w.number(uint64(l.port))
	w.text(l.host)
	w.text(l.path)
	w.text(l.reply)
	w.number(uint64(r.edits.n))
	for i := range r.edits.list[:r.edits.n] {
		w.span(r.edits.list[i].Old)
		w.text(r.edits.list[i].Text)
	}
	w.number(uint64(r.nMore))
	for i := range r.more[:r.nMore] {
		t := &r.more[i]
		w.text(t.uri)
		w.text(t.dst)
		w.addr(&t.addr)
		w.number(uint64(t.uid))
		w.signed(int(t.q))
		w.number(uint64(t.flags))
	}
	return w.b
}

// ReadState makes b, which AppendState wrote, the state of the request. Its texts stay where they
// are. false: it is none.
func (r *Request) ReadState(b []byte) bool {
	s := stateReader{b: b}
	bits := s.number()
	r.fresh, r.relayed, r.hasMF = bits&stateFresh != 0, bits&stateRelayed != 0, bits&stateHasMF != 0
	r.recordRoute, r.pickURI = bits&stateRecordRoute != 0, bits&statePickURI != 0
	r.leave.rport, r.sips, r.no100 = bits&stateRPort != 0, bits&stateSips != 0, bits&stateNo100 != 0
	if bits&stateSymmetric != 0 && !r.symmetric {
		r.symmetric, r.writeReceived, r.replyTo = true, true, r.Src
	}
	r.maxForwards, r.maxBreadth, r.side = s.signed(), s.signed(), s.signed()
	r.Flags, r.BranchFlags = uint32(s.number()), uint32(s.number())
	if n := s.take(6); n != nil {
		r.lastCause, r.forceProto, r.waits, r.replyOptions = Cause(n[0]), n[1], int(n[2]), txn.StreamOptions(n[3])
		r.leave.options, r.leave.ignore = txn.StreamOptions(n[4]), blocklist.Reason(n[5])
	}
	r.target, r.lastTarget, r.dstAddr = uint16(s.number()), uint16(s.number()), s.addr()
	r.uri, r.dst, r.appendRoute = s.text(), s.text(), s.text()
	r.nCuts = s.count(len(r.cuts))
	for i := range r.cuts[:r.nCuts] {
		r.cuts[i] = s.span()
	}
	l := &r.leave
	l.forced, l.port = s.signed(), uint16(s.number())
	l.host, l.path, l.reply = s.text(), s.text(), s.text()
	r.edits.n = s.count(len(r.edits.list))
	for i := range r.edits.list[:r.edits.n] {
		e := Edit{s.span(), s.text()}
		r.edits.list[i] = e
		r.edits.body = r.edits.body || e.Old.Off >= r.M.BodyStart
	}
	r.nMore = s.count(len(r.more))
	for i := range r.more[:r.nMore] {
		r.more[i] = target{s.text(), s.text(), s.addr(), uint16(s.number()), int16(s.signed()), uint32(s.number())}
	}
	return !s.bad && len(s.b) == 0
}

// count is the number of what follows, at most most.
func (r *stateReader) count(most int) int {
	n := r.number()
	if n > uint64(most) {
		r.bad = true
		return 0
	}
	return int(n)
}
