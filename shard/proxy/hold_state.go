package proxy

import "viaduct/shard/txn"

// The state of a request in the middle of its program: what was decided so far, and what the next
// Relay is to do.

// Bits of the state.
const (
	stateFresh = 1 << iota
	stateRelayed
	stateSymmetric
	stateSips
	stateNo100
	// Its decisions are those that Saved keeps anyway, and are not written.
	stateSaved
	stateAgain
)

// AppendState appends the state of the request to b.
func (r *Request) AppendState(b []byte) []byte { return r.appendState(b, false) }

// appendState appends the state of the request to b. With saved its decisions are not written,
// since Saved keeps the same ones.
func (r *Request) appendState(b []byte, saved bool) []byte {
	w := stateWriter{b}
	bits := uint64(0)
	for i, set := range [...]bool{r.fresh, r.relayed, r.symmetric, r.sips, r.no100, saved, r.again} {
		if set {
			bits |= 1 << i
		}
	}
	w.number(bits)
	w.signed(r.maxBreadth)
	w.number(uint64(r.Flags))
	w.number(uint64(r.BranchFlags))
	w.b = append(w.b, uint8(r.lastCause), r.forceProto|r.mtuProto<<4, uint8(r.waits),
		uint8(r.replyOptions), r.armed.lost)
	w.number(uint64(r.lastTarget))
	if !saved {
		w.decisions(&r.course, &r.changes)
	}
	w.number(uint64(r.nMore))
	for i := range r.more[:r.nMore] {
		w.target(&r.more[i])
	}
	return w.b
}

// ReadState restores the state of the request from b, which AppendState wrote. The texts stay views
// of b. It returns false if b is no such state.
func (r *Request) ReadState(b []byte) bool {
	s := stateReader{b: b}
	return r.readState(&s) && len(s.b) == 0
}

// readState reads the state from s, which may have more behind it.
func (r *Request) readState(s *stateReader) bool {
	bits := s.number()
	r.fresh, r.relayed = bits&stateFresh != 0, bits&stateRelayed != 0
	r.again = bits&stateAgain != 0
	r.sips, r.no100 = bits&stateSips != 0, bits&stateNo100 != 0
	if bits&stateSymmetric != 0 && !r.symmetric {
		r.symmetric, r.writeReceived, r.replyTo = true, true, r.Src
	}
	r.maxBreadth = s.signed()
	r.Flags, r.BranchFlags = uint32(s.number()), uint32(s.number())
	if n := s.take(5); n != nil {
		r.lastCause, r.waits, r.replyOptions = Cause(n[0]), int(n[2]), txn.StreamOptions(n[3])
		r.forceProto, r.mtuProto = n[1]&15, n[1]>>4
		r.armed.lost = n[4]
	}
	r.lastTarget = uint16(s.number())
	if bits&stateSaved == 0 {
		s.decisions(&r.course, &r.changes, r.M)
	}
	r.nMore = s.count(len(r.more))
	for i := range r.more[:r.nMore] {
		r.more[i] = s.target()
	}
	return !s.bad
}
