package shard

import (
	"bytes"
	"slices"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// script implements proxy.Script. A branch route runs inside another route's t_relay(), in the same
// context; failure and reply routes run when no other route does.
type script struct{ *worker }

var _ proxy.Script = script{}

// Serves reports whether the program with that hash is loaded.
func (s script) Serves(program uint64) bool { return s.programOf(program) != nil }

// programOf returns the program with that hash: that of new requests, or an earlier one that is
// kept for the transactions it began. It returns nil if there is none.
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

// BranchFailure runs event_route[tm:branch-failure:NAME] number n.
func (s script) BranchFailure(r *proxy.Request, n int) {
	p := s.programOf(r.Program)
	if s.tracing {
		defer s.traceRoute(p, route.BranchFailureRoute, n, r.M.CallID())()
	}
	if p.BranchFailure(s.ctx, r, n) == route.Faulted {
		s.faulted(s.ctx)
	}
}

// Branch runs branch_route number n.
func (s script) Branch(r *proxy.Request, n int) proxy.BranchOutcome {
	p := s.programOf(r.Program)
	if s.tracing {
		defer s.traceRoute(p, route.BranchRoute, n, r.M.CallID())()
	}
	return s.branched(p.Branch(s.ctx, r, n))
}

// branched returns what the outcome of a branch route means for its branch.
func (w *worker) branched(o route.Outcome) proxy.BranchOutcome {
	switch o {
	case route.Faulted:
		w.faulted(w.ctx)
		return proxy.BranchDropped
	case route.Dropped:
		return proxy.BranchDropped
	case route.Held:
		return proxy.BranchHeld
	}
	return proxy.BranchSent
}

// Reply runs onreply_route[NAME] number n.
func (s script) Reply(program uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message,
	n int) proxy.ReplyOutcome {
	p := s.programOf(program)
	if s.tracing {
		defer s.traceRoute(p, route.ReplyRoute, n, m.CallID())()
	}
	return s.replied(p.Reply(s.ctx, &s.core.Reply, m, tx, br, n))
}

// replied returns what the outcome of a reply route means for its response.
func (w *worker) replied(o route.Outcome) proxy.ReplyOutcome {
	switch o {
	case route.Faulted:
		w.faulted(w.ctx)
	case route.Dropped:
		return proxy.ReplyDropped
	case route.Held:
		return proxy.ReplyHeld
	}
	return proxy.ReplyPassed
}

// Onsend runs onsend_route on what is about to leave: r, or the response at hand.
func (s script) Onsend(r *proxy.Request) (send bool) {
	p := s.program
	if r != nil {
		if p = s.programOf(r.Program); p == nil {
			return true // the program is gone with the process before this one
		}
	}
	o := route.Ended
	if r != nil {
		o = p.Onsend(s.ctx, r)
	} else {
		o = p.OnsendReply(s.ctx, &s.core.Reply)
	}
	switch o {
	case route.Faulted:
		s.faulted(s.ctx)
		return false
	case route.Dropped:
		return false
	}
	return true
}

// onsend reports whether a program that is needed has an onsend_route.
func (w *worker) onsend() bool {
	return w.program.HasOnsend() || slices.ContainsFunc(w.kept, (*route.Program).HasOnsend)
}

// hearsResponses reports whether a program that is needed has event_route[tm:local-response].
func (w *worker) hearsResponses() bool {
	return w.program.HearsResponses() || slices.ContainsFunc(w.kept, (*route.Program).HearsResponses)
}

// coreReply runs the reply route without a name on the response at hand. It returns false if the
// route drops the response.
func (s *worker) coreReply() (forward bool) {
	switch s.program.CoreReply(s.ctx, &s.core.Reply) {
	case route.Faulted:
		s.faulted(s.ctx)
	case route.Dropped:
		return s.core.Reply.GoesOn()
	}
	return true
}

// strayReply runs the reply route for responses without a transaction on the response at hand. It
// returns false if it is dropped.
func (s *worker) strayReply() (forward bool) {
	switch s.program.StrayReply(s.ctx, &s.core.Reply) {
	case route.Faulted:
		s.faulted(s.ctx)
	case route.Dropped:
		return false
	}
	return true
}

// routeWords are the keywords of routes in a program.
var routeWords = map[route.RouteKind]string{
	route.FailureRoute: "failure_route", route.BranchRoute: "branch_route",
	route.ReplyRoute: "onreply_route", route.BranchFailureRoute: "event_route",
}

// traceRoute logs that a route with a name begins. The function it returns logs that it has ended.
func (s *worker) traceRoute(p *route.Program, kind route.RouteKind, n int,
	callID []byte) (left func()) {
	name := routeWords[kind] + "[" + p.RouteName(kind, n) + "]"
	s.trace(callID, name+" entered")
	return func() { s.trace(callID, name+" left") }
}

// decisions returns what request_route decided about its request, how that leaves, and what is done
// later, as attributes of a log line.
func (s *worker) decisions() (attrs []any) {
	attrs = append(attrs, "decided", s.decided())
	add := func(there bool, name string, value any) {
		if there {
			attrs = append(attrs, name, value)
		}
	}
	r := &s.core.Request
	for _, kind := range [...]route.RouteKind{route.FailureRoute, route.BranchRoute,
		route.ReplyRoute} {
		if n := r.Armed(kind); n != 0 {
			add(true, routeWords[kind], s.program.RouteName(kind, n))
		}
	}
	d := r.Decided()
	add(d.MaxForwards >= 0, "max_forwards", d.MaxForwards)
	add(d.RecordRoute, "record_route", true)
	add(d.Targets > 0, "branches_added", d.Targets)
	add(d.Path != nil, "path", string(bytes.TrimSpace(d.Path)))
	add(d.ShownHost != nil, "via_host", string(d.ShownHost))
	add(d.ShownPort != 0, "via_port", d.ShownPort)
	add(d.Symmetric, "symmetric", true)
	add(len(d.Edits) > 0, "edits", len(d.Edits))
	return attrs
}

// decided returns in words what request_route has decided about its request so far.
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
