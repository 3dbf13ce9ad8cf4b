package proxy

import (
	"viaduct/parser"
)

// RFC 5393 §5.3 bounds how many branches a request may have in the whole network at one time. Each
// request but ACK and CANCEL carries Max-Breadth, and the shares of the branches under way never
// sum up to more than the request came with.
//
// A request that came without Max-Breadth is treated as one with 60 (§5.3.3). It did not bind
// anybody before us, so a second relay beside branches under way divides 60 again; max_branches
// bounds that.

// breadth is what one relay deals out. Each target gets an equal part of what is left, rounded up,
// so that the shares differ by one at most.
type breadth struct{ left, targets int }

// next returns the share of the next target, if at most that many branches can be made.
func (b *breadth) next(most int) int {
	n := min(b.targets, most)
	if n <= 1 {
		return b.left // the common request: no division
	}
	return (b.left + n - 1) / n
}

// dealt notes that the target at hand is done with. share is the breadth it left with; with 0 it
// did not leave, and the other targets get its part.
func (b *breadth) dealt(share int) {
	b.left -= share
	b.targets--
}

// maxBreadth is the largest value that a request goes on with. A value may always be lowered, and
// records of branches have 16 bits for it.
const maxBreadth = 1<<16 - 1

// readBreadth reads Max-Breadth. It returns false if the request has one that is no number, or more
// than one.
func (r *Request) readBreadth() bool {
	if !r.M.Has(parser.KindMaxBreadth) {
		return true
	}
	n, reason := r.M.MaxBreadth()
	r.maxBreadth = min(n, maxBreadth)
	return reason == parser.OK
}

// shares divides what is left of the request's breadth between n targets. It returns false if there
// is less than one for each.
func (r *Request) shares(n int) (b breadth, ok bool) {
	left := defaultBreadth
	if r.maxBreadth >= 0 {
		left = r.maxBreadth
		if r.Tx != nil {
			left -= r.core.tx.BreadthInUse(r.Tx)
		}
	}
	if n == 0 || left < n {
		return b, false
	}
	return breadth{left, n}, true
}

// defaultBreadthRow goes into a request with one target that has no such row.
var defaultBreadthRow = []byte("Max-Breadth: " + string(decimals[defaultBreadth]) + "\r\n")

// appendBreadth appends a Max-Breadth row if the request has none.
func (r *Request) appendBreadth(b []byte, share int) []byte {
	switch {
	case r.M.Has(parser.KindMaxBreadth) || r.M.Method == parser.ACK || r.M.Method == parser.CANCEL,
		r.ours():
		return b
	case share == defaultBreadth:
		return append(b, defaultBreadthRow...)
	}
	b = append(b, "Max-Breadth: "...)
	return append(appendInt(b, share), "\r\n"...)
}

// planBreadth replaces the value of a Max-Breadth that the request has.
func (r *Request) planBreadth(p *Plan, share int) {
	m := r.M
	if !m.Has(parser.KindMaxBreadth) || m.Method == parser.ACK || m.Method == parser.CANCEL {
		return
	}
	v := m.Headers[m.First(parser.KindMaxBreadth)].Value
	p.Replace(v.Off, v.Len, appendInt(r.core.take(8), share))
}
