package balance

import (
	"math"
	"time"

	"viaduct/transport"
)

// RFC 3261 §17.1.2.2: a request over an unreliable transport is sent again after T1, then at
// doubled distances up to T2.
const (
	t1Ms = 500
	t2Ms = 4000
)

// Prober decides which targets to probe when, and what an answer or its absence means. It holds no
// socket and no clock: the caller asks Due at NextDueMs, and at once when the table or the state of
// a target has changed, sends what it gets, and reports answers and send errors. One goroutine uses
// it.
//
//	       due: new id, first send                       answer, error
//	idle ─────────────────────────────────▶ waiting ────────────────────▶ idle
//	                                         │   ▲ Timer E: resend (UDP)
//	                                         ├───┘
//	                                         └── deadline: failure ─────▶ idle
//
// Targets of a regular interval sit on a fixed grid, each at its own phase: the phases are
// multiples of the golden section, which keeps any number of them evenly apart while others come
// and go. A jitter of an eighth of the mean distance around the grid point keeps several nodes from
// beating in step, and does not add up from round to round.
type Prober struct {
	// OwnCallID reports whether responses with this Call-ID come back to the shard that probes.
	// Call-IDs are tried until one does. nil means that all do.
	OwnCallID func(callID []byte) bool

	cfg     ProbeConfig
	tb      *Table
	entries map[uint16]*entry
	list    []*entry // in file order
	joined  uint64   // targets ever seen: the next phase
	paused  bool
}

// entry is a target's place in the schedule.
type entry struct {
	t      *Target
	reason reason
	phase  uint64 // fraction of the interval, in 2⁻⁶⁴
	dueMs  int64  // next first send, meaningful while reason is not none
	gridMs int64  // dueMs without jitter

	id         uint64 // id of the probe under way; 0 means none
	sentMs     int64
	deadlineMs int64
	resendMs   int64
	gapMs      int64
	again      bool // the probe was sent over a second connection
}

// reason says why a target is in the schedule.
type reason uint8

const (
	none     reason = iota
	regular         // by ds_ping_interval and ds_probing_mode
	recover_        // lost by observation
	readmit         // lost, and must not be probed: calls try it
)

// Outcome is what became of a probe or of a lost target that must not be probed.
type Outcome struct {
	Target *Target
	Event  Event // what to raise
	Code   int   // the response's; 408 time-out, 500 not sent, 0 readmitted without a probe
	RTTMs  int64 // of an answer; -1 without one
}

// NewProber makes a prober. cfg must have passed Validate.
func NewProber(cfg ProbeConfig) *Prober {
	if err := cfg.Validate(); err != nil {
		panic("BUG: ProbeConfig not validated: " + err.Error())
	}
	if cfg.Method == "" {
		cfg.Method = "OPTIONS"
	}
	if cfg.From == "" {
		cfg.From = "sip:dispatcher@localhost"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 4 * time.Second
	}
	if cfg.Recover == 0 {
		cfg.Recover = 10 * time.Second
	}
	return &Prober{cfg: cfg, entries: make(map[uint16]*entry)}
}

// Pause stops or resumes all probing (dispatcher.ping_active). While it is stopped, lost targets
// come back like those that must not be probed: calls try them.
func (p *Prober) Pause(on bool) { p.paused = on }

// Due appends what to send now to probes, and what was decided without an answer (time-outs,
// readmissions) to outcomes. random is called for jitter and probe ids; it should not be guessable,
// since whoever knows an id can answer for the target. nowMs must not go back. The cost is one look
// at each target of the table.
func (p *Prober) Due(tb *Table, nowMs int64, random func() uint64, probes []Probe,
	outcomes []Outcome) ([]Probe, []Outcome) {
	if tb != p.tb {
		p.adopt(tb)
	}
	for _, e := range p.list {
		if e.id != 0 && nowMs >= e.deadlineMs {
			outcomes = append(outcomes, p.finish(e, 408, silent, nowMs))
		}
		if e.id != 0 {
			if nowMs >= e.resendMs {
				e.gapMs = min(2*e.gapMs, t2Ms)
				e.resendMs = nowMs + e.gapMs
				probes = append(probes, Probe{Target: e.t, ID: e.id, Resend: true})
			}
			continue
		}
		if why := p.reasonFor(e.t); why != e.reason {
			e.reason = why
			p.enter(e, nowMs, random)
		}
		if e.reason == none || nowMs < e.dueMs {
			continue
		}
		p.advance(e, nowMs, random)
		if e.reason == readmit {
			outcomes = append(outcomes, Outcome{Target: e.t, Event: e.t.readmit(nowMs), RTTMs: -1})
			continue
		}
		e.id = uint64(e.t.UID)<<48 | random()>>16
		e.again = false
		e.sentMs, e.deadlineMs = nowMs, nowMs+p.cfg.Timeout.Milliseconds()
		e.gapMs = t1Ms
		e.resendMs = nowMs + t1Ms
		if e.t.PingTransport != transport.UDP {
			e.resendMs = e.deadlineMs
		}
		probes = append(probes, Probe{Target: e.t, ID: e.id})
	}
	return probes, outcomes
}

// NextDueMs returns when Due has something to do next, as of its last call; ok is false if it never
// has.
func (p *Prober) NextDueMs() (ms int64, ok bool) {
	ms = math.MaxInt64
	for _, e := range p.list {
		switch {
		case e.id != 0:
			ms = min(ms, e.deadlineMs, e.resendMs)
		case e.reason != none:
			ms = min(ms, e.dueMs)
		}
	}
	return ms, ms != math.MaxInt64
}

// adopt takes over a new table; probes under way to targets that stay go on.
func (p *Prober) adopt(tb *Table) {
	p.tb = tb
	old := p.entries
	p.entries = make(map[uint16]*entry, len(tb.targets))
	p.list = p.list[:0]
	for _, t := range tb.targets {
		e := old[t.UID]
		if e == nil {
			e = &entry{phase: p.joined * 0x9e3779b97f4a7c15}
			p.joined++
		}
		e.t = t
		p.entries[t.UID] = e
		p.list = append(p.list, e)
	}
}

func (p *Prober) reasonFor(t *Target) reason {
	s := t.State()
	if s&Disabled != 0 {
		return none
	}
	mayProbe := s&(NoPing|NoDNS) == 0 && !p.paused
	if mayProbe && p.cfg.Interval > 0 {
		switch {
		case p.cfg.Mode == ProbeAll,
			p.cfg.Mode != ProbeInactive && s&Probing != 0,
			p.cfg.Mode == ProbeInactive && s&Probing != 0 && s&Inactive != 0:
			return regular
		}
	}
	switch {
	case s&lost == 0 || p.cfg.Recover < 0:
		return none
	case mayProbe:
		return recover_
	}
	return readmit
}

// enter sets when a target is first due for its new reason.
func (p *Prober) enter(e *entry, nowMs int64, random func() uint64) {
	if e.reason != regular {
		e.dueMs = nowMs + around(p.cfg.Recover.Milliseconds(), random())
		return
	}
	// The next point of this phase on a grid that begins at time 0 for all.
	interval := p.cfg.Interval.Milliseconds()
	offset := int64(float64(interval) * (float64(e.phase>>11) * 0x1p-53))
	e.gridMs = nextOn(offset, interval, nowMs)
	e.dueMs = e.gridMs
}

// advance sets when a target is due after this time.
func (p *Prober) advance(e *entry, nowMs int64, random func() uint64) {
	if e.reason != regular {
		e.dueMs = nowMs + around(p.cfg.Recover.Milliseconds(), random())
		return
	}
	// From the point just served, which jitter may have put behind now; points missed meanwhile are
	// dropped.
	interval := p.cfg.Interval.Milliseconds()
	e.gridMs = nextOn(e.gridMs+interval, interval, max(nowMs, e.gridMs+interval))
	e.dueMs = e.gridMs
	if distance := interval / int64(len(p.list)); distance >= 8 {
		e.dueMs += int64(random()%uint64(distance/4)) - distance/8
	}
}

// nextOn returns the first of base, base+interval, … that is not before now, however far apart they
// are.
func nextOn(base, interval, now int64) int64 {
	if now <= base {
		return base - (base-now)/interval*interval
	}
	return base + (now-base+interval-1)/interval*interval
}

// around spreads ms by a tenth to either side.
func around(ms int64, random uint64) int64 {
	if ms < 10 {
		return ms
	}
	return ms - ms/10 + int64(random%uint64(ms/5+1))
}

// Response reports a final or provisional response to a probe; id is ParseProbeID's. ok is false if
// no such probe is under way: a late, doubled or forged answer, which changes nothing. Provisional
// responses end nothing.
func (p *Prober) Response(id uint64, code int, nowMs int64) (o Outcome, ok bool) {
	e := p.entries[uint16(id>>48)]
	if e == nil || id == 0 || e.id != id || code < 200 {
		return Outcome{}, false
	}
	how := bad
	if code < 300 || p.cfg.ReplyCodes.Has(code) {
		how = good
	}
	return p.finish(e, code, how, nowMs), true
}

// UnderWay returns the id of the probe under way whose id begins with those bits: the id shifted
// right by shift.
func (p *Prober) UnderWay(bits uint64, shift uint) (id uint64, ok bool) {
	e := p.entries[uint16(bits<<shift>>48)]
	if e == nil || e.id == 0 || e.id>>shift != bits {
		return 0, false
	}
	return e.id, true
}

// Again returns a probe to send once more, since its connection broke. ok is false if it was sent
// again already.
func (p *Prober) Again(id uint64) (pr Probe, ok bool) {
	e := p.entries[uint16(id>>48)]
	if e == nil || id == 0 || e.id != id || e.again {
		return Probe{}, false
	}
	e.again = true
	return Probe{Target: e.t, ID: id, Resend: true}, true
}

// SendError reports that a probe could not be sent, or that an ICMP error or a refused connection
// answered it.
func (p *Prober) SendError(id uint64, nowMs int64) (o Outcome, ok bool) {
	e := p.entries[uint16(id>>48)]
	if e == nil || id == 0 || e.id != id {
		return Outcome{}, false
	}
	return p.finish(e, 500, silent, nowMs), true
}

// ending is how a probe ended.
type ending uint8

const (
	silent ending = iota // no answer
	bad                  // one that says the target cannot take calls
	good
)

// finish ends the probe under way.
func (p *Prober) finish(e *entry, code int, how ending, nowMs int64) Outcome {
	t := e.t
	o := Outcome{Target: t, Code: code, RTTMs: -1}
	e.id = 0
	if how == silent {
		t.live.latency.timeout()
	} else {
		o.RTTMs = nowMs - e.sentMs
		t.live.latency.answer(o.RTTMs, t.latencyKept)
	}
	s := t.State()
	switch {
	case s&Disabled != 0:
		return o
	case p.cfg.Mode == ProbeOnlyFlagged && s&Probing == 0 && s&lost == 0:
		return o // the operator took the flag away while the probe was under way
	}
	if how == good {
		o.Event = t.ProbeSuccess(e.sentMs, nowMs)
	} else {
		o.Event = t.ProbeFail(e.sentMs, nowMs)
	}
	switch {
	case p.cfg.Interval == 0:
	case p.cfg.Mode == ProbeAll:
		t.setProbing(true)
	case p.cfg.Mode == ProbeFlagged, p.cfg.Mode == ProbeInactive:
		// Below ds_inactive_threshold the flag stays: without it no probe would make up the number.
		// For the same reason a bad answer keeps it, where Kamailio's mode 0 clears it and the
		// target stays down for good.
		if how == good && t.State().Usable() {
			t.setProbing(false)
		}
	}
	return o
}
