package shard

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// script runs the routes that the Core comes to by itself. A branch route runs
// inside another route's t_relay(), in the same context; failure and reply routes run when no other
// route does.
type script struct{ *session }

var _ proxy.Script = script{}

// Failure runs failure_route number n.
func (s script) Failure(_ *proxy.Request, n int) {
	defer s.during(route.FailureRoute)()
	if s.w.tracing {
		defer s.traceRoute(route.FailureRoute, n, s.r().M.CallID())()
	}
	if s.w.program.Failure(s.w.ctx, n) == route.Faulted {
		s.w.faulted(s.w.ctx)
	}
}

// Branch runs branch_route number n.
func (s script) Branch(_ *proxy.Request, n int) (send bool) {
	defer s.during(route.BranchRoute)()
	if s.w.tracing {
		defer s.traceRoute(route.BranchRoute, n, s.r().M.CallID())()
	}
	switch s.w.program.Branch(s.w.ctx, n) {
	case route.Faulted:
		s.w.faulted(s.w.ctx)
		return false
	case route.Dropped:
		return false
	}
	return true
}

// Reply runs onreply_route[NAME] number n.
func (s script) Reply(tx *txn.Tx, br *txn.Branch, m *parser.Message, n int) (forward bool) {
	defer s.during(route.ReplyRoute)()
	if s.w.tracing {
		defer s.traceRoute(route.ReplyRoute, n, m.CallID())()
	}
	s.response, s.tx, s.branch = m, tx, br
	switch s.w.program.Reply(s.w.ctx, n) {
	case route.Faulted:
		s.w.faulted(s.w.ctx)
	case route.Dropped:
		return false
	}
	return true
}

// coreReply runs the reply route without a name on the response at hand; false: it
// is dropped.
func (s *session) coreReply() (forward bool) {
	defer s.during(route.CoreReplyRoute)()
	s.response, s.tx, s.branch = &s.w.m, nil, nil
	switch s.w.program.CoreReply(s.w.ctx) {
	case route.Faulted:
		s.w.faulted(s.w.ctx)
	case route.Dropped:
		return false
	}
	return true
}

// routeWords are the words that routes begin with in a program.
var routeWords = map[route.RouteKind]string{route.FailureRoute: "failure_route", route.BranchRoute: "branch_route", route.ReplyRoute: "onreply_route"}

// traceRoute tells that a route with a name is entered, and by the function it returns that it is
// left.
func (s *session) traceRoute(kind route.RouteKind, n int, callID []byte) (left func()) {
	name := routeWords[kind] + "[" + s.w.program.RouteName(kind, n) + "]"
	s.w.trace(callID, name+" entered")
	return func() { s.w.trace(callID, name+" left") }
}

// decided says what request_route made of its request so far.
func (s *session) decided() string {
	r := s.r()
	switch {
	case r.Tx != nil && r.Tx.Answered():
		return "answered"
	case r.Tx != nil && r.Tx.Total() > 0:
		return "relayed"
	case s.acted:
		return "answered, sent on, or waiting for a name"
	}
	return "nothing"
}

// during says which kind of route runs, until the function it returns is called.
func (s *session) during(kind route.RouteKind) func() {
	before := s.kind
	s.kind = kind
	return func() { s.kind = before }
}

func (s *session) OnFailure(n int) int { return truth(s.r().Arm(proxy.OnFailure, n)) }
func (s *session) OnBranch(n int) int  { return truth(s.r().Arm(proxy.OnBranch, n)) }
func (s *session) OnReply(n int) int   { return truth(s.r().Arm(proxy.OnReply, n)) }

func (s *session) Armed(kind route.RouteKind) int {
	if s.ofResponse() {
		return 0
	}
	switch kind {
	case route.FailureRoute:
		return s.r().Armed(proxy.OnFailure)
	case route.BranchRoute:
		return s.r().Armed(proxy.OnBranch)
	case route.ReplyRoute:
		return s.r().Armed(proxy.OnReply)
	}
	return 0
}

func (s *session) AppendBranch(uri []byte, q int) int { return truth(s.r().AppendBranch(uri, q)) }

func (s *session) ClearBranches() int {
	s.r().ClearBranches()
	return 1
}

// LoadContacts: mode 0 alone; the others make q a weight.
func (s *session) LoadContacts(mode int) int {
	return truth(mode == 0 && s.r().LoadContacts())
}

func (s *session) NextContacts() int {
	if s.r().NextContacts() {
		return 1
	}
	return -2
}

// RelayTo: no failure is answered here in any case, so that RelayNoReply asks for
// nothing.
func (s *session) RelayTo(dst route.RelayDst, flags route.RelayFlags) int {
	r := s.r()
	if dst.Proto != route.AnyTransport {
		proto, ok := protoOf(dst.Proto)
		if !ok {
			return -1
		}
		r.ForceProto(int(proto))
		defer r.ForceProto(-1)
	}
	if dst.Set && !r.SetNextHop(dst.Host, dst.Port) {
		return -1
	}
	r.Quiet(flags&route.RelayNo100 != 0)
	defer r.Quiet(false)
	return s.Relay()
}

func (s *session) SetFr(frInv, fr time.Duration) int {
	if s.ofResponse() {
		return truth(s.tx != nil && s.w.core.SetTxTimers(s.tx, frInv, fr))
	}
	return truth(s.r().SetFinalTimers(frInv, fr))
}

func (s *session) ResetFr() int {
	if s.ofResponse() {
		return -1
	}
	s.r().ResetFinalTimers()
	return 1
}

func (s *session) DropReplies(how route.DropHow) int {
	switch how {
	case route.DropAll:
		s.r().DropReplies(false)
	case route.DropLast:
		s.r().DropReplies(true)
	}
	return 1
}

func (s *session) NextDst(setURI bool) int { return truth(s.r().NextTarget(setURI)) }

func (s *session) MarkDst(state string) int {
	to, ok := balance.ParseMark(state)
	return truth(ok && s.r().MarkTarget(to))
}

func (s *session) ReplyStatus() int {
	switch {
	case s.ofResponse():
		return int(s.response.Status)
	case s.r().Tx == nil:
		return 0
	case s.kind == route.FailureRoute:
		return s.r().BestStatus()
	}
	return s.r().Tx.Status()
}

func (s *session) BranchIndex() int {
	switch {
	case s.kind == route.BranchRoute:
		return s.r().Tx.Total()
	case s.branch != nil && s.kind == route.ReplyRoute:
		return s.branch.Index()
	}
	return -1
}

func (s *session) Cancelled() bool {
	if s.ofResponse() {
		return s.tx != nil && s.tx.Canceled()
	}
	return s.r().Tx != nil && s.r().Tx.Canceled()
}

func (s *session) BranchTimedOut() bool { return !s.ofResponse() && s.r().BestTimedOut() }
func (s *session) BranchReplied() bool  { return !s.ofResponse() && s.r().BestReplied() }
func (s *session) AnyTimeout() bool     { return !s.ofResponse() && s.r().AnyTimedOut() }
func (s *session) AnyReplied() bool     { return !s.ofResponse() && s.r().AnyReplied() }

func (s *session) Flags() uint32 {
	switch {
	case !s.ofResponse():
		return s.r().Flags
	case s.tx != nil:
		return s.w.core.TxFlags(s.tx)
	}
	return 0
}

func (s *session) SetFlags(flags uint32) {
	switch {
	case !s.ofResponse():
		s.r().Flags = flags
	case s.tx != nil:
		s.w.core.SetTxFlags(s.tx, flags)
	}
}
