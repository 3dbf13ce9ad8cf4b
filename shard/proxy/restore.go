package proxy

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Restores are headers that are different in the request that leaves and in the one that came.
// Whoever sent the request knows its dialog by what it wrote (§8.2.6.2, RFC 2543 by the whole of
// it), so the responses get back what the request said.
type Restores uint8

// The headers.
const (
	RestoreFrom Restores = 1 << iota
	RestoreTo
)

// Restore makes the responses to the request repeat those headers as the request had them. It
// returns false if the arena has no room.
func (r *Request) Restore(in Restores) bool {
	r.restores |= in
	return r.relayedSave()
}

// Restored returns the headers that Restore was given.
func (r *Request) Restored() Restores { return r.restores }

// restores returns the headers that responses to the transaction restore.
func (s *Saved) restores() Restores { return Restores(s.bits >> savedRestoresAt) }

// restore changes a response as Restore asks for. A reply route sees the response as it came.
func (c *Core) restore(tx *txn.Tx, m *parser.Message) {
	s := c.saved(tx)
	in := s.restores()
	if in == 0 {
		return
	}
	// Slow path: few calls are shown under another name.
	text := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen))
	k := stateReader{b: text[int(s.nBranchFlags)*branchFlagBytes:]}
	n := k.number()
	k.addr()
	k.number() // the listener
	was := &c.resumed
	if raw := k.take(n); k.bad || was.Parse(raw) != parser.OK {
		return
	}
	if in&RestoreFrom != 0 {
		c.restoreAddress(m, parser.KindFrom, was)
	}
	if in&RestoreTo != 0 {
		c.restoreAddress(m, parser.KindTo, was)
	}
}

// restoreAddress replaces name and URI of a header of the response by those in the request was. The
// parameters stay the response's.
func (c *Core) restoreAddress(m *parser.Message, kind parser.Kind, was *parser.Message) {
	asked, there := was.FromOrToAddress(kind)
	is, same := m.FromOrToAddress(kind)
	if !there || !same {
		return
	}
	if !bytes.Equal(asked.Of(was.Raw), is.Of(m.Raw)) {
		c.Reply.edits.put(c, m, is, asked.Of(was.Raw))
	}
}
