package stream

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"viaduct/netio"
)

// certs is the TLS of the tests: a certificate for proxy.example that trusts itself.
type certs struct {
	cert tls.Certificate
	pool *x509.CertPool
}

func newCerts(t testing.TB) *certs {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy.example"},
		DNSNames: []string{"proxy.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &certs{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool}
}

func (c *certs) Server(int, netio.Addr) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.cert}, MinVersion: tls.VersionTLS12}
}

func (c *certs) Client(_ int, domain string, _ netio.Addr) *tls.Config {
	return &tls.Config{RootCAs: c.pool, ServerName: domain, MinVersion: tls.VersionTLS12}
}

// The listeners of a rig with all transports.
const (
	onTCP = 100 + iota
	onTLS
	onWS
	onWSS
	onWSTwin
	onWSSTwin
)

func allTransports(c *certs) settings {
	return func(cfg *Config) {
		any := netip.MustParseAddrPort("127.0.0.1:0")
		cfg.TLS = c
		cfg.Listeners = []Listen{
			{Proto: netio.TCP, Addr: any, AllowWS: true, WSListener: onWSTwin},
			{Proto: netio.TLS, Addr: any, AllowWS: true, WSListener: onWSSTwin},
			{Proto: netio.WS, Addr: any},
			{Proto: netio.WSS, Addr: any},
			{Proto: netio.WS, Addr: any},
			{Proto: netio.WSS, Addr: any},
		}
	}
}

func (r *rig) dialTLS(number int, c *certs) *tls.Conn {
	r.t.Helper()
	tc := tls.Client(r.dial(number-100), c.Client(0, "proxy.example", netio.Addr{}))
	if err := tc.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return tc
}

func TestTLS(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki))
	c := r.dialTLS(onTLS, pki)
	m := message("over tls", 3000)
	r.write(c, m+m)
	for _, g := range r.recv(0, 2) {
		if g.data != m || g.listener != onTLS || g.src.String() != c.LocalAddr().String() {
			t.Fatalf("%+v", g)
		}
		r.send(0, onTLS, g.src, 0, m)
		if s := read(t, c, len(m)); s != m {
			t.Fatal("the answer differs")
		}
	}
	// A request to the client, behind whatever NAT, has a name to prove, but no other way than the
	// connection that the client has made.
	src := netio.AddrFrom(c.LocalAddr().(*net.TCPAddr).AddrPort())
	r.e.Port(0).Options(SendOptions{Domain: "client.example", NoConnect: true})
	if why := r.send(0, onTLS, src, 0, m); why != OK {
		t.Fatal(why)
	}
	read(t, c, len(m))
	if s := r.e.Stats(); s.Handshakes != 1 || s.CurrentOpenedTLS != 1 {
		t.Fatalf("%+v", s)
	}
	if i := r.e.List(10); len(i) != 1 || i[0].State != "CONN_OK" || i[0].Proto != netio.TLS ||
		r.e.TLSInfo(i[0].ID).Version != tls.VersionTLS13 {
		t.Fatalf("%+v", i)
	}
	// A peer that says goodbye, and one that is told.
	c.Close()
	r.wait("the connection to end", func() bool { return r.e.Stats().CurrentOpened == 0 })
	c = r.dialTLS(onTLS, pki)
	r.wait("a connection", func() bool { return r.e.Stats().Established == 1 })
	r.e.CloseConn(r.e.List(1)[0].ID)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("no close_notify: %v", err)
	}
}

func TestTLSGarbage(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki))
	plain := r.dial(1)
	r.write(plain, message("no tls", 0))
	ended(t, plain)
	r.wait("a failed handshake", func() bool { return r.e.Stats().HandshakesFailed == 1 })
	c := r.dialTLS(onTLS, pki)
	r.write(c.NetConn(), "\x17\x03\x03\x00\x20"+strings.Repeat("z", 32))
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Fatalf("no alert: %v", err)
	}
	r.wait("the end", func() bool { return r.e.Stats().Ended[BadRecord] == 1 })
}

func TestDialTLS(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki))
	l, err := tls.Listen("tcp", "127.0.0.1:0", pki.Server(0, netio.Addr{}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dst := netio.AddrFrom(l.Addr().(*net.TCPAddr).AddrPort())
	p := r.e.Port(0)
	m := message("out", 100)
	for range 2 {
		p.Options(SendOptions{Domain: "proxy.example"})
		if why := r.send(0, onTLS, dst, 5, m); why != OK {
			t.Fatal(why)
		}
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := read(t, c, 2*len(m)); s != m+m {
		t.Fatal("messages differ")
	}
	r.write(c, m)
	g := r.recv(0, 1)[0]
	if g.src != dst || g.listener != onTLS {
		t.Fatalf("%+v", g)
	}
	// The answer has no name to prove, and goes by the same connection.
	p.Options(SendOptions{NoConnect: true})
	if why := r.send(0, onTLS, g.src, 0, m); why != OK {
		t.Fatal(why)
	}
	if s := read(t, c, len(m)); s != m {
		t.Fatal(s)
	}
	// Another name needs another connection, which this peer cannot have.
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	p.Options(SendOptions{Domain: "other.example"})
	if why := r.send(0, onTLS, dst, 6, m); why != OK {
		t.Fatal(why)
	}
	if f := r.failure(0); f.Token != 6 || f.Reason != HandshakeFailed || f.Proto != netio.TLS {
		t.Fatalf("%+v", f)
	}
}

func (r *rig) dialWS(number int, c *certs) (net.Conn, *bufio.Reader) {
	r.t.Helper()
	d := ws.Dialer{Protocols: []string{"sip"}, NetDial: func(context.Context, string, string) (net.Conn, error) {
		return r.dial(number - 100), nil
	}}
	scheme := "ws"
	if c != nil {
		scheme = "wss"
		d.TLSConfig = c.Client(0, "proxy.example", netio.Addr{})
	}
	conn, br, _, err := d.Dial(context.Background(), scheme+"://proxy.example/")
	if err != nil {
		r.t.Fatal(err)
	}
	return conn, br
}

func TestWebSocket(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki))
	f := func(dial int, c *certs, number uint16) {
		t.Helper()
		conn, br := r.dialWS(dial, c)
		defer conn.Close()
		if br != nil && br.Buffered() > 0 {
			t.Fatal("something before the first message")
		}
		m := "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n" // without a length, RFC 7118 §5
		for range 3 {
			if err := wsutil.WriteClientText(conn, []byte(m)); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range r.recv(0, 3) {
			if g.data != m || g.listener != number {
				t.Fatalf("%+v", g)
			}
			if why := r.send(0, int(number), g.src, 0, m); why != OK {
				t.Fatal(why)
			}
			b, err := wsutil.ReadServerText(conn)
			if err != nil || string(b) != m {
				t.Fatalf("%q, %v", b, err)
			}
		}
		if err := wsutil.WriteClientMessage(conn, ws.OpPing, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpPong ||
			string(frame.Payload) != "hi" {
			t.Fatalf("%+v, %v", frame, err)
		}
		_ = wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
		if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpClose {
			t.Fatalf("%+v, %v", frame, err)
		}
		ended(t, conn)
	}
	f(onWS, nil, onWS)
	f(onWSS, pki, onWSS)
	f(onTCP, nil, onWSTwin)
	f(onTLS, pki, onWSSTwin)
	if s := r.e.Stats(); s.Panics != 0 || s.Ended[Closed] != 4 {
		t.Fatalf("%+v", s)
	}
	// The twin's listener is that of its address, and nobody dials a browser.
	if r.e.Listeners()[4].Addr != r.e.Listeners()[0].Addr {
		t.Fatal("the twin has another address")
	}
	_, dst := peer(t)
	if why := r.send(0, onWS, dst, 0, "x"); why != NoConnection {
		t.Fatal(why)
	}
}

// A listener that allows both must tell them apart however slowly they come.
func TestUndecided(t *testing.T) {
	r := newRig(t, 1, allTransports(newCerts(t)))
	f := func(m string) {
		t.Helper()
		c := r.dial(0)
		for i := range m {
			r.write(c, m[i:i+1])
			if i < 5 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		g := r.recv(0, 1)[0]
		if g.data != m || g.listener != onTCP {
			t.Fatalf("%+v", g)
		}
		if why := r.send(0, onTCP, g.src, 0, m); why != OK {
			t.Fatal(why)
		}
		read(t, c, len(m))
	}
	f(message("x", 1))
	f("GETX sip:a SIP/2.0\r\nl: 0\r\n\r\n")
	f("G sip:a SIP/2.0\r\nl: 0\r\n\r\n")
	c := r.dial(0)
	r.write(c, "GET / HTTP/1.1\r\n\r\n")
	if s := read(t, c, 12); s != "HTTP/1.1 400" && s != "HTTP/1.1 426" {
		t.Fatal(s)
	}
	ended(t, c)
}
