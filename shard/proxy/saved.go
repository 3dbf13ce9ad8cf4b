package proxy

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// armed are the routes that a transaction will run, by their numbers in the routing program; 0
// means none.
type armed struct {
	failure, branch, reply uint16
	lost                   uint8
}

// finalTimers are a transaction's own Timers B and C in ms; 0 means the settings'.
type finalTimers struct{ fr, frInv uint32 }

// Saved is what a transaction keeps of its request for the routes that run later: the request as
// received and the decisions taken about it, so that a failure route goes on from there and
// record_route() done once stays done. Each failure route of a transaction begins with what
// request_route had decided: what an earlier failure route did to Request-URI and outbound URI was
// for its own branches (as in Kamailio 5.6). Flags, routes armed, timers and contacts carry over. A
// Saved is one slot of the arena that belongs to the Tx, without pointers, so that it means the
// same to the next process:
//
//	+---------+--------------+---------------+---------+-----------+----------------+
//	| Saved   | branch flags | rawLen, src,  | request | decisions | question, kind |
//	| (fixed) | 4 bytes each | listener      |         |           | state, run     |
//	+---------+--------------+---------------+---------+-----------+----------------+
//	           nBranchFlags   numbers, see state.go                 heldLen, see hold.go
//
// A Relay writes a new Saved and swaps it in. The only changes in place are to words of the fixed
// part and to branch flags (routes used up, flags, timers), each of which leaves a valid record.
// The list for failover is not in it: it is in the Tx, where every transaction has it.
type Saved struct {
	txn.Saved
	textLen uint32 // of all that follows the fixed part
	heldLen uint32 // of the run that is held, at the end
	flags   uint32 // message flags
	bits    uint32 // savedWaits…
	failure uint16
	branch  uint16
	reply   uint16
	unsent  uint8 // a Cause: why no target could be sent to
	// nBranchFlags is the number of branches, from the first, that have branch flags here.
	nBranchFlags uint8
}

// Saved.bits.
const (
	savedWaits = 1 << iota // a relay waits for a name
	savedFresh             // its first target is the Request-URI
	savedSymmetric
	savedSips    // Request.sips
	savedHeld    // a run of the routing program waits
	savedEarlier // its failure route began with a best response of earlier branches
	savedOwn     // Request.own
	// a run is about to continue the suspended request, see Continue
	savedContinued

	savedRestoresAt = iota // the lowest bit of Restores
)

// savedLostAt is the lowest bit of the branch failure route that a reply route has armed for the
// branches of the next relay, maxSavedLost at most.
const (
	savedLostAt  = savedSwitches + 9
	maxSavedLost = 1<<(32-savedLostAt) - 1
)

// savedAlone says that the transaction is there only because the run waits. It stands in Saved.bits
// behind the switches.
const savedAlone = 1 << (savedSwitches + 8)

// savedBytes is the size of the fixed part.
const savedBytes = 80 // TestSavedLayout

// SavedFormat is part of the layout of the arena: it stands for how what follows a Saved is
// written.
type SavedFormat [stateFormat]Saved

// Arm arms a route for the transaction of the request; 0 disarms. It returns false if the number is
// too high.
func (r *Request) Arm(kind RouteKind, route int) bool {
	if kind == BranchFailureRoute {
		r.armed.lost = uint8(route)
		return route == int(r.armed.lost)
	}
	if route < 0 || route > 1<<16-1 {
		return false
	}
	*r.armed.of(kind) = uint16(route)
	return r.relayedSave()
}

// ArmTx is Arm for a transaction under way, in a reply route. It returns false if tx keeps nothing
// of its request.
func (c *Core) ArmTx(tx *txn.Tx, kind RouteKind, route int) bool {
	s := c.saved(tx)
	if s == nil || route < 0 || route > 1<<16-1 || !c.serves(s) {
		return false
	}
	switch kind {
	case FailureRoute:
		s.failure = uint16(route)
	case BranchRoute:
		s.branch = uint16(route)
	case BranchFailureRoute:
		if route > maxSavedLost {
			return false
		}
		s.bits = s.bits&(1<<savedLostAt-1) | uint32(route)<<savedLostAt
	default:
		s.reply = uint16(route)
	}
	return true
}

// ArmedTx returns the number of the route that tx will run, 0 if none.
func (c *Core) ArmedTx(tx *txn.Tx, kind RouteKind) int {
	s := c.saved(tx)
	if s == nil || !c.serves(s) {
		return 0
	}
	armed := armed{failure: s.failure, branch: s.branch, reply: s.reply}
	return int(*armed.of(kind))
}

// relayedSave saves a decision in the transaction at once if the request has been relayed already;
// otherwise the next Relay does. It returns false if the arena has no room.
func (r *Request) relayedSave() bool {
	return !r.relayed || r.branching || r.Tx == nil || r.Tx.State() == txn.Terminated || r.save()
}

// Armed returns the number of the route armed, 0 if there is none.
func (r *Request) Armed(kind RouteKind) int { return int(*r.armed.of(kind)) }

func (a *armed) of(kind RouteKind) *uint16 {
	switch kind {
	case FailureRoute:
		return &a.failure
	case BranchRoute:
		return &a.branch
	}
	return &a.reply
}

// SetFinalTimers sets how long the transaction waits: fr for a first response (Timers B and F),
// frInv for the final one of an INVITE that rings (Timer C). 0 leaves a timer as it is (t_set_fr).
// It returns false if the arena has no room.
//
// Branches under way follow, counted from now. In a branch route they follow when the route is
// over, see branchRoute.
func (r *Request) SetFinalTimers(frInv, fr time.Duration) bool {
	r.timers.set(frInv, fr)
	return r.relayedSave() && r.retime(fr > 0, frInv > 0)
}

// retime makes the branches under way follow the timers saved.
func (r *Request) retime(fr, frInv bool) bool {
	if r.relayed && !r.branching && r.Tx != nil && r.Tx.State() != txn.Terminated {
		r.core.tx.Retime(r.Tx, fr, frInv)
	}
	return true
}

func (f *finalTimers) set(frInv, fr time.Duration) {
	if frInv > 0 {
		f.frInv = uint32(min(max(frInv.Milliseconds(), 1), 1<<31-1))
	}
	if fr > 0 {
		f.fr = uint32(min(max(fr.Milliseconds(), 1), 1<<31-1))
	}
}

// ResetFinalTimers goes back to the timers of the settings (t_reset_fr).
func (r *Request) ResetFinalTimers() {
	r.timers = finalTimers{}
	r.relayedSave()
	r.retime(true, true)
}

// saved returns what tx keeps of its request, nil if nothing.
func (c *Core) saved(tx *txn.Tx) *Saved {
	if tx.Saved() == 0 {
		return nil
	}
	return shm.Ptr[Saved](c.cfg.Arena, tx.Saved())
}

// serves reports whether the routes that s names can be run. The numbers of a program that is gone,
// as after a restart, mean nothing.
func (c *Core) serves(s *Saved) bool {
	return c.cfg.Script != nil && c.cfg.Script.Serves(s.Program)
}

// failureRoute returns the failure route that tx will run, 0 if there is none.
func (c *Core) failureRoute(tx *txn.Tx) int {
	if s := c.saved(tx); s != nil && s.failure != 0 && c.serves(s) {
		return int(s.failure)
	}
	return 0
}

// passes runs the reply route of br, if it has one, and reports whether m is
// passed on now.
func (c *Core) passes(tx *txn.Tx, br *txn.Branch, m *parser.Message) bool {
	s, route := c.saved(tx), br.ReplyRoute()
	if route == 0 {
		route = int(s.reply)
	}
	if route == 0 || !c.serves(s) {
		return true
	}
	switch c.cfg.Script.Reply(s.Program, tx, br, m, route) {
	case ReplyDropped:
		return m.Status >= 200
	case ReplyHeld:
		c.replying = 0
		return false
	}
	return true
}

// TxFlags returns the message flags that tx keeps, 0 if it keeps none.
func (c *Core) TxFlags(tx *txn.Tx) uint32 {
	if s := c.saved(tx); s != nil {
		return s.flags
	}
	return 0
}

// SetTxFlags replaces the message flags that tx keeps, if it keeps any.
func (c *Core) SetTxFlags(tx *txn.Tx, flags uint32) {
	if s := c.saved(tx); s != nil {
		s.flags = flags
	}
}

// SetTxTimers is SetFinalTimers for a transaction under way. It returns false if tx keeps nothing
// of its request.
func (c *Core) SetTxTimers(tx *txn.Tx, frInv, fr time.Duration) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	f := finalTimers{s.FrMs, s.FrInvMs}
	f.set(frInv, fr)
	s.FrMs, s.FrInvMs = f.fr, f.frInv
	c.tx.Retime(tx, fr > 0, frInv > 0)
	return true
}
