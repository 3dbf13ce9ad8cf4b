package shard

import (
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

// mailContinue is the kind of mail that makes a suspended request go on. It has the words of a
// route.Suspension.
const mailContinue = 17

// Continue implements route.Waits. A request of another shard is continued by mail to that shard,
// which then looks whether it is still suspended. For one of this shard the result is known at
// once.
func (a *asks) Continue(s route.Suspension) bool {
	w := a.w

	if s.Index > 1<<32-1 {
		return false
	}
	shard := w.arena.ShardOf(shm.Off(s.Index))
	if shard < 0 || shard == w.number && !w.core.Continue(s.Index, s.Label) {
		return false
	}
	w.postTo(shard, shm.Mail{mailContinue, s.Index, uint64(s.Label), s.Program, uint64(s.Route)})
	return true
}

// goOnSuspended goes on with a suspended request or response. The route is looked up by its name if
// the request belongs to another program than the one that named it.
func (w *worker) goOnSuspended(s route.Suspension) {
	wait, question, ok := w.core.Suspended(s.Index, s.Label)
	p := w.programOf(s.Program)
	if !ok || p == nil {
		w.count[CountUnwanted]++ // it ended meanwhile, or another run was faster
		return
	}
	a := &w.asks.route
	a.Err = nil
	a.SetText([]byte(p.BlockName(s.Route)))
	if r, h, ok := w.core.TakeHeld(wait, question); ok {
		w.goOn(r, &h, a)
	} else if h, ok := w.core.TakeReply(wait, question, &w.m); ok {
		w.goOnReply(&h, a)
	}
}

// suspended handles a suspended request whose time is over, or which a killed process has
// suspended: in the latter case its timer goes on in this process.
func (w *worker) suspended(wait proxy.Waiting, again bool) {
	if again && w.core.SuspendedAgain(wait) {
		return
	}
	at := w.step
	w.step = stepResolved // contain treats a panic as in a relay that goes on
	w.core.SuspendedTooLong(wait)
	w.core.Finish()
	w.step = at
}
