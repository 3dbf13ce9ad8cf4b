package shard

import (
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// heldReply is called by the core when the deadline of a run held with its response has passed,
// when its turn has come, and for a run that a killed process held.
func (w *worker) heldReply(wait proxy.Waiting, question uint64, begun, again bool) {
	if again {
		defer w.contain() // otherwise the caller contains
		w.tx.Begin()
	}
	at := w.step
	w.step = stepResponse
	a := &w.asks.timely
	switch {
	case !begun:
		w.core.GoOnReplies(wait, &w.m)
		w.core.Finish()
		w.step = at
		return
	case w.core.ReplySuspended(wait, question):
		if w.core.ReplyTooLong(wait, question, &w.m) {
			w.count[CountLate]++
		}
		w.core.Finish()
		w.step = at
		return
	case question != 0 && again:
		a = nil
	case question != 0:
		a = &w.asks.late
		w.count[CountLate]++
	}
	if h, ok := w.core.TakeReply(wait, question, &w.m); ok {
		w.goOnReply(&h, a)
	}
	w.step = at
}

// goOnReply goes on with a run that was held, on its response. If a is nil the run asks again.
func (w *worker) goOnReply(h *proxy.HeldReply, a *ask.Answer) {
	w.step = stepResponse // a panic costs what it costs there
	if w.port != nil {
		w.port.Flow(0)
	}
	w.ctx.Conn = 0
	if w.tracing {
		w.trace(w.m.CallID(), "the reply route goes on", "answered", a != nil && a.Err == nil)
	}
	outcome, ours := route.Ended, false
	if p := w.programOf(route.HeldProgram(h.Run)); p != nil {
		outcome, ours = p.ResumeReply(w.ctx, &w.core.Reply, h, a)
	}
	if !ours {
		w.count[CountForeignRuns]++ // the response is passed on as it stands
	}
	w.core.EndReply(h, &w.m, w.replied(outcome))
	w.core.Finish()
}

// heldBranch is called by the core when the deadline of a run held with its branch has passed, and
// for a run that a killed process held.
func (w *worker) heldBranch(wait proxy.Waiting, question uint64, again bool) {
	if again {
		defer w.contain() // otherwise the caller contains
		w.tx.Begin()
	}
	a := &w.asks.timely
	switch {
	case question != 0 && again:
		a = nil
	case question != 0:
		a = &w.asks.late
		w.count[CountLate]++
	}
	if r, run, ok := w.core.TakeBranch(wait, question); ok {
		at := w.step
		w.goOnBranch(r, run, a)
		w.step = at
	}
}

// goOnBranch goes on with a run that was held, on the request of its branch, which is under way
// again. If a is nil the run asks again.
func (w *worker) goOnBranch(r *proxy.Request, run []byte, a *ask.Answer) {
	w.step = stepDecide // a panic costs what it costs there
	if w.port != nil {
		w.port.Flow(0)
	}
	w.ctx.Conn = 0
	tx := r.Tx
	if w.tracing {
		w.trace(r.M.CallID(), "the branch route goes on", "answered", a != nil && a.Err == nil)
	}
	outcome, ours := w.resume(r, route.BranchRoute, run, a)
	lost := proxy.NoCause
	if !ours {
		w.count[CountForeignRuns]++
		lost = proxy.ProgramGone
	}
	w.core.EndBranch(tx, w.branched(outcome), lost)
	w.core.Finish()
}
