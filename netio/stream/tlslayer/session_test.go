package tlslayer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const patience = 30 * time.Second

func ctx(tb testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return c
}

// sockets gives both ends of a TCP connection.
func sockets(tb testing.TB) (a, b net.Conn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	deadline := time.Now().Add(patience)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	return a, b
}

// configs gives a server's and a client's config of one version.
func configs(tb testing.TB, version uint16) (server, client *tls.Config) {
	cert, pool := issue(tb, "example.com")
	server = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
	client = &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: version, MaxVersion: version}
	return server, client
}

// couple is two Sessions that have shaken hands, and what the handshakes left unread in the sockets
// is fed.
func couple(tb testing.TB, version uint16, edit ...func(server, client *tls.Config)) (server, client *Session) {
	tb.Helper()
	serverCfg, clientCfg := configs(tb, version)
	for _, f := range edit {
		f(serverCfg, clientCfg)
	}
	a, b := sockets(tb)
	done := make(chan error, 1)
	go func() {
		var err error
		server, err = Handshake(ctx(tb), b, serverCfg, true)
		b.Close() // what the client has not read stays readable: the session tickets
		done <- err
	}()
	client, err := Handshake(ctx(tb), a, clientCfg, false)
	if err != nil {
		tb.Fatal(err)
	}
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
	rest, err := io.ReadAll(a)
	if err != nil {
		tb.Fatal(err)
	}
	if err := client.Feed(rest, func([]byte) { tb.Error("plain bytes before any were sent") }); err != nil {
		tb.Fatal(err)
	}
	return server, client
}

func versions(t *testing.T, f func(t *testing.T, version uint16)) {
	t.Run("1.2", func(t *testing.T) { f(t, tls.VersionTLS12) })
	t.Run("1.3", func(t *testing.T) { f(t, tls.VersionTLS13) })
}

// carry seals plain on one side and feeds it to the other in pieces of step bytes.
func carry(t *testing.T, from, to *Session, plain []byte, step int) {
	t.Helper()
	wire, err := from.Seal([]byte("before"), plain)
	if err != nil {
		t.Fatal(err)
	}
	wire, ok := bytes.CutPrefix(wire, []byte("before"))
	if !ok {
		t.Fatal("Seal lost what was in dst")
	}
	var got []byte
	for piece := range slices.Chunk(wire, step) {
		piece = bytes.Clone(piece)
		if err := to.Feed(piece, func(p []byte) { got = append(got, p...) }); err != nil {
			t.Fatal(err)
		}
		clear(piece) // nobody may have kept it
	}
	if !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes went in, %d others came out (step %d)", len(plain), len(got), step)
	}
}

func TestPlainBytesComeThroughAnySplit(t *testing.T) {
	versions(t, func(t *testing.T, version uint16) {
		server, client := couple(t, version)
		short, long := []byte("OPTIONS sip:a@example.com SIP/2.0\r\n\r\n"),
			bytes.Repeat([]byte("0123456789abcdef"), 2000)
		for _, step := range []int{1, 2, 3, 5, 7, 64, 1000, 1 << 20} {
			carry(t, client, server, short, step)
			carry(t, server, client, short, step)
			// every byte of a large record once, the race detector is slow
			if step == 1 || step > 100 {
				carry(t, client, server, long, step)
				carry(t, server, client, long, step)
			}
		}
		if got := server.State().Version; got != version {
			t.Errorf("version %x, want %x", got, version)
		}
	})
}

// What arrives together with the end of the handshake is read by the handshake goroutine; the first
// Feed has to give it.
func TestFirstFeedGivesWhatTheHandshakeReadTooFar(t *testing.T) {
	versions(t, func(t *testing.T, version uint16) {
		serverCfg, clientCfg := configs(t, version)
		a, b := sockets(t)
		// The client's last flight is held back until the message behind it has been written too,
		// so that the server reads both at once.
		held := &holdLast{Conn: a}
		done := make(chan *Session, 1)
		go func() {
			s, err := Handshake(ctx(t), b, serverCfg, true)
			if err != nil {
				t.Error(err)
			}
			done <- s
		}()
		tc := tls.Client(held, clientCfg)
		if version == tls.VersionTLS13 {
			held.on = true // the first flight has to go all the same: see Write
		}
		if err := tc.HandshakeContext(ctx(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := tc.Write([]byte("early bird")); err != nil {
			t.Fatal(err)
		}
		if err := held.release(); err != nil {
			t.Fatal(err)
		}
		server := <-done
		var got []byte
		take := func(p []byte) { got = append(got, p...) }
		if err := server.Feed(nil, take); err != nil {
			t.Fatal(err)
		}
		if version == tls.VersionTLS13 && string(got) != "early bird" {
			t.Errorf("after Feed(nil) got %q", got)
		}
		// TLS 1.2: the server speaks last, so the message is in the socket as a rule
		for string(got) != "early bird" {
			buf := make([]byte, 100)
			n, err := b.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Feed(buf[:n], take); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// holdLast lets the first write pass and, if on, keeps the others for release.
type holdLast struct {
	net.Conn
	on    bool
	first bool
	kept  []byte
}

func (h *holdLast) Write(b []byte) (int, error) {
	if h.on && h.first {
		h.kept = append(h.kept, b...)
		return len(b), nil
	}
	h.first = true
	return h.Conn.Write(b)
}

func (h *holdLast) release() error {
	_, err := h.Conn.Write(h.kept)
	return err
}

func TestCloseNotifyIsTheEnd(t *testing.T) {
	versions(t, func(t *testing.T, version uint16) {
		server, client := couple(t, version)
		wire, err := client.Seal(nil, []byte("last words"))
		if err != nil {
			t.Fatal(err)
		}
		sealed := len(wire)
		if wire = client.Close(wire); len(wire) == sealed {
			t.Fatal("Close appended no close_notify")
		}
		wire = append(wire, "whatever follows"...)
		var got []byte
		take := func(p []byte) { got = append(got, p...) }
		for range 2 {
			if err := server.Feed(wire, take); err != io.EOF {
				t.Fatalf("Feed: %v, want EOF", err)
			}
		}
		if string(got) != "last words" {
			t.Errorf("got %q", got)
		}
		if _, err := client.Seal(nil, []byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("Seal after Close: %v", err)
		}
		if again := client.Close(nil); len(again) != 0 {
			t.Errorf("the second Close wrote %d bytes", len(again))
		}
		if err := client.Feed(nil, take); !errors.Is(err, ErrClosed) {
			t.Errorf("Feed after Close: %v", err)
		}
	})
}

func TestGarbageRecordsEndTheSession(t *testing.T) {
	f := func(version uint16, mischief func(wire []byte) []byte, want string) {
		t.Helper()
		server, client := couple(t, version)
		wire, err := client.Seal(nil, []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		err = server.Feed(mischief(wire), func(p []byte) { t.Errorf("plain bytes %q out of a bad record", p) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("Feed: %v, want %q", err, want)
		}
		alert := bytes.Clone(server.Pending())
		if len(alert) == 0 {
			t.Error("no alert is pending")
		}
		if err2 := server.Feed(wire, nil); err2 != err {
			t.Errorf("the error did not stick: %v", err2)
		}
		if rest, err := server.Seal(nil, []byte("x")); err == nil || len(rest) > 0 {
			t.Errorf("Seal after a failure gave %d bytes, error %v", len(rest), err)
		}
		if err := client.Feed(alert, nil); err == nil || err == io.EOF {
			t.Errorf("the peer does not take the alert as a failure: %v", err)
		}
	}
	flip := func(w []byte) []byte { w[len(w)-1] ^= 1; return w }
	text := func([]byte) []byte { return []byte("REGISTER sip:example.com SIP/2.0\r\n\r\n") }
	long := func(w []byte) []byte { w[3], w[4] = 0xff, 0xff; return w }
	kind := func(w []byte) []byte { w[0] = 99; return w }
	f(tls.VersionTLS13, flip, "bad record MAC")
	f(tls.VersionTLS12, flip, "bad record MAC")
	f(tls.VersionTLS13, text, "record with version")
	f(tls.VersionTLS12, text, "record with version")
	f(tls.VersionTLS13, long, "oversized record")
	f(tls.VersionTLS12, long, "oversized record")
	f(tls.VersionTLS13, kind, "bad record MAC")
	f(tls.VersionTLS12, kind, "bad record MAC")
}

func TestClientCertificates(t *testing.T) {
	versions(t, func(t *testing.T, version uint16) {
		cert, pool := issue(t, "client.example.org")
		ask := func(server, _ *tls.Config) {
			server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, pool
		}
		show := func(_, client *tls.Config) { client.Certificates = []tls.Certificate{cert} }
		server, client := couple(t, version, ask, show)
		if got := server.State().PeerCertificates[0].DNSNames[0]; got != "client.example.org" {
			t.Errorf("the server sees the certificate of %s", got)
		}
		carry(t, client, server, []byte("hello"), 1)
		carry(t, server, client, []byte("hello"), 1)
	})
}

// With TLS 1.3 the refusal reaches a client that thinks it is through.
func TestMissingClientCertificateFailsTheFirstFeed(t *testing.T) {
	serverCfg, clientCfg := configs(t, tls.VersionTLS13)
	serverCfg.ClientAuth = tls.RequireAnyClientCert
	a, b := sockets(t)
	done := make(chan error, 1)
	go func() {
		_, err := Handshake(ctx(t), b, serverCfg, true)
		b.Close()
		done <- err
	}()
	client, err := Handshake(ctx(t), a, clientCfg, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Fatal("the server accepted a client without a certificate")
	}
	rest, err := io.ReadAll(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Feed(rest, nil); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Fatalf("Feed: %v", err)
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	a, b := sockets(t)
	serverCfg, _ := configs(t, tls.VersionTLS13)
	c, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := Handshake(c, b, serverCfg, true)
		done <- err
	}()
	if _, err := a.Write([]byte{22, 3, 1}); err != nil { // the beginning of a record
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Handshake: %v", err)
	}
}

func TestHandshakeRefusesWhatIsNoTLS(t *testing.T) {
	f := func(text string) {
		t.Helper()
		a, b := sockets(t)
		serverCfg, _ := configs(t, tls.VersionTLS13)
		if _, err := a.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := Handshake(ctx(t), b, serverCfg, true); err == nil {
			t.Fatalf("%q passed for a ClientHello", text)
		}
	}
	f("OPTIONS sip:example.com SIP/2.0\r\n\r\n")
	f("\r\n\r\n\r\n")
	f("\x80\x2e\x01\x00\x02 an SSLv2 hello")
}

func TestOldVersionsAreRefused(t *testing.T) {
	a, b := sockets(t)
	serverCfg, clientCfg := configs(t, tls.VersionTLS11)
	done := make(chan error, 1)
	go func() {
		_, err := Handshake(ctx(t), b, serverCfg, true)
		done <- err
	}()
	if _, err := Handshake(ctx(t), a, clientCfg, false); !errors.Is(err, ErrTooOld) {
		t.Errorf("client: %v", err)
	}
	if err := <-done; !errors.Is(err, ErrTooOld) {
		t.Errorf("server: %v", err)
	}
}

func TestSealAndCloseWithinEmit(t *testing.T) {
	server, client := couple(t, tls.VersionTLS13)
	wire, err := client.Seal(nil, []byte("ping"))
	if err != nil {
		t.Fatal(err)
	}
	wire, err = client.Seal(wire, []byte("stop"))
	if err != nil {
		t.Fatal(err)
	}
	var back []byte
	err = server.Feed(wire, func(p []byte) {
		switch string(p) {
		case "ping":
			if back, err = server.Seal(back, []byte("pong")); err != nil {
				t.Error(err)
			}
		case "stop":
			back = server.Close(back)
		}
	})
	if err != ErrClosed {
		t.Errorf("Feed: %v", err)
	}
	var got []byte
	if err := client.Feed(back, func(p []byte) { got = append(got, p...) }); err != io.EOF || string(got) != "pong" {
		t.Errorf("got %q, %v", got, err)
	}
}
