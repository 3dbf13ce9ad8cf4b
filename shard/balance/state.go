package balance

import (
	"math"
	"sync/atomic"
)

// State is the flags word of a target: the bits of the file's third column and of `dispatcher.list`.
type State uint32

// The bits of a State. Values are Kamailio's.
const (
	Inactive State = 1 << iota // not selected; probes may bring it back
	Trying                     // failed, fewer times than the threshold; still selected
	Disabled                   // taken out by the operator; only the operator brings it back
	Probing                    // to be probed, in modes 0, 2 and 3
	NoDNS                      // its host name is not resolved at load
	NoPing                     // never probed
	lost                       // Inactive by observation, not by anybody's order: comes back without one

	// StateMask is every bit a file or an operator may set.
	StateMask = Inactive | Trying | Disabled | Probing | NoDNS | NoPing
)

// Usable reports whether selection may choose a target in this state (semantics of Kamailio: neither Inactive nor Disabled).
func (s State) Usable() bool { return s&(Inactive|Disabled) == 0 }

// Lost reports whether the target is inactive because calls or probes failed, as opposed to by order.
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

// Event says what a report changed for selection. The caller raises event_route[dispatcher:dst-down] or dst-up.
type Event uint8

// The events.
const (
	NoEvent Event = iota
	Down          // was selected, is no longer
	Up            // was not selected, is now
)

// String names the event as in Kamailio's event routes.
func (e Event) String() string { return [...]string{"none", "dst-down", "dst-up"}[e] }

// A word is a target's whole state: flags in bits 0-7, the count towards the next threshold in bits 8-31. One word, so that a
// transition is one compare-and-swap and every shard sees flags and count together. In A and T the count is
// of failures, in I of successes.
//
//	      fail, count < probing threshold          fail, count reached
//	A ───────────────────────────────────▶ T ─────────────────────────▶ I (lost)
//	▲                                      │                             │ fail: count = 0
//	├──────────────── success ─────────────┘                             │
//	└──────────────── success, count reached inactive threshold ─────────┘
//	D: no report changes it.
type word uint32

func makeWord(s State, count uint32) word { return word(uint32(s) | count<<8) }
func (w word) state() State               { return State(w & 0xff) }
func (w word) count() uint32              { return uint32(w >> 8) }

// plainMask selects what makes a state other than "active, nothing counted". Probing, NoDNS and NoPing do not matter for that.
const plainMask = ^uint32(Probing | NoDNS | NoPing)

// live is what changes about a target. All snapshots that hold the target share it, and all shards write to it. The first
// words are what calls touch; the padding keeps them off the cache lines of other targets.
//
// calmMs is the millisecond in which a response was last booked on the plain active target: another one in the same
// millisecond has nothing to add. Who takes the target out of the plain state resets it.
//
//	shard A (failure)           shard B (response)
//	                            word is plain
//	word = T, calmMs = never
//	                            calmMs = now
//
// Then the responses of this one millisecond are not booked and the target is T until the next one. Nothing else depends on it.
type live struct {
	word   atomic.Uint32 // partner: every method below; Set.rebuild reads it after turns.gen
	_      uint32
	calmMs atomic.Int64
	lastMs atomic.Int64 // when anything was last heard from the target
	turns  *turns       // of the target's set
	_      [32]byte

	latency latencyCell // 64 bytes
}

// turns is what changes about a set: a counter for each algorithm that takes turns, and the generation of its targets' usability.
// Counters are written at each call and gen is read at each call, hence they do not share a cache line.
type turns struct {
	_   [64]byte
	rr  atomic.Uint64 // algorithm 4: calls so far
	wrr atomic.Uint64 // algorithm 9: calls so far
	_   [112]byte     // two lines: the second is prefetched with the first
	gen atomic.Uint32 // bumped after a target's Inactive or Disabled changed; partner: Set.current, Set.rebuild
	_   [60]byte
}

func newLive(t *Target, tu *turns) *live {
	l := &live{turns: tu}
	l.word.Store(uint32(makeWord(t.Flags, 0)))
	l.lastMs.Store(never)
	l.calmMs.Store(never)
	l.latency.l.EstMs = float64(t.Attrs.LatencyMs)
	return l
}

// never is before any clock.
const never = math.MinInt64

// swap replaces old by new and reports what that means to selection; ok is false when another shard was faster.
func (l *live) swap(old, new word) (ev Event, ok bool) {
	if old == new {
		return NoEvent, true
	}
	if !l.word.CompareAndSwap(uint32(old), uint32(new)) {
		return NoEvent, false
	}
	if uint32(new)&plainMask != 0 {
		l.calmMs.Store(never)
	}
	if (old^new)&word(Inactive|Disabled) != 0 {
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

// Count returns the failures counted so far (active, trying) or the successes (inactive).
func (t *Target) Count() int { return int(word(t.live.word.Load()).count()) }

// LastResponseMs returns when anything was last heard from the target, on the clock given to Success; math.MinInt64: never.
func (t *Target) LastResponseMs() int64 { return t.live.lastMs.Load() }

// Fail reports that a call or probe failed at the target for certain: an ICMP error, a refused or broken connection, a send
// error. Use FailTimeout for mere silence.
func (t *Target) Fail(nowMs int64) Event {
	for {
		old := word(t.live.word.Load())
		if ev, ok := t.live.swap(old, t.afterFailure(old)); ok {
			return ev
		}
	}
}

func (t *Target) afterFailure(w word) word {
	s, n := w.state(), w.count()
	switch {
	case s&Disabled != 0:
		return w
	case s&Inactive != 0:
		return makeWord(s, 0)
	case n+1 < t.probingThreshold:
		return makeWord(s|Trying, n+1)
	}
	return makeWord(s&^Trying|Inactive|lost, 0)
}

// FailTimeout reports that a call sent at sentMs got no response at all. It counts only if nothing was heard from the target
// since then: a target that answers others is alive, and one lost datagram or one request it does not like must not take it
// out. A response in the same millisecond counts as heard.
func (t *Target) FailTimeout(sentMs, nowMs int64) Event {
	if t.live.lastMs.Load() >= sentMs {
		return NoEvent
	}
	return t.Fail(nowMs)
}

// Success reports any response of the target to a call, final or not. On a plain active target it costs one load, and
// two stores once per millisecond. A target that was lost counts towards its return; one that somebody set inactive
// stays so, since answers to calls already under way say nothing about that order.
func (t *Target) Success(nowMs int64) Event {
	if t.live.calmMs.Load() == nowMs {
		return NoEvent
	}
	return t.heard(nowMs, lost)
}

// ProbeSuccess reports a good answer to a probe. Unlike Success it also brings back a target that was set inactive by file,
// script or operator, as in Kamailio; taking a target out for good is what Disabled is for.
func (t *Target) ProbeSuccess(nowMs int64) Event {
	return t.heard(nowMs, Inactive)
}

// Slow path: the first response in a millisecond, or one of a target that is not plain active. returns is the bit an inactive
// target needs to count it.
func (t *Target) heard(nowMs int64, returns State) Event {
	t.live.lastMs.Store(nowMs)
	if t.live.word.Load()&plainMask == 0 {
		t.live.calmMs.Store(nowMs)
		return NoEvent
	}
	for {
		old := word(t.live.word.Load())
		s, n := old.state(), old.count()
		var to word
		switch {
		case s&Disabled != 0:
			return NoEvent
		case s&Inactive == 0:
			to = makeWord(s&^Trying, 0)
		case s&returns == 0:
			return NoEvent
		case n+1 < t.inactiveThreshold:
			to = makeWord(s, n+1)
		default:
			to = makeWord(s&^(Inactive|Trying|lost), 0)
		}
		if ev, ok := t.live.swap(old, to); ok {
			return ev
		}
	}
}
