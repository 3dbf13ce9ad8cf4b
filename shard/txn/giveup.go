package txn

import "viaduct/parser"

// Abandon gives up a branch that nobody waits for any more. If it had a provisional it is
// cancelled, and ends with what that brings (§9.1).
func (t *Table) Abandon(br *Branch) {
	if br.state == Proceeding && parser.Method(br.method) == parser.INVITE {
		t.CancelBranch(br, nil)
	} else if br.flags&(brFinal|brKept) == 0 {
		t.giveUp(br)
	}
}

// lifetime returns how long an INVITE may bring a response after it was sent or cancelled, and how
// long a server waits for the ACK (Timer H): 64·T1 (§9.1, §17.1.1.2, §17.2.1), in ns.
func (t *Table) lifetime() int64 { return 64 * int64(t.timers.T1) }

// giveUp ends a branch whose outcome is decided without a final response. An INVITE is kept,
// silent, for 64·T1 from when it was sent or cancelled. A phone that was slow to answer may still
// ring: it has to be told (§9.1), again if it ignored a CANCEL, and a 2xx from it is a call (§16.7
// step 5).
func (t *Table) giveUp(br *Branch) {
	until := br.sentAt + t.lifetime()
	if br.flags&brCancelled != 0 {
		until = t.now + t.lifetime() - t.cancelWait()
	}
	if parser.Method(br.method) != parser.INVITE || br.flags&(brEnded|brKept) != 0 ||
		br.request == 0 || until <= t.now {
		t.end(br)
		return
	}
	br.flags |= brLost | brKept
	if br.flags&brCancelled == 0 {
		br.flags |= brCancelPending
	}
	t.setEnd(br, until)
}
