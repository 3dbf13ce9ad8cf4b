package outside

import (
	"fmt"
	"strings"
	"testing"
)

// alive wants the proxy to answer for itself.
func (s *server) alive(p *peer) {
	p.t.Helper()
	d := p.options(s.addr)
	if m := p.expect("200"); m.get("Call-ID") != d.id {
		p.t.Errorf("the OPTIONS to the proxy itself is answered as %s, not %s", m.get("Call-ID"), d.id)
	}
}

// refused adds up what was refused, for whatever reason.
func refused(all []counters) (n uint64) {
	for i := range all {
		for _, c := range all[i].Refused {
			n += c
		}
	}
	return n
}

// Row 1, RFC 3261 §16.3 step 1: a request that does not hold to the syntax where it matters gets
// 400 with a phrase, or nothing where nothing says whom to answer; each is counted, and the next
// request is served.
func TestRow01Syntax(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	want := uint64(0)
	f := func(old, new string) {
		t.Helper()
		d := caller.call(srv.addr)
		text := d.text("INVITE", d.branch)
		bad := strings.Replace(text, old, new, 1)
		if bad == text {
			t.Fatalf("%q does not stand in the INVITE", old)
		}
		caller.send(srv.addr, bad)
		m := caller.expect("400")
		if _, phrase, _ := strings.Cut(m.start, " 400 "); phrase == "" || phrase == "Bad Request" {
			t.Errorf("%q: the phrase %q does not say what is wrong", new, phrase)
		}
		want++
		srv.alive(caller)
	}
	f("Call-ID: ", "X-Call-ID: ")
	f("Call-ID: ", "Call-ID: \r\nX: ")
	f("CSeq: ", "X-CSeq: ")
	f("CSeq: 1 INVITE", "CSeq: one INVITE")
	f("CSeq: 1 INVITE", "CSeq: 1")
	f("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE")
	f("CSeq: 1 INVITE", "CSeq: 1 BYE")
	f("CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 2 INVITE")
	f("From: ", "X-From: ")
	f("From: <", "From: <<")
	f("To: ", "X-To: ")
	f("To: <sip:callee@example.com>", "To: <sip:callee@example.com>;tag=1;tag=2")
	f("To: <sip:callee@example.com>", "To: <sip:callee@example.com>;tag=1\r\nTo: <sip:callee@example.com>;tag=2")
	f("Max-Forwards: 70", "Max-Forwards: many")
	f("Max-Forwards: 70", "Max-Forwards: 256")
	f("Content-Length: ", "Content-Length: -")
	callee.silence(beat)
	if n := refused(srv.stats(t)); n != want {
		t.Errorf("%d requests are counted as refused, want %d", n, want)
	}

	// Without a Via nobody is there to answer; a response is never answered.
	d := caller.call(srv.addr)
	lost := []string{
		strings.Replace(d.text("INVITE", d.branch), "Via: ", "X-Via: ", 1),
		strings.Replace(d.text("INVITE", d.branch), "Via: SIP/2.0/UDP ", "Via: SIP/2.0/UDP\r\nX: ", 1),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP " + srv.addr.String() + ";branch=z9hG4bKx\r\nContent-Length: 0\r\n\r\n",
		"SIP/2.0 2000 OK\r\n\r\n",
		"\x00\x00\x00\x00",
	}
	before := droppedAll(srv.stats(t))
	for _, text := range lost {
		caller.send(srv.addr, text)
		srv.alive(caller)
	}
	caller.silence(beat)
	callee.silence(0)
	if n := droppedAll(srv.stats(t)) - before; n != uint64(len(lost)) {
		t.Errorf("%d messages are counted as dropped, want %d", n, len(lost))
	}
}

// droppedAll adds up what was dropped, for whatever reason.
func droppedAll(all []counters) (n uint64) {
	for i := range all {
		for _, c := range all[i].Dropped {
			n += c
		}
	}
	return n
}

// Row 2, §16.3 step 2: a Request-URI of a scheme that leads nowhere is 416, whether the program
// checks it or relays at once.
func TestRow02UnknownScheme416(t *testing.T) {
	t.Parallel()
	for _, s := range []setup{{}, {program: relay}} {
		srv, caller, callee := proxyBetweenTwo(t, s)
		d := caller.invitesTo(srv.addr, "nobodyKnowsThisScheme:x")
		d.ack(caller.expect("416"))
		caller.requests(srv.addr, "OPTIONS", "nobodyKnowsThisScheme:x")
		caller.expect("416")
		callee.silence(beat)
	}
}

// Row 8, §16.5: a Request-URI of a domain that is not ours is the only target; in a domain of ours
// the program decides, here as §16.5 wants it: 404 for a user it does not know, 480 for one that is
// nowhere.
func TestRow08Targets(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{program: routes(`	if (uri == myself) {
		if ($rU == "known") {
			t_newtran();
			t_reply("480", "Temporarily Unavailable");
		} else {
			sl_send_reply("404", "Not Found");
		}
		exit;
	}
	route(RELAY);`)})
	d := caller.requests(srv.addr, "MESSAGE", "sip:anybody@"+callee.addr.String())
	m := callee.expect("MESSAGE")
	if m.uri() != d.uri {
		t.Errorf("the Request-URI arrives as %s", m.uri())
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	for user, want := range map[string]string{"known": "480", "unknown": "404"} {
		caller.requests(srv.addr, "MESSAGE", "sip:"+user+"@"+srv.addr.String())
		caller.expect(want)
	}
	callee.silence(beat)
}

// Row 8: the built-in program relays nothing for a domain that is not its own.
func TestRow08NoOpenRelay(t *testing.T) {
	t.Parallel()
	srv, caller, callee := proxyBetweenTwo(t, setup{builtIn: true})
	caller.requests(srv.addr, "MESSAGE", "sip:anybody@"+callee.addr.String())
	caller.expect("403")
	callee.silence(beat)
	caller.requests(srv.addr, "MESSAGE", "sip:anybody@"+srv.addr.String())
	callee.answers("MESSAGE", 200, "OK")
	caller.expect("200")
}

// Row 8, §11.2, §21.4.6: the built-in program answers OPTIONS for itself and says what it lets
// through, as it does where it refuses a method. A Route that is ours alone is removed and opens
// nothing.
func TestRow08BuiltInAnswers(t *testing.T) {
	t.Parallel()
	srv, caller, callee := proxyBetweenTwo(t, setup{builtIn: true})
	f := func(method, want string, rows ...string) {
		t.Helper()
		caller.requests(srv.addr, method, "sip:"+srv.addr.String())
		m := caller.expect(want)
		for _, r := range rows {
			if len(m.all(r)) != 1 {
				t.Errorf("%s to %s has %d rows of %s", want, method, len(m.all(r)), r)
			}
		}
		allow := "," + strings.ReplaceAll(m.get("Allow"), " ", "") + ","
		for _, a := range []string{"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"} {
			if !strings.Contains(allow, ","+a+",") {
				t.Errorf("%s to %s allows %s and not %s", want, method, m.get("Allow"), a)
			}
		}
		if strings.Contains(allow, ",REGISTER,") || strings.Contains(allow, ",PUBLISH,") {
			t.Errorf("%s to %s allows %s", want, method, m.get("Allow"))
		}
	}
	f("OPTIONS", "200", "Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported")
	f("REGISTER", "405", "Allow")
	f("PUBLISH", "405", "Allow")

	for uri, want := range map[string]string{"sip:anybody@" + callee.addr.String(): "403",
		"sip:anybody@" + srv.addr.String(): ""} {
		d := caller.call(srv.addr)
		d.uri, d.routes = uri, []string{"<sip:" + srv.addr.String() + ";lr>"}
		d.request("MESSAGE")
		if want == "" {
			m := callee.expect("MESSAGE")
			if len(m.all("Route")) != 0 {
				t.Errorf("our own Route was left: %q", m.all("Route"))
			}
			callee.reply(m, 200, "OK", "callee")
			want = "200"
		}
		caller.expect(want)
	}
	callee.silence(beat)
}

// Row 9, §21.5.6 and §18.3: another version is 505; what would not fit into a datagram with our
// rows is 513.
func TestRow09VersionAndSize(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	caller.send(srv.addr, strings.Replace(d.text("OPTIONS", d.branch), " SIP/2.0\r\n", " SIP/7.0\r\n", 1))
	if m := caller.expect("505"); !strings.HasPrefix(m.start, "SIP/2.0 ") {
		t.Errorf("the answer's version: %s", m.start)
	}
	sized := func(n int) string {
		d := caller.call(srv.addr)
		text := func(body int) string {
			return d.text("MESSAGE", d.branch, "Content-Type: text/plain", "-Content-Length",
				fmt.Sprintf("Content-Length: %d", body)) + strings.Repeat("x", body)
		}
		return text(n - len(text(n)) + n)
	}
	const largest = 65507 // of a UDP datagram over IPv4
	caller.send(srv.addr, sized(largest))
	caller.expect("513")
	callee.silence(beat)
	text := sized(largest - 500)
	caller.send(srv.addr, text)
	m := callee.expect("MESSAGE")
	if _, body, _ := strings.Cut(text, "\r\n\r\n"); string(m.body) != body {
		t.Errorf("a body of %d bytes arrives as %d", len(body), len(m.body))
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
}
