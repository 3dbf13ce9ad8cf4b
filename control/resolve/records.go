package resolve

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/miekg/dns"
)

// setKey names a set of records. name is in lower case, without trailing dot.
type setKey struct {
	name string
	typ  uint16
}

// state says what is known of a set.
type state uint8

const (
	present state = iota
	missing       // the name has no such type (RFC 2308 §2.2)
	absent        // the name does not exist (§2.1)
	broken        // the servers did not answer
)

// rrset is what is known of one name and type. It is immutable except for used. Times are the
// resolver's clock.
type rrset struct {
	setKey
	used    atomic.Int64
	state   state
	stale   bool // it has expired, and stays in use since the servers fail
	records []record
	renewAt int64
	expires int64
	goodTo  int64 // until then it may stay in use while the servers fail
	bytes   int
}

// record is one RR, as far as RFC 3263 needs it.
type record struct {
	addr               netip.Addr // A, AAAA
	order, weight      uint16     // SRV priority and weight, NAPTR order and preference
	port               uint16     // SRV
	target             string     // SRV target, NAPTR replacement; "" for "."
	service, flags, re string     // NAPTR, in upper case; re is the regular expression as it came
}

func newSet(key setKey, st state, records []record, now int64, ttl time.Duration) *rrset {
	s := &rrset{setKey: key, state: st, records: records, expires: now + int64(ttl)}
	// A tenth of the life early, and not more than ten seconds: a name in use never makes a caller
	// wait.
	s.renewAt = s.expires - min(int64(ttl)/10, int64(10*time.Second))
	s.used.Store(now)
	s.bytes = int(unsafe.Sizeof(*s)) + entryBytes + len(key.name)
	for i := range records {
		c := &records[i]
		s.bytes += int(unsafe.Sizeof(*c)) + len(c.target) + len(c.service) +
			len(c.flags) + len(c.re)
	}
	return s
}

// question is one set being asked for. Those waiting for it are told once, through channels with
// room for it.
type question struct {
	setKey
	tell []chan<- *rrset // guarded by Resolver.mu
}

// begin gets the set of key into tell, which has room: at once from what is known, or later from
// the servers. asked says that a server must be asked; if allowed is false none is, and the set is
// broken.
func (r *Resolver) begin(key setKey, renews, allowed bool, tell chan<- *rrset) (asked bool) {
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.known(key, now, renews); s != nil {
		tell <- s
		return false
	}
	q := r.asked[key]
	if q == nil {
		if !allowed || len(r.asked) >= questionsMax {
			r.counts.overflow.Add(1)
			tell <- r.fallback(key, now)
			return false
		}
		q = &question{setKey: key}
		r.asked[key] = q
		r.tasks.Add(1)
		go r.ask(q)
	}
	q.tell = append(q.tell, tell)
	return true
}

// known returns what needs no server: the operator's records, the hosts file, the cache. The caller
// holds mu.
func (r *Resolver) known(key setKey, now int64, renews bool) *rrset {
	if s := r.statics[key]; s != nil {
		return s
	}
	if key.typ == dns.TypeA || key.typ == dns.TypeAAAA {
		if s := r.hosts[key]; s != nil {
			return s
		}
		other := setKey{key.name, dns.TypeA + dns.TypeAAAA - key.typ}
		if r.hosts[other] != nil || r.statics[other] != nil {
			// A name of the hosts file has the addresses given there and no others, as for
			// nsswitch's "files dns".
			return newSet(key, missing, nil, now, fileLife)
		}
	}
	s := r.sets[key]
	if s == nil || now >= s.expires || renews && now >= s.renewAt && s.state != broken {
		return nil
	}
	if s.used.Load() != now {
		s.used.Store(now)
	}
	return s
}

// fallback returns what is left after a failure: an older answer that may stay in use, or the
// failure. The caller holds mu.
func (r *Resolver) fallback(key setKey, now int64) *rrset {
	old := r.sets[key]
	if old == nil || old.state != present || now >= old.goodTo {
		return newSet(key, broken, nil, now, failureHold)
	}
	s := newSet(key, present, old.records, now, staleHold)
	s.stale, s.goodTo = true, old.goodTo
	if old.expires > now && !old.stale { // a renewal that failed before its time
		s.stale = false
		s.expires, s.renewAt = old.expires, min(old.expires, now+int64(staleHold))
	}
	return s
}

// ask asks the servers for q, keeps the result, and tells those waiting.
func (r *Resolver) ask(q *question) {
	defer r.tasks.Done()
	r.counts.questions.Add(1)
	s := r.resolved(q.setKey)
	r.mu.Lock()
	delete(r.asked, q.setKey)
	tell := q.tell
	r.mu.Unlock()
	for _, c := range tell {
		c <- s
	}
}

// resolved asks for key and returns the set. A panic, say of the message library over a forged
// answer, costs this question only.
func (r *Resolver) resolved(key setKey) (s *rrset) {
	defer func() {
		if recover() != nil {
			r.counts.panics.Add(1)
			s = newSet(key, broken, nil, r.now.Load(), failureHold)
		}
	}()
	got := r.fetch(key)
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settle(key, &got, now)
}

// settle turns an answer into the set that is kept. The caller holds mu.
func (r *Resolver) settle(key setKey, got *answer, now int64) *rrset {
	var s *rrset
	if got.state == broken {
		s = r.fallback(key, now)
	} else {
		s = newSet(key, got.state, got.records, now, r.life(got))
		if got.state == present {
			s.goodTo = s.expires + int64(r.set().StaleMax)
		}
	}
	r.keep(s)
	for k, g := range got.glue {
		// Less trusted than an answer (RFC 2181 §5.4.1): it fills a gap and replaces nothing.
		if old := r.sets[k]; old == nil || now >= old.expires || old.state == broken {
			g := newSet(k, present, g.records, now, r.life(&answer{state: present, ttl: g.ttl}))
			g.goodTo = g.expires + int64(r.set().StaleMax)
			r.keep(g)
		}
	}
	r.evict(nil)
	return s
}

// life returns the answer's time to live, within the bounds of the settings.
func (r *Resolver) life(got *answer) time.Duration {
	ttl := got.ttl
	if got.state == present {
		ttl = min(max(ttl, r.set().MinTTL), r.set().MaxTTL)
	} else {
		ttl = min(ttl, r.set().NegativeTTL)
	}
	if !r.set().Cache {
		ttl = 0
	}
	return max(ttl, failureHold)
}

func (r *Resolver) keep(s *rrset) {
	if old := r.sets[s.setKey]; old != nil {
		r.bytes -= old.bytes
	}
	r.sets[s.setKey] = s
	r.bytes += s.bytes
}

// gather waits for n sets that begin was given tell for. It ends early when ctx does, and
// restTimeout after the first set with records. Sets that have not come then count as broken, while
// their questions go on and fill the cache. whole says that all came.
func gather(ctx context.Context, tell <-chan *rrset, n int) (sets map[setKey]*rrset, whole bool) {
	sets = make(map[setKey]*rrset, n)
	var enough <-chan time.Time
	for len(sets) < n {
		select {
		case s := <-tell:
			sets[s.setKey] = s
			if s.state == present && enough == nil {
				timer := time.NewTimer(restTimeout)
				defer timer.Stop()
				enough = timer.C
			}
		case <-enough:
			return sets, false
		case <-ctx.Done():
			return sets, false
		}
	}
	return sets, true
}
