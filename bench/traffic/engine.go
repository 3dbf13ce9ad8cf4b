package traffic

import (
	"crypto/tls"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/bench/histogram"
)

// Engine runs the calls of one Config. It belongs to the goroutine that calls Run; other goroutines
// may only close the channels of Config.
type Engine struct {
	cfg       Config
	sockets   []*socket // answerers, callers, then the connections taken
	callers   []*socket
	answerers []*socket
	poll      *poller
	rx        *receiver
	m         message
	table     *table
	texts     texts
	account   account

	// Of TLS: handshakes under way, where their ends are heard of, and what was last read and is
	// not yet decrypted.
	tlsConfig *tls.Config
	shaking   int
	shaken    chan shaken
	cipher    []byte

	epoch  time.Time
	now    int64 // ns since epoch, read once per batch
	serial uint64
	swept  int64

	active    int // calls under way
	lingering int
	stopping  bool
	measuring bool
	opened    mark // the measured window's ends
	closed    mark
	idle      int64 // ns spent waiting for something to do

	first    int64 // when the first call was due
	nextDue  float64
	rampLeft int     // closed loop: calls not yet started for the first time
	interval float64 // ns between calls of an open loop
	tick     mark
	tickRing histogram.Histogram

	t1, t2, giveUp, linger uint32 // ms
	hold                   holding
	early                  bool // stopped before its time
}

// mark is the counters at one instant.
type mark struct {
	at, idle, cpu                                          int64
	started, completed, failed, abandoned, retransmissions uint64
}

func (e *Engine) mark() mark {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u) // cannot fail with these arguments
	a := &e.account
	return mark{e.now, e.idle, u.Utime.Nano() + u.Stime.Nano(), a.started, a.completed, a.failed,
		a.abandoned, a.retransmitted()}
}

// New opens the sockets and writes the templates of cfg, which it normalizes. Close releases them.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Normalize(); err != nil {
		return nil, err
	}
	ms := func(d time.Duration) uint32 { return uint32(max(d.Milliseconds(), 1)) }
	e := &Engine{
		cfg: cfg, rx: newReceiver(), serial: rand.Uint64(), t1: ms(cfg.T1),
		t2: ms(cfg.T1 * t2PerT1), giveUp: ms(cfg.GiveUp), linger: ms(cfg.T1 * lingerPerT1),
	}
	if err := e.open(); err != nil {
		e.Close()
		return nil, err
	}
	e.texts.write(&e.cfg, e.callers, e.answerers)
	slots := cfg.Slots
	if len(cfg.Callers) == 0 {
		slots = 0
	}
	var err error
	if e.table, err = newTable(slots); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close releases sockets and memory. The report stays readable.
func (e *Engine) Close() {
	for ; e.shaking > 0; e.shaking-- {
		h := <-e.shaken // it has a deadline
		h.c.close()
	}
	for _, s := range e.sockets {
		s.close()
	}
	e.sockets = nil
	if e.poll != nil {
		e.poll.close()
		e.poll = nil
	}
	if e.table != nil {
		e.table.close()
	}
}

func (e *Engine) clock() { e.now = int64(time.Since(e.epoch)) }
func (e *Engine) ms() uint32 {
	return uint32(e.now/int64(time.Millisecond)) + 1 // never 0, which means no timer
}

// Run places the calls and returns when all have ended, the drain is over, or, without callers,
// when Stop is closed. Call it once, with the goroutine locked to its thread if the generator's own
// CPU time is to be right.
func (e *Engine) Run() Report {
	e.epoch = time.Now()
	e.clock()
	e.first = e.now
	e.tick = e.mark()
	if e.cfg.Rate > 0 {
		e.interval = 1e9 / e.cfg.Rate
		e.nextDue = float64(e.now)
	}
	if len(e.callers) > 0 && e.cfg.Mode != Hold && e.cfg.Warmup == 0 {
		e.openWindow()
	}
	if e.cfg.Concurrent > 0 && e.cfg.Mode != Hold {
		e.rampLeft = e.cfg.Concurrent
	}
	var drainEnd int64
	for {
		e.batch()
		if e.stopping {
			if drainEnd == 0 {
				drainEnd = e.now + int64(e.cfg.Drain)
				if e.cfg.Mode == Hold && e.cfg.Release == ReleaseNone {
					drainEnd = e.now
				}
			}
			if e.active == 0 && e.lingering == 0 || e.now >= drainEnd || len(e.callers) == 0 {
				break
			}
		}
	}
	e.closeLingering()
	var r Report
	e.account.report(&r)
	for _, s := range e.sockets {
		r.Sockets.Overflowed += s.overflowed()
	}
	r.PerAnswerer = append(r.PerAnswerer, e.account.answerer[:len(e.answerers)]...)
	r.TLS, r.TLSOut = e.agreed(false), e.agreed(true)
	e.windowReport(&r)
	if len(e.texts.invite) > 0 {
		r.InviteBytes = len(e.texts.invite[0][0].bytes)
	}
	r.HoldOpenSeconds, r.HoldReleaseSeconds = e.hold.openSeconds, e.hold.releaseSeconds
	return r
}

// batch is one turn of the loop: wait, receive and answer per socket, start what is due, look at
// the timers.
func (e *Engine) batch() {
	before := e.now
	n := e.poll.wait(e.sleep())
	e.clock()
	if n == 0 || e.cfg.Sleep {
		e.idle += e.now - before
	}
	for i := range n {
		event := &e.poll.events[i]
		if s := e.sockets[event.Fd]; s.stream != nil {
			e.drainStream(s, event.Events)
		} else {
			e.drain(s)
		}
	}
	if e.shaking > 0 {
		_ = e.takeShaken() // a failure is counted, and its calls are lost
	}
	e.startDue()
	if e.now-e.swept >= int64(sweepInterval) {
		e.swept = e.now
		e.sweep()
		e.schedule()
	}
}

// drain takes one batch from s and sends what it causes: all of it leaves by the same socket.
func (e *Engine) drain(s *socket) {
	n := s.receive(e.rx)
	if n == 0 {
		return
	}
	e.clock()
	for i := range n {
		b, whole := e.rx.datagram(i)
		if !whole {
			e.account.sockets.Truncated++
			continue
		}
		if !e.m.scan(b) {
			e.account.faults[faultMalformed]++
			continue
		}
		e.arrived(s, b)
	}
	s.flush()
}

// arrived gives the message b, which is indexed, to the end it came to.
func (e *Engine) arrived(s *socket, b []byte) {
	if e.cfg.OnArrival != nil {
		e.cfg.OnArrival(s.answerer, s.index, b)
	}
	switch {
	case s.answerer && e.m.isRequest:
		e.request(s, b)
	case !s.answerer && !e.m.isRequest:
		e.response(s, b)
	default:
		e.account.faults[faultPort]++
	}
}

func (e *Engine) flush() {
	for _, s := range e.sockets {
		if s.queued > 0 {
			s.flush()
		}
	}
}

// sleep is how long the loop may wait for a datagram, in ns; 0 polls.
func (e *Engine) sleep() int64 {
	if !e.cfg.Sleep {
		return 0
	}
	until := e.swept + int64(sweepInterval)
	if e.rampLeft > 0 {
		until = min(until, e.first+int64(e.cfg.Concurrent-e.rampLeft)*int64(rampInterval))
	}
	if e.interval > 0 && !e.stopping {
		until = min(until, int64(e.nextDue))
	}
	return max(until-e.now, 0)
}

// startDue starts the calls of an open loop whose time has come, however late the loop is, and
// those that Hold has room for.
func (e *Engine) startDue() {
	if e.cfg.Mode == Hold {
		e.holdStep()
		return
	}
	for e.rampLeft > 0 && e.now >= e.first+int64(e.cfg.Concurrent-e.rampLeft)*int64(rampInterval) {
		port := e.rampLeft % len(e.callers)
		e.rampLeft--
		e.startOn(port)
		e.callers[port].flush()
	}
	if e.interval == 0 || e.stopping {
		return
	}
	for e.nextDue <= float64(e.now) && !e.enough() {
		port := int(e.account.started+e.account.notStarted) % len(e.callers)
		due := int64(e.nextDue)
		e.nextDue += e.interval
		if !e.start(port, due) {
			e.account.notStarted++
			continue
		}
		e.callers[port].flush()
	}
}

func (e *Engine) enough() bool {
	return e.cfg.Calls > 0 && e.account.started+e.account.notStarted >= uint64(e.cfg.Calls)
}

// startOn starts a call of a closed loop, due now.
func (e *Engine) startOn(port int) {
	if e.stopping || e.enough() {
		return
	}
	if !e.start(port, e.now) {
		e.account.notStarted++
	}
}

// schedule moves the run from warm-up to window to drain, and reports ticks.
func (e *Engine) schedule() {
	select {
	case <-e.cfg.Stop:
		e.early = true
	default:
	}
	if len(e.callers) == 0 {
		e.stopping = e.early
		return
	}
	if e.cfg.OnTick != nil && e.now-e.tick.at >= int64(e.cfg.TickEvery) {
		e.reportTick()
	}
	if e.cfg.Mode == Hold {
		return
	}
	elapsed := time.Duration(e.now - e.first)
	if !e.measuring && !e.stopping && elapsed >= e.cfg.Warmup {
		e.openWindow()
	}
	over := e.cfg.Duration > 0 && elapsed >= e.cfg.Warmup+e.cfg.Duration
	if !e.stopping && (over || e.early || e.enough() && e.active == 0) {
		if e.measuring {
			e.closeWindow()
		}
		e.stopping = true
		if e.cfg.OnTick != nil && e.now-e.tick.at >= int64(e.cfg.TickEvery)/2 {
			e.reportTick() // the last interval, cut short by the end
		}
	}
}

func (e *Engine) openWindow() {
	e.measuring = true
	if e.cfg.OnWindow != nil {
		e.cfg.OnWindow(true)
		e.clock()
	}
	e.opened = e.mark()
}

func (e *Engine) closeWindow() {
	e.measuring = false
	e.closed = e.mark()
	if e.cfg.OnWindow != nil {
		e.cfg.OnWindow(false)
		e.clock()
	}
}

func (e *Engine) windowReport(r *Report) {
	o, c := &e.opened, &e.closed
	r.WindowSeconds = float64(c.at-o.at) / 1e9
	r.WindowCompleted = c.completed - o.completed
	if r.WindowSeconds <= 0 || r.WindowCompleted == 0 {
		return
	}
	calls := float64(r.WindowCompleted)
	r.CallsPerSecond = calls / r.WindowSeconds
	r.CPUUsPerCall = float64(c.cpu-o.cpu) / 1e3 / calls
	r.BusyUsPerCall = float64((c.at-o.at)-(c.idle-o.idle)) / 1e3 / calls
}

func (e *Engine) reportTick() {
	m, p := e.mark(), &e.tick
	e.cfg.OnTick(Tick{
		Elapsed: time.Duration(e.now - e.first),
		Started: m.started - p.started, Completed: m.completed - p.completed,
		Failed: m.failed - p.failed, Abandoned: m.abandoned - p.abandoned,
		Active: e.active, Retransmitted: m.retransmissions - p.retransmissions,
		RingP50: e.tickRing.Quantile(0.5), RingP99: e.tickRing.Quantile(0.99),
		PerAnswerer: e.account.answerer[:len(e.answerers)],
	})
	e.tickRing.Reset()
	e.tick = m
}

func (e *Engine) fault(f fault) { e.account.faults[f]++ }

// sent notes that the next copy of k leaves.
func (e *Engine) sent(c *call, k kind) {
	n := &e.account.messages[k]
	if c.sent&k.bit() != 0 {
		n.Retransmitted++
		c.again |= k.bit()
		return
	}
	c.sent |= k.bit()
	n.Sent++
}

// got notes that a copy of k arrived; true for the first.
func (e *Engine) got(c *call, k kind) bool {
	n := &e.account.messages[k]
	if c.got&k.bit() != 0 {
		n.Duplicated++
		return false
	}
	c.got |= k.bit()
	n.Received++
	return true
}
