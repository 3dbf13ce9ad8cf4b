package proxy

import "viaduct/netio"

// Plan is a list of edits of one message: what is cut out where, and what comes in its place. The
// message itself is not touched; [Plan.Segments] returns the pieces of the edited message in order,
// an iovec of original bytes and inserted slices.
//
//	raw:      |=====a=====|xx|====b====|====c====|
//	edits:                 └ cut 2      └ insert "…"
//	segments: |=====a=====|  |====b====|…|====c====|
//
// Two edits at the same offset keep the order they were made in. If edits overlap, both texts go
// in, and everything is cut that one of them cuts. An edit that lies within what another one cuts
// is dropped: a row that is removed takes along what was to be changed in it.
type Plan struct {
	raw   []byte
	most  int // most bytes that the transport takes
	n     int
	bytes int
	edits [maxEdits]edit
	segs  [2*maxEdits + 1][]byte
	full  bool
	laps  bool // some edits may overlap
}

type edit struct {
	at, cut int
	with    []byte
}

// Reset begins a plan for raw, which is kept by reference.
func (p *Plan) Reset(raw []byte) {
	p.raw, p.n, p.bytes, p.full, p.laps, p.most = raw, 0, len(raw), false, false, maxDatagramBytes
}

// over sets the transport by which the message leaves.
func (p *Plan) over(proto netio.Proto) {
	if proto.Reliable() {
		p.most = maxStreamBytes
	}
}

// Replace plans to replace cut bytes at offset at by with, which is kept by reference.
func (p *Plan) Replace(at, cut uint32, with []byte) {
	if p.n == len(p.edits) {
		p.full = true
		return
	}
	e := edit{int(at), int(cut), with}
	i := p.n
	for i > 0 && p.edits[i-1].at > e.at {
		p.edits[i] = p.edits[i-1]
		i--
	}
	p.edits[i] = e
	p.n++
	p.bytes += len(with) - e.cut
	if i > 0 && p.edits[i-1].at+p.edits[i-1].cut > e.at ||
		e.cut > 0 && i+1 < p.n && p.edits[i+1].at < e.at+e.cut {
		p.laps = true
	}
}

// settle changes overlapping edits to ones that do not overlap: each cuts only what none before it
// cuts. Slow path.
func (p *Plan) settle() {
	p.laps, p.bytes = false, len(p.raw)
	start, pos, n := 0, 0, 0 // what the widest edit so far takes out
	for i := range p.edits[:p.n] {
		e := p.edits[i]
		end := e.at + e.cut
		if start < e.at && e.at < pos && end <= pos {
			continue
		}
		if end > pos {
			start = e.at
		}
		e.at = max(e.at, pos)
		e.cut = max(0, end-e.at)
		pos = max(pos, end)
		p.bytes += len(e.with) - e.cut
		p.edits[n] = e
		n++
	}
	p.n = n
}

// Insert plans to insert with, kept by reference, before offset at.
func (p *Plan) Insert(at uint32, with []byte) { p.Replace(at, 0, with) }

// Cut plans to remove n bytes at offset at.
func (p *Plan) Cut(at, n uint32) { p.Replace(at, n, nil) }

// verdict returns NoCause if the plan can be carried out, else why not.
func (p *Plan) verdict() Cause {
	switch {
	case p.full:
		return TooManyEdits
	case p.Bytes() > p.most:
		return TooLong
	}
	return NoCause
}

// Bytes returns the length of the edited message.
func (p *Plan) Bytes() int {
	if p.laps {
		p.settle()
	}
	return p.bytes
}

// Segments returns the pieces of the edited message. They are valid until the next Reset; the bytes
// they refer to must outlast the send queue.
func (p *Plan) Segments() [][]byte {
	if p.laps {
		p.settle()
	}
	out := p.segs[:0]
	pos := 0
	for i := range p.edits[:p.n] {
		e := &p.edits[i]
		if e.at > pos {
			out = append(out, p.raw[pos:e.at:e.at])
		}
		if len(e.with) > 0 {
			out = append(out, e.with)
		}
		pos = max(pos, e.at+e.cut)
	}
	if pos < len(p.raw) {
		out = append(out, p.raw[pos:])
	}
	return out
}

// WriteTo writes the edited message into b, which must be Bytes() long.
func (p *Plan) WriteTo(b []byte) {
	if p.laps {
		p.settle()
	}
	pos, n := 0, 0
	for i := range p.edits[:p.n] {
		e := &p.edits[i]
		if e.at > pos {
			n += copy(b[n:], p.raw[pos:e.at])
		}
		n += copy(b[n:], e.with)
		pos = max(pos, e.at+e.cut)
	}
	n += copy(b[n:], p.raw[pos:])
	if n != len(b) {
		panic("BUG: an edit plan does not have the length it announced")
	}
}
