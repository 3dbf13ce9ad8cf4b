package proxy

import (
	"time"

	"viaduct/shard/txn"
)

// Switches are what a program decides about one transaction in place of the settings.
type Switches uint8

// The switches.
const (
	// TryingOff and TryingOn say whether Relay sends a 100 (t_set_auto_inv_100).
	TryingOff Switches = 1 << iota
	TryingOn
	// SixFails and SixEnds say whether a 6xx is a failure like others (t_set_disable_6xx).
	SixFails
	SixEnds
	// NoSpares keeps other addresses of a name from being tried (t_set_disable_failover).
	NoSpares
	// NoCallerReason and CallerReason say whether a CANCEL takes the caller's Reason along
	// (t_set_no_e2e_cancel_reason).
	NoCallerReason
	CallerReason

	// keptSwitches are the switches that still matter after request_route.
	keptSwitches = SixFails | SixEnds | NoSpares | NoCallerReason | CallerReason
)

// savedSwitches is the lowest bit of the switches in Saved.bits.
const savedSwitches = 16

// Switch turns the switches in on on and those in off off. It returns false if the arena has no
// room.
func (r *Request) Switch(on, off Switches) bool {
	r.switches = r.switches&^off | on
	return r.relayedSave()
}

// SwitchTx is Switch for a transaction under way. It returns false if tx keeps nothing of its
// request.
func (c *Core) SwitchTx(tx *txn.Tx, on, off Switches) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	s.bits = s.bits&^(uint32(off)<<savedSwitches) | uint32(on)<<savedSwitches
	return true
}

// switchesOf returns the switches that a transaction keeps.
func (c *Core) switchesOf(tx *txn.Tx) Switches {
	if s := c.saved(tx); s != nil {
		return Switches(s.bits >> savedSwitches)
	}
	return 0
}

// sixEnds reports whether after a 6xx to tx nobody else is asked.
func (c *Core) sixEnds(tx *txn.Tx) bool {
	s := c.switchesOf(tx)
	return s&SixEnds != 0 || !c.cfg.Disable6xxBlock && s&SixFails == 0
}

// callerReason reports whether the CANCEL of tx takes the caller's Reason along.
func (c *Core) callerReason(tx *txn.Tx) bool {
	s := c.switchesOf(tx)
	return s&CallerReason != 0 || c.cfg.E2EReason && s&NoCallerReason == 0
}

// tryingReason returns the reason phrase of our 100, "" if none is to be sent.
func (r *Request) tryingReason() string {
	cfg := &r.core.cfg
	switch on := r.switches&TryingOn != 0; {
	case r.switches&TryingOff != 0 || !cfg.AutoTrying && !on:
		return ""
	case on && (!cfg.AutoTrying || cfg.TryingReason == ""):
		return "Trying"
	}
	return cfg.TryingReason
}

// SetLifetime says how long the transaction may take, whatever its state (t_set_max_lifetime); 0
// leaves what the settings say.
func (r *Request) SetLifetime(d time.Duration) {
	r.lifetime = d
	if r.Tx != nil {
		r.core.tx.SetLifetime(r.Tx, d)
	}
}

// Expired tells whether the lifetime of the transaction is over.
func (r *Request) Expired() bool { return r.Tx != nil && r.Tx.Expired() }

// Forget ends the transaction without an answer; requests that it has sent are not cancelled
// (t_release, t_drop). It returns false if there is no transaction, or if it was answered: then it
// stays to absorb repetitions until its time is over.
func (r *Request) Forget() bool {
	if r.Tx == nil || r.Tx.Answered() || r.Tx.State() == txn.Terminated || r.Losing() != nil {
		return false
	}
	if r.core.tracing {
		r.trace("the routing program gives the transaction up")
	}
	r.core.tx.CancelOthers(r.Tx, nil, nil)
	r.core.tx.Terminate(r.Tx)
	r.lastCause = NoCause
	return true
}

// RepeatReply sends the last response of the transaction once more (t_retransmit_reply). It returns
// false if there is none.
func (r *Request) RepeatReply() bool {
	return r.Tx != nil && r.Tx.Status() != 0 && r.core.tx.Repeat(r.Tx)
}

// KeepDecisions keeps what was decided so far for the routes that run later (t_save_lumps): what is
// decided after that is for the next relay alone. It returns false if there is no transaction.
func (r *Request) KeepDecisions() bool {
	if r.Tx == nil || r.resumed {
		return false
	}
	main := r.mainTarget()
	r.base.set(&r.course, &r.changes)
	r.base.uri, r.base.dst = main.uri, main.dst
	r.based = true
	return true
}

// HasFinal tells whether a branch ended with that status.
func (r *Request) HasFinal(status int) bool { return r.Tx != nil && r.core.HasFinal(r.Tx, status) }

// HasFinal tells whether a branch of tx ended with that status.
func (c *Core) HasFinal(tx *txn.Tx, status int) (has bool) {
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		has = has || br.Final() && br.Status() == status
		return !has
	})
	return has || tx.BestStatus() == status
}

// CancelBranches ends branches of tx (t_cancel_branches): br alone, or with others all but br. If
// br is nil it ends all. Each gets a CANCEL once a provisional response allows it (§9.1).
func (c *Core) CancelBranches(tx *txn.Tx, br *txn.Branch, others bool) {
	if br == nil || others {
		c.tx.CancelOthers(tx, br, nil)
		return
	}
	c.tx.CancelBranch(br, nil)
}
