package outside

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// The transports of streams, as Via writes them.
const (
	overTCP = "TCP"
	overTLS = "TLS"
	overWS  = "WS"
	overWSS = "WSS"
)

// longestMessage bounds what a peer reads as one message.
const longestMessage = 1 << 20

// streamEnds are what a peer has in the place of a datagram socket: connections it opened, and with a listener those it accepted.
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

// stream is one connection of a peer.
type stream struct {
	peer  *peer
	conn  net.Conn
	frame bool // WebSocket
	reads gate
	out   sync.Mutex   // one writer at a time: the reader answers pings
	empty atomic.Int64 // CRLFs between messages that came in
	pongs atomic.Int64 // of WebSocket
	gone  chan struct{}
	err   error // why it ended, after gone: io.EOF is an orderly end
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

// dialer is a peer with one connection to the proxy. Its address is the connection's: nobody else can reach it.
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

// readMessages cuts the stream by Content-Length (RFC 3261 §18.3).
func (s *stream) readMessages(from io.Reader) error {
	in := bufio.NewReader(gated{from, &s.reads})
	for {
		var head bytes.Buffer
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if head.Len() == 0 && len(bytes.TrimRight(line, "\r\n")) == 0 {
				s.empty.Add(1)
				continue
			}
			head.Write(line)
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
			if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
				if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > longestMessage {
					return fmt.Errorf("a Content-Length of %q", strings.TrimSpace(value))
				}
			}
			if head.Len() > longestMessage {
				return errors.New("a message without end")
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		s.deliver(append(head.Bytes(), body...))
	}
}

// readFrames takes one message from each WebSocket message (RFC 7118 §4.2).
func (s *stream) readFrames(from io.Reader) error {
	rw := struct {
		io.Reader
		io.Writer
	}{gated{from, &s.reads}, lockedWriter{s}}
	for {
		head, err := ws.ReadHeader(rw)
		if err != nil {
			return err
		}
		if head.Length > longestMessage {
			return fmt.Errorf("a frame of %d bytes", head.Length)
		}
		if head.Masked {
			return errors.New("a masked frame from a server (RFC 6455 §5.1)")
		}
		body := make([]byte, head.Length)
		if _, err := io.ReadFull(rw, body); err != nil {
			return err
		}
		switch {
		case head.OpCode == ws.OpPing:
			if err := wsutil.WriteClientMessage(rw, ws.OpPong, body); err != nil {
				return err
			}
		case head.OpCode == ws.OpPong:
			s.pongs.Add(1)
		case head.OpCode == ws.OpClose:
			return io.EOF
		case !head.Fin:
			return errors.New("a message in pieces, which no SIP server needs to send")
		case len(bytes.Trim(body, "\r\n")) == 0:
			s.empty.Add(int64(bytes.Count(body, []byte("\n"))))
		default:
			s.deliver(body)
		}
	}
}

func (s *stream) deliver(b []byte) {
	m := readMessage(b, netip.MustParseAddrPort(s.conn.RemoteAddr().String()))
	m.at, m.link = time.Now(), s
	s.peer.in <- m
}

// gate is shut while its peer has stopped reading.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open
}

// gated waits with reading while the gate is shut.
type gated struct {
	io.Reader
	*gate
}

func (g gated) Read(b []byte) (int, error) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return g.Reader.Read(b)
}

type lockedWriter struct{ s *stream }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.s.out.Lock()
	defer w.s.out.Unlock()
	return w.s.conn.Write(b)
}

// stopReading lets what arrives stay in the kernel, after one more read at most. goOn ends it, and must come before the test ends.
func (s *stream) stopReading() {
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	s.reads.shut = make(chan struct{})
}

func (s *stream) goOn() {
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	close(s.reads.shut)
	s.reads.shut = nil
}

// write sends bytes as they are, or as one text frame.
func (s *stream) write(b []byte) error {
	if s.frame {
		return wsutil.WriteClientText(lockedWriter{s}, b)
	}
	_, err := lockedWriter{s}.Write(b)
	return err
}

func (s *stream) send(text string) {
	s.peer.t.Helper()
	if err := s.write([]byte(text)); err != nil {
		s.peer.t.Fatalf("%s cannot send: %v", s.peer.name, err)
	}
}

// drip sends byte by byte; Go sets TCP_NODELAY, hence each is a segment of its own while the proxy keeps up.
func (s *stream) drip(text string) {
	s.peer.t.Helper()
	for i := range len(text) {
		if _, err := (lockedWriter{s}).Write([]byte{text[i]}); err != nil {
			s.peer.t.Fatalf("%s cannot send byte %d: %v", s.peer.name, i, err)
		}
	}
}

// close ends the connection in order; reset ends it with RST (SO_LINGER 0).
func (s *stream) close() {
	s.conn.Close()
	<-s.gone
}

func (s *stream) reset() {
	inner := s.conn
	if c, ok := inner.(*tls.Conn); ok {
		inner = c.NetConn()
	}
	inner.(*net.TCPConn).SetLinger(0)
	inner.Close()
	<-s.gone
}

// noticed waits, behind close or reset, until the proxy has given its end up. What it writes before that is lost without its fault.
func (s *stream) noticed() {
	s.peer.t.Helper()
	own := netip.MustParseAddrPort(s.conn.LocalAddr().String())
	table, remote := "/proc/net/tcp", regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:%04X 0[18] `, own.Port()))
	if own.Addr().Is6() {
		table = "/proc/net/tcp6"
	}
	eventually(s.peer.t, "the proxy to notice that a connection ended", func() bool {
		b, err := os.ReadFile(table)
		if err != nil {
			s.peer.t.Fatal(err)
		}
		return !remote.Match(b) // established, or waiting for its own close
	})
}

// alive wants the connection to be there.
func (s *stream) alive() {
	s.peer.t.Helper()
	select {
	case <-s.gone:
		s.peer.t.Errorf("the connection of %s ended: %v", s.peer.name, s.err)
	default:
	}
}

// expectCRLFs wants so many line ends between messages to have arrived in all.
func (s *stream) expectCRLFs(n int64) {
	s.peer.t.Helper()
	eventually(s.peer.t, fmt.Sprintf("%s to get %d CRLFs", s.peer.name, n), func() bool { return s.empty.Load() >= n })
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
