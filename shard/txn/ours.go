package txn

// A transaction may be that of a request made here. Then nobody waits upstream, and what would be
// sent there is told to the user. Its server machine has nothing to repeat or to absorb, and ends
// with the final response. After a 2xx to INVITE it stays for as long as the 2xx may be repeated
// (Timer L), since each repetition is acknowledged (RFC 3261 §13.2.2.4).

// SetOurs notes that the request of tx was made here. It is called before anything is sent.
func (tx *Tx) SetOurs() { tx.flags |= txOurs }

// Ours reports whether SetOurs was called.
func (tx *Tx) Ours() bool { return tx.flags&txOurs != 0 }

// SetReplicated notes that the branches of tx carry copies of its request (t_replicate), whose
// responses are not for the caller.
func (tx *Tx) SetReplicated() { tx.flags |= txReplicated }

// Replicated reports whether SetReplicated was called.
func (tx *Tx) Replicated() bool { return tx.flags&txReplicated != 0 }

// Uncount takes tx out of what Unanswered and LastFinal report: its request was made here, and
// nobody waits for its outcome.
func (t *Table) Uncount(tx *Tx) {
	if tx.flags&(txAnswered|txUncounted) == 0 {
		tx.flags |= txUncounted
		t.open--
	}
}

// Random returns 64 unpredictable bits.
func (t *Table) Random() uint64 { return t.random() }

// finish is Respond for a request of ours.
func (t *Table) finish(tx *Tx, status int) bool {
	again := tx.Answered()
	if status < 200 || tx.state == Terminated || again && (status >= 300 || !tx.Invite()) {
		return false
	}
	if !again {
		tx.status = uint16(status)
		tx.state, tx.retransAt = Accepted, 0
		t.answered(tx)
		t.rearmServer(tx, t.now+int64(t.timers.Wait))
	}
	t.user.Finished(tx, status, Again(again))
	if !tx.Invite() || status >= 300 {
		t.Terminate(tx)
	}
	return true
}
