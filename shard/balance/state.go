package balance

import (
	"math"
	"sync/atomic"
)

// State is the flags word of a target: the bits of the file's third column and of
// `dispatcher.list`.
type State uint32

// The bits of a State. Values are Kamailio's.
const (
	Inactive State = 1 << iota // not selected; probes may bring it back
	Trying                     // failed, fewer times than the threshold; still selected
	Disabled                   // taken out by the operator; only the operator brings it back
	Probing                    // to be probed, in modes 0, 2 and 3
	NoDNS                      // its host name is not resolved at load
	NoPing                     // never probed
	// Inactive by observation, not by anybody's order: comes back without one
	lost
	unfit // lost because probes failed: no call brings it back, probes do

	// StateMask is every bit a file or an operator may set.
	StateMask = Inactive | Trying | Disabled | Probing | NoDNS | NoPing
)

// Usable reports whether selection may choose a target in this state (semantics of Kamailio:
// neither Inactive nor Disabled).
func (s State) Usable() bool { return s&(Inactive|Disabled) == 0 }

// Lost reports whether the target is inactive because calls or probes failed, as opposed to by
// order.
func (s State) Lost() bool { return s&lost != 0 }

// String gives the two letters of `dispatcher.list`: I, D, T or A, then P, N or X.
func (s State) String() string {
	b := [2]byte{'A', 'X'}
	switch {
	case s&Inactive != 0:
		b[0] = 'I'
	case s&Disabled != 0:
		b[0] = 'D'
	case s&Trying != 0:
		b[0] = 'T'
	}
	switch {
	case s&Probing != 0:
		b[1] = 'P'
	case s&NoPing != 0:
		b[1] = 'N'
	}
	return string(b[:])
}

// Event says what a report changed for selection. The caller raises
// event_route[dispatcher:dst-down] or dst-up.
type Event uint8

// The events.
const (
	NoEvent Event = iota
	Down          // was selected, is no longer
	Up            // was not selected, is now
)

// String names the event as in Kamailio's event routes.
func (e Event) String() string { return [...]string{"none", "dst-down", "dst-up"}[e] }

// A word is a target's whole state: flags in bits 0-7, behind them two counts towards the next
// threshold, of probes in bits 8-31 and of calls in bits 32-55. One word, so that a transition is
// one compare-and-swap and every shard sees flags and counts together. In A and T the counts are of
// failures, in I of successes.
//
//	      fail, count < probing threshold          fail, count reached
//	A ───────────────────────────────────▶ T ─────────────────────────▶ I (lost; unfit by a probe)
//	▲                                      │                             │ fail: count = 0,
//	├── success, and the other count is 0 ─┘                             │ unfit by a probe
//	└── success, count reached inactive threshold ───────────────────────┘
//	    (of calls only if not unfit)
//	D: no report changes it.
//
// Probes and calls are judged apart: a success takes back only what its own kind failed. A
// destination that answers its probes with 503 says that it wants no more calls, and the 200s of
// those it has do not change that; one that answers OPTIONS alone is out once its calls have failed
// often enough, and gets another chance by its probes.
type word uint64

// kind says whether a probe or a call is reported, and so which count is changed.
type kind uint

const (
	ofProbe kind = 8  // shift of the count
	ofCall  kind = 32 // likewise
)

const countMask = 1<<24 - 1

func makeWord(s State, probes, calls uint32) word {
	return word(s) | word(probes)<<ofProbe | word(calls)<<ofCall
}
func (w word) state() State        { return State(w & 0xff) }
func (w word) count(k kind) uint32 { return uint32(w>>k) & countMask }

// with returns w with another count.
func (w word) with(k kind, count uint32) word { return w&^(countMask<<k) | word(count)<<k }

// flagged returns w with other flags.
func (w word) flagged(s State) word { return w&^0xff | word(s) }

// plainMask selects what makes a state other than "active, nothing counted". Probing, NoDNS and
// NoPing do not matter for that.
const plainMask = ^uint64(Probing | NoDNS | NoPing)

// live is what changes about a target. All snapshots that hold the target share it, and all shards
// write to it. The first words are what calls touch; the padding keeps them off the cache lines of
// other targets.
//
// calmMs is the millisecond in which a response was last booked on the plain active target: another
// one in the same millisecond has nothing to add. Who takes the target out of the plain state
// resets it.
//
//	shard A (failure)           shard B (response)
//	                            word is plain
//	word = T, calmMs = never
//	                            calmMs = now
//
// Then the responses of this one millisecond are not booked and the target is T until the next one.
// Nothing else depends on it.
//
// changedMs is when the target was taken out or put back last, or somebody ordered a state: what
// was sent up to then says nothing about the target since. It is stored before the word, and read
// behind it:
//
//	shard A (failure)           shard B (response to an old call)
//	changedMs = now
//	word = I
//	                            word is I
//	                            changedMs: the call is older, nothing changes
//
// When A's compare-and-swap fails, some old reports are passed over that would have counted.
type live struct {
	word      atomic.Uint64 // partner: every method below; Set.rebuild reads it after turns.gen
	calmMs    atomic.Int64
	lastMs    atomic.Int64 // when anything was last heard from the target
	turns     *turns       // of the target's set
	changedMs atomic.Int64
	_         [24]byte

	latency latencyCell  // 80 bytes
	load    atomic.Int32 // calls under way, see Target.AddLoad
	_       [44]byte
}

// turns is what changes about a set: a counter for each algorithm that takes turns, and the
// generation of its targets' usability. Counters are written at each call and gen is read at each
// call, hence they do not share a cache line.
type turns struct {
	_   [64]byte
	rr  atomic.Uint64 // algorithm 4: calls so far
	wrr atomic.Uint64 // algorithm 9: calls so far
	_   [112]byte     // two lines: the second is prefetched with the first
	// bumped after a target's Inactive or Disabled changed; partner: Set.current, Set.rebuild
	gen atomic.Uint32
	_   [60]byte
}

func newLive(t *Target, tu *turns) *live {
	l := &live{turns: tu}
	l.word.Store(uint64(makeWord(t.Flags, 0, 0)))
	l.lastMs.Store(never)
	l.changedMs.Store(never)
	l.calmMs.Store(never)
	l.latency.l.EstMs = float64(t.Attrs.LatencyMs)
	l.latency.publish()
	return l
}

// never is before any clock.
const never = math.MinInt64

// swap replaces old by new and reports what that means to selection; ok is false when another shard
// was faster.
func (l *live) swap(old, new word, nowMs int64) (ev Event, ok bool) {
	if old == new {
		return NoEvent, true
	}
	turned := (old^new)&word(Inactive|Disabled) != 0
	if turned {
		l.changedMs.Store(nowMs)
	}
	if !l.word.CompareAndSwap(uint64(old), uint64(new)) {
		return NoEvent, false
	}
	if uint64(new)&plainMask != 0 {
		l.calmMs.Store(never)
	}
	if turned {
		l.turns.gen.Add(1)
	}
	switch was, is := old.state().Usable(), new.state().Usable(); {
	case is && !was:
		return Up, true
	case was && !is:
		return Down, true
	}
	return NoEvent, true
}

// State returns the flags as they are now.
func (t *Target) State() State { return word(t.live.word.Load()).state() }

// Count returns the failures counted so far (active, trying) or the successes (inactive): of probes
// or of calls, whichever are more.
func (t *Target) Count() int {
	w := word(t.live.word.Load())
	return int(max(w.count(ofProbe), w.count(ofCall)))
}

// LastResponseMs returns when anything was last heard from the target, on the clock given to
// Success; math.MinInt64: never.
func (t *Target) LastResponseMs() int64 { return t.live.lastMs.Load() }

// Fail reports that a call sent at sentMs failed at the target for certain: an ICMP error, a
// refused or broken connection, a send error. Use FailTimeout for mere silence.
func (t *Target) Fail(sentMs, nowMs int64) Event { return t.failed(ofCall, sentMs, nowMs) }

// ProbeFail reports that a probe sent at sentMs was not answered, or not well.
func (t *Target) ProbeFail(sentMs, nowMs int64) Event { return t.failed(ofProbe, sentMs, nowMs) }

func (t *Target) failed(k kind, sentMs, nowMs int64) Event {
	for {
		old := word(t.live.word.Load())
		if sentMs <= t.live.changedMs.Load() {
			return NoEvent
		}
		if ev, ok := t.live.swap(old, t.afterFailure(old, k), nowMs); ok {
			return ev
		}
	}
}

func (t *Target) afterFailure(w word, k kind) word {
	s, n := w.state(), w.count(k)
	switch {
	case s&Disabled != 0:
		return w
	case s&Inactive != 0:
		if k == ofProbe && s&lost != 0 {
			s |= unfit
		}
		return w.with(k, 0).flagged(s)
	case n+1 < t.probingThreshold:
		return w.with(k, n+1).flagged(s | Trying)
	}
	s = s&^Trying | Inactive | lost
	if k == ofProbe {
		s |= unfit
	}
	return makeWord(s, 0, 0)
}

// FailTimeout reports that a call sent at sentMs got no response at all. It counts only if nothing
// was heard from the target since then: a target that answers others is alive, and one lost
// datagram or one request it does not like must not take it out. A response in the same millisecond
// counts as heard.
func (t *Target) FailTimeout(sentMs, nowMs int64) Event {
	if t.live.lastMs.Load() >= sentMs {
		return NoEvent
	}
	return t.Fail(sentMs, nowMs)
}

// Success reports any response of the target, final or not, to a call sent at sentMs. On a plain
// active target it costs one load, and two stores once per millisecond. A target that calls have
// lost counts it towards its return if the call was sent since; one that probes have lost, or that
// somebody set inactive, stays so.
func (t *Target) Success(sentMs, nowMs int64) Event {
	if t.live.calmMs.Load() == nowMs {
		return NoEvent
	}
	return t.heard(ofCall, sentMs, nowMs)
}

// ProbeSuccess reports a good answer to a probe sent at sentMs. Unlike Success it also brings back
// a target that was set inactive by file, script or operator, as in Kamailio; taking a target out
// for good is what Disabled is for.
func (t *Target) ProbeSuccess(sentMs, nowMs int64) Event {
	return t.heard(ofProbe, sentMs, nowMs)
}

// Slow path: the first response in a millisecond, or one of a target that is not plain active.
func (t *Target) heard(k kind, sentMs, nowMs int64) Event {
	t.live.lastMs.Store(nowMs)
	if t.live.word.Load()&plainMask == 0 {
		t.live.calmMs.Store(nowMs)
		return NoEvent
	}
	for {
		old := word(t.live.word.Load())
		if sentMs <= t.live.changedMs.Load() {
			return NoEvent
		}
		s, n := old.state(), old.count(k)
		to := old
		switch {
		case s&Disabled != 0:
			return NoEvent
		case s&Inactive == 0:
			if to = old.with(k, 0); to>>ofProbe == 0 {
				to = makeWord(s&^Trying, 0, 0)
			}
		case k == ofCall && s&(lost|unfit) != lost:
			return NoEvent
		case n+1 < t.inactiveThreshold:
			to = old.with(k, n+1)
		default:
			to = makeWord(s&^(Inactive|Trying|lost|unfit), 0, 0)
		}
		if ev, ok := t.live.swap(old, to, nowMs); ok {
			return ev
		}
	}
}
