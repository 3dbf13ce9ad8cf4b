package outside

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var against = flag.String("against", "viaduct",
	"which proxy the rows about forking and streams are played through: viaduct, or kamailio to try the tests "+
		"themselves")

// fork is a proxy between a caller and callees. In the program {0}, {1}, … stand for the callees'
// addresses and {us} for the proxy's.
func fork(t *testing.T, callees int, program string, s setup) (srv *server, caller *peer, all []*peer) {
	t.Helper()
	t.Parallel()
	caller = newPeer(t, "the caller")
	caller.once.Store(true)
	s.listen = freeAddress(t)
	old := []string{"{us}", s.listen.String()}
	for i := range callees {
		p := newPeer(t, fmt.Sprintf("callee %d", i))
		p.once.Store(true)
		all, s.targets = append(all, p), append(s.targets, p.addr)
		old = append(old, fmt.Sprintf("{%d}", i), p.addr.String())
	}
	s.program = strings.NewReplacer(old...).Replace(program)
	const last = `loadmodule "dispatcher.so"`
	s.edits = append(s.edits, last, last+"\nloadmodule \"corex.so\"")
	if *against == "kamailio" {
		return startKamailio(t, s), caller, all
	}
	return start(t, patient(s)), caller, all
}

// parallel forks to the first n callees at once.
func parallel(n int) string {
	initial := "\tseturi(\"sip:callee0@{0}\");\n"
	for i := 1; i < n; i++ {
		initial += fmt.Sprintf("\tappend_branch(\"sip:callee%d@{%d}\");\n", i, i)
	}
	return routes(initial + "\troute(RELAY);")
}

// Row 20, RFC 3261 §16.6 step 8: each branch of a fork has a Via of ours with a branch of its own,
// and its own Request-URI.
func TestRow20ThreeBranches(t *testing.T) {
	srv, caller, callees := fork(t, 3, parallel(3), setup{})
	seen := map[string]bool{}
	for range 2 {
		d := caller.invites(srv.addr)
		caller.expect("100")
		for i, c := range callees {
			m := c.expect("INVITE")
			if via := m.all("Via"); len(via) != 2 || !strings.HasPrefix(via[0], "SIP/2.0/UDP "+srv.addr.String()+";") {
				t.Errorf("callee %d: Via %q", i, via)
			}
			if b := m.branch(); !strings.HasPrefix(b, "z9hG4bK") || seen[b] {
				t.Errorf("callee %d: the branch %q is not its own", i, b)
			}
			seen[m.branch()] = true
			if want := fmt.Sprintf("sip:callee%d@%s", i, c.addr); m.uri() != want || m.get("Max-Forwards") != "69" {
				t.Errorf("callee %d gets\n%s", i, m.raw)
			}
			c.reply(m, 486, "Busy Here", "callee")
			c.expect("ACK")
		}
		d.ack(caller.expect("486"))
	}
}

// cancelled plays a callee that is cancelled while it rings: it takes the CANCEL, and ends the
// INVITE with 487. It gives the CANCEL.
func (p *peer) cancelled(invite *message, tag string) *message {
	p.t.Helper()
	cancel := p.expect("CANCEL")
	checkDerived(p.t, "CANCEL", invite, cancel, invite.get("To"))
	p.reply(cancel, 200, "OK", tag)
	p.reply(invite, 487, "Request Terminated", tag)
	checkDerived(p.t, "ACK", invite, p.expect("ACK"), invite.get("To")+";tag="+tag)
	return cancel
}

// Row 24, §16.7 step 5: a 6xx cancels what is pending, waits for it, and then goes upstream.
func TestRow24GlobalFailure(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	globalFailure(t, srv, caller, callees)
}

// Row 24: no branch is added after a 6xx, even if a failure route wants to (Kamailio 5.6 lets it).
func TestRow24NoNewBranches(t *testing.T) {
	srv, caller, callees := fork(t, 3, strings.Replace(parallel(2), "\troute(RELAY);\n}", "\tt_on_failure(\"MORE\");\n\troute(RELAY);\n}", 1)+`
failure_route[MORE] {
	$ru = "sip:callee2@{2}";
	t_relay();
}
`, setup{})
	globalFailure(t, srv, caller, callees)
	callees[2].silence(beat)
}

// globalFailure has the second of two callees decline for all while the first one rings.
func globalFailure(t *testing.T, srv *server, caller *peer, callees []*peer) {
	t.Helper()
	d := caller.invites(srv.addr)
	caller.expect("100")
	a, b := callees[0].expect("INVITE"), callees[1].expect("INVITE")
	callees[0].reply(a, 180, "Ringing", "a")
	caller.expect("180")
	callees[1].reply(b, 603, "Decline", "b")
	callees[1].expect("ACK")
	cancel := callees[0].expect("CANCEL")
	caller.silence(beat)
	callees[0].reply(cancel, 200, "OK", "a")
	callees[0].reply(a, 487, "Request Terminated", "a")
	callees[0].expect("ACK")
	m := caller.expect("603")
	if param(m.get("To"), "tag") != "b" {
		t.Errorf("the 603:\n%s", m.raw)
	}
	d.ack(m)
}

// Row 25, §16.7 step 6: the best of the finals goes upstream once no branch is pending: a 6xx, else
// the lowest class, and among 4xx what tells the caller how to do better. The order of arrival does
// not matter.
func TestRow25BestResponse(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	f := func(one, other, want int) {
		t.Helper()
		for _, codes := range [][2]int{{one, other}, {other, one}} {
			d := caller.invites(srv.addr)
			caller.expect("100")
			for i, c := range callees {
				m := c.expect("INVITE")
				c.reply(m, codes[i], "Phrase", fmt.Sprint("of", codes[i]))
				c.expect("ACK")
				if i == 0 && codes[i] < 600 {
					caller.silence(20 * time.Millisecond)
				}
			}
			m := caller.expect(fmt.Sprint(want))
			if tag := fmt.Sprint("of", want); want != 500 && param(m.get("To"), "tag") != tag {
				t.Errorf("of %v it is\n%s", codes, m.raw)
			}
			d.ack(m)
			caller.silence(20 * time.Millisecond)
		}
	}
	f(404, 407, 407)
	f(486, 500, 486)
	f(302, 404, 302)
	f(404, 401, 401)
	f(404, 415, 415)
	f(404, 420, 420)
	f(404, 484, 484)
	f(302, 401, 302)
	f(486, 603, 603)
	f(302, 600, 600)
	f(503, 404, 404)
	f(503, 502, 502)
	f(503, 503, 500) // row 28
}

// Row 25: the finals of branches tried one after the other are compared too, unless
// failure_reply_mode says otherwise.
func TestRow25SerialBestResponse(t *testing.T) {
	srv, caller, callees := fork(t, 2, routes(`	seturi("sip:callee0@{0}");
	t_on_failure("NEXT");
	route(RELAY);`)+`
failure_route[NEXT] {
	if (t_check_status("401")) {
		$ru = "sip:callee1@{1}";
		t_relay();
	}
}
`, setup{edits: []string{`"failure_reply_mode", 3`, `"failure_reply_mode", 0`}})
	d := caller.invites(srv.addr)
	m := d.reaches(callees[0])
	callees[1].silence(beat)
	callees[0].reply(m, 401, "Unauthorized", "a", `WWW-Authenticate: Digest realm="a", nonce="1"`)
	callees[0].expect("ACK")
	m = callees[1].expect("INVITE")
	if m.uri() != "sip:callee1@"+callees[1].addr.String() || m.get("Max-Forwards") != "69" ||
		len(m.all("Record-Route")) != 1 || len(m.all("Via")) != 2 {
		t.Errorf("the second destination gets\n%s", m.raw)
	}
	caller.silence(0)
	callees[1].reply(m, 404, "Not Found", "b")
	callees[1].expect("ACK")
	r := caller.expect("401")
	if param(r.get("To"), "tag") != "a" || r.get("WWW-Authenticate") == "" {
		t.Errorf("the best of 401 and 404:\n%s", r.raw)
	}
	d.ack(r)
}

// Row 27, §16.7 step 7: every challenge of the 401s and 407s is in the one response that goes
// upstream, as its callee wrote it.
func TestRow27Challenges(t *testing.T) {
	t.Parallel()
	t.Run("aggregated", func(t *testing.T) {
		challenges(t, setup{}, []string{`Digest realm="a", nonce="1"`, `Digest realm="a2", nonce="2"`},
			[]string{`Digest realm="b", nonce="3"`})
	})
	t.Run("aggregate_challenges=0", func(t *testing.T) {
		challenges(t, setup{edits: params(`modparam("tm", "aggregate_challenges", 0)`)}, nil, nil)
	})
}

// challenges wants these in the response; nil: those of the callee whose response was chosen alone.
func challenges(t *testing.T, s setup, www, proxy []string) {
	srv, caller, callees := fork(t, 2, parallel(2), s)
	d := caller.invites(srv.addr)
	caller.expect("100")
	a, b := callees[0].expect("INVITE"), callees[1].expect("INVITE")
	callees[0].reply(a, 401, "Unauthorized", "a", `WWW-Authenticate: Digest realm="a", nonce="1"`,
		`WWW-Authenticate: Digest realm="a2", nonce="2"`)
	callees[0].expect("ACK")
	callees[1].reply(b, 407, "Proxy Authentication Required", "b", `Proxy-Authenticate: Digest realm="b", nonce="3"`)
	callees[1].expect("ACK")
	m := caller.next(patience)
	if m == nil || m.status() != 401 && m.status() != 407 {
		t.Fatalf("the caller gets %v, want 401 or 407", m)
	}
	d.ack(m)
	if www == nil {
		if n := len(m.all("WWW-Authenticate")) + len(m.all("Proxy-Authenticate")); n == 3 || n == 0 {
			t.Errorf("%d challenges:\n%s", n, m.raw)
		}
		return
	}
	for name, want := range map[string][]string{"WWW-Authenticate": www, "Proxy-Authenticate": proxy} {
		if got := m.all(name); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Row 28: where the program tries the next destination after a 503, the caller hears of it when
// there is none left, and then as 500.
func TestRow28FailoverExhausted(t *testing.T) {
	srv, caller, callees := fork(t, 2, routes(`	if (!ds_select_dst("1", "4")) {
		sl_send_reply("503", "No destination");
		exit;
	}
	t_on_failure("NEXT");
	route(RELAY);`)+`
failure_route[NEXT] {
	if (t_check_status("503") && ds_next_dst()) {
		t_on_failure("NEXT");
		t_relay();
	}
}
`, setup{edits: params(`modparam("dispatcher", "flags", 2)`)})
	for range 3 {
		d := caller.invites(srv.addr)
		caller.expect("100")
		first, second := callees[0], callees[1]
		m := first.next(beat)
		if m == nil {
			first, second = second, first
			m = first.expect("INVITE")
		}
		second.silence(0)
		first.reply(m, 503, "Service Unavailable", "first")
		first.expect("ACK")
		m = second.expect("INVITE")
		caller.silence(0)
		second.reply(m, 503, "Service Unavailable", "second")
		second.expect("ACK")
		d.ack(caller.expect("500"))
	}
}

// Row 29, §16.7 step 10, §9.1: the first 2xx cancels the other branches, and what they say to that
// stays here. Row 100, RFC 3326: the CANCEL says why.
func TestRow29Row100FirstAnswerCancels(t *testing.T) {
	srv, caller, callees := fork(t, 3, parallel(3), setup{})
	d := caller.invites(srv.addr)
	caller.expect("100")
	a, b, c := callees[0].expect("INVITE"), callees[1].expect("INVITE"), callees[2].expect("INVITE")
	for i, m := range []*message{b, c} {
		callees[i+1].reply(m, 180, "Ringing", fmt.Sprint("ringing", i))
		caller.expect("180")
	}
	callees[0].reply(a, 200, "OK", "a")
	m := caller.expect("200")
	if param(m.get("To"), "tag") != "a" {
		t.Errorf("the 200:\n%s", m.raw)
	}
	d.confirm(m)
	d.request("ACK")
	callees[0].expect("ACK")
	for i, invite := range []*message{b, c} {
		cancel := callees[i+1].cancelled(invite, fmt.Sprint("ringing", i))
		if r := cancel.get("Reason"); !strings.HasPrefix(r, "SIP;cause=200") {
			t.Errorf("the CANCEL has Reason %q, want SIP;cause=200", r)
		}
	}
	caller.silence(beat)
	callees[0].silence(0)
}

// Row 29: a 2xx that crosses the CANCEL goes upstream as well, and so do its repetitions.
func TestRow29LateAnswer(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	d := caller.invites(srv.addr)
	caller.expect("100")
	a, b := callees[0].expect("INVITE"), callees[1].expect("INVITE")
	callees[1].reply(b, 180, "Ringing", "b")
	caller.expect("180")
	callees[0].reply(a, 200, "OK", "a")
	caller.expect("200")
	cancel := callees[1].expect("CANCEL")
	callees[1].reply(cancel, 200, "OK", "b")
	for range 2 {
		callees[1].reply(b, 200, "OK", "b")
		if m := caller.expect("200"); param(m.get("To"), "tag") != "b" || m.get("CSeq") != "1 INVITE" {
			t.Errorf("the second 200:\n%s", m.raw)
		}
	}
	e := *d
	e.uri, e.toTag, e.routes = "sip:callee@"+callees[1].addr.String(), "b",
		[]string{"<sip:" + srv.addr.String() + ";lr>"}
	e.request("ACK")
	callees[1].expect("ACK")
}

// Row 29: a branch that has not answered at all when another one did is not cancelled before it
// does (§9.1).
func TestRow29CancelWaits(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	caller.invites(srv.addr)
	caller.expect("100")
	a, b := callees[0].expect("INVITE"), callees[1].expect("INVITE")
	callees[0].reply(a, 200, "OK", "a")
	caller.expect("200")
	only(t, "the silent callee", callees[1].during(time.Now().Add(beat)), "INVITE ")
	callees[1].reply(b, 180, "Ringing", "b")
	cancel := callees[1].await("CANCEL", patience)
	checkDerived(t, "CANCEL", b, cancel, b.get("To"))
	callees[1].reply(cancel, 200, "OK", "b")
	callees[1].reply(b, 487, "Request Terminated", "b")
	callees[1].expect("ACK")
	only(t, "the caller", caller.during(time.Now().Add(beat)), "SIP/2.0 180 ")
}

// looping sends a to b and c, and both back to a, all of them at the proxy itself.
const looping = `	if ($rU == "a") {
		$ru = "sip:b@{us}";
		append_branch("sip:c@{us}");
	} else {
		$ru = "sip:a@{us}";
	}
	route(RELAY);`

// Row 57, RFC 5393 §4.2: a request that comes back with the same routing inputs is a loop: 482,
// after two rounds at most, instead of twice as many requests with each round until Max-Forwards
// runs out. It may have come from elsewhere the first time.
func TestRow57Loop(t *testing.T) {
	srv, caller, _ := fork(t, 1, routes(looping), setup{})
	other := newPeerAt(t, "another caller", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), uint16(freePort(t))))
	for _, p := range []*peer{caller, other} {
		before := sum(srv.stats(t), "transactions_created")
		d := p.call(srv.addr)
		d.uri = "sip:a@" + srv.addr.String()
		// without a check: some 500 requests, then 483
		d.invite("-Max-Forwards", "Max-Forwards: 16")
		p.expect("100")
		d.ack(p.await("482", patience))
		// One round is a, b, c; the second one too often doubles it: 1, 2, 2, 4, 4.
		if n := sum(srv.stats(t), "transactions_created") - before; n < 3 || n > 13 {
			t.Errorf("the loop made %d transactions, want those of two rounds at most", n)
		}
	}
}

// Row 58, §4.2.1: a request that comes back changed is a spiral, and passes, here three times.
func TestRow58Spiral(t *testing.T) {
	srv, caller, callees := fork(t, 1, routes(`	if ($rU == "a") {
		$ru = "sip:b@{us}";
	} else if ($rU == "b") {
		$ru = "sip:c@{us}";
	} else {
		$ru = "sip:callee0@{0}";
	}
	route(RELAY);`), setup{})
	d := caller.invitesTo(srv.addr, "sip:a@"+srv.addr.String())
	m := d.reaches(callees[0])
	if via := m.all("Via"); len(via) != 4 || m.get("Max-Forwards") != "67" {
		t.Errorf("after three times through us:\n%s", m.raw)
	}
	callees[0].reply(m, 200, "OK", "callee")
	final := caller.expect("200")
	d.confirm(final)
	d.request("ACK")
	callees[0].expect("ACK")
	d.request("BYE")
	callees[0].answers("BYE", 200, "OK")
	caller.expect("200")
}

// Row 59, RFC 5393 §5.3: Max-Breadth is shared out among the branches, 60 where there is none;
// where it does not reach for all of them, 440.
func TestRow59MaxBreadth(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	f := func(limit int, header ...string) {
		t.Helper()
		d := caller.invites(srv.addr, header...)
		caller.expect("100")
		total := 0
		for i, c := range callees {
			m := c.expect("INVITE")
			share := m.all("Max-Breadth")
			n := 0
			if len(share) == 1 {
				fmt.Sscan(share[0], &n)
			}
			if n < 1 {
				t.Errorf("callee %d has Max-Breadth %q", i, share)
			}
			total += n
			c.reply(m, 486, "Busy Here", "callee")
			c.expect("ACK")
		}
		if total > limit {
			t.Errorf("the branches' Max-Breadths add up to %d, more than %d", total, limit)
		}
		d.ack(caller.expect("486"))
	}
	f(60)
	f(2, "Max-Breadth: 2")
	f(5, "Max-Breadth: 5")
	f(61, "max-breadth : 61")
	refused := func(code string, header string) {
		t.Helper()
		d := caller.invites(srv.addr, header)
		m := caller.await(code, patience)
		d.ack(m)
		for _, c := range callees {
			c.silence(beat / 4)
		}
	}
	refused("440", "Max-Breadth: 1")
	refused("440", "Max-Breadth: 0")
	refused("400", "Max-Breadth: wide")
}

// Row 59: one branch after the other may each have all of it.
func TestRow59SerialMaxBreadth(t *testing.T) {
	srv, caller, callees := fork(t, 2, routes(`	seturi("sip:callee0@{0}");
	t_on_failure("NEXT");
	route(RELAY);`)+`
failure_route[NEXT] {
	$ru = "sip:callee1@{1}";
	t_relay();
}
`, setup{})
	d := caller.invites(srv.addr, "Max-Breadth: 1")
	caller.expect("100")
	for _, c := range callees {
		m := c.expect("INVITE")
		if got := m.get("Max-Breadth"); got != "1" {
			t.Errorf("Max-Breadth is %q, want 1", got)
		}
		c.reply(m, 486, "Busy Here", "callee")
		c.expect("ACK")
	}
	d.ack(caller.expect("486"))
}

// Row 96, RFC 3262: the early dialogs of our own fork stay apart: each PRACK reaches the callee
// whose reliable provisional it acknowledges.
func TestRow96EarlyDialogsOfAFork(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	d := caller.invites(srv.addr, "Supported: 100rel")
	caller.expect("100")
	var invites []*message
	var early []*dialog
	for i, c := range callees {
		m := c.expect("INVITE")
		c.reply(m, 183, "Session Progress", fmt.Sprint("early", i), "Require: 100rel", fmt.Sprint("RSeq: ", 7+i))
		r := caller.expect("183")
		e := *d
		e.confirm(r)
		e.branch += fmt.Sprint("early", i)
		if r.get("RSeq") != fmt.Sprint(7+i) || e.toTag != fmt.Sprint("early", i) {
			t.Errorf("the 183 of callee %d:\n%s", i, r.raw)
		}
		invites, early = append(invites, m), append(early, &e)
	}
	for i, c := range callees {
		early[i].request("PRACK", fmt.Sprintf("RAck: %d 1 INVITE", 7+i))
		m := c.expect("PRACK")
		if m.get("RAck") != fmt.Sprintf("%d 1 INVITE", 7+i) || param(m.get("To"), "tag") != fmt.Sprint("early", i) {
			t.Errorf("callee %d gets\n%s", i, m.raw)
		}
		c.reply(m, 200, "OK", "")
		caller.expect("200")
	}
	callees[1].reply(invites[1], 200, "OK", "early1")
	caller.expect("200")
	callees[0].cancelled(invites[0], "early0")
	early[1].request("ACK")
	callees[1].expect("ACK")
	caller.silence(beat)
}

// Row 100, RFC 6665 §4.4.1: a SUBSCRIBE forks, one 2xx answers it, and the NOTIFY of each branch
// finds the subscriber, before that 2xx too.
func TestRow100SubscribeForks(t *testing.T) {
	srv, caller, callees := fork(t, 2, parallel(2), setup{})
	d := caller.call(srv.addr)
	d.request("SUBSCRIBE", "Event: presence")
	var requests []*message
	for i, c := range callees {
		m := c.expect("SUBSCRIBE")
		requests = append(requests, m)
		e := &dialog{peer: c, proxy: srv.addr, id: d.id, uri: "sip:caller@" + caller.addr.String(),
			toTag:  param(m.get("From"), "tag"),
			branch: fmt.Sprintf("z9hG4bKnotify%d%s", i, d.branch[7:]), routes: m.all("Record-Route")}
		e.request("NOTIFY", "Event: presence", "Subscription-State: active", fmt.Sprint("X-Branch: ", i))
		n := caller.expect("NOTIFY")
		if n.get("X-Branch") != fmt.Sprint(i) || len(n.all("Route")) != 0 {
			t.Errorf("the NOTIFY of branch %d arrives as\n%s", i, n.raw)
		}
		caller.reply(n, 200, "OK", "")
		c.expect("200")
	}
	for i, c := range callees {
		c.reply(requests[i], 200, "OK", fmt.Sprint("notifier", i))
	}
	if m := caller.expect("200"); !strings.HasSuffix(m.get("CSeq"), " SUBSCRIBE") {
		t.Errorf("the answer to SUBSCRIBE:\n%s", m.raw)
	}
	caller.silence(beat)
}

// Row 53, RFC 4320 §4.1: a request other than INVITE gets no provisional response but 100, and that
// not before Timer E of its sender has reached T2: 3.5 s with the RFC's values. From then on it
// gets one.
func TestRow53TryingToNonInvite(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.call(srv.addr)
		began := time.Now()
		branch := d.request("OPTIONS")
		m := callee.expect("OPTIONS")
		callee.reply(m, 180, "Ringing", "callee")
		reached := time.Duration(0)
		for next := k.t1; next < k.t2; next *= 2 {
			reached += next
		}
		// The sender repeats it as Timer E says.
		text := d.text("OPTIONS", branch)
		go func() {
			for _, at := range doubling(k.t1, k.t2, reached+2*k.t2)[1:] {
				time.Sleep(time.Until(began.Add(at)))
				caller.conn.WriteToUDPAddrPort([]byte(text), srv.addr)
			}
		}()
		r := caller.next(reached + 2*k.t2 + patience)
		if r == nil || r.status() != 100 {
			t.Fatalf("the caller of a slow callee gets %v, want a 100", r)
		}
		notBefore(t, "100", r.at.Sub(began), reached)
		callee.reply(m, 200, "OK", "callee")
		only(t, "the caller", append([]*message{caller.await("200", patience)}, caller.during(time.Now().Add(beat))...),
			"SIP/2.0 100 ", "SIP/2.0 200 ")
	})
}

// Row 100, RFC 3326: the Reason of a CANCEL is copied into ours.
func TestRow100ReasonOfCancel(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{})
	d := caller.invites(srv.addr)
	invite := d.ringsAt(callee)
	reasons := []string{`SIP;cause=200;text="Call completed elsewhere"`, `Q.850;cause=16;text="Terminated"`}
	d.cancel("Reason: "+reasons[0], "Reason: "+reasons[1])
	caller.expect("200")
	cancel := callee.expect("CANCEL")
	if got := cancel.all("Reason"); strings.Join(got, ",") != strings.Join(reasons, ",") {
		t.Errorf("Reason %q, want %q", got, reasons)
	}
	callee.reply(cancel, 200, "OK", "callee")
	callee.reply(invite, 487, "Request Terminated", "callee")
	callee.expect("ACK")
	d.ack(caller.expect("487"))
}
