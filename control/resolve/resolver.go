package resolve

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"viaduct/shard/proxy"
)

const endpointBytes = int(unsafe.Sizeof(proxy.Endpoint{}))

// Resolver implements proxy.Resolver.
type Resolver struct {
	settings atomic.Pointer[Settings]
	clock    func() int64 // nanoseconds since the start: the precise time, for all but Lookup
	// now is clock as of the last clockTick. Lookup uses it, since it costs no system call.
	now atomic.Int64
	// resting says that there was no look-up for clockRest, and now stands still. The first Lookup
	// after that sets now, and wakes the clock through woken.
	resting atomic.Bool
	woken   chan struct{}
	epoch   atomic.Uint64
	// wanted is a stack of plans to renew: Lookup pushes, the clock's goroutine takes them all. Its
	// partner is plan.wanted.
	wanted atomic.Pointer[plan]
	table  table
	counts counts

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	slots  chan struct{} // one token a socket

	reading sync.Mutex // guards files, so that both come from the same settings
	files   files

	// flying guards flights and waiters. It is held for a moment only, since Ask takes it on a
	// shard's thread. mu comes before it where both are held.
	flying  sync.Mutex
	closed  bool
	flights map[planKey]*flight
	waiters int

	// mu guards what follows, and writes to table. It is never held while anything blocks, except
	// while the cache is sorted.
	mu      sync.Mutex
	asked   map[setKey]*question
	sets    map[setKey]*rrset // the records
	statics map[setKey]*rrset // the operators' own
	hosts   map[setKey]*rrset // the hosts file's
	servers serverList
	bytes   int // of plans, sets and statics
}

var _ proxy.Resolver = (*Resolver)(nil)

// Open checks the settings, reads the files and starts the resolver's clock. A file that cannot be
// read is an error now; later the last good reading stays in force.
func Open(s Settings) (*Resolver, error) {
	start := time.Now()
	return open(s, func() int64 { return int64(time.Since(start)) })
}

func open(s Settings, clock func() int64) (*Resolver, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	r := &Resolver{
		clock: clock,
		slots: make(chan struct{}, socketsMax), woken: make(chan struct{}, 1),
		flights: map[planKey]*flight{}, asked: map[setKey]*question{},
		sets: map[setKey]*rrset{}, statics: map[setKey]*rrset{}, hosts: map[setKey]*rrset{},
	}
	r.table.seed = newSeed()
	apply, err := r.Prepare(s)
	if err != nil {
		return nil, err
	}
	apply()
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.resting.Store(true)
	r.tasks.Add(2)
	go r.runClock()
	go r.runFiles()
	return r, nil
}

// Close ends what is under way: callers still waiting get their done. Lookup goes on to answer from
// what it has, Ask refuses.
func (r *Resolver) Close() {
	r.flying.Lock()
	r.closed = true
	r.flying.Unlock()
	r.cancel()
	r.tasks.Wait()
}

// Lookup answers from the plans. It is the packet's path: no lock, no allocation, no system call.
func (r *Resolver) Lookup(q *proxy.NameQuery, out []proxy.Endpoint) (n int, a proxy.Answer) {
	var buf [nameBytes + 1]byte
	host, rooted, ok := fold(q.Host, &buf)
	if !ok {
		return 0, proxy.Nowhere
	}
	bits := packBits(q, rooted)
	p := r.table.find(r.table.hash(host, bits), host, bits)
	if r.resting.Load() {
		r.wake()
	}
	now := r.now.Load()
	if p == nil || p.epoch != r.epoch.Load() || now >= p.deadAt {
		r.counts.misses.Add(1)
		return 0, proxy.Unknown
	}
	if now >= p.renewAt && p.wanted.Load() == 0 && p.wanted.CompareAndSwap(0, 1) {
		r.want(p)
	}
	if p.used.Load() != now {
		p.used.Store(now)
	}
	r.counts.hits.Add(1)
	if p.answer != proxy.Resolved {
		return 0, p.answer
	}
	return p.pick(q.Seed, out), proxy.Resolved
}

// wake starts the clock again. Slow path: once a rest.
func (r *Resolver) wake() {
	r.now.Store(max(r.clock(), r.now.Load())) // before resting ends, so that others then read this
	if r.resting.Swap(false) {
		select {
		case r.woken <- struct{}{}:
		default:
		}
	}
}

// want puts p on the list of renewals.
func (r *Resolver) want(p *plan) {
	for {
		head := r.wanted.Load()
		p.wantedNext = head
		if r.wanted.CompareAndSwap(head, p) {
			return
		}
	}
}

// fold returns the host in lower case without trailing dot, in buf. ok is false if it is no host
// name (RFC 3261 §25.1 hostname, and "_", which is seen in the wild) or too long, so that no server
// need be asked.
func fold(host []byte, buf *[nameBytes + 1]byte) (name []byte, rooted, ok bool) {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host, rooted = host[:n-1], true
	}
	if len(host) == 0 || len(host) > nameBytes {
		return nil, false, false
	}
	label := 0
	for i, c := range host {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case c == '.' && label > 0:
			label = -1
		case c == ':' || c == '[' || c == ']': // an IPv6 literal
		default:
			return nil, false, false
		}
		if label++; label > 63 {
			return nil, false, false
		}
		buf[i] = c
	}
	return buf[:len(host)], rooted, true
}

// flight is one query being resolved. done is guarded by Resolver.flying.
type flight struct {
	planKey
	renews bool // nobody waits for it, and records about to expire count as gone
	done   []func()
}

// Ask resolves in a goroutine of its own.
func (r *Resolver) Ask(q *proxy.NameQuery, done func()) bool {
	var buf [nameBytes + 1]byte
	host, rooted, ok := fold(q.Host, &buf)
	if !ok { // Lookup has the answer
		if !r.enter() {
			return false
		}
		go func() {
			defer r.tasks.Done()
			r.call(done)
		}()
		return true
	}
	key := planKey{string(host), packBits(q, rooted)}
	r.flying.Lock()
	defer r.flying.Unlock()
	if r.closed || r.waiters >= waitersMax {
		r.counts.refused.Add(1)
		return false
	}
	f := r.flights[key]
	switch {
	case f != nil:
		r.counts.joined.Add(1)
	case len(r.flights) >= flightsMax:
		r.counts.refused.Add(1)
		return false
	default:
		f = r.launch(key, false)
	}
	f.done = append(f.done, done)
	r.waiters++
	return true
}

// enter counts the caller among the resolver's tasks until tasks.Done; Close waits for them. It
// returns false if the resolver is closed.
func (r *Resolver) enter() bool {
	r.flying.Lock()
	defer r.flying.Unlock()
	if r.closed {
		return false
	}
	r.tasks.Add(1)
	return true
}

// launch starts a flight; the caller holds flying and has looked at closed.
func (r *Resolver) launch(key planKey, renews bool) *flight {
	f := &flight{planKey: key, renews: renews}
	r.flights[key] = f
	r.counts.flights.Add(1)
	r.tasks.Add(1)
	go r.fly(f)
	return f
}

// fly resolves, publishes, and tells those who wait.
func (r *Resolver) fly(f *flight) {
	defer r.tasks.Done()
	r.call(func() { r.answer(f) })
	r.flying.Lock() // those who joined since the answer was published find it too
	delete(r.flights, f.planKey)
	done := f.done
	r.waiters -= len(done)
	r.flying.Unlock()
	for _, d := range done {
		r.call(d)
	}
}

// answer publishes a plan for f. If a new epoch began meanwhile the plan would be unknown again, so
// it is made anew.
func (r *Resolver) answer(f *flight) {
	const tries = 3
	for i := 1; ; i++ {
		p := r.locate(f)
		if r.publishIfNew(p, i == tries) {
			return
		}
	}
}

// publishIfNew publishes p if it is of the current epoch, or if last: records are being changed all
// the time then, and p will serve for a moment. It reports whether it did.
func (r *Resolver) publishIfNew(p *plan, last bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.epoch.Load(); p.epoch != now {
		if !last {
			return false
		}
		p.epoch, p.deadAt = now, min(p.deadAt, r.clock()+int64(failureHold))
	}
	r.publish(p)
	return true
}

// call calls f, its callers' code, and contains its panics and our own.
func (r *Resolver) call(f func()) {
	defer func() {
		if recover() != nil {
			r.counts.panics.Add(1)
		}
	}()
	f()
}

// publish puts p where Lookup finds it; the caller holds mu. A failure does not take the place of
// an older answer that may still serve: one bad minute of the servers must not lose a name that
// works (RFC 8767 §4).
func (r *Resolver) publish(p *plan) {
	now := r.clock()
	r.now.Store(max(now, r.now.Load()))
	p.hash = r.table.hashString(p.host, p.bits)
	if p.answer == proxy.Failed {
		r.counts.failed.Add(1)
		old := r.table.find(p.hash, []byte(p.host), p.bits)
		if old != nil && old.answer == proxy.Resolved && old.epoch == p.epoch && old.goodTo > now {
			p = &plan{planKey: p.planKey, hash: p.hash, epoch: p.epoch, answer: old.answer,
				goodTo: old.goodTo, spread: old.spread, first: old.first,
				groups: old.groups, renewAt: now + int64(staleHold),
				deadAt: now + int64(staleHold+grace)}
			r.counts.stale.Add(1)
		}
	}
	p.used.Store(now)
	p.bytes = p.measure()
	r.bytes += p.bytes
	if old := r.table.insert(p); old != nil {
		r.bytes -= old.bytes
	}
	r.evict(p)
}

// runClock moves Lookup's clock while there are look-ups, starts renewals and sweeps.
func (r *Resolver) runClock() {
	defer r.tasks.Done()
	timer := time.NewTimer(r.set().GCInterval)
	defer timer.Stop()
	swept := r.clock()
	var asked uint64 // look-ups so far, as last seen
	askedAt := swept // when there was a new one
	for {
		woken := false
		select {
		case <-r.ctx.Done():
			return
		case <-timer.C:
		case <-r.woken:
			woken = true // by a look-up that may not have been counted yet
		}
		r.call(func() {
			now := r.clock()
			r.now.Store(max(now, r.now.Load()))
			if n := r.counts.hits.Load() + r.counts.misses.Load(); n != asked || woken {
				asked, askedAt = n, now
			}
			if now-askedAt >= int64(clockRest) {
				r.resting.Store(true)
			}
			r.renew() // renewals wanted after this begin when the clock wakes
			if now-swept >= int64(r.set().GCInterval) {
				swept = now
				r.mu.Lock()
				defer r.mu.Unlock()
				r.sweep(now)
			}
		})
		if r.resting.Load() {
			timer.Reset(r.set().GCInterval)
		} else {
			timer.Reset(clockTick)
		}
	}
}

// renew starts flights for the plans that Lookup wanted. If there is no room for one, the next
// Lookup wants it again.
func (r *Resolver) renew() {
	p := r.wanted.Swap(nil)
	if p == nil {
		return
	}
	r.flying.Lock()
	defer r.flying.Unlock()
	for p != nil {
		next := p.wantedNext
		p.wantedNext = nil
		if r.flights[p.planKey] == nil && !r.closed && len(r.flights) < flightsMax*3/4 {
			r.counts.renewals.Add(1)
			r.launch(p.planKey, true)
		} else {
			p.wanted.Store(0)
		}
		p = next
	}
}
