package outside

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The transports of streams, as Via writes them.
const (
	overTCP = "TCP"
	overTLS = "TLS"
	overWS  = "WS"
	overWSS = "WSS"
)

// streamEnds are what a peer has in the place of a datagram socket: connections it opened, and with
// a listener those it accepted.
type streamEnds struct {
	transport string // of Via; "": UDP
	sentBy    string // sent-by and the host of Contact; "": the address
	sips      bool   // Contact is a sips URI
	tls       *tls.Config

	mu       sync.Mutex
	links    []*stream    // in the order of their making
	listener net.Listener // nil: it only dials
	accepted chan *stream
	readers  sync.WaitGroup
}

// newStreamPeer is a peer that opens its connections itself.
func newStreamPeer(t *testing.T, name, transport string) *peer {
	t.Helper()
	p := &peer{t: t, name: name, in: make(chan *message, 1<<16)}
	p.transport = transport
	t.Cleanup(func() {
		p.mu.Lock()
		if p.listener != nil {
			p.listener.Close()
		}
		for _, s := range p.links {
			s.conn.Close()
		}
		p.mu.Unlock()
		p.readers.Wait()
	})
	return p
}

// dialer is a peer with one connection to the proxy. Its address is the connection's: nobody else
// can reach it.
func dialer(t *testing.T, name, transport string, to netip.AddrPort, options ...func(*peer)) *peer {
	t.Helper()
	p := newStreamPeer(t, name, transport)
	for _, o := range options {
		o(p)
	}
	p.dial(to)
	return p
}

// listener is a peer that others connect to, on a free port of ip.
func listener(t *testing.T, name, transport string, ip netip.Addr, options ...func(*peer)) *peer {
	t.Helper()
	return listenerAt(t, name, transport, netip.AddrPortFrom(ip, uint16(freePort(t))), options...)
}

func listenerAt(t *testing.T, name, transport string, addr netip.AddrPort, options ...func(*peer)) *peer {
	t.Helper()
	p := newStreamPeer(t, name, transport)
	for _, o := range options {
		o(p)
	}
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	p.addr, p.listener, p.accepted = addr, ln, make(chan *stream, 1024)
	p.readers.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.readers.Go(func() { p.accept(conn) })
		}
	})
	return p
}

// accept takes a connection in: a failed handshake is one that never was.
func (p *peer) accept(conn net.Conn) {
	if p.tls != nil {
		c := tls.Server(conn, p.tls)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.HandshakeContext(ctx); err != nil {
			conn.Close()
			return
		}
		conn = c
	}
	s := p.attach(conn, conn)
	select {
	case p.accepted <- s:
	default:
	}
}

// dial opens a connection to the proxy and makes it the one that is used.
func (p *peer) dial(to netip.AddrPort) *stream {
	p.t.Helper()
	conn, from, err := p.connect(to)
	if err != nil {
		p.t.Fatalf("%s cannot connect to %v: %v", p.name, to, err)
	}
	s := p.attach(conn, from)
	if p.listener == nil {
		p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
	}
	return s
}

// connect makes the connection and its handshakes.
func (p *peer) connect(to netip.AddrPort) (conn net.Conn, from io.Reader, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", to.String()); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if p.transport == overTLS || p.transport == overWSS {
		c := tls.Client(conn, p.tls)
		if err = c.HandshakeContext(ctx); err != nil {
			return conn, nil, err
		}
		conn = c
	}
	from = conn
	if p.transport == overWS || p.transport == overWSS {
		conn.SetDeadline(time.Now().Add(patience))
		d := ws.Dialer{Protocols: []string{"sip"}}
		br, hs, err := d.Upgrade(conn, wsURL(p.transport, to))
		if err != nil {
			return conn, nil, err
		}
		if hs.Protocol != "sip" {
			return conn, nil, fmt.Errorf("the server chose subprotocol %q, want sip", hs.Protocol)
		}
		conn.SetDeadline(time.Time{})
		if br != nil {
			from = br
		}
	}
	return conn, from, nil
}

// attach begins to read a connection.
func (p *peer) attach(conn net.Conn, from io.Reader) *stream {
	s := &stream{peer: p, conn: conn, frame: p.transport == overWS || p.transport == overWSS, gone: make(chan struct{})}
	p.mu.Lock()
	p.links = append(p.links, s)
	p.mu.Unlock()
	p.readers.Go(func() {
		defer close(s.gone)
		defer conn.Close()
		if s.frame {
			s.err = s.readFrames(from)
		} else {
			s.err = s.readMessages(from)
		}
	})
	return s
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waits in vain for %s", what)
		}
	}
}

// connection is the one a peer uses: the youngest that lives.
func (p *peer) connection() *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.links) - 1; i >= 0; i-- {
		select {
		case <-p.links[i].gone:
		default:
			return p.links[i]
		}
	}
	return nil
}

// link is the connection for a request to an address: the one there is, or a new one.
func (p *peer) link(to netip.AddrPort) *stream {
	p.t.Helper()
	if s := p.connection(); s != nil {
		return s
	}
	return p.dial(to)
}

// expectConnection takes the next connection that was accepted.
func (p *peer) expectConnection() *stream {
	p.t.Helper()
	select {
	case s := <-p.accepted:
		return s
	case <-time.After(patience):
		p.t.Fatalf("nobody connects to %s", p.name)
		return nil
	}
}

// protocol, host and contact are what a peer says of itself.
func (p *peer) protocol() string {
	if p.transport == "" {
		return "UDP"
	}
	return p.transport
}

func (p *peer) host() string {
	if p.sentBy != "" {
		return p.sentBy
	}
	return p.addr.String()
}

func (p *peer) contact(user string) string {
	scheme := "sip:"
	if p.sips {
		scheme = "sips:"
	}
	uri := scheme + user + "@" + p.host()
	switch p.transport {
	case "":
	case overWSS: // RFC 7118 §5: there is no wss in a URI
		uri += ";transport=ws"
	case overTLS:
		if !p.sips {
			uri += ";transport=tls"
		}
	default:
		uri += ";transport=" + strings.ToLower(p.transport)
	}
	return uri
}

func wsURL(transport string, to netip.AddrPort) *url.URL {
	return &url.URL{Scheme: strings.ToLower(transport), Host: to.String(), Path: "/"}
}

// Options of peers.
func withTLS(c *tls.Config) func(*peer) { return func(p *peer) { p.tls = c } }
func withSips() func(*peer)             { return func(p *peer) { p.sips = true } }

// named gives a peer a sent-by that leads nowhere, as browsers do (RFC 7118 §5).
func named(host string) func(*peer) { return func(p *peer) { p.sentBy = host } }
