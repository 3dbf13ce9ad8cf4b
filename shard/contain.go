package shard

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// step is what the shard is doing, for contain.
type step uint8

const (
	stepRound    step = iota // between the others
	stepDatagram             // parsing, owner: nothing is known of the message yet
	stepRequest              // core.Request is the request, and can be answered
	// like stepRequest, and the request is known to be new: a transaction may be made for the
	// answer
	stepDecide
	stepAbsorb // the request belongs to a transaction already
	// the message is a response; txn.Table.InHand is its branch, once found
	stepResponse
	stepTimer     // InHand is the record whose timer fired
	stepTransport // InHand is the branch whose request did not leave or arrive
	// InHand is the transaction whose relay goes on, since its name is now known
	stepResolved
	stepQueue // the send queue is being emptied
)

// contain is deferred by each step and keeps a panic from costing more than the transaction at
// hand. It frees what was half made, and leaves every other record as it is:
//
//	request     500, through a transaction, so that a retransmission does not panic again; branches
//	            already sent are cancelled (§9.1, §16.10). A CANCEL cancels its INVITE all the same.
//	retransmission, ACK of a final, 1xx
//	            lost, as if on the network: who sent it, or waits for what we were to send, repeats
//	            it or does without.
//	final       500 at once when no other branch could still bring a better answer. Waiting for
//	            Timer C instead would keep a caller for minutes whose callee has answered, since
//	            what panicked once mostly panics again. A 2xx that the callee repeats still goes up:
//	            a 2xx may follow any final (§16.7 step 5).
//	timer       a message to be repeated is lost; a branch or transaction at its end ends, and its
//	            caller hears 500. A non-INVITE ends silently, for its caller has given up by now
//	            (RFC 4320 §4.2).
//	resolved    as for a final: 500, unless branches were sent already. A run that was held and goes
//	            on is a request again.
//	transport   the branch ends, and 500 goes up when no other is left.
//	queue       what is queued is lost, and repeated by its timers.
//
// Each part of that is tried by itself, so that a second panic costs that part alone. No part is
// tried more often than is written here.
func (w *worker) contain() {
	v := recover()
	if v == nil {
		return
	}
	at := w.step
	w.step = stepRound
	w.panicked(v)
	w.abandon()
	if at == stepQueue && w.outlet != nil {
		w.outlet.forget()
	}
	w.handover.handed = false
	w.timersLeft = true
	w.attempt(w.tx.Undo) // before anything else is made: Undo knows the slots allocated last
	answered := false
	switch at {
	case stepRequest, stepDecide:
		answered = w.abortRequest(at)
	case stepResponse, stepTimer, stepTransport, stepResolved:
		w.abortTransaction(at)
	}
	w.attempt(w.core.AbortReply)
	w.attempt(w.core.AbortBranch)
	w.attempt(w.tx.Undo) // what the containment itself left half made
	switch {
	case answered:
		w.count[refuseBase+int(Panicked)]++
	case at >= stepDatagram && at <= stepResponse:
		w.drop(Panicked)
	}
	w.tx.Begin()
	w.ctx.Conn = 0
}

// attempt runs a part of the containment. It returns false if it panicked itself.
func (w *worker) attempt(part func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			w.panicked(v)
			w.abandon()
		}
	}()
	part()
	return true
}

// abandon forgets the datagram that was being put together.
func (w *worker) abandon() {
	w.out.Abandon()
}

// abortRequest ends the request in core.Request. It reports whether it was answered.
func (w *worker) abortRequest(at step) (answered bool) {
	r := &w.core.Request
	if at == stepDecide {
		w.attempt(r.AbortedTransaction)
	}
	w.attempt(func() { answered = r.Abort() })
	if r.Tx != nil {
		w.endUnanswered(r.Tx)
		w.cancelRest(r.Tx)
	}
	if r.M.Method == parser.CANCEL && r.Invite != nil && r.Invite.Invite() {
		w.attempt(func() { w.tx.Cancel(r.Invite, nil) })
		w.cancelRest(r.Invite)
		if !r.Invite.Answered() && w.core.Stranded(r.Invite, nil) {
			// cancel_b_method 0: nobody is waited for
			w.attempt(func() { w.core.Fail(r.Invite, nil) })
		}
	}
	return answered
}

// abortTransaction ends the transaction or branch that the step had in hand, as described at
// contain.
func (w *worker) abortTransaction(at step) {
	tx, br := w.tx.InHand()
	if tx == nil {
		return
	}
	var response *parser.Message
	var over *txn.Branch
	switch {
	case at == stepResponse:
		response = &w.m
	case br == nil:
	case at == stepTransport || br.Over():
		over = br
	}
	stranded := false
	if at == stepResolved {
		w.attempt(func() { stranded = w.core.Stranded(tx, nil) })
	} else if br == nil {
		// the timer is max_inv_lifetime's, not that of RFC 4320's 100
		stranded = (tx.Expired() || tx.Over()) && !tx.Answered() && tx.State() != txn.Terminated
	} else {
		w.attempt(func() { stranded = w.core.Stranded(tx, over) })
	}
	if stranded && (at != stepTimer || tx.Invite()) {
		w.attempt(func() { w.core.Fail(tx, response) })
	}
	if over != nil {
		w.attempt(func() { w.tx.End(over) })
	}
	switch {
	case stranded:
		w.endUnanswered(tx)
	case br == nil && tx.Over():
		w.attempt(func() { w.tx.Terminate(tx) })
	}
	if tx.Answered() || tx.Canceled() {
		w.cancelRest(tx)
	}
}

// endUnanswered ends a transaction that could not be answered.
func (w *worker) endUnanswered(tx *txn.Tx) {
	if !tx.Answered() {
		w.attempt(func() { w.tx.Terminate(tx) })
	}
}

// cancelRest cancels the branches of tx that are under way. Each is tried twice, so that a panic in
// one branch does not keep the others from being cancelled.
func (w *worker) cancelRest(tx *txn.Tx) {
	for range 2 * txn.MaxBranches {
		if w.attempt(func() { w.tx.CancelRest(tx) }) {
			return
		}
	}
}

// panicked counts a panic, and logs at most stacksPerSecond with their stack.
func (w *worker) panicked(v any) {
	w.count[CountPanics]++
	if w.stacks.allow(time.Now()) {
		// The text is made here, since v may refer to memory that holds another message when the
		// line is written.
		w.shared.queue(logLine{slog.LevelError,
			"contained a panic: the transaction at hand is lost, please report",
			[]any{"shard", w.number, "panic", fmt.Sprint(v), "panics", w.count[CountPanics],
				"stack", string(debug.Stack())}})
	}
}

// stackLimit lets stacksPerSecond through.
type stackLimit struct {
	second int64
	n      int
}

func (l *stackLimit) allow(now time.Time) bool {
	if s := now.Unix(); s != l.second {
		l.second, l.n = s, 0
	}
	l.n++
	return l.n <= stacksPerSecond
}
