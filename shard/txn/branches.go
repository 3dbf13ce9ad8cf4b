package txn

import "viaduct/netio"

// Tx returns the transaction that br belongs to.
func (t *Table) Tx(br *Branch) *Tx { return t.tx(br.tx) }

// Target returns the user's name for the destination.
func (br *Branch) Target() uint16 { return br.target }

// Listener returns the number of the listener that the request left by.
func (br *Branch) Listener() int { return int(br.listener) }

// Addr returns where the request went.
func (br *Branch) Addr() netio.Addr { return br.dst }

// Redirect changes the destination of a branch that was not sent yet.
func (br *Branch) Redirect(to netio.Addr, listener int) {
	br.dst, br.listener = to, uint16(listener)
}

// SentAt returns when the request was first sent, in ns.
func (br *Branch) SentAt() int64 { return br.sentAt }

// Provisional reports whether a provisional response came, a 100 included.
func (br *Branch) Provisional() bool { return br.flags&brProvisional != 0 }

// HasResponse reports whether any response came back.
func (br *Branch) HasResponse() bool { return br.status != 0 }

// Breadth returns the branch's share of the request's Max-Breadth.
func (br *Branch) Breadth() int { return int(br.breadth) }

// Index returns the branch's number in its transaction, from 0.
func (br *Branch) Index() int { return int(br.index) }

// Status returns the status of the branch's last response, 0 if it had none.
func (br *Branch) Status() int { return int(br.status) }

// ReplyRoute returns a number that the user keeps with the branch.
func (br *Branch) ReplyRoute() int { return int(br.replyRoute) }

// LostRoute is another one.
func (br *Branch) LostRoute() int { return int(br.lostRoute) }

// SetLostRoute sets it, from 0 to 255.
func (br *Branch) SetLostRoute(n int) { br.lostRoute = uint8(n) }

// SetReplyRoute sets the number that ReplyRoute returns.
func (br *Branch) SetReplyRoute(n int) { br.replyRoute = uint16(n) }

// Marks returns a byte that the user keeps with the branch.
func (br *Branch) Marks() uint8 { return br.marks }

// SetMarks sets the byte that Marks returns.
func (br *Branch) SetMarks(m uint8) { br.marks = m }

// Lost reports whether the user was told that the branch failed or timed out. If a final other than
// a 2xx still comes, its CANCEL caused it.
func (br *Branch) Lost() bool { return br.flags&brLost != 0 }

// Find makes br count as not lost any more: a 2xx came from it, and went up.
func (br *Branch) Find() { br.flags &^= brLost }

// lose notes that br is lost. It returns false if br was lost already.
func (br *Branch) lose() bool {
	was := br.flags & brLost
	br.flags |= brLost
	return was == 0
}

// Untried reports whether no response came yet and nothing ended br, so that an error about what it
// sent counts.
func (br *Branch) Untried() bool {
	return br.flags&(brEnded|brFinal|brCancel|brLost) == 0 && br.status == 0 &&
		(br.state == Calling || br.state == Trying)
}

// State returns the client machine's state.
func (br *Branch) State() State { return br.state }

// Request returns the bytes that were sent. It returns nil once a final response came, unless the
// request is held. The result is a view, valid until br ends.
func (t *Table) Request(br *Branch) []byte {
	// after a final response the ACK may be there instead
	if br.request == 0 || br.flags&brFinal != 0 && br.state != Accepted {
		return nil
	}
	return t.storedBytes(br.request)
}

// Hold keeps the request of br beyond a 2xx, for as long as the 2xx may be repeated.
func (t *Table) Hold(br *Branch) { br.flags |= brHeld }

// BranchesLeft returns how many more branches tx may have.
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

// BreadthInUse returns the sum of the shares of Max-Breadth of the branches that may still bring a
// final response.
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

// Pending returns how many branches may still bring a final response.
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
