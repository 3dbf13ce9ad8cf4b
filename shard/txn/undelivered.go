package txn

import (
	"viaduct/parser"
	"viaduct/shm"
)

// What happens to a branch whose request did not leave or did not arrive.

// TransportError says that the request of br did not leave, or did not arrive (§17.1.4, §18.4; RFC
// 3261 §16.9 treats it as a 503). It counts only while no response has come: a late ICMP error does
// not end a call in progress.
func (t *Table) TransportError(br *Branch) {
	if br.flags&(brEnded|brFinal) != 0 || br.status != 0 ||
		(br.state != Calling && br.state != Trying) {
		return
	}
	if br.flags&brCancel != 0 {
		t.end(br)
		return
	}
	t.hand = t.offOf(&br.node)
	if br.lose() {
		t.user.BranchFailed(t.tx(br.tx), br)
	}
	if br.live&(brSentAgain|brTaken) != 0 {
		t.giveUp(br)
	} else {
		t.end(br)
	}
	t.hand = 0
}

// Taken notes that a connection took the request with that token before it broke: the other side
// may have it, and may answer by another connection (§18.2.2).
func (t *Table) Taken(token uint64) {
	if br := t.Sent(token); br != nil {
		br.live |= brTaken
	}
}

// SendAgain sends the request of br once more, since the connection that it left on is gone: to the
// same place and with the same Via, so that a peer that has read it takes it for a repetition. It
// returns false if that was done before, or a response came meanwhile.
func (t *Table) SendAgain(br *Branch, o StreamOptions) bool {
	if !br.Untried() || br.request == 0 || br.live&brSentAgain != 0 {
		return false
	}
	br.live |= brSentAgain
	off := t.offOf(&br.node)
	t.hand = off
	t.count[CountResentReq]++
	t.setStreamOptions(br, o)
	if t.sent != nil {
		t.sent(t.tx(br.tx), br, parser.Method(br.method), true)
	}
	t.send(br.listener, &br.dst, br.token(off), br.request)
	t.hand = 0
	return true
}

// IgnoreError passes over an error about a request that Timer A or E will send again, once. It
// returns false if no timer will, or an error was passed over before.
func (t *Table) IgnoreError(br *Branch) bool {
	if !br.Untried() || br.retransAt == 0 || br.live&brErrorIgnored != 0 {
		return false
	}
	br.live |= brErrorIgnored
	return true
}

// Sent returns the branch whose message had that token, nil if it has ended.
func (t *Table) Sent(token uint64) *Branch {
	off := shm.Off(token)
	if off == 0 || !t.slab.Live(off, KindBranch) {
		return nil
	}
	if br := t.branch(off); br.token(off) == token && br.flags&brEnded == 0 {
		return br
	}
	return nil
}

// SendFailed is TransportError for a token that the Sender gave back.
func (t *Table) SendFailed(token uint64) {
	if br := t.Sent(token); br != nil {
		t.TransportError(br)
	}
}
