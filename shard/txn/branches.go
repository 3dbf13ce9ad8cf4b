package txn

import "viaduct/netio"

// Tx is the transaction that br belongs to.
func (t *Table) Tx(br *Branch) *Tx { return t.tx(br.tx) }

// Target is the user's name for the destination.
func (br *Branch) Target() uint16 { return br.target }

// Listener is the listener the request left by.
func (br *Branch) Listener() int { return int(br.listener) }

// Addr is where the request went.
func (br *Branch) Addr() netio.Addr { return br.dst }

// Redirect changes where a branch goes that was not sent yet.
func (br *Branch) Redirect(to netio.Addr, listener int) {
	br.dst, br.listener = to, uint16(listener)
}

// SentAt is when the request was first sent, in ns.
func (br *Branch) SentAt() int64 { return br.sentAt }

// Provisional tells whether a provisional response came, a 100 included.
func (br *Branch) Provisional() bool { return br.flags&brHeard != 0 }

// Heard tells whether any response came back.
func (br *Branch) Heard() bool { return br.status != 0 }

// Breadth is the branch's share of the request's Max-Breadth.
func (br *Branch) Breadth() int { return int(br.breadth) }

// Index is the branch's number in its transaction, from 0.
func (br *Branch) Index() int { return int(br.index) }

// Status is the status of its last response, 0 if it had none.
func (br *Branch) Status() int { return int(br.status) }

// ReplyRoute is a number the user keeps with the branch.
func (br *Branch) ReplyRoute() int { return int(br.replyRoute) }

// LostRoute is another one.
func (br *Branch) LostRoute() int { return int(br.lostRoute) }

// SetLostRoute sets it, from 0 to 255.
func (br *Branch) SetLostRoute(n int) { br.lostRoute = uint8(n) }

// SetReplyRoute sets it.
func (br *Branch) SetReplyRoute(n int) { br.replyRoute = uint16(n) }

// Marks is a byte the user keeps with the branch.
func (br *Branch) Marks() uint8 { return br.marks }

// SetMarks sets it.
func (br *Branch) SetMarks(m uint8) { br.marks = m }

// Lost tells whether the user was told that the branch failed or timed out. A
// final other than a 2xx that still comes is that of its CANCEL.
func (br *Branch) Lost() bool { return br.flags&brLost != 0 }

// Find takes that back: a 2xx came of it, and went up.
func (br *Branch) Find() { br.flags &^= brLost }

// lose notes that. It returns false if it was known already.
func (br *Branch) lose() bool {
	was := br.flags & brLost
	br.flags |= brLost
	return was == 0
}

// Untried tells whether nothing came back yet and nothing ended br: an error about what it sent
// counts.
func (br *Branch) Untried() bool {
	return br.flags&(brEnded|brFinal|brCancel|brLost) == 0 && br.status == 0 &&
		(br.state == Calling || br.state == Trying)
}

// State is the client machine's state.
func (br *Branch) State() State { return br.state }

// Request is the bytes that were sent, nil once a final response came, unless it is held.
// It is a view, valid until br ends.
func (t *Table) Request(br *Branch) []byte {
	// after it there may be the ACK
	if br.request == 0 || br.flags&brFinal != 0 && br.state != Accepted {
		return nil
	}
	return t.storedBytes(br.request)
}

// Hold keeps the request of br beyond a 2xx, as long as repetitions of that may come.
func (t *Table) Hold(br *Branch) { br.flags |= brHeld }

// BranchesLeft is how many more branches tx may have.
func (t *Table) BranchesLeft(tx *Tx) int { return int(t.maxBr) - int(tx.total) }

// Branches calls f for each branch of tx that has not ended, oldest first, until
// f returns false. f may end the branch it is given.
func (t *Table) Branches(tx *Tx, f func(*Branch) bool) {
	for off := tx.first; off != 0; {
		br := t.branch(off)
		off = br.nextBranch
		if !f(br) {
			return
		}
	}
}

// BreadthInUse is the sum of the shares of Max-Breadth of the branches that may
// still bring a final response.
func (t *Table) BreadthInUse(tx *Tx) (n int) {
	for off := tx.first; off != 0; {
		br := t.branch(off)
		if br.flags&(brFinal|brEnded|brLost) == 0 {
			n += int(br.breadth)
		}
		off = br.nextBranch
	}
	return n
}

// Pending is how many branches may still bring a final response.
func (t *Table) Pending(tx *Tx) int { return t.PendingBut(tx, nil) }

// PendingBut is Pending without over, which is about to end.
func (t *Table) PendingBut(tx *Tx, over *Branch) (n int) {
	for off := tx.first; off != 0; {
		br := t.branch(off)
		if br.flags&(brFinal|brEnded|brLost) == 0 && br != over {
			n++
		}
		off = br.nextBranch
	}
	return n
}
