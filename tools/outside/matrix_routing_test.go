package outside

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// twoSided is a proxy with a listener on each side: the caller's, and the one the callee is reached
// by, which its address decides.
func twoSided(t *testing.T, calleeSide netip.Addr, s setup) (srv *server, other netip.AddrPort, caller, callee *peer) {
	t.Helper()
	t.Parallel()
	if conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: calleeSide.AsSlice()}); err != nil {
		t.Skipf("needs the address %v on the loopback interface: %v", calleeSide, err)
	} else {
		conn.Close()
	}
	caller, callee = newPeer(t, "the caller"),
		newPeerAt(t, "the callee", netip.AddrPortFrom(calleeSide, uint16(freePort(t))))
	other = netip.AddrPortFrom(calleeSide, uint16(freePort(t)))
	s.targets = to(callee)
	s.flags = append(s.flags, "-l", "udp:"+other.String())
	return start(t, patient(s)), other, caller, callee
}

// bothWays makes a call through a proxy with two sides and has each end send requests by the route
// set it was given (§12.1): every one arrives, leaves by the listener of its side, and carries none
// of our Route values any more.
func bothWays(t *testing.T, srv *server, other netip.AddrPort, caller, callee *peer) {
	t.Helper()
	d := caller.call(srv.addr)
	invite, ack := d.establish(callee)
	rr := invite.all("Record-Route")
	if len(rr) != 2 {
		t.Fatalf("Record-Route %q, want one for each side", rr)
	}
	// The callee's is on top: the row written last is the first that the callee's requests meet.
	for i, want := range []netip.AddrPort{other, srv.addr} {
		uri := strings.Trim(rr[i], "<>")
		if !strings.HasPrefix(uri, "sip:"+want.String()+";") || !hasParam(uri, "lr") {
			t.Errorf("Record-Route %d is %s, want %v with lr", i, rr[i], want)
		}
	}
	if invite.from != other || ack.from != other {
		t.Errorf("the callee hears from %v and %v, want %v", invite.from, ack.from, other)
	}
	f := func(m *message, from netip.AddrPort, uri string) {
		t.Helper()
		if len(m.all("Route")) != 0 || m.from != from || m.uri() != uri ||
			!strings.HasPrefix(m.get("Via"), "SIP/2.0/UDP "+from.String()+";") {
			t.Errorf("from %v:\n%s", m.from, m.raw)
		}
	}
	f(ack, other, d.uri)
	e := d.asSeenBy(callee, invite, other)
	for range 2 {
		e.request("INFO")
		m := caller.expect("INFO")
		f(m, srv.addr, e.uri)
		caller.reply(m, 200, "OK", "")
		if r := callee.expect("200"); r.from != other {
			t.Errorf("the answer to the callee comes from %v", r.from)
		}
		d.request("INFO")
		m = callee.expect("INFO")
		f(m, other, d.uri)
		callee.reply(m, 200, "OK", "")
		if r := caller.expect("200"); r.from != srv.addr {
			t.Errorf("the answer to the caller comes from %v", r.from)
		}
	}
	e.request("BYE")
	m := caller.expect("BYE")
	f(m, srv.addr, e.uri)
	caller.reply(m, 200, "OK", "")
	callee.expect("200")
}

// hasParam tells whether a URI has a parameter without a value, or with one.
func hasParam(uri, name string) bool {
	for _, p := range strings.Split(uri, ";")[1:] {
		if n, _, _ := strings.Cut(p, "="); n == name {
			return true
		}
	}
	return false
}

// Row 11, §16.6 step 4: Record-Route is a SIP URI with lr by which each side reaches us, on the
// interface of its own.
func TestRow11RecordRouteOfTwoInterfaces(t *testing.T) {
	srv, other, caller, callee := twoSided(t, netip.MustParseAddr("127.0.0.2"),
		setup{targetAttrs: "socket=udp:{other}"})
	bothWays(t, srv, other, caller, callee)
}

// Row 11: what is advertised is what Via and Record-Route say, and requests that name it are ours.
func TestRow11AdvertisedAddress(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{advertise: "proxy.example.net:5099"})
	d := caller.call(srv.addr)
	invite, ack := d.establish(callee)
	if rr := invite.all("Record-Route"); len(rr) != 1 || rr[0] != "<sip:proxy.example.net:5099;lr>" {
		t.Errorf("Record-Route %q", rr)
	}
	if via := invite.get("Via"); !strings.HasPrefix(via, "SIP/2.0/UDP proxy.example.net:5099;") {
		t.Errorf("Via %q", via)
	}
	if len(ack.all("Route")) != 0 {
		t.Errorf("the ACK arrives as\n%s", ack.raw)
	}
	d.request("BYE")
	m := callee.expect("BYE")
	if len(m.all("Route")) != 0 || m.uri() != "sip:callee@"+callee.addr.String() {
		t.Errorf("the BYE arrives as\n%s", m.raw)
	}
	callee.reply(m, 200, "OK", "")
	caller.expect("200")
}

// Row 17, §16.4: a maddr of ours is taken off the Request-URI with its port, if the request came by
// them; what is left is looked at like any other.
func TestRow17OurMaddr(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	f := func(uri, want string) {
		t.Helper()
		caller.requests(srv.addr, "MESSAGE", uri)
		m := callee.expect("MESSAGE")
		if m.uri() != want {
			t.Errorf("%s arrives as %s, want %s", uri, m.uri(), want)
		}
		callee.reply(m, 200, "OK", "callee")
		caller.expect("200")
	}
	ip, port := srv.addr.Addr().String(), fmt.Sprint(srv.addr.Port())
	f("sip:bob@example.com:"+port+";maddr="+ip, "sip:bob@example.com")
	f("sip:bob@example.com:"+port+";a=b;MADDR="+ip+";lr;c", "sip:bob@example.com;a=b;lr;c")
	f("sip:bob@example.com:"+port+";maddr="+ip+";transport=udp", "sip:bob@example.com;transport=udp")
	for _, kept := range []string{
		"sip:bob@example.com;maddr=" + ip,                                 // came by another port
		"sip:bob@example.com:" + port + ";maddr=" + ip + ";transport=tcp", // by another transport
		"sip:bob@example.com:" + port + ";maddr=192.0.2.1",                // not ours
		"sip:bob@example.com:" + port + ";xmaddr=" + ip,
	} {
		f(kept, kept)
	}
}

// Row 18, §16.6 and §12: what belongs to the ends stays as they wrote it, byte for byte: Contact,
// tags, Call-ID, CSeq, and the route set of a dialog, which a request within it does not change.
func TestRow18EndToEndHeaders(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	invite, _ := d.establish(callee)
	routes := strings.Join(d.routes, ",")
	own := []string{"Contact", "From", "To", "Call-ID", "CSeq", "Content-Type", "Content-Length"}
	same := func(what, sent string, m *message) {
		t.Helper()
		wrote := readMessage([]byte(sent), netip.AddrPort{})
		for _, name := range own {
			if a, b := fmt.Sprint(rawRows(wrote.raw, name)), fmt.Sprint(rawRows(m.raw, name)); a != b {
				t.Errorf("%s: %s was %q and is %q", what, name, a, b)
			}
		}
	}
	for _, method := range []string{"INVITE", "UPDATE"} {
		d.cseq++
		branch := fmt.Sprintf("%s.%d", d.branch, d.cseq)
		sent := d.text(method, branch, "-Contact", `CONTACT :  "New  Place" <sip:caller@127.0.0.1:9;x=%41> ;expires=7`)
		caller.send(srv.addr, sent)
		m := callee.expect(method)
		same(method, sent, m)
		reply := strings.Replace(replyText(m, callee.addr, 200, "OK", ""), "Contact: ", "m:   ", 1)
		callee.send(srv.addr, reply)
		r := caller.next(patience)
		for r != nil && r.status() == 100 {
			r = caller.next(patience)
		}
		if r == nil || r.status() != 200 {
			t.Fatalf("%s gets %v", method, r)
		}
		same("200 to "+method, reply, r)
		if m := rawRows(r.raw, "m"); len(m) != 1 || !strings.HasPrefix(m[0], "m:   ") {
			t.Errorf("the Contact of the 200 arrives as %q", m)
		}
		if method == "INVITE" {
			d.request("ACK")
			callee.expect("ACK")
		}
	}
	// The route set is still the one of the first INVITE, whatever was recorded since.
	d.request("BYE")
	m := callee.expect("BYE")
	if len(m.all("Route")) != 0 || routes != strings.Join(invite.all("Record-Route"), ",") {
		t.Errorf("the BYE arrives as\n%s", m.raw)
	}
	callee.reply(m, 200, "OK", "")
	caller.expect("200")
}

// rawRows are the rows of a header as they stand on the wire.
func rawRows(b []byte, name string) (rows []string) {
	head, _, _ := strings.Cut(string(b), "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		if n, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			rows = append(rows, line)
		}
	}
	return rows
}

// Row 19, RFC 5658: where a call changes the address family there are two Record-Routes, and
// requests pass in both directions.
func TestRow19IPv4ToIPv6(t *testing.T) {
	srv, other, caller, callee := twoSided(t, netip.IPv6Loopback(), setup{})
	bothWays(t, srv, other, caller, callee)
}

// Row 67, RFC 3581 §3: our own Via asks for rport when the configuration says so, and the answer
// that fills it is still ours.
func TestRow67OwnRPort(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		var s setup
		if on {
			s.edits = []string{"dns=off\n", "dns=off\nlocal_rport=yes\n"}
		}
		srv, caller, callee := proxyBetweenTwo(t, s)
		d := caller.invites(srv.addr)
		m := d.reaches(callee)
		via := m.get("Via")
		if hasParam(via, "rport") != on || param(via, "rport") != "" {
			t.Errorf("with local_rport %v our Via is %s", on, via)
		}
		answer := replyText(m, callee.addr, 486, "Busy Here", "callee")
		if on {
			answer = strings.Replace(answer, ";rport;",
				fmt.Sprintf(";rport=%d;received=%s;", srv.addr.Port(), srv.addr.Addr()), 1)
		}
		callee.send(srv.addr, answer)
		checkDerived(t, "ACK", m, callee.expect("ACK"), m.get("To")+";tag=callee")
		d.ack(caller.expect("486"))
	}
}
