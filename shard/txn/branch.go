package txn

import (
	"viaduct/parser"
	"viaduct/shm"
)

// Our Via branch names the record that waits for the response:
//
//	z9hG4bK t SS OOOOOOOO CCCCCCCCCCCCCCCC
//	        │ │  │        └ cookie: 64 random bits of this branch
//	        │ │  └ offset of the Branch in the arena
//	        │ └ shard
//	        └ t: with a transaction; s: stateless (package proxy)
//
// so that a response finds its branch with one load and no lookup, on whichever
// shard it arrives, and after a restart too. The offset is only believed when a
// live Branch stands there that carries the same cookie, which nobody can guess.
const (
	BranchPrefix = "z9hG4bKt"
	BranchBytes  = len(BranchPrefix) + 2 + 8 + 16
)

// AppendBranch appends the Via branch value of br.
func (t *Table) AppendBranch(b []byte, br *Branch) []byte {
	b = append(b, BranchPrefix...)
	b = appendHex(b, uint64(t.shard), 2)
	b = appendHex(b, uint64(t.offOf(&br.node)), 8)
	return appendHex(b, br.cookie, 16)
}

// BranchID is a decoded Via branch value.
type BranchID struct {
	Shard  int
	off    shm.Off
	cookie uint64
}

// ParseBranch decodes a Via branch value of the form above; ok is false for any
// other.
func ParseBranch(b []byte) (id BranchID, ok bool) {
	if len(b) != BranchBytes || string(b[:len(BranchPrefix)]) != BranchPrefix {
		return BranchID{}, false
	}
	b = b[len(BranchPrefix):]
	shard, ok1 := parseHex(b[:2])
	off, ok2 := parseHex(b[2:10])
	cookie, ok3 := parseHex(b[10:])
	return BranchID{int(shard), shm.Off(off), cookie}, ok1 && ok2 && ok3
}

// At is the live branch that id names, or nil.
func (t *Table) At(id BranchID) *Branch {
	if id.Shard != t.shard || !t.slab.Live(id.off, KindBranch) {
		return nil
	}
	br := shm.Ptr[Branch](t.arena, id.off)
	if br.cookie != id.cookie || br.flags&brEnded != 0 {
		return nil
	}
	return br
}

// MatchResponse finds the client transaction a response belongs to (§17.1.3:
// the top Via's branch and the CSeq's method), or nil.
func (t *Table) MatchResponse(m *parser.Message, id BranchID) *Branch {
	br := t.At(id)
	if br == nil {
		return nil
	}
	cseq, reason := m.CSeq()
	if reason != parser.OK {
		return nil
	}
	t.hand = id.off
	if cseq.Method == parser.CANCEL && br.method == uint8(parser.INVITE) {
		if br.cancel == 0 {
			return nil
		}
		return shm.Ptr[Branch](t.arena, br.cancel)
	}
	if cseq.Method != parser.Method(br.method) {
		return nil
	}
	return br
}

const hexDigits = "0123456789abcdef"

// appendHex appends the low n hexadecimal digits of v.
func appendHex(b []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, hexDigits[v>>(4*uint(i))&15])
	}
	return b
}

// hexValue is the value of a lower-case hexadecimal digit; 0xff for any other
// byte. We wrote the digits ourselves, so another spelling is not ours.
var hexValue = func() (v [256]uint8) {
	for i := range v {
		v[i] = 0xff
	}
	for i := range hexDigits {
		v[hexDigits[i]] = uint8(i)
	}
	return v
}()

func parseHex(b []byte) (v uint64, ok bool) {
	bad := uint8(0)
	for _, c := range b {
		d := hexValue[c]
		bad |= d
		v = v<<4 | uint64(d&15)
	}
	return v, bad < 16
}
