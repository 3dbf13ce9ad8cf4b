package proxy

import (
	"viaduct/shard/txn"
)

// What a process does that takes over the arena of one that was killed, once the table has its
// transactions again (txn.Table.Rebuild) and before the first message: Recover, then AskAgain. No
// process does yet; the flows of package shard restart in it at every step.

// Recover ends those INVITEs whose last final response had been taken and had not gone up yet: the
// called side would only be acknowledged again. A 2xx comes again by itself (§13.3.1.4). Those that
// keep their request and have nobody who could answer end as well: they could send to none of their
// targets, or the process was killed before the first branch was there. Nothing else would ever
// happen to them. A non-INVITE that hears nothing of a 408 (RFC 4320 §4.2) stays silent.
func (c *Core) Recover() {
	c.tx.Transactions(func(tx *txn.Tx) {
		if tx.Answered() || c.undecided(tx) {
			return
		}
		if tx.Live() == 0 && (c.saved(tx) == nil || tx.BestStatus() == 408 && !tx.Invite()) ||
			tx.Live() > 0 && !tx.Invite() {
			return
		}
		accepted := false
		c.tx.Branches(tx, func(br *txn.Branch) bool {
			accepted = accepted || br.State() == txn.Accepted
			return true
		})
		if !accepted {
			c.conclude(tx, nil)
		}
	})
}

// AskAgain asks for the names that relays were waiting for, and lets the runs ask again that were
// held. The targets of a relay are those saved; the one that is unresolved is found by trying.
func (c *Core) AskAgain() {
	c.tx.Transactions(func(tx *txn.Tx) {
		switch {
		case c.heldBy(tx) != nil:
			c.heldAgain(tx)
		case c.waitsForName(tx):
			c.Resolved(c.WaitingFor(tx))
			c.Finish()
		}
		if tx.State() != txn.Terminated {
			c.branchesAgain(tx)
		}
		if tx.State() != txn.Terminated {
			c.repliesAgain(tx)
		}
	})
}
