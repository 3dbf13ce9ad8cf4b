package txn

import "viaduct/shm"

// A panic in the middle of a step is taken like a kill that hit one transaction: what was being
// made and does not count yet is given back by the rule of recovery (Holds), so that no kind of
// slot needs a word here. What counts is whole, since
//
//   - records are published last, and parts are put into their record before they are sent;
//   - a state changes after the message that goes with it was queued (server side), so a final
//     response that a panic stopped is not taken for sent;
//   - a deadline is set before the message that goes with it is made (client side, Timers A, E and
//     G), so no record stays without an end, and what a panic stopped is lost as on the network,
//     not tried for ever.
//
// The shard's containment calls what is here, each in a try of its own: the panic may have its
// cause in the records.

// Begin says that a step begins: no record is at work.
func (t *Table) Begin() { t.hand, t.answeredBy = 0, nil }

// InHand is the record that the step was working on when it was cut off: the branch whose response
// came, whose timer fired or whose request did not arrive, with its transaction; or the transaction
// whose timer fired, and br is nil. Both nil: none, or none yet.
func (t *Table) InHand() (tx *Tx, br *Branch) {
	if t.hand == 0 {
		return nil, nil
	}
	switch t.node(t.hand).Kind {
	case KindTx:
		return t.tx(t.hand), nil
	case KindBranch:
		br = t.branch(t.hand)
		return t.ofBranch(br), br
	}
	return nil, nil
}

// OfBranch is the transaction of br, which may be a CANCEL's.
func (t *Table) OfBranch(br *Branch) *Tx { return t.ofBranch(br) }

func (t *Table) ofBranch(br *Branch) *Tx {
	if br.flags&brCancel != 0 {
		br = t.branch(br.tx)
	}
	return t.tx(br.tx)
}

// Undo gives back the slots that were being made when a step was cut off: reserved and not
// published, of a record that was not, or not yet put into one. Like all that ends during a batch
// they wait for Reclaim, for a datagram in the send queue may refer to them. The reserve ends as
// well.
func (t *Table) Undo() {
	t.Reserve(false)
	t.slab.Unfinished(t.holds, func(off shm.Off) {
		for _, waiting := range t.limbo[t.freed:] {
			if waiting == off {
				return
			}
		}
		t.later(off)
	})
}

func (t *Table) holds(owner, part shm.Off) bool { return Holds(t.arena, owner, part) }

// End ends a branch at once, whatever is still to come of it.
func (t *Table) End(br *Branch) { t.end(br) }

// Over tells whether the deadline of br passed and no other was set: the panic hit what its end was
// to bring about.
func (br *Branch) Over() bool { return br.due == 0 && br.flags&brEnded == 0 }

// Over is the same for a transaction.
func (tx *Tx) Over() bool { return tx.due == 0 && tx.state != Terminated }

// CancelRest cancels what is under way of a transaction that needs no further answer (§16.7 step
// 10, §16.10), CANCELs that were being made when a panic cut them off included. What cannot be
// cancelled (§9.1: another method than INVITE) runs out by Timer F. A branch is marked before its
// CANCEL is made, so that after a panic in it another call does the rest.
func (t *Table) CancelRest(tx *Tx) {
	t.Branches(tx, func(br *Branch) bool {
		if br.flags&(brCancelled|brCancelAgain|brFinal) == brCancelled && br.cancel == 0 {
			br.flags = br.flags&^brCancelled | brCancelAgain
		}
		t.CancelBranch(br, nil)
		return true
	})
}

// Final tells whether a final response came.
func (br *Branch) Final() bool { return br.flags&brFinal != 0 }
