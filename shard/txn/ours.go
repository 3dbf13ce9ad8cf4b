package txn

// A transaction may be that of a request made here: nobody waits upstream, and what would be sent
// there is told to the user. Its server machine has nothing to repeat and nothing to absorb. It ends
// with its final response; after a 2xx to INVITE it stays as long as that may be repeated (Timer L),
// since each of them is acknowledged (RFC 3261 §13.2.2.4).

// SetOurs notes that nobody sent the request of tx. It is called before anything is sent.
func (tx *Tx) SetOurs() { tx.flags |= txOurs }

// Ours tells whether SetOurs was called.
func (tx *Tx) Ours() bool { return tx.flags&txOurs != 0 }

// Uncount takes tx out of what Unanswered and LastFinal tell of: nobody sent its request, and nobody
// waits for what becomes of it.
func (t *Table) Uncount(tx *Tx) {
	if tx.flags&(txAnswered|txUncounted) == 0 {
		tx.flags |= txUncounted
		t.open--
	}
}

// Random gives 64 unpredictable bits.
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
