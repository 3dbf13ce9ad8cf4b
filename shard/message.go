package shard

import (
	"log/slog"
	"time"

	"viaduct/netio"
	"viaduct/netio/steer"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// drop ends the datagram at hand without an answer. It and dropFrom are the one place where that
// happens, and they count by reason.
func (w *worker) drop(r Reason) {
	if w.tracing && r != Truncated {
		w.traceHere("dropped", "reason", r.String())
	}
	w.count[dropBase+int(r)]++
}

// dropFrom is drop for a datagram that may be too broken to name its call: the log has its sender.
func (w *worker) dropFrom(p *netio.Packet, r Reason) {
	if w.tracing {
		src := p.Src
		src.Proto = w.served[p.Listener].Proto
		w.traceHere("dropped", "reason", r.String(), "from", proxy.AddrText(&src))
	}
	w.count[dropBase+int(r)]++
}

// refuse answers the request under way as its cause requires, and counts by reason. phrase and
// header replace the cause's own unless they are "".
func (w *worker) refuse(r Reason, cause proxy.Cause, phrase, header string) {
	if !w.core.Request.Refuse(cause, phrase, header) {
		w.drop(r)
		return
	}
	w.count[refuseBase+int(r)]++
}

// datagram takes one received datagram through steps 3 to 6. A panic costs its
// transaction alone.
func (w *worker) datagram(p *netio.Packet) {
	defer w.contain()
	w.step = stepDatagram
	w.count[CountDatagramsIn]++
	if p.Truncated {
		w.drop(Truncated)
		return
	}
	reason := w.parse(p.Data)
	if w.shards > 1 && w.foreign(p, reason) {
		return
	}
	w.message(p, reason)
}

// parse parses the message, whatever transport brought it. Different elements read misplaced
// control characters differently, so that one of them can be shown a header that another does not
// see. Such a message is refused, unless accept_ctrl_chars lets it pass.
func (w *worker) parse(b []byte) parser.Reason {
	reason := w.m.Parse(b)
	if w.m.Control && !w.acceptControl {
		return parser.ControlCharacter
	}
	return reason
}

// foreign is step 4: it hands a datagram of another shard to its owner, and reports whether it did.
// A datagram without an owner is handled where it arrives.
func (w *worker) foreign(p *netio.Packet, reason parser.Reason) bool {
	if reason == parser.Empty {
		return false
	}
	callID := w.m.CallID()
	if len(callID) == 0 {
		return false
	}
	owner := steer.Owner(callID, w.shards)
	arrivals := &w.arrivals[p.Listener]
	arrivals.All++
	if owner == w.number {
		return false
	}
	arrivals.Foreign++
	w.handover.datagram(w, owner, p)
	return true
}

// message is steps 5 and 6 for a message that this shard owns.
func (w *worker) message(p *netio.Packet, reason parser.Reason) {
	if w.tap != nil { // Slow path
		w.tap.came(p)
	}
	if w.program.HasReceivedRoute() && reason != parser.Empty && reason != parser.TooLarge {
		w.step = stepDatagram
		before := len(p.Data)
		first := &p.Data[0]
		w.received = *p // the run keeps its address; p itself stays on its holder's stack
		goOn := w.program.Received(w.ctx, &w.received)
		p.Data, w.received = w.received.Data, netio.Packet{}
		if !goOn {
			w.drop(ProgramDrop)
			return
		}
		if len(p.Data) != before || &p.Data[0] != first {
			reason = w.parse(p.Data)
		}
	}
	w.arrived(p, reason)
}

// arrived is message once event_route[core:msg-received] has let it pass.
func (w *worker) arrived(p *netio.Packet, reason parser.Reason) {
	m := &w.m
	w.ctx.Shard.Messages++
	if w.port != nil {
		w.port.Flow(steer.Flow(m.CallID()))
	}
	switch {
	case reason == parser.Empty:
		// a keep-alive (RFC 5626 §3.5.1): over UDP nothing answers it but STUN
		w.dropFrom(p, Reason(reason))
	case reason == parser.TooLarge:
		w.dropFrom(p, Reason(reason))
	case m.IsRequest:
		w.request(p, reason)
	case reason != parser.OK:
		w.tx.Begin()
		if w.parseError(p) {
			w.dropFrom(p, Reason(reason)) // bytes that begin like a response are never answered
		}
	default:
		w.response(p)
	}
}

// parseError runs event_route[core:receive-parse-error], if there is one, on a malformed message.
// It returns false if the route has dropped or answered the message.
func (w *worker) parseError(p *netio.Packet) (goOn bool) {
	if !w.program.HasParseErrorRoute() {
		return true
	}
	r := &w.core.Request
	r.BeginMalformed(&w.m, &p.Src, int(p.Listener))
	goOn = w.program.ParseError(w.ctx, r)
	if !goOn && !w.ctx.Acted {
		w.drop(ProgramDrop)
	}
	return goOn
}

// request is steps 5 and 6 for a request.
func (w *worker) request(p *netio.Packet, reason parser.Reason) {
	w.countRequest()
	m, r := &w.m, &w.core.Request
	if !r.Begin(m, &p.Src, int(p.Listener)) {
		if w.parseError(p) {
			w.dropFrom(p, Unanswerable)
		}
		return
	}
	w.step = stepRequest
	if w.tracing {
		w.traceMessage(p)
	}
	if v := r.Syntax(reason); v.Cause != proxy.NoCause {
		if w.parseError(p) {
			w.invalid(&v)
		}
		return
	}
	if w.absorb() {
		return
	}
	if w.overloaded() {
		return
	}
	if v := r.Validate(); v.Cause != proxy.NoCause {
		if v.Cause != proxy.Malformed || w.parseError(p) {
			w.invalid(&v)
		}
		return
	}
	if (w.shared.draining.Load() != serving || w.leaves(p.Listener)) && !r.HasToTag() &&
		m.Method != parser.ACK && m.Method != parser.CANCEL {
		w.turnAway(p)
		return
	}
	r.StripMaddr()
	w.decide()
}

// leaves reports whether new calls over a listener are turned away, since a reload has taken it
// out. It is false for streams: such a call came over a connection, and its peer would not find
// another way.
func (w *worker) leaves(listener uint16) bool {
	l := w.served[listener]
	return l.Leaving && l.Proto == netio.UDP
}

// turnAway handles a new call while the server is shutting down, or over a listener that a reload
// has taken out. In the first seconds a call that came by UDP is left without an answer, for its
// sender repeats it (RFC 3261 §17.1.1.2), and by then a successor may take it. Later, and over
// streams, where nothing is repeated, a 503 sends it elsewhere. Slow path.
func (w *worker) turnAway(p *netio.Packet) {
	if w.shared.draining.Load() == drainSilent && !p.Src.Proto.Reliable() {
		w.drop(Draining)
		return
	}
	w.refuse(Draining, proxy.ShuttingDown, "", "")
}

// absorb is step 5 for a request. It reports whether the request belongs to a transaction, which
// has then handled it.
func (w *worker) absorb() bool {
	m, r := &w.m, &w.core.Request
	switch m.Method {
	case parser.ACK:
		if tx := w.tx.Match(w.tx.Key(m, parser.INVITE)); tx != nil && w.tx.Ack(tx) ||
			w.core.AcksOurReply(m) {
			if w.tracing {
				w.traceHere("the ACK ends here: it is for a final response of our hop")
			}
			return true
		}
		return false
	case parser.CANCEL:
		if r.Invite = w.tx.Match(w.tx.Key(m, parser.INVITE)); r.Invite == nil {
			r.Invite = w.cancelled()
		}
	}
	r.Key = w.tx.Key(m, m.Method)
	tx := w.tx.Match(r.Key)
	if tx == nil {
		return false
	}
	w.step = stepAbsorb
	if w.tracing {
		w.traceHere("a retransmission: its transaction answers", "state", tx.State().String(),
			"last_code", tx.Status())
	}
	if !w.tx.Repeat(tx) {
		r.Tx = tx
		r.Trying()
	}
	return true
}

// cancelled returns the transaction that a CANCEL is for if its method is not INVITE; the CANCEL
// does not tell which method it is (§9.2). It returns nil if there is none. Methods that the parser
// does not know are not tried. Slow path.
func (w *worker) cancelled() *txn.Tx {
	for method := parser.MethodOther + 1; method < parser.NumMethods; method++ {
		switch method {
		case parser.INVITE, parser.ACK, parser.CANCEL:
			continue
		}
		if tx := w.tx.Match(w.tx.Key(&w.m, method)); tx != nil {
			return tx
		}
	}
	return nil
}

// decide is step 6: the operator's program decides what is done with the request.
func (w *worker) decide() {
	w.step = stepDecide
	r := &w.core.Request
	if w.tracing {
		w.traceHere("request_route entered")
	}
	if w.program.PreRouting(w.ctx, r) {
		var began int64
		sampled := w.count[CountRequests]%programSample == 1
		if sampled {
			began = w.clock.now()
		}
		o := w.program.Request(w.ctx, r)
		if sampled {
			took := w.clock.now() - began
			w.count.Observe(histogramProgram, uint64(took)/uint64(programUnit), 1)
		}
		w.settle(o)
		w.program.CloseRefused(w.ctx, o)
	} else if !w.ctx.Acted {
		w.drop(ProgramDrop)
	}
	w.core.Finish()
}

// settle does what follows the end of request_route.
func (w *worker) settle(outcome route.Outcome) {
	r := &w.core.Request
	if outcome == route.Held {
		return
	}
	if w.ctx.Unanswered {
		w.unanswered()
	}
	if w.tracing {
		w.trace(r.M.CallID(), "request_route left", w.decisions()...)
	}
	switch {
	case outcome == route.Faulted:
		w.fault()
	case w.ctx.Acted:
	case r.M.Method == parser.ACK:
		w.drop(StrayAck)
	case r.Unfinished() && r.EndOwn():
	case r.Unfinished() && r.EndAlone():
		w.drop(ProgramDrop)
	case r.Unfinished():
		// As Kamailio does: the program ignored the result of t_relay.
		if !r.ReplyError() && r.Tx == nil {
			w.unanswered()
		}
	default:
		w.drop(ProgramDrop)
	}
}

// unanswered counts a request that could not be answered: an ACK never is, and an answer longer
// than a datagram cannot be sent.
func (w *worker) unanswered() {
	if w.core.Request.M.Method == parser.ACK {
		w.drop(StrayAck)
	} else {
		w.drop(Unanswerable)
	}
}

// fault handles a routing program that ran into a limit: the request is answered if nothing has
// been decided about it.
func (w *worker) fault() {
	w.faulted(w.ctx)
	if w.ctx.Acted {
		w.drop(ProgramFault)
		return
	}
	w.refuse(ProgramFault, proxy.ProgramLimit, "", "")
}

// faulted logs which limit it was.
func (w *worker) faulted(c *route.Ctx) {
	if f := c.Fault; f != nil && w.stacks.allow(time.Now()) {
		w.shared.queue(logLine{slog.LevelError, "the routing program was cut short",
			[]any{"at", f.Error()}})
	}
}

// invalid answers a request that is not valid (§16.3).
func (w *worker) invalid(v *proxy.Invalid) {
	reason := Reason(v.Reason)
	switch v.Cause {
	case proxy.Looped:
		reason = LoopDetected
	case proxy.BadBreadth:
		reason = BadMaxBreadth
	case proxy.UnsupportedOption:
		reason = ProxyRequire
	}
	w.refuse(reason, v.Cause, v.Phrase, v.Header)
}

// response is steps 5 and 6 for a response.
func (w *worker) response(p *netio.Packet) {
	w.countReply()
	w.step = stepResponse
	w.tx.Begin()
	if w.tracing {
		w.traceMessage(p)
	}
	reason := w.m.Check()
	if reason != parser.OK && !proxy.Drives(&w.m, reason) {
		w.drop(Reason(reason))
		return
	}
	if w.prober != nil && w.prober.answered(w) {
		return
	}
	w.core.Reply.Begin(&w.m, &p.Src, int(p.Listener))
	if w.program.HasCoreReply() && !w.coreReply() {
		w.drop(ProgramDrop)
		return
	}
	if w.program.HasStrayReply() && reason == parser.OK && w.core.IsStray(&w.m) &&
		!w.strayReply() {
		w.drop(ProgramDrop)
		return
	}
	outcome, shard := w.core.Response(&w.m, reason)
	if outcome == proxy.OtherShard && (shard >= w.shards || w.handover.handed) {
		outcome = w.core.Stray(&w.m, reason) // from a process with more shards
	}
	switch outcome {
	case proxy.NotOurs:
		w.drop(ViaNotOurs)
	case proxy.NoViaLeft:
		w.drop(NoViaLeft)
	case proxy.Stray:
		w.drop(StrayResponse)
	case proxy.OtherShard:
		// The Call-ID was changed on the way, or the request was sent by a process with another
		// number of shards. §17.1.3 goes by the branch.
		w.handover.datagram(w, shard, p)
	case proxy.Unfit:
		w.drop(Reason(reason))
	}
}
