package shard

import (
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

// mailAnswer is the kind of mail that brings the answer to a run's question: it has the question's
// slot and number.
const mailAnswer = 16

// asks is what a shard does for runs of the routing program that wait for an answer. A run with a
// transaction is held in the arena, see package proxy. Only runs of ACK and CANCEL, which have no
// transaction of their own, are kept here, outside the arena: a process that dies loses them, as
// the network may have.
type asks struct {
	w      *worker
	queue  *ask.Queue
	parked map[uint64]*parkedRun
	due    int64 // earliest deadline of parked, ns; never if there is none
	bytes  int
	timely ask.Answer // answer to a question that only asked for time to pass
	late   ask.Answer // answer to a question that was not answered in time
	route  ask.Answer // the route that a suspended request goes on in
}

var _ route.Waits = (*asks)(nil)

// parkedRun is a run without a transaction.
type parkedRun struct {
	packet     netio.Packet
	state, run []byte
	due        int64
	timed      bool // it waits for time to pass, with no question
	http       proxy.HTTP
}

func (a *asks) init(w *worker) {
	a.w, a.due, a.late.Err = w, never, ask.ErrLate
	w.ctx.Shard.Waits = a
	a.queue = ask.NewQueue(uint64(w.clock.now()), a.post)
}

// Number implements route.Waits.
func (a *asks) Number(q *ask.Question) (uint64, error) {
	if !q.Timed() && !a.queue.Room() {
		a.w.count[CountAsksRefused]++
		return 0, ask.ErrOverloaded
	}
	return a.queue.Number(), nil
}

// Ask implements route.Waits.
func (a *asks) Ask(q *ask.Question, number uint64, w proxy.Waiting) error {
	return a.send(q, number, ask.Waiter{Tx: w.Tx, Key: w.Key})
}

func (a *asks) send(q *ask.Question, number uint64, w ask.Waiter) error {
	err := a.queue.Send(q, number, w)
	if err != nil {
		a.w.count[CountAsksRefused]++
		return err
	}
	a.w.count[CountAsked]++
	return nil
}

// Park implements route.Waits.
func (a *asks) Park(q *ask.Question, number uint64, r *proxy.Request, run []byte) error {
	state := r.AppendState(nil)
	n := len(r.M.Raw) + len(state) + len(run)
	if len(a.parked) >= maxParked || a.bytes+n > maxParkedBytes {
		a.w.count[CountAsksRefused]++
		return ask.ErrOverloaded
	}
	if !q.Timed() {
		if err := a.send(q, number, ask.Waiter{Parked: number}); err != nil {
			return err
		}
	}
	if a.parked == nil {
		a.parked = make(map[uint64]*parkedRun)
	}
	p := &parkedRun{
		packet: netio.Packet{Data: append([]byte(nil), r.M.Raw...), Src: r.Src,
			Listener: uint16(r.Listener)},
		state: state, run: append([]byte(nil), run...), timed: q.Timed(), http: r.HTTP(),
		due: a.w.core.Now() + int64(q.Within()),
	}
	a.parked[number] = p
	a.due = min(a.due, p.due)
	a.bytes += n
	a.w.count[proxy.CountHeld]++
	return nil
}

// post sends the shard the answer to a question. It may be called from any goroutine.
func (a *asks) post(slot uint32, number uint64) {
	a.w.post(shm.Mail{mailAnswer, uint64(slot), number})
}

// post sends the shard a mail. It may be called from any goroutine.
func (w *worker) post(m shm.Mail) { w.postTo(w.number, m) }

// postTo sends a shard a mail. It may be called from any goroutine. If the mailbox is full it tries
// again: a run whose mail is lost would wait for its deadline.
func (w *worker) postTo(shard int, m shm.Mail) {
	if w.shared.stopping.Load() {
		return
	}
	done := w.arena.Mailbox(shard).Post(&m)
	w.arena.Doorbell(shard).Ring()
	if !done {
		again := m // on the heap only here
		time.AfterFunc(mailAgain, func() { w.postTo(shard, again) })
	}
}

// answered goes on with what waits for the answer to a question.
func (w *worker) answered(slot uint32, number uint64) {
	q := w.asks.queue.Answered(slot, number)
	if q == nil {
		return
	}
	wanted := false
	defer func() { w.asks.queue.Release(q, !wanted) }() // also after a panic
	if q.Waiter.Parked != 0 {
		if p := w.asks.parked[q.Waiter.Parked]; p != nil {
			wanted = true
			w.goOnParked(q.Waiter.Parked, p, &q.Answer)
		}
	} else {
		wait := proxy.Waiting{Tx: q.Waiter.Tx, Key: q.Waiter.Key}
		if r, h, ok := w.core.TakeHeld(wait, number); ok {
			wanted = true
			w.goOn(r, &h, &q.Answer)
		} else if h, ok := w.core.TakeReply(wait, number, &w.m); ok {
			wanted = true
			w.goOnReply(&h, &q.Answer)
		} else if r, run, ok := w.core.TakeBranch(wait, number); ok {
			wanted = true
			w.goOnBranch(r, run, &q.Answer)
		}
	}
	if !wanted {
		w.count[CountUnwanted]++
	}
}

// held is called by the core when the deadline of a held run has passed, and for a run that a
// killed process held.
func (w *worker) held(wait proxy.Waiting, question uint64, again bool) {
	if again {
		defer w.contain() // otherwise the caller contains
		w.tx.Begin()
	}
	a := &w.asks.timely
	switch {
	case w.core.IsSuspended(wait):
		w.suspended(wait, again)
		return
	case question != 0 && again:
		a = nil
	case question != 0:
		a = &w.asks.late
		w.count[CountLate]++
	}
	r, h, ok := w.core.TakeHeld(wait, question)
	if !ok {
		return
	}
	at := w.step
	w.goOn(r, &h, a)
	w.step = at
}

// goOn goes on with a run that was held, on the request that is under way again. If a is nil the
// run asks again.
func (w *worker) goOn(r *proxy.Request, h *proxy.HeldRun, a *ask.Answer) {
	w.step = stepDecide // contain treats a panic as in that step
	if w.port != nil {
		w.port.Flow(0)
	}
	w.ctx.Conn = 0
	tx := r.Tx
	if w.tracing {
		w.trace(r.M.CallID(), "the routing program goes on", "answered", a != nil && a.Err == nil)
	}
	outcome, ours := w.resume(r, h.Kind, h.Run, a)
	if !ours {
		w.count[CountForeignRuns]++
		outcome = route.Exited
		if h.Kind == route.RequestRoute {
			w.ctx.Acted = r.Refuse(proxy.ProgramGone, "", "")
		}
	}
	switch {
	case h.Kind == route.RequestRoute:
		w.settle(outcome) // before the end: what is held goes when the caller has an answer
	case outcome == route.Faulted:
		w.faulted(w.ctx)
	}
	w.core.EndHeld(tx, h.Kind)
	w.core.Finish()
}

// resume goes on with a run in its program. ours is false if that program is not loaded any more.
func (w *worker) resume(r *proxy.Request, kind route.RouteKind, run []byte,
	a *ask.Answer) (o route.Outcome, ours bool) {
	p := w.programOf(route.HeldProgram(run))
	if p == nil {
		return route.Ended, false
	}
	r.Program = p.Hash()
	return p.Resume(w.ctx, r, kind, run, a)
}

// expireParked goes on with the runs without a transaction whose deadline has passed.
func (w *worker) expireParked(now int64) {
	if now < w.asks.due {
		return
	}
	// Slow path: there are at most maxParked.
	w.asks.due = never
	for number, p := range w.asks.parked {
		if p.due <= now {
			w.parkedDue(number, p)
		} else {
			w.asks.due = min(w.asks.due, p.due)
		}
	}
}

// parkedDue goes on with a parked run whose deadline has passed.
func (w *worker) parkedDue(number uint64, p *parkedRun) {
	defer w.contain()
	w.step = stepDatagram
	w.tx.Begin()
	a := &w.asks.timely
	if !p.timed {
		a = &w.asks.late
		w.count[CountLate]++
	}
	w.goOnParked(number, p, a)
}

// goOnParked goes on with a run without a transaction.
func (w *worker) goOnParked(number uint64, p *parkedRun, a *ask.Answer) {
	delete(w.asks.parked, number)
	w.asks.bytes -= len(p.packet.Data) + len(p.state) + len(p.run)
	r := &w.core.Request
	if p.http.Number != 0 {
		w.resumeHTTP(r, p, a)
		return
	}
	if w.parse(p.packet.Data) != parser.OK ||
		!r.Begin(&w.m, &p.packet.Src, int(p.packet.Listener)) {
		return
	}
	w.step = stepRequest
	if w.absorb() {
		return // a CANCEL whose repetition, received meanwhile, was faster
	}
	w.ctx.Conn = 0
	w.step = stepDecide
	outcome, ours := route.Ended, r.ReadState(p.state)
	if ours {
		outcome, ours = w.resume(r, route.RequestRoute, p.run, a)
	}
	if !ours {
		w.count[CountForeignRuns]++
		w.ctx.Acted = r.Refuse(proxy.ProgramGone, "", "")
	}
	w.settle(outcome)
	w.core.Finish()
}
