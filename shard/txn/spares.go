package txn

import (
	"viaduct/netio"
	"viaduct/shm"
)

// Spares are the addresses of a branch's destination that are left to try when the one it went to
// fails (RFC 3263 §4.3). They are in a slot chained from the Tx, so that a call to a single address
// pays nothing.
//
//	+--------+--------------+-----------+--------+
//	| Spares | n × Addr     | domain    |        |
//	+--------+--------------+-----------+--------+
//	           at: the next   domainLen
//
// The next branch inherits what is left: its index is stored over the old one, as one word, like
// everything that changes in place.
type Spares struct {
	shm.Header
	next      shm.Off
	domainLen uint16
	branch    uint8 // index of the branch they belong to
	n, at     uint8
	_         [7]uint8
}

const (
	sparesBytes = 32
	addrBytes   = 24
)

// KeepSpares keeps list, the addresses to try after the one that the branch with that index goes
// to, and domain, the name they are addresses of. list may be empty where only the name matters. It
// returns false if the arena has no room; then there is no other try.
func (t *Table) KeepSpares(tx *Tx, index int, list []netio.Addr, domain []byte) bool {
	n := sparesBytes + addrBytes*len(list) + len(domain)
	off, ok := t.slab.Alloc(KindSpares, n)
	if !ok {
		t.count[CountArenaFull]++
		return false
	}
	s := shm.Ptr[Spares](t.arena, off)
	h := s.Header
	*s = Spares{
		next: tx.spares, domainLen: uint16(len(domain)), branch: uint8(index), n: uint8(len(list)),
	}
	s.Header = h
	s.Owner = t.offOf(&tx.node)
	b := shm.Tail[Spares](t.arena, off, n-sparesBytes)
	for i := range list {
		*shm.View[netio.Addr](b[i*addrBytes:]) = list[i]
	}
	copy(b[len(list)*addrBytes:], domain)
	t.slab.Publish(off)
	tx.spares = off
	return true
}

// setStreamOptions tells the Sender the options of a further message of br, and the domain it is
// for, so that the Sender finds the connection of the request and not that of another name at the
// same address.
func (t *Table) setStreamOptions(br *Branch, o StreamOptions) {
	if !br.dst.Proto.Reliable() {
		return
	}
	var domain []byte
	if br.dst.Proto.Secure() {
		if s, off := t.sparesOf(t.tx(br.tx), int(br.index)); s != nil {
			b := shm.Tail[Spares](t.arena, off, int(s.n)*addrBytes+int(s.domainLen))
			domain = b[int(s.n)*addrBytes:]
		}
	}
	if o != 0 || len(domain) > 0 {
		t.out.SetStreamOptions(o, domain)
	}
}

// NextSpare takes the next address of the branch with that index, and returns the name it belongs
// to, a view valid for the batch. InheritSpares must be told of the branch that goes there. ok is
// false if no address is left.
func (t *Table) NextSpare(tx *Tx, index int) (to netio.Addr, domain []byte, ok bool) {
	s, off := t.sparesOf(tx, index)
	if s == nil || s.at == s.n {
		return netio.Addr{}, nil, false
	}
	b := shm.Tail[Spares](t.arena, off, int(s.n)*addrBytes+int(s.domainLen))
	to = *shm.View[netio.Addr](b[int(s.at)*addrBytes:])
	s.at++
	return to, b[int(s.n)*addrBytes:], true
}

// Spares reports whether the branch with that index has addresses left.
func (t *Table) Spares(tx *Tx, index int) bool {
	s, _ := t.sparesOf(tx, index)
	return s != nil && s.at < s.n
}

// InheritSpares gives the addresses that branch from has left to branch to, which was made after
// it.
func (t *Table) InheritSpares(tx *Tx, from, to int) {
	if s, _ := t.sparesOf(tx, from); s != nil {
		s.branch = uint8(to)
	}
}

func (t *Table) sparesOf(tx *Tx, index int) (*Spares, shm.Off) {
	for off := tx.spares; off != 0; {
		s := shm.Ptr[Spares](t.arena, off)
		if int(s.branch) == index {
			return s, off
		}
		off = s.next
	}
	return nil, 0
}

func (t *Table) dropSpares(tx *Tx) {
	for off := tx.spares; off != 0; {
		next := shm.Ptr[Spares](t.arena, off).next
		t.later(off)
		off = next
	}
	tx.spares = 0
}
