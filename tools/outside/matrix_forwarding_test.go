package outside

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Row 5, RFC 3261 §16.3 step 5: an ACK is never refused, so its Proxy-Require is passed over.
func TestRow05ProxyRequireOfACK(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.establish(callee)
	d.request("ACK", "Proxy-Require: foo")
	callee.expect("ACK")
	caller.silence(beat)
}

// Row 7, §7.3.1: values in one row and in several are the same list: the same transaction by the
// Via on top, the same way by the Route on top.
func TestRow07CommasAndRows(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	const below = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbelow"
	one := strings.Replace(d.text("MESSAGE", d.branch), ";branch="+d.branch+"\r\n",
		";branch="+d.branch+" , "+below+"\r\n", 1)
	several := strings.Replace(d.text("MESSAGE", d.branch), ";branch="+d.branch+"\r\n",
		";branch="+d.branch+"\r\nVia: "+below+"\r\n", 1)
	caller.send(srv.addr, one)
	m := callee.expect("MESSAGE")
	callee.reply(m, 200, "OK", "callee")
	first := caller.expect("200")
	caller.send(srv.addr, several)
	if again := caller.expect("200"); string(again.raw) != string(first.raw) {
		t.Errorf("the same request in other rows is answered otherwise:\n%s\n%s", first.raw, again.raw)
	}
	callee.silence(beat)

	hop := newPeer(t, "the next hop")
	d = caller.call(srv.addr)
	d.establish(callee)
	ours, next, last := d.routes[0], "<sip:"+hop.addr.String()+";lr>", "<sip:192.0.2.1;lr>"
	for _, routes := range [][]string{{ours, next, last}, {ours + ", " + next, last}, {ours, next + "," + last},
		{ours + " ,\r\n " + next + "\t,\r\n\t" + last}} {
		d.routes = routes
		d.request("INFO")
		m := hop.expect("INFO")
		if got := strings.Join(m.all("Route"), ","); strings.Join(strings.Fields(got), "") != next+","+last {
			t.Errorf("Route %q arrives as %q", routes, got)
		}
		hop.reply(m, 200, "OK", "")
		caller.expect("200")
	}
}

// Row 21, §16.6 step 1: the body is bytes to us, and rows of one name keep their order.
func TestRow21BodyAndOrder(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	body := "--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp +
		"\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n\x00\x01\xff\r\n\r\nVia: no header\r\n--b--\r\n"
	d := caller.call(srv.addr)
	text := d.text("MESSAGE", d.branch, "P: 1", "Q: 1", "P: 2, 3", "Q:2", "p : 4",
		"Content-Type: multipart/mixed;boundary=b", "-Content-Length",
		fmt.Sprintf("Content-Length: %d", len(body))) + body
	caller.send(srv.addr, text)
	m := callee.expect("MESSAGE")
	if string(m.body) != body {
		t.Errorf("the body arrives as\n%q, want\n%q", m.body, body)
	}
	if got, want := untouchable(m.raw), untouchable([]byte(text)); got != want {
		t.Errorf("the rows arrive as\n%q, want\n%q", got, want)
	}
	answer := strings.Replace(replyText(m, callee.addr, 200, "OK", "callee", "P: 2", "Q: 1", "P: 1"),
		"Content-Length: 0\r\n\r\n",
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body), 1)
	callee.send(srv.addr, answer)
	r := caller.expect("200")
	if string(r.body) != body || strings.Join(r.all("P"), " ") != "2 1" {
		t.Errorf("the answer arrives as\n%s", r.raw)
	}
	if untouchable(r.raw) != untouchable([]byte(answer)) {
		t.Errorf("the answer's rows arrive as\n%s, want\n%s", r.raw, answer)
	}
}

// Row 22, §17.2.1: the caller has its 100 within 200 ms, whatever the callee does.
func TestRow22TryingAtOnce(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	best := time.Hour
	for range 10 { // the machine may have been busy, not ten times
		d := caller.call(srv.addr)
		began := time.Now()
		d.invite()
		m := caller.expect("100")
		best = min(best, m.at.Sub(began))
		callee.reply(callee.await("INVITE", patience), 486, "Busy Here", "callee")
		d.ack(caller.expect("486"))
	}
	if best > 200*time.Millisecond {
		t.Errorf("the quickest of ten 100s took %v", best)
	}
}

// Row 28, §16.7 step 6: a 503 says that the callee is overloaded, not that we are: it goes on as
// 500. remap_503_500 is Kamailio's switch for it.
func TestRow28UnavailableBecomes500(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]setup{"500": {}, "503": {edits: params(`modparam("tm", "remap_503_500", 0)`)}} {
		srv, caller, callee := proxyBetweenTwo(t, s)
		for _, method := range []string{"INVITE", "MESSAGE"} {
			d := caller.call(srv.addr)
			caller.send(srv.addr, d.text(method, d.branch))
			m := callee.expect(method)
			callee.reply(m, 503, "Service Unavailable", "callee", "Retry-After: 77")
			if method == "INVITE" {
				checkDerived(t, "ACK", m, callee.expect("ACK"), m.get("To")+";tag=callee")
				caller.expect("100")
				d.ack(caller.expect(want))
			} else {
				caller.expect(want)
			}
		}
	}
}

// Row 31, §16.9, §18.4: a port that nobody has answers by ICMP, which counts as a 503: the next
// destination has the request at once, in a branch of its own.
func TestRow31PortUnreachable(t *testing.T) {
	t.Parallel()
	caller, callee := newPeer(t, "the caller"), newPeer(t, "the callee")
	nobody := freeAddress(t)
	srv := start(t, patient(setup{targets: []netip.AddrPort{nobody, callee.addr}}))
	failovers := uint64(0)
	for i := 0; i < 64 && failovers == 0; i++ { // the Call-ID chooses who is first
		d := caller.call(srv.addr)
		began := time.Now()
		d.invite()
		m := d.reaches(callee)
		if took := m.at.Sub(began); took > patience/2 {
			t.Errorf("the INVITE took %v", took)
		}
		failovers = sum(srv.stats(t), "failovers")
		if want := "sip:callee@example.com"; m.uri() != want || len(m.all("Via")) != 2 || m.get("Call-ID") != d.id ||
			m.get("CSeq") != "1 INVITE" {
			t.Errorf("the INVITE arrives as\n%s", m.raw)
		}
		callee.reply(m, 486, "Busy Here", "callee")
		callee.expect("ACK")
		d.ack(caller.expect("486"))
	}
	if failovers == 0 {
		t.Error("no call met the port that nobody has")
	}
}

// Row 31: where no destination is left the caller is told at once, and not by a 503, which would be
// about us.
func TestRow31NobodyLeft(t *testing.T) {
	t.Parallel()
	caller := newPeer(t, "the caller")
	srv := start(t, setup{targets: []netip.AddrPort{freeAddress(t)}})
	d := caller.call(srv.addr)
	began := time.Now()
	d.invite()
	caller.expect("100")
	m := caller.expect("500")
	if took := m.at.Sub(began); took > patience/2 {
		t.Errorf("the 500 took %v", took)
	}
	d.ack(m)
}

// Row 32, §16.10: CANCEL follows its INVITE's Route, whatever the caller wrote into the CANCEL; one
// that matches nothing gets 481 from a program that says so, or is passed on without state.
func TestRow32CancelRouteAndUnknown(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{program: relay, edits: []string{`		if (t_check_trans()) {
			t_relay();
		}
		exit;
	}
	t_check_trans();`, `		if (t_check_trans()) {
			t_relay();
		} else {
			sl_send_reply("481", "Call/Transaction Does Not Exist");
		}
		exit;
	}
	t_check_trans();
	loose_route();`}})
	d := caller.call(srv.addr)
	d.uri = "sip:callee@192.0.2.1"
	route := "<sip:" + callee.addr.String() + ";lr>"
	d.invite("Route: "+route, "Route: <sip:192.0.2.2;lr>")
	invite := d.reaches(callee)
	if got := strings.Join(invite.all("Route"), ","); got != route+",<sip:192.0.2.2;lr>" {
		t.Errorf("Route arrives as %q", got)
	}
	callee.reply(invite, 180, "Ringing", "callee")
	caller.expect("180")
	d.cancel()
	caller.expect("200")
	cancel := callee.expect("CANCEL")
	checkDerived(t, "CANCEL", invite, cancel, invite.get("To"))
	callee.reply(cancel, 200, "OK", "callee")
	callee.reply(invite, 487, "Request Terminated", "callee")
	checkDerived(t, "ACK", invite, callee.expect("ACK"), invite.get("To")+";tag=callee")
	d.ack(caller.expect("487"))

	d = caller.call(srv.addr)
	d.uri = "sip:callee@" + callee.addr.String()
	d.cancel()
	caller.expect("481")
	callee.silence(beat)
}

// Row 96, RFC 3262, 3311, 3515, 3891: PRACK, UPDATE, REFER and Replaces pass as they are, and the
// early dialogs of a fork behind us stay apart.
func TestRow96EarlyDialogs(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr, "Supported: 100rel, replaces",
		"Replaces: 98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff")
	invite := d.reaches(callee)
	if invite.get("Replaces") != "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff" ||
		invite.get("Supported") != "100rel, replaces" {
		t.Errorf("the INVITE arrives as\n%s", invite.raw)
	}
	early := map[string]*dialog{}
	for i, tag := range []string{"a", "b"} {
		rseq := fmt.Sprint(988789 + i*1000)
		callee.reply(invite, 183, "Session Progress", tag, "Require: 100rel", "RSeq: "+rseq)
		m := caller.expect("183")
		if m.get("RSeq") != rseq || m.get("Require") != "100rel" || param(m.get("To"), "tag") != tag {
			t.Errorf("the 183 of %s arrives as\n%s", tag, m.raw)
		}
		e := *d
		e.confirm(m)
		e.branch += tag
		early[tag] = &e
	}
	for tag, e := range early {
		rack := map[string]string{"a": "988789 1 INVITE", "b": "989789 1 INVITE"}[tag]
		for method, header := range map[string]string{
			"PRACK": "RAck: " + rack, "UPDATE": "Session-Expires: 90",
			"REFER": "Refer-To: <sip:x@example.com?Replaces=1%40x%3Bto-tag%3D2>",
		} {
			e.request(method, header)
			m := callee.expect(method)
			name, value, _ := strings.Cut(header, ": ")
			if param(m.get("To"), "tag") != tag || m.get(name) != value || len(m.all("Route")) != 0 {
				t.Errorf("the %s of dialog %s arrives as\n%s", method, tag, m.raw)
			}
			callee.reply(m, 202, "Accepted", "", "X-Dialog: "+tag)
			if r := caller.expect("202"); r.get("X-Dialog") != tag {
				t.Errorf("the answer to %s of dialog %s:\n%s", method, tag, r.raw)
			}
		}
	}
	callee.reply(invite, 200, "OK", "b")
	final := caller.expect("200")
	if param(final.get("To"), "tag") != "b" {
		t.Errorf("the 200 arrives as\n%s", final.raw)
	}
	early["b"].request("ACK")
	callee.expect("ACK")
}

// Row 100, RFC 6665 §4.4.1: a NOTIFY that overtakes the 200 to its SUBSCRIBE finds the way by
// Record-Route.
func TestRow100EarlyNotify(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.call(srv.addr)
	d.request("SUBSCRIBE", "Event: presence")
	m := callee.expect("SUBSCRIBE")
	rr := m.all("Record-Route")
	if len(rr) != 1 {
		t.Fatalf("Record-Route %q on a SUBSCRIBE", rr)
	}
	e := &dialog{peer: callee, proxy: srv.addr, id: d.id, uri: "sip:caller@" + caller.addr.String(),
		toTag:  param(m.get("From"), "tag"),
		branch: "z9hG4bKnotify" + d.branch[7:], routes: rr}
	e.request("NOTIFY", "Event: presence", "Subscription-State: active")
	n := caller.expect("NOTIFY")
	if len(n.all("Route")) != 0 || n.uri() != e.uri {
		t.Errorf("the NOTIFY arrives as\n%s", n.raw)
	}
	caller.reply(n, 200, "OK", "")
	callee.expect("200")
	callee.reply(m, 200, "OK", "callee")
	if r := caller.expect("200"); !bytes.Contains(r.raw, []byte("SUBSCRIBE")) {
		t.Errorf("the answer to SUBSCRIBE:\n%s", r.raw)
	}
}
