package shard

import (
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

// mailContinue is the kind of mail that has a suspended request go on: what is in a
// route.Suspension.
const mailContinue = 17

// Continue is route.Waits'. The request may be another shard's, so that its shard is told by mail,
// and looks then whether it is there. Of one of this shard that is known at once.
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

// goOnSuspended goes on with a request that is suspended. The route is looked up by its name where
// the request belongs to another program than the one that named it.
func (w *worker) goOnSuspended(s route.Suspension) {
	wait, question, ok := w.core.Suspended(s.Index, s.Label)
	p := w.programOf(s.Program)
	if !ok || p == nil {
		w.count[CountUnwanted]++ // ended meanwhile, or somebody else was faster
		return
	}
	if r, h, ok := w.core.TakeHeld(wait, question); ok {
		a := &w.asks.route
		a.Err = nil
		a.SetText([]byte(p.BlockName(s.Route)))
		w.goOn(r, &h, a)
	}
}

// suspended is for a request that is suspended and whose time is over, or which a killed process
// has suspended: its timer goes on in this one.
func (w *worker) suspended(wait proxy.Waiting, again bool) {
	if again && w.core.SuspendedAgain(wait) {
		return
	}
	at := w.step
	w.step = stepResolved // a panic costs what it costs where a relay ends
	w.core.SuspendedTooLong(wait)
	w.core.Finish()
	w.step = at
}
