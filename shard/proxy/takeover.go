package proxy

import (
	"viaduct/shard/txn"
)

// What a process does when it takes over the arena of one that was killed, once the table has its
// transactions again (txn.Table.Rebuild) and before the first message: Recover, then AskAgain. No
// process does so yet; the tests of flows in package shard do it at every step.

// Recover ends INVITEs whose last final response had been taken and had not gone up yet: the called
// side will not send it again, only be acknowledged again. A 2xx comes again by itself (§13.3.1.4).
// Recover also ends transactions that keep their request and have no branch that could answer: they
// could send to none of their targets, or the process was killed before the first branch was there.
// Nothing else would ever happen to them. A non-INVITE whose best response is a 408, which is not
// sent (RFC 4320 §4.2), is left alone.
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

// AskAgain asks for the names that relays were waiting for, and makes held runs ask their questions
// again. The targets of a relay are those saved; which one is unresolved is found by trying.
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
