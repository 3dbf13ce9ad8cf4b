package outside

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// The words in which scenarios are told. Each says what happens, and fails the test where it does
// not.
//
//	srv, caller, callee := proxyBetween(t, setup{})
//	d := caller.invites(srv.addr)
//	invite := d.ringsAt(callee)
//	…
//	d.hangsUp(callee)

// proxyBetween is a proxy between a caller and a callee, both driven by hand. The test runs beside
// others.
func proxyBetween(t *testing.T, s setup) (srv *server, caller, callee *peer) {
	t.Helper()
	t.Parallel()
	return proxyBetweenTwo(t, s)
}

// proxyBetweenTwo is proxyBetween for a test that needs more than one.
func proxyBetweenTwo(t *testing.T, s setup) (srv *server, caller, callee *peer) {
	t.Helper()
	caller, callee = newPeer(t, "the caller"), newPeer(t, "the callee")
	s.targets = to(callee)
	return start(t, patient(s)), caller, callee
}

// to is the list of destinations that are these peers.
func to(peers ...*peer) (list []netip.AddrPort) {
	for _, p := range peers {
		list = append(list, p.addr)
	}
	return list
}

// freeAddress is one of 127.0.0.1 that nobody has.
func freeAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.AddrPortFrom(loopback4, uint16(freePort(t)))
}

// invites begins a call through a proxy; for extra see text.
func (p *peer) invites(proxy netip.AddrPort, extra ...string) *dialog {
	p.t.Helper()
	d := p.call(proxy)
	d.invite(extra...)
	return d
}

// invitesTo begins a call to a URI.
func (p *peer) invitesTo(proxy netip.AddrPort, uri string, extra ...string) *dialog {
	p.t.Helper()
	d := p.call(proxy)
	d.uri = uri
	d.invite(extra...)
	return d
}

// requests sends a request to a URI, outside of any dialog.
func (p *peer) requests(proxy netip.AddrPort, method, uri string, extra ...string) *dialog {
	p.t.Helper()
	d := p.call(proxy)
	d.uri = uri
	d.request(method, extra...)
	return d
}

// reaches has the caller hear that we try, and the callee be invited.
func (d *dialog) reaches(callee *peer) (invite *message) {
	d.peer.t.Helper()
	d.peer.expect("100")
	return callee.expect("INVITE")
}

// ringsAt has the callee ring as well, and the caller hear it.
func (d *dialog) ringsAt(callee *peer) (invite *message) {
	d.peer.t.Helper()
	invite = d.reaches(callee)
	callee.reply(invite, 180, "Ringing", "callee")
	d.peer.expect("180")
	return invite
}

// answers has the peer be asked and answer.
func (p *peer) answers(method string, code int, phrase string) {
	p.t.Helper()
	p.reply(p.expect(method), code, phrase, "callee")
}

// hangsUp ends an established call.
func (d *dialog) hangsUp(callee *peer) {
	d.peer.t.Helper()
	d.request("BYE")
	callee.answers("BYE", 200, "OK")
	d.peer.expect("200")
}

// asSeenBy is the dialog at its other end, which the INVITE reached by the listener at proxy: its
// target and route set are what the INVITE says (RFC 3261 §12.1.1).
func (d *dialog) asSeenBy(callee *peer, invite *message, proxy netip.AddrPort) *dialog {
	return &dialog{peer: callee, proxy: proxy, id: d.id, uri: strings.Trim(invite.get("Contact"), "<>"),
		toTag: param(invite.get("From"), "tag"), branch: "z9hG4bKback" + d.branch[7:], routes: recordRoutes(invite)}
}

// isKilled ends the process as nothing can prevent.
func (s *server) isKilled(t *testing.T) {
	t.Helper()
	s.expected = true
	s.cmd.Process.Kill()
	if !s.wait(patience) {
		t.Fatal("it does not end")
	}
}

// beginsToDrain tells the process to end, and waits until it takes no new calls.
func (s *server) beginsToDrain(t *testing.T) {
	t.Helper()
	s.expected = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.waitLine(t, 0, "viaduct draining")
}
