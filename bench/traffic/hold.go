package traffic

// holding is the course of a Hold run:
//
//	opening ──all ringing──▶ held ──HoldOver or Duration──▶ releasing ──all ended──▶ stopping
type holding struct {
	phase    holdPhase
	held     int    // calls ringing
	next     uint32 // releasing: the next slot to look at
	released int    // calls told to end
	over     int    // calls ended, in any phase
	since    int64

	openSeconds, releaseSeconds float64
}

type holdPhase uint8

const (
	holdOpening holdPhase = iota
	holdHeld
	holdReleasing
	holdDone
)

// ended notes the end of one call.
func (h *holding) ended(c *call) {
	h.over++
	switch {
	case c.state == stateHeld:
		h.held--
	case h.phase == holdReleasing && c.released:
		h.released--
	}
}

// holdStep does what the phase allows now.
func (e *Engine) holdStep() {
	h := &e.hold
	switch h.phase {
	case holdOpening:
		for int(e.account.started)-h.held-h.over < e.cfg.Concurrent &&
			e.account.started < uint64(e.cfg.Calls) && !e.early {
			if !e.start(int(e.account.started)%len(e.callers), e.now) {
				panic("BUG: fewer slots than calls to hold")
			}
		}
		e.flush()
		if h.held+h.over == int(e.account.started) &&
			(e.account.started == uint64(e.cfg.Calls) || e.early) {
			h.openSeconds = float64(e.now-e.first) / 1e9
			e.holdPhase(holdHeld, "held")
		}
	case holdHeld:
		if e.early || e.cfg.Duration > 0 && e.now-h.since >= int64(e.cfg.Duration) ||
			isClosed(e.cfg.HoldOver) {
			e.holdPhase(holdReleasing, "releasing")
		}
	case holdReleasing:
		e.releaseSome()
		if e.active == 0 || e.cfg.Release == ReleaseNone {
			h.releaseSeconds = float64(e.now-h.since) / 1e9
			e.holdPhase(holdDone, "released")
			e.stopping = true
		}
	case holdDone:
	}
}

func (e *Engine) holdPhase(p holdPhase, name string) {
	e.hold.phase = p
	if e.cfg.OnPhase != nil {
		e.cfg.OnPhase(name)
	}
	e.clock()
	e.hold.since = e.now
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// releaseSome ends held calls, at most Config.Concurrent at a time.
func (e *Engine) releaseSome() {
	h, t := &e.hold, e.table
	for e.cfg.Release != ReleaseNone && h.released < e.cfg.Concurrent && h.next < t.high {
		slot := h.next
		h.next++
		c := &t.calls[slot]
		if c.state != stateHeld {
			continue
		}
		h.released++
		h.held--
		c.released = true
		c.start = e.now
		c.giveUp = e.ms() + e.giveUp
		c.state = stateCancelling
		if e.cfg.Release == ReleaseFinal {
			c.state = stateProceeding
			t.due[slot] = c.giveUp
			if s := e.outlet(int(c.answerer) - 1); s != nil {
				e.sendFailure(s, c, t.echoOf(slot)[:c.echoLen])
				e.startAnswerTimer(c, slot)
			}
			continue
		}
		e.sent(c, kindCancel)
		e.send(e.callers[c.caller], &e.texts.cancel[c.caller][c.target], c, slot)
		c.interval = uint16(min(e.t1, 1<<16-1))
		t.due[slot] = e.ms() + e.t1
	}
	e.flush()
}
