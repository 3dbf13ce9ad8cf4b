package outside

import (
	"fmt"
	"strings"
	"testing"
)

// patient lets the proxy repeat late what the peers do not answer at once: on a busy machine they
// may not run for a while. Tests that watch timers set their own.
func patient(s setup) setup {
	if !s.timers && s.config != "stateless.cfg" {
		s.edits = append(s.edits, params(`modparam("tm", "retr_timer1", 2000)`)...)
	}
	return s
}

// Row 3, RFC 3261 §16.3 step 3: Max-Forwards 0 is not forwarded.
func TestRow03MaxForwardsZero(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr, "-Max-Forwards", "Max-Forwards: 0")
	d.ack(caller.expect("483"))
	d = caller.call(srv.addr)
	d.request("OPTIONS", "-Max-Forwards", "Max-Forwards: 0")
	if m := caller.next(patience); m == nil || m.status() != 483 && m.status() != 200 {
		t.Errorf("OPTIONS with Max-Forwards 0 gets %v, want 483 or an answer of our own", m)
	}
	callee.silence(beat)
}

// Row 4, §16.6 step 3: Max-Forwards is decremented, and added as 70 where it is not.
func TestRow04MaxForwards(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	f := func(want string, extra ...string) {
		t.Helper()
		caller.call(srv.addr).request("MESSAGE", extra...)
		m := callee.expect("MESSAGE")
		if got := m.all("Max-Forwards"); len(got) != 1 || got[0] != want {
			t.Errorf("%q: Max-Forwards is %q at the callee, want %s", extra, got, want)
		}
		callee.reply(m, 200, "OK", "callee")
		caller.expect("200")
	}
	f("69")
	f("70", "-Max-Forwards")
	f("0", "-Max-Forwards", "Max-Forwards: 1")
	f("9", "-Max-Forwards", "Max-Forwards: 10")
	f("49", "-Max-Forwards", "Max-Forwards: 0050")
}

// Row 5, §16.3 step 5: an unknown Proxy-Require is refused with its list, except on ACK and CANCEL.
func TestRow05ProxyRequire(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr, "Proxy-Require: foo, bar")
	m := caller.expect("420")
	if got := strings.ReplaceAll(m.get("Unsupported"), " ", ""); got != "foo,bar" {
		t.Errorf("Unsupported: %q, want foo,bar", got)
	}
	d.ack(m)
	callee.silence(beat)

	d = caller.invites(srv.addr)
	invite := d.ringsAt(callee)
	d.cancel("Proxy-Require: foo")
	if m := caller.expect("200"); !strings.Contains(m.get("CSeq"), "CANCEL") {
		t.Errorf("the 200 is for %s", m.get("CSeq"))
	}
	callee.answers("CANCEL", 200, "OK")
	callee.reply(invite, 487, "Request Terminated", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("487"))
}

// Row 6, §16.3: unknown methods, headers and parameters pass untouched, and so does the body.
func TestRow06UnknownThingsPassUntouched(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.uri = "sip:callee;odd=%41@example.com;x-param=\"\";transport=udp"
	d.uri = strings.ReplaceAll(d.uri, `""`, "1")
	const body = "\x00\x01 not text \r\n\r\n\xff"
	text := d.text("NEWMETHOD", d.branch, "X-Odd:   two  spaces ; ;; , ", "P-Charging: a;b=\"c;d\"", "x-ODD:second",
		"s:  Compact", "Content-Type: application/x",
		"-Content-Length", fmt.Sprintf("Content-Length:  %d", len(body))) + body
	caller.send(srv.addr, text)
	m := callee.expect("NEWMETHOD")
	sent, got := untouchable([]byte(text)), untouchable(m.raw)
	if sent != got {
		t.Errorf("sent\n%q\ngot\n%q", sent, got)
	}
	callee.reply(m, 299, "Odd phrase \xc3\xa4", "callee", "X-Answer:  kept  ")
	if r := caller.expect("299"); !strings.Contains(string(r.raw), "SIP/2.0 299 Odd phrase \xc3\xa4\r\n") ||
		!strings.Contains(string(r.raw), "X-Answer:  kept  \r\n") {
		t.Errorf("the response was changed:\n%s", r.raw)
	}
}

// untouchable is a message without the rows that a proxy must edit.
func untouchable(b []byte) string {
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	var keep []string
	for _, line := range strings.Split(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "via", "v", "max-forwards", "max-breadth", "record-route":
			continue
		}
		keep = append(keep, line)
	}
	return strings.Join(keep, "\r\n") + "\r\n\r\n" + body
}

// Row 7, §7.3: compact names, folding, case and commas mean the same, down to the transaction a
// request belongs to.
func TestRow07Spellings(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	plain := d.text("INVITE", d.branch)
	caller.send(srv.addr, plain)
	first := callee.expect("INVITE")
	callee.reply(first, 180, "Ringing", "callee")
	caller.expect("100")
	caller.expect("180")
	for name, replacer := range map[string]*strings.Replacer{
		"compact": strings.NewReplacer("Via:", "v:", "From:", "f:", "To:", "t:", "Call-ID:", "i:", "Contact:", "m:",
			"Content-Length:", "l:", "Content-Type:", "c:"),
		"case": strings.NewReplacer("Via:", "vIA:", "From:", "FROM:", "Call-ID:", "call-id:", "CSeq:", "cseq:",
			"Max-Forwards:", "MAX-forwards:", "SIP/2.0/UDP", "sip/2.0/udp"),
		"folded": strings.NewReplacer("Via: ", "Via:\r\n  ", "CSeq: 1 ", "CSeq: 1\r\n\t", ";tag=", "\r\n ;tag=",
			"Call-ID: ", "Call-ID:\r\n "),
		"spaced": strings.NewReplacer("Via: ", "Via  :   ", ";branch=", " ; branch = ", "From:", "From :",
			"SIP/2.0/UDP", "SIP / 2.0 / UDP"),
	} {
		again := replacer.Replace(plain)
		if again == plain {
			t.Fatalf("%s changes nothing", name)
		}
		caller.send(srv.addr, again)
		if m := caller.next(patience); m == nil || m.status() != 180 {
			t.Errorf("%s: the repeated INVITE gets %v, want the 180 again", name, m)
		}
	}
	callee.silence(beat)
	callee.reply(first, 486, "Busy Here", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("486"))
}

// Rows 10 and 20, §16.6 steps 4 and 8: our Record-Route stands on top, our Via has our address and
// a branch of its own.
func TestRow10Row20RecordRouteAndVia(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	branches := map[string]bool{}
	for range 3 {
		d := caller.invites(srv.addr, "Record-Route: <sip:10.1.1.1;lr>",
			"Record-Route: <sip:10.1.1.2;lr>, <sip:10.1.1.3;lr>")
		m := callee.expect("INVITE")
		rr := m.all("Record-Route")
		if want := "<sip:" + srv.addr.String() + ";lr>"; len(rr) != 3 || rr[0] != want || rr[1] != "<sip:10.1.1.1;lr>" {
			t.Errorf("Record-Route %q, want %s above the others", rr, want)
		}
		via := m.all("Via")
		if len(via) != 2 || !strings.HasPrefix(via[0], "SIP/2.0/UDP "+srv.addr.String()+";") ||
			!strings.Contains(via[1], d.branch) {
			t.Errorf("Via %q, want ours above the caller's", via)
		}
		if b := m.branch(); !strings.HasPrefix(b, "z9hG4bK") || b == d.branch || branches[b] {
			t.Errorf("our branch %q is not ours alone", b)
		}
		branches[m.branch()] = true
		callee.reply(m, 486, "Busy Here", "callee")
		callee.expect("ACK")
		caller.expect("100")
		d.ack(caller.expect("486"))
	}
	// No dialog, no Record-Route.
	caller.call(srv.addr).request("MESSAGE")
	m := callee.expect("MESSAGE")
	if rr := m.all("Record-Route"); len(rr) != 0 {
		t.Errorf("Record-Route %q on a MESSAGE", rr)
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
}

// Row 13, §16.4: the first Route, which is ours, is removed, and the Request-URI leads on. ACK to a
// 2xx likewise, with a new branch (row 46).
func TestRow13Row46LooseRouting(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	invite, ack := d.establish(callee)
	if len(ack.all("Route")) != 0 || ack.uri() != "sip:callee@"+callee.addr.String() {
		t.Errorf("the ACK arrives as\n%s", ack.raw)
	}
	if ack.branch() == invite.branch() || !strings.HasPrefix(ack.branch(), "z9hG4bK") {
		t.Errorf("the ACK to a 2xx has branch %q, the INVITE had %q: they are two transactions", ack.branch(),
			invite.branch())
	}
	d.request("BYE")
	m := callee.expect("BYE")
	if len(m.all("Route")) != 0 || m.uri() != "sip:callee@"+callee.addr.String() || m.get("Max-Forwards") != "69" {
		t.Errorf("the BYE arrives as\n%s", m.raw)
	}
	callee.reply(m, 200, "OK", "")
	caller.expect("200")

	// The other way: the callee sends through us to the caller.
	e := &dialog{peer: callee, proxy: srv.addr, id: d.id, uri: "sip:caller@" + caller.addr.String(),
		branch: "z9hG4bKcallee" + d.branch[7:], toTag: "x",
		routes: []string{"<sip:" + srv.addr.String() + ";lr>"}}
	e.request("INFO")
	info := caller.expect("INFO")
	if len(info.all("Route")) != 0 {
		t.Errorf("the callee's INFO arrives as\n%s", info.raw)
	}
	caller.reply(info, 200, "OK", "")
	callee.expect("200")
}

// Row 14, §16.4: a strict router before us put our Record-Route value into the Request-URI; the
// last Route is the real one.
func TestRow14StrictRouterUpstream(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.establish(callee)
	d.routes = []string{"<" + d.uri + ">"}
	d.uri = "sip:" + srv.addr.String() + ";lr"
	d.request("BYE")
	m := callee.expect("BYE")
	if m.uri() != "sip:callee@"+callee.addr.String() || len(m.all("Route")) != 0 {
		t.Errorf("the BYE of a strict router arrives as\n%s", m.raw)
	}
	callee.reply(m, 200, "OK", "")
	caller.expect("200")
}

// The same with our value in the route set as well, as one row and as two: the last value leads on,
// and none of ours stays.
func TestRow14StrictRouterUpstreamTwice(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.establish(callee)
	ours, target := d.routes[0], d.uri
	for _, routes := range [][]string{{ours + ", <" + target + ">"}, {ours, "<" + target + ">"}} {
		d.routes, d.uri = routes, "sip:"+srv.addr.String()+";lr"
		d.request("INFO")
		m := callee.expect("INFO")
		if m.uri() != target || len(m.all("Route")) != 0 {
			t.Errorf("with Route %q it arrives as\n%s", routes, m.raw)
		}
		callee.reply(m, 200, "OK", "")
		caller.expect("200")
	}
}

// Rows 14 and 15, §16.4 and then §16.6 step 6: strict routers on both sides, with one, two and
// three Routes.
func TestRow14Row15StrictBothSides(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	hop := newPeer(t, "the strict next hop")
	d := caller.call(srv.addr)
	d.establish(callee)
	ours, target, strict, other := d.routes[0], d.uri, "sip:"+hop.addr.String(), "<sip:192.0.2.1;lr>"
	for _, c := range [][2]string{{"", ""}, {ours + ",", ""}, {"", other + ","}} {
		d.routes, d.uri = []string{c[0] + "<" + strict + ">," + c[1] + "<" + target + ">"},
			"sip:"+srv.addr.String()+";lr"
		d.request("INFO")
		m := hop.expect("INFO")
		if want := c[1] + "<" + target + ">"; m.uri() != strict || strings.Join(m.all("Route"), ",") != want {
			t.Errorf("with Route %q it arrives as\n%s", d.routes, m.raw)
		}
		hop.reply(m, 200, "OK", "")
		caller.expect("200")
	}
}

// Rows 15 and 16, §16.6 steps 6 and 7: the next Route is where it goes; a strict router there finds
// itself in the Request-URI.
func TestRow15Row16NextRoute(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	hop := newPeer(t, "the next hop")
	d := caller.call(srv.addr)
	d.establish(callee)
	ours, target := d.routes[0], d.uri

	loose := "<sip:" + hop.addr.String() + ";lr>"
	d.routes = []string{ours, loose}
	d.request("INFO")
	m := hop.expect("INFO")
	if m.uri() != target || strings.Join(m.all("Route"), ",") != loose {
		t.Errorf("to a loose router:\n%s", m.raw)
	}
	hop.reply(m, 200, "OK", "")
	caller.expect("200")

	strict := "sip:" + hop.addr.String()
	d.routes = []string{ours + ", <" + strict + ">"}
	d.request("INFO")
	m = hop.expect("INFO")
	if m.uri() != strict || strings.Join(m.all("Route"), ",") != "<"+target+">" {
		t.Errorf("to a strict router:\n%s", m.raw)
	}
	hop.reply(m, 200, "OK", "")
	caller.expect("200")
	callee.silence(beat)
}

// Row 49, §18.3: what stands behind the body is not part of the message; a body that is too short
// makes it a bad one.
func TestRow49ContentLength(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	caller.send(srv.addr, d.text("MESSAGE", d.branch, "-Content-Length", "Content-Length: 3")+"abcNOISE")
	m := callee.expect("MESSAGE")
	if string(m.body) != "abc" {
		t.Errorf("the body is %q, want abc", m.body)
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	d = caller.call(srv.addr)
	caller.send(srv.addr, d.text("MESSAGE", d.branch, "-Content-Length", "Content-Length: 30")+"abc")
	caller.expect("400")
	callee.silence(beat)
}
