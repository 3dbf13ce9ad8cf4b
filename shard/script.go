package shard

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// script runs the routes that the Core comes to by itself. A branch route runs
// inside another route's t_relay(), in the same context; failure and reply routes run when no other
// route does.
type script struct{ *worker }

var _ proxy.Script = script{}

// Serves tells whether the program with that hash is here.
func (s script) Serves(program uint64) bool { return s.programOf(program) != nil }

// programOf is the program with that hash: that of new requests, or an earlier one that is kept for
// the transactions it began. nil: there is none.
func (w *worker) programOf(hash uint64) *route.Program {
	if w.program.Hash() == hash {
		return w.program
	}
	for _, p := range w.kept {
		if p.Hash() == hash {
			return p
		}
	}
	return nil
}

// Failure runs failure_route number n.
func (s script) Failure(r *proxy.Request, n int) {
	p := s.programOf(r.Program)
	if s.tracing {
		defer s.traceRoute(p, route.FailureRoute, n, r.M.CallID())()
	}
	if p.Failure(s.ctx, r, n) == route.Faulted {
		s.faulted(s.ctx)
	}
}

// Branch runs branch_route number n.
func (s script) Branch(r *proxy.Request, n int) (send bool) {
	p := s.programOf(r.Program)
	if s.tracing {
		defer s.traceRoute(p, route.BranchRoute, n, r.M.CallID())()
	}
	switch p.Branch(s.ctx, r, n) {
	case route.Faulted:
		s.faulted(s.ctx)
		return false
	case route.Dropped:
		return false
	}
	return true
}

// Reply runs onreply_route[NAME] number n.
func (s script) Reply(program uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message, n int) (forward bool) {
	p := s.programOf(program)
	if s.tracing {
		defer s.traceRoute(p, route.ReplyRoute, n, m.CallID())()
	}
	switch p.Reply(s.ctx, &s.core.Reply, m, tx, br, n) {
	case route.Faulted:
		s.faulted(s.ctx)
	case route.Dropped:
		return false
	}
	return true
}

// coreReply runs the reply route without a name on the response at hand; false: it
// is dropped.
func (s *worker) coreReply() (forward bool) {
	switch s.program.CoreReply(s.ctx, &s.core.Reply) {
	case route.Faulted:
		s.faulted(s.ctx)
	case route.Dropped:
		return false
	}
	return true
}

// routeWords are the words that routes begin with in a program.
var routeWords = map[route.RouteKind]string{route.FailureRoute: "failure_route", route.BranchRoute: "branch_route", route.ReplyRoute: "onreply_route"}

// traceRoute tells that a route with a name is entered, and by the function it returns that it is
// left.
func (s *worker) traceRoute(p *route.Program, kind route.RouteKind, n int, callID []byte) (left func()) {
	name := routeWords[kind] + "[" + p.RouteName(kind, n) + "]"
	s.trace(callID, name+" entered")
	return func() { s.trace(callID, name+" left") }
}

// decided says what request_route made of its request so far.
func (s *worker) decided() string {
	r := &s.core.Request
	switch {
	case r.Tx != nil && r.Tx.Answered():
		return "answered"
	case r.Tx != nil && r.Tx.Total() > 0:
		return "relayed"
	case s.ctx.Acted:
		return "answered, sent on, or waiting for a name"
	}
	return "nothing"
}
