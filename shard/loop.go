package shard

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/place"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A round of a shard, in packet order. Steps 1, 2, 7 and 8 are done once per batch, 3 to 6 once per
// datagram:
//
//  1. wait     until a socket, a timer or another shard has something (skipped while busy)
//  2. receive  a batch from each socket that has one (netio, one recvmmsg)
//  3. parse    index the message in place                      message.go
//  4. own      hand it to the shard its Call-ID names           handover.go
//  5. match    have we met? retransmissions end here            message.go, txn
//  6. decide   routing program, proxy; datagrams are queued     script.go, route, proxy
//  7. expire   fire what timers are due                         txn
//  8. flush    ring the others, one sendmmsg per socket, then give back frames and slots
//
// Everything in worker belongs to its goroutine, except for the few words that others write, which
// say so.
type worker struct {
	number, shards int
	port           *netio.Port       // nil in tests without sockets
	streams        streams           // nil if no listener is a stream's
	conns          route.Connections // nil as well then
	aliases        bool              // tcp_accept_aliases, and there is conns
	acceptControl  bool              // accept_ctrl_chars
	outlet         *outlet           // what messages leave by; a test may have another Sender
	tap, traced    *tap              // what messages go to, nil if nobody wants them; what kept some
	tracesOn       bool              // an operator traces
	out            txn.Sender
	arena          *shm.Arena
	slab           *shm.Slab
	count          *shm.Counters
	tx             *txn.Table
	core           *proxy.Core
	program        *route.Program   // of new requests
	kept           []*route.Program // earlier ones, for the transactions they began
	gen            *generation      // has both; nil in tests without a server
	// forwards says that some program since the start could forward() without a transaction.
	forwards bool
	settings *route.Settings
	served   []*netio.Listener // by number; those that were taken out keep theirs
	egress   proxy.Egress
	ctx      *route.Ctx
	m        parser.Message
	received netio.Packet // while event_route[core:msg-received] runs
	// ourRequest and ourResponse are a request made here whose outcome is told, and its final
	// response.
	ourRequest, ourResponse parser.Message

	handover handover
	names    names
	asks     asks
	mailbox  *shm.Mailbox
	posted   posted
	ticks    []tick // of the program's modules
	tickDue  int64  // the earliest of ticks, ns; never if there is none
	doorbell *shm.Doorbell
	shared   *shared // by all shards, and with the control plane
	prober   *prober // nil on all shards but one
	clock    clock
	stacks   stackLimit
	step     step // what a panic interrupts, for contain

	listeners  []uint16            // all of them, for busy rounds
	turn       int                 // rounds so far: which socket is read first
	busy       int                 // rounds since epoll was asked last
	timersLeft bool                // timersPerRound was reached
	again      bool                // a round left something undone, so the next one does not wait
	unsent     []netio.SendFailure // in this round
	// lastFinal is when a transaction last had its final response, ns; Drain reads it.
	lastFinal atomic.Int64
	thread    atomic.Int32 // thread id, once it runs; place.Placement reads it
	// taken is the serial of the generation that the shard took last, and needed the programs that
	// its transactions have needed since; Reload reads both.
	taken   atomic.Uint64
	needed  atomic.Pointer[[]uint64]
	batchAt int64 // when the batch began, ns; at first when the shard was made
	// onceDue is when onceASecond is to run, ns; never if nothing has happened since it ran.
	onceDue    int64
	seenTables uint64  // the version of the destination sets in use
	noRoom     episode // requests refused for want of room
	tooMuch    episode // requests refused since more arrived than the shard can handle
	overload   place.Overload
	failures   failureLimit
	tracing    bool             // debug level: each step of a call is told
	long       []longRead       // of this round
	dropsOf    []uint64         // by listener, as far as known
	arrivals   []place.Arrivals // of this second, by listener
}

// clock reads CLOCK_MONOTONIC through the vDSO: time.Since of a base that was
// aligned with it once, so that deadlines in the arena mean the same to the next
// process.
type clock struct {
	base   time.Time
	baseNs int64
}

func (c *clock) now() int64 { return c.baseNs + int64(time.Since(c.base)) }

// run runs the shard. It returns when the server stops.
func (w *worker) run(cpus []int) {
	// never unlocked: the thread ends with the goroutine and its CPU mask with it
	runtime.LockOSThread()
	place.Settle(cpus, w.number, w.shards)
	w.thread.Store(int32(unix.Gettid()))
	// a wild offset into the arena is a panic like others, and contained
	debug.SetPanicOnFault(true)
	for !w.shared.stopping.Load() {
		if !w.round() {
			time.Sleep(brokenRoundPause) // Slow path: the next round may panic likewise
			w.again = true
		}
	}
}

// round runs steps 1 to 8 once. It returns false if a panic cut it short. Whatever a message, a
// timer or a peer can influence is contained closer to where it happens, so that a panic costs the
// round nothing but its culprit.
func (w *worker) round() (whole bool) {
	defer w.contain()
	w.step = stepRound
	ready := w.wait()
	w.startBatch()
	got := 0
	w.long = w.long[:0]
	if w.handover.holdsBack(w.batchAt) {
		pause := unix.NsecToTimespec(int64(holdPause))
		_ = unix.Nanosleep(&pause, nil) // a signal ends it early
	} else {
		w.turn++
		for i := range ready {
			got += w.receive(ready[(i+w.turn)%len(ready)]) // the first one may fill the whole batch
		}
		w.watchQueues()
	}
	got += w.takeStreams()
	got += w.takeHandedOver()
	got += w.takeMail()
	w.clockwork()
	w.port.Flow(0) // timers fire for any call: what they send keeps its place
	w.expire()
	w.expireParked(w.batchAt)
	w.probe()
	w.flush()
	if got > 0 {
		took := w.clock.now() - w.batchAt
		w.count.Observe(histogramBatch, uint64(took)/uint64(batchUnit), uint64(got))
	}
	w.busy = busyNext(w.busy, got)
	if (got > 0 || w.failures.leftOut > 0) && w.onceDue == never {
		w.noteActivity()
	}
	return true
}

// noteActivity makes onceASecond run a second from now. Slow path: once a second.
func (w *worker) noteActivity() {
	w.onceDue = w.batchAt + int64(onceEvery)
	select {
	case w.shared.activity <- struct{}{}:
	default: // Placement knows already
	}
}

// busyNext counts the rounds for which a full batch is taken as proof that more waits. It returns 0
// if epoll is to be asked.
func busyNext(busy, got int) int {
	if got < busyBatch || busy == busyRounds {
		return 0
	}
	return busy + 1
}

// wait is step 1. It returns the listeners worth a look.
func (w *worker) wait() []uint16 {
	if w.busy > 0 {
		return w.listeners
	}
	timeout := w.maxSleep()
	if timeout != 0 && !w.port.Waiting() {
		w.doorbell.Arm()
		if w.hasWork() {
			timeout = 0
		}
	}
	ev := w.port.Wait(timeout, w.doorbell.FD())
	w.doorbell.Disarm()
	for _, l := range ev.Errored {
		w.icmp(int(l))
	}
	return ev.Ready
}

// maxSleep returns how long step 1 may sleep, in ns: until a timer, a probe or onceASecond is due;
// -1, for ever, if nothing is. A shard without traffic keeps sleeping, since each time it wakes the
// monitor of the Go runtime watches its thread for 10 ms, every 20 µs at first.
func (w *worker) maxSleep() int64 {
	if w.timersLeft || w.again {
		w.again = false
		return 0
	}
	due := min(w.onceDue, w.tickDue, w.asks.due)
	if w.prober != nil {
		due = min(due, w.prober.next)
	}
	now := w.batchAt // for those two the length of a round does not matter
	if at, ok := w.tx.NextDue(); ok {
		due, now = min(due, at), w.clock.now()
	}
	if due == never {
		return -1
	}
	return max(due-now, 0)
}

// hasWork is the last check before a sleep, with the bell armed: anything that others have for this
// shard later rings the bell.
func (w *worker) hasWork() bool {
	s := w.shared
	return w.handover.waiting() || !w.mailbox.Empty() || w.posted.some.Load() ||
		w.streams != nil && w.streams.Waiting() ||
		s.stopping.Load() || s.gen.Load() != w.gen || s.tablesVersion.Load() != w.seenTables ||
		w.prober != nil && s.targetsChanged.Load()
}

// startBatch sets the time for the batch, and takes what the control plane changed.
func (w *worker) startBatch() {
	now := w.clock.now()
	w.batchAt = now
	w.tx.SetNow(now)
	w.core.SetNow(now)
	if g := w.shared.gen.Load(); g != w.gen {
		w.take(g)
	}
	if v := w.shared.tablesVersion.Load(); v != w.seenTables {
		w.takeTables(v)
		if w.tracing != (w.shared.LogLevel() >= levelDebug) {
			w.configure(w.settings)
		}
	}
}

// receive is steps 2 to 6 for one socket.
func (w *worker) receive(listener uint16) int {
	before := w.port.Stats().RecvBytes
	packets := w.port.Recv(int(listener))
	for i := range packets {
		w.datagram(&packets[i])
	}
	if len(packets) >= place.LongBatch || len(packets) > 0 && w.port.More() {
		w.long = append(w.long, longRead{listener, len(packets),
			int(w.port.Stats().RecvBytes - before)})
	}
	return len(packets)
}

// expire is step 7. If one record's timer panics, the others fire in the next round, which follows
// at once.
func (w *worker) expire() {
	defer w.contain()
	w.step = stepTimer
	w.tx.Begin()
	w.timersLeft = !w.tx.Expire(timersPerRound)
}

func (w *worker) probe() {
	defer w.contain()
	w.step = stepRound
	if w.prober != nil {
		w.prober.tick(w)
	}
}

// flush is step 8: what was decided leaves, then its memory is free again.
func (w *worker) flush() {
	w.sendQueued()
	w.giveBack()
	w.gauges()
}

func (w *worker) sendQueued() {
	defer w.contain()
	w.step = stepQueue
	w.handover.publish()
	// A failed send may cause another, to the next destination, which may fail too. What fails in
	// the last round is told to its transaction with the failures of the next batch, which follows
	// at once. Nothing stays queued, since the memory it refers to is freed next.
	w.outlet.flush()
	for i := range sendRounds {
		failed := w.sendsFailed(w.port.Failures())
		if w.streams != nil && w.streamsFailed(w.streams.Failures()) {
			failed = true
		}
		if !failed {
			break
		}
		w.again = i == sendRounds-1
		w.step = stepQueue
		w.outlet.flush()
	}
}

// giveBack ends a batch. A slot that cannot be freed is skipped by the next giveBack.
func (w *worker) giveBack() {
	defer w.contain()
	w.step = stepQueue
	w.port.Release()
	if w.streams != nil {
		w.streams.Release()
	}
	w.reclaim()
}

// reclaim frees what the batch referred to. Nothing may be queued any more.
func (w *worker) reclaim() {
	w.handover.release()
	w.core.Release()
	w.tx.Reclaim()
}
