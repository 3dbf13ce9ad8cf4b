package shard

import (
	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// httpRequest runs the program on an HTTP request that a stream brought. The connection waits for
// the outcome, so it is always told: an answer, or its end. A panic costs a 500.
func (w *worker) httpRequest(p *netio.Packet, conn uint64, h stream.HTTPRequest) {
	defer w.contain()
	w.step = stepDatagram
	w.count[CountHTTP]++
	r, reason := w.beginHTTP(p, proxy.HTTP{Conn: conn, Number: h.Number, Last: h.Last})
	if r == nil {
		w.conns.AnswerHTTP(conn, h.Number, nil, true)
		return
	}
	w.step = stepDecide
	switch {
	case reason == parser.TooManyHeaders:
		r.Reply(431, "Request Header Fields Too Large", "Connection: close\r\n")
		return
	case reason != parser.OK || w.m.Control && !w.acceptControl:
		r.Reply(400, "Bad Request", "")
		return
	}
	w.ctx.Conn = conn
	w.endHTTP(w.program.HTTP(w.ctx, r))
}

// beginHTTP makes an HTTP request the one under way. It returns nil and the reason if the request
// cannot be read.
func (w *worker) beginHTTP(p *netio.Packet, h proxy.HTTP) (*proxy.Request, parser.Reason) {
	r := &w.core.Request
	p.Src.Proto = w.served[p.Listener].Proto
	reason := w.m.ParseHTTP(p.Data)
	if !r.BeginHTTP(&w.m, &p.Src, int(p.Listener), h) {
		return nil, reason
	}
	return r, reason
}

// endHTTP does what follows a run about an HTTP request. If the program has not answered, the
// connection ends.
func (w *worker) endHTTP(o route.Outcome, served bool) {
	r := &w.core.Request
	w.ctx.Conn = 0
	switch {
	case o == route.Held:
		return
	case !served:
		r.Reply(404, "Not Found", "")
	case o == route.Faulted:
		w.faulted(w.ctx)
		r.Reply(500, "Server Error", "")
	}
	if r.EndHTTP() {
		w.count[CountHTTPIgnored]++
	}
	w.core.Finish()
}

// resumeHTTP goes on with a run about an HTTP request that was held.
func (w *worker) resumeHTTP(r *proxy.Request, p *parkedRun, a *ask.Answer) {
	if w.conns.State(p.http.Conn) == stream.ConnGone {
		return
	}
	if r, reason := w.beginHTTP(&p.packet, p.http); r == nil || reason != parser.OK {
		w.conns.AnswerHTTP(p.http.Conn, p.http.Number, nil, true)
		return
	}
	w.step = stepDecide
	outcome, ours := route.Ended, r.ReadState(p.state)
	if ours {
		w.ctx.Conn = p.http.Conn
		outcome, ours = w.resume(r, route.RequestRoute, p.run, a)
	}
	if !ours {
		w.count[CountForeignRuns]++
		r.Reply(503, "Service Unavailable", "")
	}
	w.endHTTP(outcome, true)
}

// webSocketClosed tells the program that a WebSocket connection has ended. An event loop calls it.
func (s *Server) webSocketClosed(e stream.Ended) {
	workers := s.shared.workers.Load()
	if workers == nil || !s.shared.gen.Load().program.Event(webSocketClosed).HasRoute() {
		return
	}
	w := (*workers)[e.Conn%uint64(len(*workers))]
	w.later(func(c *route.Ctx) {
		e.Peer.Proto = w.served[e.Listener].Proto
		w.program.Event(webSocketClosed).RaiseFrom(c, &e.Peer, e.Listener, e.Conn)
	})
}

// webSocketClosed is the name of that event.
const webSocketClosed = "websocket:closed"
