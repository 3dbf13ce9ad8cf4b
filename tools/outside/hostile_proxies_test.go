package outside

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// behind is a peer whose connection comes from an address and begins with these bytes.
func behind(t *testing.T, srv *streamServer, from string, header []byte) *peer {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", srv.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	p := newStreamPeer(t, "who comes from "+from, overTCP)
	p.sentBy = "host.invalid" // no address: received= must say where it comes from (§18.2.1)
	p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
	p.attach(conn, conn)
	if err := p.connection().write(header); err != nil {
		t.Fatal(err)
	}
	return p
}

// proxyBinary is a PROXY header of version 2 for TCP over IPv4 (haproxy's proxy-protocol.txt,
// section 2.2).
func proxyBinary(client, server netip.AddrPort) []byte {
	b := bytes.NewBufferString("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c")
	b.Write(client.Addr().AsSlice())
	b.Write(server.Addr().AsSlice())
	for _, a := range []netip.AddrPort{client, server} {
		b.Write([]byte{byte(a.Port() >> 8), byte(a.Port())})
	}
	return b.Bytes()
}

// The PROXY protocol: from who may send it, it names the client to the program and in Via; who may
// and does not is cut off; from all others it is no SIP.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	callee := newPeer(t, "the callee")
	srv := startStreams(t, streamSetup{globals: []string{"tcp_accept_haproxy=yes", `tcp_proxy_from="127.0.0.77"`},
		setup: setup{program: routes("\t$rU = $si + \"-\" + $sp;\n\troute(RELAY);")}})
	client := netip.MustParseAddrPort("192.0.2.33:4711")
	served := func(p *peer, source netip.AddrPort) {
		t.Helper()
		d := p.call(srv.tcp)
		d.uri = callee.contact("callee")
		p.connection().send(d.text("MESSAGE", d.branch))
		m := callee.expect("MESSAGE")
		if want := "sip:" + source.Addr().String() + "-" + fmt.Sprint(source.Port()) +
			"@"; !strings.HasPrefix(m.uri(), want) {
			t.Errorf("the program makes %s of the source, want %s", m.uri(), want)
		}
		vias := m.all("Via")
		if got := param(vias[len(vias)-1], "received"); got != source.Addr().String() {
			t.Errorf("received is %q, want %v, in %q", got, source.Addr(), vias)
		}
		callee.reply(m, 200, "OK", "callee")
		p.expect("200") // by the connection, not to the client's address
	}
	served(behind(t, srv, "127.0.0.77",
		fmt.Appendf(nil, "PROXY TCP4 %v %v %d %d\r\n", client.Addr(), srv.tcp.Addr(), client.Port(), srv.tcp.Port())),
		client)
	// Another client: of two connections that claim one address and port, responses take the older.
	another := netip.AddrPortFrom(client.Addr(), client.Port()+1)
	served(behind(t, srv, "127.0.0.77", proxyBinary(another, srv.tcp)), another)
	direct := behind(t, srv, "127.0.0.78", nil)
	served(direct, direct.addr)

	ends := func(from string, first []byte, counter string) {
		t.Helper()
		before := srv.streamCounters(t)
		p := behind(t, srv, from, first)
		select {
		case <-p.firstLink().gone:
		case <-time.After(patience):
			t.Fatalf("%q from %s does not end the connection", first, from)
		}
		eventually(t, fmt.Sprintf("%q from %s to be counted as %s: %v", first, from, counter, srv.streamCounters(t)),
			func() bool {
				return srv.streamCounters(t)[counter] > before[counter]
			})
		p.silence(0)
	}
	d := direct.call(srv.tcp)
	d.uri = callee.contact("callee")
	ends("127.0.0.77", []byte(d.text("MESSAGE", d.branch)), "proxy_errors")
	ends("127.0.0.77", []byte("PROXY TCP4 192.0.2.1 here\r\n"), "proxy_errors")
	ends("127.0.0.78", proxyBinary(client, srv.tcp), "junk")
	callee.silence(0)
}

// firstLink is the first connection a peer had, ended or not.
func (p *peer) firstLink() *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links[0]
}

// A caller's connection is reset between its INVITE and the 200: the 200 comes by a new connection
// to the port of its Via, and is counted (row 48). A caller that ends its sending side behind a
// request has ended the connection for us: the same way is taken.
func TestResponseOverReopened(t *testing.T) {
	t.Parallel()
	srv := startStreams(t, streamSetup{})
	callee := newPeer(t, "the callee")
	callee.once.Store(true)
	for _, c := range []struct {
		name string
		end  func(*stream)
	}{
		{"RST", (*stream).reset},
		{"half-close", func(s *stream) {
			if err := s.conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
			<-s.gone // the other side is closed at once
		}},
	} {
		caller := listener(t, "who has a "+c.name, overTCP, loopback4)
		line := caller.dial(srv.tcp)
		before := srv.stats(t)
		d := caller.invitesTo(srv.tcp, callee.contact("callee"))
		m := callee.expect("INVITE")
		caller.expect("100")
		c.end(line)
		line.noticed()
		callee.reply(m, 200, "OK", "callee")
		again := caller.expectConnection()
		r := caller.expect("200")
		if r.link != again {
			t.Errorf("%s: the 200 came by another connection than the new one", c.name)
		}
		if n := sum(srv.stats(t), "connections_reopened") - sum(before, "connections_reopened"); n != 1 {
			t.Errorf("%s: %d connections count as reopened, want 1", c.name, n)
		}
		d.confirm(r)
		d.request("ACK")
		callee.expect("ACK")
		d.request("BYE")
		answered(caller, callee, "BYE")
	}
}
