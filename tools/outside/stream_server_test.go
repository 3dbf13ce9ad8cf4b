package outside

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// streamServer is a proxy with a listener for every transport. WebSocket comes by the listeners of
// TCP and TLS, as in Kamailio.
type streamServer struct {
	*server
	tcp, tls netip.AddrPort
	ca       *authority // signed the proxy's certificate; it trusts what it signed
}

// streamSetup says how to start one. The zero value relays by Request-URI.
type streamSetup struct {
	setup
	ip      netip.Addr // of all listeners; zero: 127.0.0.1
	globals []string   // more lines among the globals
	modules []string   // more lines below loadmodule
	tlsCfg  string     // more text of tls.cfg; {dir} is the folder of certificates
	ws      bool       // WebSocket is let in
	verify  bool       // certificates of destinations are verified
	ca      *authority // whose certificates are there already
	other   bool       // Kamailio, whatever -against says
}

// webSocket is the event route by which Kamailio lets WebSocket connections in.
const webSocket = `
event_route[xhttp:request] {
	set_reply_close();
	set_reply_no_connect();
	if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade") {
		if (ws_handle_handshake()) {
			exit;
		}
	}
	xhttp_reply("404", "Not Found", "", "");
}
`

// startStreams runs the proxy with UDP, TCP and TLS listeners on one address, and where it is asked
// for WebSocket on the latter two.
func startStreams(t *testing.T, s streamSetup) *streamServer {
	t.Helper()
	if !s.ip.IsValid() {
		s.ip = loopback4
	}
	if s.ca == nil {
		s.ca = newAuthority(t)
		s.ca.issue("127.0.0.1", "::1", "proxy.example.net")
	}
	srv := &streamServer{
		ca: s.ca, tcp: netip.AddrPortFrom(s.ip, uint16(freePort(t))),
		tls: netip.AddrPortFrom(s.ip, uint16(freePort(t))),
	}
	s.listen = netip.AddrPortFrom(s.ip, uint16(freePort(t)))
	if s.program == "" {
		s.program = relay
	}
	if s.ws {
		s.program += webSocket
		// Kamailio reads the HTTP request as a message, and a GET has no Content-Length
		s.globals = append(s.globals, "tcp_accept_no_cl=yes")
		s.modules = append(s.modules, `loadmodule "xhttp.so"`, `loadmodule "websocket.so"`, `loadmodule "nathelper.so"`)
	}
	tlsCfg := s.ca.configure(t, s.verify, s.tlsCfg)
	const lastModule = `loadmodule "dispatcher.so"`
	s.edits = append(s.edits,
		"disable_tcp=yes\n", fmt.Sprintf("disable_tcp=no\nenable_tls=yes\nlisten=tcp:%v\nlisten=tls:%v\n%s\n", srv.tcp,
			srv.tls, strings.Join(s.globals, "\n")),
		lastModule, strings.Join(append([]string{lastModule, `loadmodule "tls.so"`,
			fmt.Sprintf(`modparam("tls", "config", %q)`, tlsCfg)}, s.modules...), "\n"))
	if *against == "kamailio" || s.other {
		srv.server = startKamailio(t, s.setup)
	} else {
		srv.server = start(t, patient(s.setup))
	}
	for _, a := range []netip.AddrPort{srv.tcp, srv.tls} {
		srv.awaitListening(t, a)
	}
	return srv
}

// awaitListening waits until somebody accepts connections at an address.
func (p *process) awaitListening(t *testing.T, a netip.AddrPort) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.String())
		cancel()
		if err == nil {
			conn.Close()
			return
		}
		if p.ended() {
			t.Fatalf("%s ended (%v) before it listened at %v:\n%s", p.name, p.err, a, p.tail())
		}
	}
	t.Fatalf("%s does not listen at %v:\n%s", p.name, a, p.tail())
}

// at is where the proxy takes a transport.
func (s *streamServer) at(transport string) netip.AddrPort {
	switch transport {
	case overTCP, overWS:
		return s.tcp
	case overTLS, overWSS:
		return s.tls
	}
	return s.addr
}

// caller is a peer that has connected to the proxy, or over UDP a socket.
func (s *streamServer) caller(t *testing.T, name, transport string) *peer {
	t.Helper()
	switch transport {
	case "UDP":
		return newPeer(t, name)
	case overTLS:
		return dialer(t, name, transport, s.tls, withTLS(s.ca.client()))
	case overWS:
		return dialer(t, name, transport, s.tcp, named(browserName()))
	case overWSS:
		return dialer(t, name, transport, s.tls, withTLS(s.ca.client()), named(browserName()))
	}
	return dialer(t, name, transport, s.at(transport))
}

// callee is a peer that the proxy can reach at its address.
func (s *streamServer) callee(t *testing.T, name, transport string) *peer {
	t.Helper()
	switch transport {
	case "UDP":
		return newPeer(t, name)
	case overTLS:
		return listener(t, name, transport, loopback4, withTLS(s.ca.server("127.0.0.1")))
	}
	return listener(t, name, transport, loopback4)
}

// browserName is a host such as libraries for browsers make up (RFC 7118 §5, RFC 2606).
func browserName() string { return fmt.Sprintf("b%d.invalid", callNumber.Add(1)) }
