package outside

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Row 22, §16.7 step 4: the 100 is ours; the callee's goes no further.
func TestRow22TryingIsHopByHop(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	if m := caller.expect("100"); m.branch() != d.branch || len(m.all("Via")) != 1 {
		t.Errorf("our 100:\n%s", m.raw)
	}
	m := callee.expect("INVITE")
	callee.reply(m, 100, "Trying", "")
	caller.silence(beat)
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("486"))
}

// Row 23, §16.7 steps 3 and 4: 101 to 199 and every 2xx go on at once, one or more of them, without
// our Via.
func TestRow23ProvisionalAnd2xx(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	m := d.reaches(callee)
	for _, r := range []struct {
		code int
		tag  string
	}{{180, "a"}, {183, "a"}, {180, "b"}, {200, "a"}, {200, "b"}, {200, "a"}} { // the last is a retransmission (row 45)
		callee.reply(m, r.code, "Phrase", r.tag)
		got := caller.expect(fmt.Sprint(r.code))
		if via := got.all("Via"); len(via) != 1 || got.branch() != d.branch || param(got.get("To"), "tag") != r.tag {
			t.Errorf("%d of tag %s arrives as\n%s", r.code, r.tag, got.raw)
		}
	}
	caller.silence(beat)
}

// Row 32, §16.10, §9.2: CANCEL is answered at once, goes to the callee once that has answered
// provisionally, and looks like its INVITE.
func TestRow32CancelAfterProvisional(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	invite := d.ringsAt(callee)
	d.cancel()
	if m := caller.expect("200"); m.get("CSeq") != "1 CANCEL" {
		t.Errorf("the answer to CANCEL:\n%s", m.raw)
	}
	cancel := callee.expect("CANCEL")
	checkDerived(t, "CANCEL", invite, cancel, invite.get("To"))
	callee.reply(cancel, 200, "OK", "callee")
	callee.reply(invite, 487, "Request Terminated", "callee")
	checkDerived(t, "ACK", invite, callee.expect("ACK"), invite.get("To")+";tag=callee")
	final := caller.expect("487")
	if final.get("CSeq") != "1 INVITE" {
		t.Errorf("the final of the INVITE:\n%s", final.raw)
	}
	d.ack(final)
	callee.silence(beat)
}

// checkDerived wants a hop-by-hop request of the proxy (CANCEL, ACK to a failure) to agree with the
// INVITE it belongs to (§9.1, §17.1.1.3).
func checkDerived(t *testing.T, method string, invite, m *message, to string) {
	t.Helper()
	number, _, _ := strings.Cut(invite.get("CSeq"), " ")
	via := m.all("Via")
	switch {
	case m.uri() != invite.uri(), m.get("Call-ID") != invite.get("Call-ID"), m.get("From") != invite.get("From"),
		m.get("To") != to,
		m.get("CSeq") != number+" "+method, len(via) != 1 || via[0] != invite.get("Via"),
		strings.Join(m.all("Route"), ",") != strings.Join(invite.all("Route"), ","):
		t.Errorf("the %s does not fit its INVITE (To should be %s):\n%s\n%s", method, to, invite.raw, m.raw)
	}
}

// Row 32: before a provisional response the CANCEL waits (§9.1).
func TestRow32CancelBeforeProvisional(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	invite := d.reaches(callee)
	d.cancel()
	caller.expect("200")
	if m := callee.next(beat); m != nil && m.method() != "INVITE" {
		t.Errorf("a CANCEL before any response: %v", m)
	}
	callee.reply(invite, 180, "Ringing", "callee")
	m := callee.next(patience)
	for m != nil && m.method() == "INVITE" { // sent again meanwhile
		m = callee.next(patience)
	}
	if m == nil || m.method() != "CANCEL" {
		t.Fatalf("the 180 is followed by %v, want the CANCEL", m)
	}
	callee.reply(m, 200, "OK", "callee")
	callee.reply(invite, 487, "Request Terminated", "callee")
	for m = caller.next(patience); m != nil && m.status() == 180; m = caller.next(patience) {
	}
	if m == nil || m.status() != 487 {
		t.Fatalf("the caller gets %v, want 487", m)
	}
	d.ack(m)
}

// Row 32: a CANCEL of an INVITE that nobody knows is not confirmed.
func TestRow32CancelOfUnknown(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	caller.call(srv.addr).cancel()
	if m := caller.next(beat); m != nil && m.status() != 481 {
		t.Errorf("an unknown CANCEL gets %v", m)
	}
	caller.options(srv.addr)
	caller.expect("200")
	if m := callee.next(beat); m != nil && m.method() != "CANCEL" {
		t.Errorf("an unknown CANCEL becomes %v", m)
	}
}

// Rows 33 and 34, §17.1.1.2: an INVITE is repeated after T1, 2·T1, …, byte by byte, until a
// provisional response stops that.
func TestRow33Row34InviteIsRepeated(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{timers: true})
	d := caller.call(srv.addr)
	began := time.Now()
	d.invite()
	first := d.reaches(callee)
	second := callee.expect("INVITE")
	notBefore(t, "second INVITE", second.at.Sub(began), 500*time.Millisecond)
	notBefore(t, "third INVITE", callee.expect("INVITE").at.Sub(began), 1500*time.Millisecond)
	if string(first.raw) != string(second.raw) {
		t.Errorf("the repeated INVITE differs:\n%s\n%s", first.raw, second.raw)
	}
	callee.reply(first, 180, "Ringing", "callee")
	caller.expect("180")
	callee.silence(2500 * time.Millisecond) // the next was due after 2 s
	callee.reply(first, 486, "Busy Here", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("486"))
}

// Rows 35 and 36, §17.1.1.3: the proxy acknowledges a failure itself, and again when it comes
// again, which the caller does not notice.
func TestRow35Row36FailureIsAcknowledged(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.invite("Route: <sip:127.0.0.1:9;lr>") // goes along; the dispatcher has chosen where to
	caller.expect("100")
	invite := callee.expect("INVITE")
	for range 3 {
		callee.reply(invite, 486, "Busy Here", "callee")
		checkDerived(t, "ACK", invite, callee.expect("ACK"), invite.get("To")+";tag=callee")
	}
	d.ack(caller.expect("486"))
	caller.silence(beat)
	callee.silence(beat)
}

// Row 37, §17.1.2.2: another request is repeated likewise. Row 38: its response is passed on once,
// however often it comes.
func TestRow37Row38NonInviteIsRepeated(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{timers: true})
	began := time.Now()
	caller.call(srv.addr).request("MESSAGE")
	m := callee.expect("MESSAGE")
	notBefore(t, "second MESSAGE", callee.expect("MESSAGE").at.Sub(began), 500*time.Millisecond)
	notBefore(t, "third MESSAGE", callee.expect("MESSAGE").at.Sub(began), 1500*time.Millisecond)
	for range 3 {
		callee.reply(m, 200, "OK", "callee")
	}
	caller.expect("200")
	caller.silence(beat)
	callee.silence(beat)
}

// Row 39, §17.2.1: an INVITE that comes again gets the last response again and goes nowhere.
func TestRow39RepeatedInviteIsAbsorbed(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	invite := d.reaches(callee)
	callee.reply(invite, 180, "Ringing", "callee")
	first := caller.expect("180")
	for range 3 {
		d.invite()
		if again := caller.expect("180"); string(again.raw) != string(first.raw) {
			t.Errorf("the repeated 180 differs:\n%s\n%s", first.raw, again.raw)
		}
	}
	callee.silence(beat)
	if n := sum(srv.stats(t), "retransmissions_absorbed"); n != 3 {
		t.Errorf("retransmissions_absorbed is %d, want 3", n)
	}
	callee.reply(invite, 486, "Busy Here", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("486"))
}

// Row 40, §17.2.1: a failure is repeated by Timer G until its ACK. Row 41: the ACK, however often,
// goes no further.
func TestRow40Row41FailureIsRepeatedUntilAcknowledged(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{timers: true})
	d := caller.invites(srv.addr)
	invite := d.reaches(callee)
	began := time.Now()
	callee.reply(invite, 486, "Busy Here", "callee")
	callee.expect("ACK")
	final := caller.expect("486")
	notBefore(t, "second 486", caller.expect("486").at.Sub(began), 500*time.Millisecond)
	notBefore(t, "third 486", caller.expect("486").at.Sub(began), 1500*time.Millisecond)
	for range 3 {
		d.ack(final)
	}
	caller.silence(2500 * time.Millisecond) // the next was due after 2 s
	callee.silence(beat)
}

// Row 42, §17.2.2: a BYE that comes again gets the same answer, and the callee does not hear of it.
func TestRow42RepeatedByeIsAbsorbed(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.establish(callee)
	branch := d.request("BYE")
	callee.answers("BYE", 200, "OK")
	first := caller.expect("200")
	for range 2 {
		caller.send(srv.addr, d.text("BYE", branch))
		if again := caller.expect("200"); string(again.raw) != string(first.raw) {
			t.Errorf("the repeated 200 differs:\n%s\n%s", first.raw, again.raw)
		}
	}
	callee.silence(beat)
}

// Row 43, §17.2.3: a transaction is branch, sent-by and method; without the magic cookie it is what
// RFC 2543 went by.
func TestRow43TransactionMatching(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	other := newPeer(t, "another caller")
	d := caller.call(srv.addr)
	caller.send(srv.addr, d.text("MESSAGE", d.branch))
	e := *d
	e.peer = other
	other.send(srv.addr, e.text("MESSAGE", d.branch)) // the same but for sent-by
	for range 2 {
		callee.answers("MESSAGE", 200, "OK")
	}
	caller.expect("200")
	other.expect("200")

	// The branch is no cookie's: the rest decides.
	old := strings.Replace(d.text("INFO", d.branch), ";branch=z9hG4bK", ";branch=", 1)
	caller.send(srv.addr, old)
	m := callee.expect("INFO")
	if !strings.HasPrefix(m.branch(), "z9hG4bK") {
		t.Errorf("our branch for an RFC 2543 request is %q", m.branch())
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	caller.send(srv.addr, old)
	caller.expect("200")
	caller.send(srv.addr, strings.Replace(old, "CSeq: 1 ", "CSeq: 2 ", 1))
	callee.answers("INFO", 200, "OK")
	caller.expect("200")
	callee.silence(beat)
}

// Row 44, RFC 6026 §7.1: after the 2xx a repeated INVITE is absorbed, and nothing is answered. Row
// 45, §7.2: the callee's repeated 2xx goes on. Row 46: so does the ACK, however often, for the
// callee waits for it.
func TestRow44Row45Row46After2xx(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	uri := d.uri
	invite, _ := d.establish(callee)
	again := *d
	again.uri, again.toTag, again.routes = uri, "", nil
	again.invite()
	caller.silence(beat)
	callee.silence(beat)
	for range 3 {
		callee.reply(invite, 200, "OK", "callee")
		caller.expect("200")
		d.request("ACK")
		callee.expect("ACK")
	}
	d.hangsUp(callee)
}

// Row 47, §18.1.2: a response whose top Via we did not write is dropped and counted; row 56, RFC
// 6026 §7.3: so is one with our Via that no transaction waits for.
func TestRow47Row56ForgedResponses(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	invite := d.reaches(callee)
	good := replyText(invite, callee.addr, 200, "OK", "callee")
	ours := "SIP/2.0/UDP " + srv.addr.String() + ";"
	f := func(forged string) {
		t.Helper()
		if forged == good {
			t.Fatal("the forgery is no forgery")
		}
		callee.send(srv.addr, forged)
	}
	f(strings.Replace(good, ours, "SIP/2.0/UDP 127.0.0.1:9;", 1))
	f(strings.Replace(good, ours, "SIP/2.0/UDP example.com;", 1))
	f(strings.Replace(good, invite.branch(), "z9hG4bKnobody", 1))
	f(strings.Replace(good, invite.branch(), invite.branch()[:len(invite.branch())-4]+"0000", 1))
	f(strings.Replace(good, "CSeq: 1 INVITE", "CSeq: 1 BYE", 1))
	caller.silence(beat)
	all := srv.stats(t)
	if n := dropped(all, "Via not ours"); n != 2 {
		t.Errorf("%d dropped for their Via, want 2: %v", n, all[0].Dropped)
	}
	if n := dropped(all, "stray response"); n != 3 {
		t.Errorf("%d dropped as stray, want 3: %v", n, all[0].Dropped)
	}
	callee.reply(invite, 486, "Busy Here", "callee")
	for m := callee.next(patience); m == nil || m.method() != "ACK"; m = callee.next(patience) {
		if m == nil {
			t.Fatal("no ACK")
		}
	}
	d.ack(caller.expect("486"))
}
