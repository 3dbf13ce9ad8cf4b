package proxy

import (
	"encoding/binary"

	"viaduct/shard/txn"
	"viaduct/shm"
)

// branchFlagBytes is what the flags of a branch take, little endian.
const branchFlagBytes = 4

// BranchFlags returns the branch flags that tx keeps of br, 0 if none. tx keeps them if a route is
// armed; nothing else can ask for them.
func (c *Core) BranchFlags(tx *txn.Tx, br *txn.Branch) uint32 {
	if s := c.saved(tx); s != nil && br.Index() < int(s.nBranchFlags) {
		return binary.LittleEndian.Uint32(c.branchFlags(tx, s)[br.Index()*branchFlagBytes:])
	}
	return 0
}

// branchFlags returns the flags of all branches up to the last one that has any, a view.
func (c *Core) branchFlags(tx *txn.Tx, s *Saved) []byte {
	return shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.nBranchFlags)*branchFlagBytes)
}

// SetBranchFlags replaces the branch flags that tx keeps of br. It returns false if the arena has
// no room.
func (c *Core) SetBranchFlags(tx *txn.Tx, br *txn.Branch, flags uint32) bool {
	s := c.saved(tx)
	switch {
	case s == nil || flags == 0 && br.Index() >= int(s.nBranchFlags):
		return true
	case br.Index() < int(s.nBranchFlags):
		binary.LittleEndian.PutUint32(c.branchFlags(tx, s)[br.Index()*branchFlagBytes:], flags)
		return true
	}
	return c.moreBranchFlags(tx, s, br.Index()+1, flags)
}

// moreBranchFlags writes the slot anew with the flags of n branches, those of the last being last.
// It returns false if the arena has no room.
func (c *Core) moreBranchFlags(tx *txn.Tx, s *Saved, n int, last uint32) bool {
	had, have := int(s.nBranchFlags)*branchFlagBytes, n*branchFlagBytes
	size := int(s.textLen) + have - had
	off := c.tx.NewSaved(tx, savedBytes+size)
	if off == 0 {
		return false
	}
	more := shm.Ptr[Saved](c.cfg.Arena, off)
	h := more.Saved.Header
	*more = *s
	more.Saved.Header = h
	more.textLen, more.nBranchFlags = uint32(size), uint8(n)
	from, to := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen)),
		shm.Tail[Saved](c.cfg.Arena, off, size)
	copy(to, from[:had])
	clear(to[had:have])
	binary.LittleEndian.PutUint32(to[have-branchFlagBytes:], last)
	copy(to[have:], from[had:])
	c.tx.SetSaved(tx, off)
	return true
}

// bestBranchFlags returns the branch flags of the last branch that has the best status; a failure
// route begins with them.
func (c *Core) bestBranchFlags(tx *txn.Tx) (flags uint32) {
	best, found := tx.BestStatus(), false
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if is := br.Status() == best; is || !found {
			flags, found = c.BranchFlags(tx, br), is
		}
		return true
	})
	return flags
}
