package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream/tlslayer"
	"viaduct/netio/stream/wslayer"
)

// layers are what lies between the bytes of the wire and those of SIP: TLS, WebSocket, both, or
// nothing. They belong to the loop, after the handshake.
//
//	wire ─▶ tls.Feed ─▶ plain ─▶ ws.Feed ─▶ messages
//	wire ◀─ tls.Seal ◀───────── ws Frame ◀─ messages
type layers struct {
	tls *tlslayer.Session
	ws  *wslayer.Session
}

func (y *layers) none() bool { return y.tls == nil && y.ws == nil }

// begin takes what the TLS handshake has read too far.
func (y *layers) begin(l *loop, c *conn) {
	if y.tls != nil {
		y.feed(l, c, nil)
	}
}

// feed takes bytes from the wire.
func (y *layers) feed(l *loop, c *conn, in []byte) {
	l.cur = c
	defer func() { l.cur = nil }()
	if y.tls == nil {
		l.plain(c, in)
		return
	}
	err := y.tls.Feed(in, l.emitPlain)
	if b := y.tls.Pending(); len(b) > 0 {
		l.replyWire(c, b)
	}
	switch {
	case err == nil:
	case err == io.EOF:
		l.finish(c, Closed)
	default:
		l.finish(c, BadRecord)
	}
}

// websocket takes bytes of a WebSocket connection.
func (y *layers) websocket(l *loop, c *conn, in []byte) {
	if c.lingering {
		return
	}
	had := y.ws.Request() != nil
	_, err := y.ws.Feed(in, l.emitMessage, l.replyFrame)
	switch upgraded := y.ws.Request() != nil; {
	case upgraded:
		c.messageBy = 0
		if !had {
			l.schedule(c) // its first Ping
		}
	case c.messageBy == 0:
		c.messageBy = l.now + int64(l.e.limits.MessageTimeout.Load())
		l.wheel.before(c, c.messageBy)
	}
	switch {
	case err == nil:
	case err == io.EOF:
		l.finish(c, Closed)
	default:
		l.finish(c, BadRecord)
	}
}

// wrap brings a message into the form of the wire. The two buffers change places, so that none is
// made.
func (y *layers) wrap(l *loop, m *outMsg) (err error) {
	if m.back && y.ws == nil { // a browser listens nowhere: what cannot be sent again is not kept
		m.raw = append(m.raw[:0], m.data...)
	}
	if y.ws != nil && m.level == levelMessage {
		l.scratch = wslayer.Frame(l.scratch[:0], m.data)
		m.data, l.scratch = l.scratch, m.data
	}
	if y.tls != nil && m.level != levelWire {
		l.scratch, err = y.tls.Seal(l.scratch[:0], m.data)
		m.data, l.scratch = l.scratch, m.data
	}
	return err
}

// farewell says goodbye as the layers have it, to a peer that is closed by us. It is written if the
// kernel takes it at once.
func (y *layers) farewell(c *conn) {
	if y.none() || c.writing != nil || c.fd < 0 {
		return
	}
	var b []byte
	if y.ws != nil {
		b = y.ws.Close(nil, ws.StatusGoingAway, "")
	}
	if y.tls != nil {
		if len(b) > 0 {
			b, _ = y.tls.Seal(nil, b)
		}
		if !c.e.cfg.NoCloseNotify {
			b = y.tls.Close(b)
		}
	}
	if len(b) > 0 {
		_, _ = unix.Write(c.fd, b)
	}
}

func (y *layers) end() { y.tls, y.ws = nil, nil }

// replyWire puts bytes that are ready for the wire behind what is on its way. They must not wait in
// the outbox: what stands there is sealed later, and would be read before them.
func (l *loop) replyWire(c *conn, b []byte) {
	m := newOutMsg()
	m.level = levelWire
	m.data = append(m.data, b...)
	c.mu.Lock()
	c.busy = true // until drained: a shard must not write into the middle of it
	fits := c.st != dead
	switch {
	case !fits:
	case c.blocked:
		if fits = l.e.admit(c.queued, len(b), false); fits {
			c.queued += len(b)
		}
	default:
		c.inflight += len(b)
		l.e.inflight.Add(int64(len(b)))
	}
	c.mu.Unlock()
	if !fits {
		m.free()
		c.condemn(QueueFull, 0)
		return
	}
	c.appendWriting(m, m)
}

// finish closes a connection when everything queued is written, or lingerFor is over; nothing more
// is read.
func (l *loop) finish(c *conn, why Reason) {
	c.mu.Lock()
	c.closeAfter, c.closeWhy = true, why
	c.mu.Unlock()
	c.lingering, c.lingerWhy = true, BadFraming
	c.lingerBy = l.now + int64(lingerFor)
	l.wheel.before(c, c.lingerBy)
}

// secure runs a TLS handshake in the calling goroutine.
func (e *Engine) secure(ctx context.Context, c *conn, nc net.Conn, server bool) error {
	var cfg *tls.Config
	configs := *e.tls.Load()
	if server {
		cfg = configs.Server(int(c.k.listener), c.local)
	} else {
		cfg = configs.Client(int(c.k.listener), c.domain, c.peer)
	}
	if cfg == nil {
		return errors.New("no TLS configuration for this connection")
	}
	g := &gate{Conn: nc, ctx: ctx, slots: e.gates}
	if err := g.enter(); err != nil {
		return err
	}
	s, err := tlslayer.Handshake(ctx, g, cfg, server)
	g.leave()
	if err != nil {
		if !e.stopping.Load() {
			e.log.report(logHandshake, "a TLS handshake failed", "peer", c.peer.String(),
				"listener", c.k.listener, "accepted", server, "error", err)
		}
		return err
	}
	state := s.State()
	info := &TLSInfo{
		Version: state.Version, CipherSuite: state.CipherSuite, ServerName: state.ServerName,
		Verified: len(state.VerifiedChains) > 0,
	}
	if len(state.PeerCertificates) > 0 {
		info.Peer = state.PeerCertificates[0]
		if v, ok := configs.(Verifier); ok && server {
			info.Verified = v.VerifyClient(c.local, &state) == nil
		} else if ok {
			info.Verified = v.VerifyServer(c.domain, c.peer, &state) == nil
		}
	}
	info.Own = ownCertificate(cfg, state.ServerName)
	c.mu.Lock()
	c.tlsInfo = info
	c.mu.Unlock()
	c.layers.tls = s
	return nil
}

// Verifier is a TLS that verifies peers by rules of its own (RFC 5922) instead of crypto/tls's, and
// tells what came of it.
type Verifier interface {
	VerifyClient(local netio.Addr, state *tls.ConnectionState) error
	VerifyServer(domain string, peer netio.Addr, state *tls.ConnectionState) error
}

// gate lets only so many handshakes compute at once, half of the processors' number: a storm of
// them leaves the rest to the event loops and shards. A handshake gives its slot back while it
// waits for its peer, so that silent peers take none.
type gate struct {
	net.Conn
	ctx   context.Context
	slots chan struct{}
	in    bool
}

func (g *gate) enter() error {
	select {
	case g.slots <- struct{}{}:
		g.in = true
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}

func (g *gate) leave() {
	if g.in {
		g.in = false
		<-g.slots
	}
}

func (g *gate) Read(b []byte) (int, error) {
	g.leave()
	n, err := g.Conn.Read(b)
	if e := g.enter(); e != nil && err == nil {
		err = e
	}
	return n, err
}

// TLSInfo describes a TLS connection.
type TLSInfo struct {
	Version, CipherSuite uint16
	ServerName           string            // what the client asked for
	Peer                 *x509.Certificate // nil if it showed none
	// what we have to show; nil if that is nothing, or one of several
	Own      *x509.Certificate
	Verified bool // Peer leads to a trusted certificate
}

// TLSInfo describes a connection by its number (Port.Conn). It returns nil if it is not TLS, or
// gone.
func (e *Engine) TLSInfo(id uint64) *TLSInfo {
	if c := e.registry.get(id); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.tlsInfo
	}
	return nil
}

// decide finds out what an undecided connection of a listener with AllowWS is, by its first bytes.
// It returns false if they are too few, and kept.
func (l *loop) decide(c *conn, in []byte) bool {
	if l.e.http.Load() { // the script says what becomes of an upgrade
		c.undecided = false
		c.mu.Lock()
		c.plain = c.layers.none()
		c.mu.Unlock()
		l.e.table.put(c.k, c)
		if !c.alive() {
			l.e.table.drop(c.k, c)
		}
		return true
	}
	const get = "GET "
	begin := c.partial[:len(c.partial):len(c.partial)]
	begin = append(begin, in[:min(len(in), len(get))]...)
	isGet := len(begin) >= len(get) && string(begin[:len(get)]) == get
	if !isGet && len(begin) < len(get) && string(begin) == get[:len(begin)] {
		c.keep(in)
		c.messageBy = l.now + int64(l.e.limits.MessageTimeout.Load())
		l.wheel.before(c, c.messageBy)
		return false
	}
	c.undecided = false
	c.messageBy = 0
	c.mu.Lock()
	c.plain = !isGet && c.layers.none()
	c.mu.Unlock()
	if isGet {
		t := l.e.listener(l.e.listener(int(c.k.listener)).twin)
		c.mu.Lock()
		c.k.listener = uint16(t.Index)
		c.proto = t.proto
		c.mu.Unlock()
		c.layers.ws = wslayer.New(&t.ws)
	}
	l.e.table.put(c.k, c)
	if !c.alive() { // condemned meanwhile, before it was there to be dropped
		l.e.table.drop(c.k, c)
	}
	return true
}
