package balance

// ParseMark reads the state argument of ds_mark_dst and of the set_state command: a or 0 active, i
// or 1 inactive, t or 2 trying, d or 3 disabled, each with p behind it for probing; letters in any
// case, p alone counts as ap. Empty is inactive, as in Kamailio.
func ParseMark(s string) (State, bool) {
	var to State
	if s == "" {
		return Inactive, true
	}
	switch s[0] {
	case 'a', 'A', '0':
	case 'i', 'I', '1':
		to = Inactive
	case 't', 'T', '2':
		to = Trying
	case 'd', 'D', '3':
		to = Disabled
	case 'p', 'P':
		s = "a" + s
	default:
		return 0, false
	}
	switch s[1:] {
	case "":
		return to, true
	case "p", "P":
		return to | Probing, true
	}
	return 0, false
}

// ordered are the flags that an order sets. The others describe the line of the file and stay.
// (Kamailio's setter clears NoDNS and NoPing too, after which a target that must not be pinged is.)
const ordered = Inactive | Trying | Disabled | Probing | lost | unfit

// SetState puts the target into a state at once, by the operator's order: what was sent before says
// nothing about it. Probing is set or cleared with it.
func (t *Target) SetState(to State, nowMs int64) Event {
	to &= ordered &^ (lost | unfit)
	for {
		old := word(t.live.word.Load())
		t.live.changedMs.Store(nowMs)
		if ev, ok := t.live.swap(old, makeWord(old.state()&^ordered|to, 0, 0), nowMs); ok {
			return ev
		}
	}
}

// Mark is ds_mark_dst: SetState, except that Trying counts one failure towards the threshold, as
// Kamailio's manual says (its code goes to inactive at once). A mark of Trying does not bring back
// an inactive or disabled target.
func (t *Target) Mark(to State, nowMs int64) Event {
	if to&(Inactive|Trying|Disabled) != Trying {
		return t.SetState(to, nowMs)
	}
	for {
		old := word(t.live.word.Load())
		s := old.state()
		if s&Disabled != 0 {
			return NoEvent
		}
		marked := old.flagged(s&^Probing | to&Probing)
		if ev, ok := t.live.swap(old, t.afterFailure(marked, ofCall), nowMs); ok {
			return ev
		}
	}
}

// SetProbing sets or clears the probing flag alone.
func (t *Target) setProbing(on bool) {
	for {
		old := word(t.live.word.Load())
		s := old.state()
		if on {
			s |= Probing
		} else {
			s &^= Probing
		}
		if _, ok := t.live.swap(old, old.flagged(s), 0); ok { // turns nothing
			return
		}
	}
}

// readmit lets calls try a lost target that nobody may probe: one failure takes it out again, one
// response makes it active.
func (t *Target) readmit(nowMs int64) Event {
	for {
		old := word(t.live.word.Load())
		s := old.state()
		if s&Disabled != 0 || s&lost == 0 {
			return NoEvent
		}
		to := makeWord(s&^(Inactive|lost|unfit)|Trying, 0, t.probingThreshold-1)
		if ev, ok := t.live.swap(old, to, nowMs); ok {
			return ev
		}
	}
}
