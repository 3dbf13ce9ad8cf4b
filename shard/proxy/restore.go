package proxy

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Restores are headers that say something else in the request that leaves than in the one that
// came. Whoever sent that knows its dialog by what it wrote (§8.2.6.2, RFC 2543 by the whole of
// it), so the responses to it say that again.
type Restores uint8

// The headers.
const (
	RestoreFrom Restores = 1 << iota
	RestoreTo
)

// Restore has the responses to the request say in those headers what it said itself. false: the
// arena has no room.
func (r *Request) Restore(in Restores) bool {
	r.restores |= in
	return r.relayedSave()
}

// Restored are the headers that Restore was given.
func (r *Request) Restored() Restores { return r.restores }

// restores are the headers that responses to a transaction restore.
func (s *Saved) restores() Restores { return Restores(s.bits >> savedRestoresAt) }

// restore changes a response as Restore asks for. A reply route sees it as it came.
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

// restoreAddress puts name and URI of a header of the request into that of a response, whose
// parameters stay.
func (c *Core) restoreAddress(m *parser.Message, kind parser.Kind, was *parser.Message) {
	asked, there := was.Who(kind)
	is, same := m.Who(kind)
	if !there || !same {
		return
	}
	if !bytes.Equal(asked.Of(was.Raw), is.Of(m.Raw)) {
		c.Reply.edits.put(c, m, is, asked.Of(was.Raw))
	}
}
