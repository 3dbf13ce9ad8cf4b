package route

// A $var lives for one run. In Kamailio it belongs to the process, so there a route may find what
// another one has left in it. Loading warns where a file counts on that.

// lives is what the compiler knows of the uses of $var and its like, by their numbers.
type lives struct {
	sets  map[int32]kinds // the kinds of route that set each
	reads map[int32]*varReads
	// touching says that the variable being compiled is one that is set
	touching bool
}

// varReads has the first place where a variable is read in each kind of route.
type varReads struct {
	name string // as the file has it
	in   kinds
	at   [OnsendRoute + 1]Pos
}

// touch marks the variables compiled from now on as set, until the function that it returns is
// called.
func (cc *compiler) touch() (end func()) {
	outer := cc.touching
	cc.touching = true
	return func() { cc.touching = outer }
}

// usedVar notes that variable i is set or read in what is being compiled.
func (cc *compiler) usedVar(i int32, name string, pos Pos) {
	in := cc.kind
	if cc.sub != nil {
		in = cc.runFor[cc.sub.name]
	}
	in &^= cc.never
	if cc.touching {
		cc.sets[i] |= in | cc.also
		return
	}
	if cc.inEventRoute {
		return // it may be run within another run, and reads what that has set
	}
	r := cc.reads[i]
	if r == nil {
		r = &varReads{name: name}
		cc.reads[i] = r
	}
	for k := range r.at {
		if bit := kinds(1) << k; in&^r.in&bit != 0 {
			r.in, r.at[k] = r.in|bit, pos
		}
	}
}

// sameRun returns the kinds of route whose $var a route of kind k finds.
func sameRun(k kinds) kinds {
	switch k {
	case inRequest, inFailure:
		return k | inBranch
	case inBranch:
		return inRequest | inFailure | inBranch
	}
	return k
}

// warnLives warns of each variable that is read in a kind of route that does not set it, while
// others do.
func (cc *compiler) warnLives() {
	for i := range int32(len(cc.vars)) {
		r, sets := cc.reads[i], cc.sets[i]
		if r == nil || sets == 0 {
			continue
		}
		var without kinds
		var at Pos
		for k := range r.at {
			bit := kinds(1) << k
			if r.in&bit == 0 || bit == InOnsend || sets&sameRun(bit) != 0 {
				continue
			}
			if without == 0 {
				at = r.at[k]
			}
			without |= bit
		}
		if without != 0 {
			cc.ld.warnf(at, "%s is not set where this is run for %s: %s sets it, and such a "+
				"variable lives for one run, not for the process as in Kamailio; an $avp lives on",
				r.name, without, sets)
		}
	}
}
