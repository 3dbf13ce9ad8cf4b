package route

import (
	"bytes"
	"slices"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
	"viaduct/shard/proxy"
)

// httpService is how a module serves HTTP requests.
type httpService struct {
	event  *Event
	serves func(target []byte) bool
}

// ServesHTTP makes the route of event e run on each HTTP request on a TCP or TLS listener whose
// target (RFC 9112 §3.2) serves accepts. If the file has no such route, HTTP is not accepted.
func (m *Module) ServesHTTP(e *Event, serves func(target []byte) bool) {
	m.http = &httpService{e, serves}
}

// HasHTTPRoute tells whether the file has a route for HTTP requests.
func (p *Program) HasHTTPRoute() bool { return p.http != nil && p.http.event.HasRoute() }

// HTTP runs the route for HTTP requests on r. served is false if there is no route, or if the
// module does not serve the target.
func (p *Program) HTTP(c *Ctx, r *proxy.Request) (o Outcome, served bool) {
	if !p.HasHTTPRoute() || !p.http.serves(r.M.Bytes(r.M.URI)) {
		return Ended, false
	}
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	rt := p.http.event.rt
	return p.enter(c, rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute}), true
}

// RaiseFrom runs the event's route, if there is one, on a made-up request that has the source,
// listener and connection of what the event is about. It tells whether the route has run.
func (e *Event) RaiseFrom(c *Ctx, src *netio.Addr, listener int, conn uint64) bool {
	if !e.HasRoute() || c.Msg != nil || c.raised == maxRaised {
		return false
	}
	if c.own == nil {
		c.own = &ownMessage{}
	}
	r := &c.Shard.Core.Request
	if !r.BeginOwn(c.own.next(c.Shard), src) {
		return false
	}
	r.Listener = listener
	e.enterOwn(c, r, conn, nil)
	return true
}

// enterOwn runs the route on r, a made-up request, and returns how it ended. packet is what $rcv
// reads; it may be nil.
func (e *Event) enterOwn(c *Ctx, r *proxy.Request, conn uint64, packet *netio.Packet) Outcome {
	was := c.Conn
	c.raised++
	defer func() { c.raised, c.Conn, c.packet = 0, was, nil }()
	if c.Msg != nil {
		c.end() // a panic cut a run short
	}
	c.Acted, c.Unanswered, c.ReplyIgnore, c.Conn, c.packet = false, false, 0, conn, packet
	o := e.prog.enter(c, e.rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute})
	e.logLimit(c, o)
	c.Shard.Core.Finish()
	return o
}

// UpgradeHTTP accepts the current HTTP request as an upgrade to WebSocket (RFC 6455 §4.2), which
// its connection speaks from then on. It returns 0 if the request does not ask for that properly;
// the request is then refused. It returns less than 0 if the message is not an HTTP request, is
// already answered, or came where WebSocket is not enabled.
func (c *Ctx) UpgradeHTTP() Result {
	r, conns := c.Request, c.Shard.Conns
	if r == nil || !r.IsHTTP() || conns == nil {
		return -1
	}
	h, cfg := r.HTTP(), conns.WebSocket(r.HTTP().Conn)
	if cfg == nil || r.TakeHTTP() == nil {
		return -1
	}
	c.Acted = true
	request, response, refused := wslayer.Upgrade(cfg, c.Msg.Raw[:c.Msg.BodyStart])
	if rows := r.ReplyRows(); len(rows) > 0 {
		at := bytes.Index(response, []byte("\r\n")) + 2
		response = slices.Insert(response, at, rows...)
	}
	if refused != nil {
		conns.AnswerHTTP(h.Conn, h.Number, response, true)
		return 0
	}
	return truth(conns.UpgradeHTTP(h.Conn, h.Number, response, request))
}
