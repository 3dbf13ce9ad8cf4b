package txn

import "viaduct/shm"

// A panic in the middle of a step is treated like a kill that hit one transaction: what was half
// made is freed by the rule of recovery (Holds), so that no kind of slot needs code of its own
// here. What counts is whole, since
//
//   - records are published last, and parts are put into their record before they are sent;
//   - a state changes after the message that goes with it was queued (server side), so a final
//     response that a panic stopped is not taken for sent;
//   - a deadline is set before the message that goes with it is made (client side, Timers A, E and
//     G), so no record stays without an end, and what a panic stopped is lost as on the network,
//     not tried for ever.
//
// The shard's containment calls these methods, each in an attempt of its own, since the panic may
// have its cause in the records.

// Begin says that a step begins: InHand then returns nothing.
func (t *Table) Begin() { t.hand, t.answeredBy = 0, nil }

// InHand returns the record that the step was working on when it was cut off: the branch whose
// response came, whose timer fired or whose request did not arrive, with its transaction; or the
// transaction whose timer fired, with br nil. Both are nil if there is none yet.
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

// OfBranch returns the transaction of br, which may be a CANCEL's.
func (t *Table) OfBranch(br *Branch) *Tx { return t.ofBranch(br) }

func (t *Table) ofBranch(br *Branch) *Tx {
	if br.flags&brCancel != 0 {
		br = t.branch(br.tx)
	}
	return t.tx(br.tx)
}

// Undo frees the slots that were being made when a step was cut off: reserved and not published, or
// published and not yet put into a record. Like all that ends during a batch they wait for Reclaim,
// for a datagram in the send queue may refer to them. Undo also switches the reserve off.
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

// End ends a branch at once; what is still to come for it is ignored.
func (t *Table) End(br *Branch) { t.end(br) }

// Over reports whether the deadline of br passed and no other was set: the panic hit what the
// deadline was to bring about.
func (br *Branch) Over() bool { return br.due == 0 && br.flags&brEnded == 0 }

// Over reports the same for a transaction.
func (tx *Tx) Over() bool { return tx.due == 0 && tx.state != Terminated }

// CancelRest cancels the branches under way of a transaction that needs no further answer (§16.7
// step 10, §16.10), those included whose CANCEL was being made when a panic cut it off. What cannot
// be cancelled (§9.1: another method than INVITE) runs out by Timer F. A branch is marked before
// its CANCEL is made, so that if that panics another call does the rest.
func (t *Table) CancelRest(tx *Tx) {
	t.Branches(tx, func(br *Branch) bool {
		if br.flags&(brCancelled|brCancelAgain|brFinal) == brCancelled && br.cancel == 0 {
			br.flags = br.flags&^brCancelled | brCancelAgain
		}
		t.CancelBranch(br, nil)
		return true
	})
}

// Final reports whether a final response came.
func (br *Branch) Final() bool { return br.flags&brFinal != 0 }
