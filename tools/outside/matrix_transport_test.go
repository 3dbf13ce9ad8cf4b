package outside

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// loopbackPeer is a peer on a loopback address of its own whose given port nobody has.
func loopbackPeer(t *testing.T, port uint16) (sender, at *peer) {
	t.Helper()
	for last := 201; last < 250; last++ {
		ip := netip.AddrFrom4([4]byte{127, 0, 0, byte(last)})
		if inUse(ip.String(), int(port)) {
			continue
		}
		return newPeerAt(t, "the sender", netip.AddrPortFrom(ip, uint16(freePort(t)))),
			newPeerAt(t, "the well-known port", netip.AddrPortFrom(ip, port))
	}
	t.Skipf("needs UDP port %d of a loopback address; a program on this machine has them on all", port)
	return nil, nil
}

// Row 48, RFC 3261 §18.2.2, RFC 3581 §4: over UDP a response goes to the source address and the
// port in Via, 5060 where there is none, and to the source port with rport. A maddr is not followed
// (docs/conformance.md).
func TestRow48ResponseAddress(t *testing.T) {
	srv, _, callee := proxyBetween(t, setup{})
	sender, wellKnown := loopbackPeer(t, 5060)
	other := newPeerAt(t, "another port", netip.AddrPortFrom(sender.addr.Addr(), uint16(freePort(t))))
	elsewhere := newPeer(t, "the maddr")
	f := func(via string, to *peer) {
		t.Helper()
		d := sender.call(srv.addr)
		text := d.text("MESSAGE", d.branch)
		old := "Via: SIP/2.0/UDP " + sender.addr.String() + ";"
		if !strings.Contains(text, old) {
			t.Fatal("the Via is not as expected")
		}
		sender.send(srv.addr, strings.Replace(text, old, "Via: SIP/2.0/UDP "+via+";", 1))
		m := callee.expect("MESSAGE")
		callee.reply(m, 200, "OK", "callee")
		if r := to.expect("200"); r.from != srv.addr {
			t.Errorf("%s: the answer comes from %v, which did not get the request", via, r.from)
		}
		// And so does an answer of the proxy's own.
		d = sender.call(srv.addr)
		text = strings.Replace(d.text("MESSAGE", d.branch), old, "Via: SIP/2.0/UDP "+via+";", 1)
		sender.send(srv.addr, strings.Replace(text, "Max-Forwards: 70", "Max-Forwards: 0", 1))
		if r := to.expect("483"); r.from != srv.addr {
			t.Errorf("%s: the proxy's own answer comes from %v", via, r.from)
		}
	}
	ip := sender.addr.Addr().String()
	f(sender.addr.String(), sender)
	f(other.addr.String(), other)
	f(other.addr.String()+";rport", sender)
	f(ip, wellKnown)
	f("host.example.com", wellKnown)
	f(fmt.Sprintf("192.0.2.1:%d", other.addr.Port()), other) // received beats sent-by
	f(fmt.Sprintf("%s;maddr=%s", other.addr, elsewhere.addr.Addr()), other)
	for _, p := range []*peer{sender, wellKnown, other, elsewhere} {
		p.silence(beat / 4)
	}
}

// Row 49, §18.3: a response is trimmed like a request, and one whose body is too short is
// discarded.
func TestRow49ContentLengthOfResponses(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.request("MESSAGE")
	m := callee.expect("MESSAGE")
	good := replyText(m, callee.addr, 200, "OK", "callee")
	callee.send(srv.addr, strings.Replace(good, "Content-Length: 0", "Content-Length: 10", 1)+"short")
	caller.silence(beat)
	if n := droppedAll(srv.stats(t)); n != 1 {
		t.Errorf("%d responses are counted as dropped, want 1", n)
	}
	callee.send(srv.addr, strings.Replace(good, "Content-Length: 0", "Content-Length: 3", 1)+"abcNOISE")
	if r := caller.expect("200"); string(r.body) != "abc" {
		t.Errorf("the body is %q, want abc", r.body)
	}
}

// Row 52, §18.2.1: received is added where sent-by is a name or another address than the source,
// and only there; what the sender wrote into it is not believed.
func TestRow52Received(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	f := func(sentBy, want string) {
		t.Helper()
		d := caller.call(srv.addr)
		caller.send(srv.addr, strings.Replace(d.text("MESSAGE", d.branch), "SIP/2.0/UDP "+caller.addr.String(),
			"SIP/2.0/UDP "+sentBy, 1))
		m := callee.expect("MESSAGE")
		via := m.all("Via")
		if len(via) != 2 || param(via[1], "received") != want || hasParam(via[1], "received") != (want != "") {
			t.Errorf("%s: the Via below ours is %q, want received=%s", sentBy, via, want)
		}
		if strings.Count(via[1], "received") > 1 {
			t.Errorf("%s: received twice: %s", sentBy, via[1])
		}
		callee.reply(m, 200, "OK", "callee")
		caller.expect("200")
	}
	port := fmt.Sprint(caller.addr.Port())
	f(caller.addr.String(), "")
	f("caller.example.com:"+port, "127.0.0.1")
	f("192.0.2.7:"+port, "127.0.0.1")
	f("[2001:db8::1]:"+port, "127.0.0.1")
	f("192.0.2.7:"+port+";received=192.0.2.9", "127.0.0.1")
}

// Row 66, RFC 3581 §4: an empty rport gets the source port and received comes with it always; the
// answer leaves by the socket the request came to.
func TestRow66RPort(t *testing.T) {
	t.Parallel()
	caller, callee := newPeer(t, "the caller"), newPeer(t, "the callee")
	second := freeAddress(t)
	srv := start(t, patient(setup{targets: to(callee), flags: []string{"-l", "udp:" + second.String()}}))
	for _, proxy := range []netip.AddrPort{srv.addr, second} {
		for _, sentBy := range []string{"192.0.2.7:1", "behind.nat.example", caller.addr.String()} {
			d := caller.call(proxy)
			caller.send(proxy, strings.Replace(d.text("MESSAGE", d.branch), "SIP/2.0/UDP "+caller.addr.String(),
				"SIP/2.0/UDP "+sentBy+";rport", 1))
			m := callee.expect("MESSAGE")
			via := m.all("Via")
			if len(via) != 2 || param(via[1], "rport") != fmt.Sprint(caller.addr.Port()) ||
				param(via[1], "received") != "127.0.0.1" ||
				strings.Count(via[1], "rport") != 1 || !strings.HasPrefix(via[1], "SIP/2.0/UDP "+sentBy+";") {
				t.Errorf("the Via below ours is %q", via)
			}
			callee.reply(m, 200, "OK", "callee")
			if r := caller.expect("200"); r.from != proxy {
				t.Errorf("sent to %v, answered from %v", proxy, r.from)
			}
		}
	}
}

// stateless is a proxy without transactions between a caller and a callee.
func stateless(t *testing.T) (srv *server, caller, callee *peer) {
	t.Helper()
	return proxyBetween(t, setup{config: "stateless.cfg"})
}

// Row 65, RFC 3263 §4 and §5: without transactions a request, its repetition, its ACK and its
// CANCEL have one target, and responses find the way back by the Via below ours.
func TestRow65StatelessTarget(t *testing.T) {
	srv, caller, callee := stateless(t)
	d := caller.invitesTo(srv.addr, "sip:callee@"+callee.addr.String())
	d.invite()
	first, second := callee.expect("INVITE"), callee.expect("INVITE")
	if string(first.raw) != string(second.raw) {
		t.Errorf("the repeated INVITE differs:\n%s\n%s", first.raw, second.raw)
	}
	callee.reply(first, 486, "Busy Here", "callee")
	m := caller.expect("486")
	if via := m.all("Via"); len(via) != 1 || m.branch() != d.branch {
		t.Errorf("the 486 arrives with Via %q", via)
	}
	d.ack(m)
	if ack := callee.expect("ACK"); ack.get("Via") != first.get("Via") {
		t.Errorf("the ACK has Via %q, the INVITE had %q", ack.get("Via"), first.get("Via"))
	}
	caller.silence(beat)

	// Behind a NAT: received and rport, which we wrote ourselves, beat sent-by.
	d = caller.call(srv.addr)
	d.uri = "sip:callee@" + callee.addr.String()
	caller.send(srv.addr, strings.Replace(d.text("MESSAGE", d.branch), "SIP/2.0/UDP "+caller.addr.String(),
		"SIP/2.0/UDP host.example.com:9;rport", 1))
	callee.answers("MESSAGE", 200, "OK")
	caller.expect("200")
}

// Row 70, §16.11: without transactions there is no 100, nothing is repeated, and the branch is a
// function of the request: CANCEL and ACK go the INVITE's way, with the INVITE's branch, even if
// another process sends them.
func TestRow70StatelessAcrossRestart(t *testing.T) {
	srv, caller, callee := stateless(t)
	d := caller.invitesTo(srv.addr, "sip:callee@"+callee.addr.String())
	invite := callee.expect("INVITE")
	if !strings.HasPrefix(invite.branch(), "z9hG4bK") || invite.branch() == d.branch {
		t.Errorf("our branch is %q", invite.branch())
	}
	callee.silence(1200 * time.Millisecond) // twice T1 and more
	caller.silence(0)
	callee.reply(invite, 180, "Ringing", "callee")
	caller.expect("180")

	srv.isKilled(t)
	s := srv.setup
	s.edits = nil
	again := start(t, s)
	if again.addr != srv.addr {
		t.Fatalf("restarted on %v, was on %v", again.addr, srv.addr)
	}
	d.cancel()
	cancel := callee.expect("CANCEL")
	if cancel.get("Via") != invite.get("Via") || cancel.uri() != invite.uri() {
		t.Errorf("the CANCEL does not go the way of its INVITE:\n%s\n%s", invite.raw, cancel.raw)
	}
	callee.reply(cancel, 200, "OK", "callee")
	if m := caller.expect("200"); m.get("CSeq") != "1 CANCEL" {
		t.Errorf("the answer to the CANCEL:\n%s", m.raw)
	}
	callee.reply(invite, 487, "Request Terminated", "callee")
	d.ack(caller.expect("487"))
	if ack := callee.expect("ACK"); ack.get("Via") != invite.get("Via") {
		t.Errorf("the ACK has Via %q, the INVITE had %q", ack.get("Via"), invite.get("Via"))
	}

	// Without the cookie other fields make the branch (§16.11): the same again for the same
	// request, another for another.
	branch := func(cseq string) string {
		d := caller.call(again.addr)
		d.uri, d.id = "sip:callee@"+callee.addr.String(), "one-call"
		caller.send(again.addr, strings.NewReplacer("CSeq: 1", "CSeq: "+cseq, ";branch="+d.branch, ";branch=old",
			d.branch[len("z9hG4bK"):], "tag").Replace(d.text("INFO", d.branch)))
		m := callee.expect("INFO")
		callee.reply(m, 200, "OK", "callee")
		caller.expect("200")
		return m.branch()
	}
	if a, b, c := branch("1"), branch("1"), branch("2"); a != b || a == c || !strings.HasPrefix(a, "z9hG4bK") {
		t.Errorf("branches %q and %q of one request, %q of another", a, b, c)
	}
}
