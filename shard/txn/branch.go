package txn

import (
	"encoding/binary"
	"math/bits"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// Our Via branch names the record that waits for the response:
//
//	z9hG4bK t SS OOOOOOOO CCCCCCCCCCCCCCCC LLLLLL MMMMMMMMMMMM
//	        │ │  │        │                │      └ mark: 48 bits of a keyed hash, see Former
//	        │ │  │        │                └ life: the process that made it
//	        │ │  │        └ cookie: 64 random bits of this branch
//	        │ │  └ offset of the Branch in the arena
//	        │ └ shard
//	        └ t: with a transaction; s: stateless (package proxy)
//
// so that a response finds its branch with one load and no lookup, on whichever shard it arrives,
// and after a restart too. The offset is only used if a live Branch is there that carries the same
// cookie, which nobody can guess.
const (
	BranchPrefix = "z9hG4bKt"
	BranchBytes  = len(BranchPrefix) + 2 + 8 + 16 + lifeDigits + markDigits

	lifeDigits, markDigits = 6, 12
	lifeBits               = 4 * lifeDigits
)

// AppendBranch appends the Via branch value of br.
func (t *Table) AppendBranch(b []byte, br *Branch) []byte {
	off, le := t.offOf(&br.node), binary.LittleEndian
	b = append(b, t.branchHead...) // prefix and shard
	b = le.AppendUint64(b, hex8(uint32(off)))
	b = le.AppendUint64(b, hex8(uint32(br.cookie>>32)))
	b = le.AppendUint64(b, hex8(uint32(br.cookie)))
	b = append(b, t.lifeText...)
	b = le.AppendUint64(b, hex8(br.Len))
	return le.AppendUint32(b, uint32(hex8(uint32(br.Flags)<<16)))
}

// sign gives br, made at off for the caller, its cookie and its mark. The mark is kept where the
// header has room for the user's, which is exactly as much as the mark needs: hashing it anew for
// each response that came and each request that left was 3 % of a call.
func (t *Table) sign(br *Branch, off shm.Off, caller *netio.Addr) {
	br.cookie = t.random()
	mark := t.mark(t.life, BranchID{t.shard, off, br.cookie}, caller)
	br.Len, br.Flags = uint32(mark>>16), uint16(mark)
}

// mark returns the mark that proves that a process with our key made the branch id, for a request
// whose responses go to caller.
func (t *Table) mark(life uint32, id BranchID, caller *netio.Addr) uint64 {
	ip := &caller.IP
	return sipHash(&t.markKey,
		&[4]uint64{uint64(life)<<40 | uint64(id.Shard&0xff)<<32 | uint64(id.off), id.cookie,
			binary.LittleEndian.Uint64(ip[:8]), binary.LittleEndian.Uint64(ip[8:])})
}

// Former reports whether a process before this one, with the same key, made that Via branch for a
// request whose responses go to caller's host. A response with such a branch may be passed on,
// since nothing here can know its transaction. A branch of this process that is not known any more
// does not count (RFC 6026 §7.3).
//
// The mark binds the branch to the caller's address, so that somebody who saw a branch cannot make
// us send to anyone else. Former accepts branches only for the time that an INVITE of the process
// before may take to ring; after that nothing of it is passed on.
func (t *Table) Former(branch []byte, caller *netio.Addr) bool {
	id, ok := ParseBranch(branch)
	if !ok || t.now-t.born > int64(t.timers.C)+t.lifetime() {
		return false
	}
	tail := branch[BranchBytes-lifeDigits-markDigits:]
	life, ok1 := parseHex(tail[:lifeDigits])
	mark, ok2 := parseHex(tail[lifeDigits:])
	return ok1 && ok2 && uint32(life) != t.life &&
		mark == t.mark(uint32(life), id, caller)&(1<<(4*markDigits)-1)
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
	cookie, ok3 := parseHex(b[10:26]) // who needs the rest reads it, see Former
	return BranchID{int(shard), shm.Off(off), cookie}, ok1 && ok2 && ok3
}

// At returns the live branch that id names, or nil.
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

// wrote reports whether branch, whose head names br, ends as we wrote it.
func (t *Table) wrote(br *Branch, branch []byte) bool {
	tail, le := branch[BranchBytes-lifeDigits-markDigits:], binary.LittleEndian
	return string(tail[:lifeDigits]) == string(t.lifeText) &&
		le.Uint64(tail[lifeDigits:]) == hex8(br.Len) &&
		le.Uint32(tail[lifeDigits+8:]) == uint32(hex8(uint32(br.Flags)<<16))
}

// MatchResponse finds the client transaction a response belongs to (§17.1.3:
// the top Via's branch and the CSeq's method), or nil.
func (t *Table) MatchResponse(m *parser.Message, id BranchID) *Branch {
	br := t.At(id)
	if br == nil {
		return nil
	}
	if via, _ := m.TopVia(); !t.wrote(br, via.Branch.Of(m.Raw)) {
		return nil
	}
	cseq, reason := m.CSeq()
	if reason != parser.OK {
		return nil
	}
	t.hand = id.off
	if cseq.Method == parser.CANCEL && br.method == uint8(parser.INVITE) {
		if br.cancel == 0 || t.branch(br.cancel).method != uint8(parser.CANCEL) {
			return nil
		}
		return t.branch(br.cancel)
	}
	if cseq.Method != parser.Method(br.method) {
		return nil
	}
	return br
}

// hex8 returns the eight hexadecimal digits of v, the first one lowest.
func hex8(v uint32) uint64 {
	x := uint64(bits.ReverseBytes32(v))
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x>>4 | x<<8) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101
	return x + 0x3030303030303030 + letters*('a'-'9'-1)
}

const hexDigits = "0123456789abcdef"

// appendHex appends the low n hexadecimal digits of v.
func appendHex(b []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, hexDigits[v>>(4*uint(i))&15])
	}
	return b
}

// hexValue is the value of a lower-case hexadecimal digit, 0xff for any other byte. We wrote the
// digits, so a branch in another spelling is not ours.
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
