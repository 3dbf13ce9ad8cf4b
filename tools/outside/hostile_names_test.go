package outside

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Names that make trouble. Where a nameserver says nothing, only the call for that name waits, and
// not for ever.

// slowNames is a proxy whose look-ups last two seconds at most, with a nameserver that says nothing
// about mute.example.net.
func slowNames(t *testing.T, s streamSetup) (*streamServer, *nameserver) {
	t.Helper()
	t.Parallel()
	n := newNameserver(t, "mute.example.net 60 IN A 127.0.0.1", "good.example.net 60 IN A 127.0.0.1")
	n.mute("mute.example.net", true)
	for _, service := range []string{"_sip._udp", "_sip._tcp", "_sips._tcp"} {
		n.mute(service+".mute.example.net", true)
	}
	s.globals = append(append(s.globals, locating(t, n.addr)...), "dns_timeout=2")
	return startStreams(t, s), n
}

// final is the final response to a call that waited; its 100 came before.
func (d *dialog) final() *message {
	d.peer.t.Helper()
	for {
		m := d.peer.next(patience)
		if m == nil {
			d.peer.t.Fatalf("%s has no final response", d.uri)
		}
		if m.get("Call-ID") == d.id && m.status() >= 200 {
			return m
		}
	}
}

// A name whose nameserver is silent: its INVITE has a 100 while it waits, and an end; calls to an
// address and to a name that is known go on beside it, and what waits can be cancelled.
func TestNameThatIsMute(t *testing.T) {
	srv, n := slowNames(t, streamSetup{setup: setup{shards: 2}})
	calls := startTraffic(t, srv, "UDP", overTCP)
	callee := newAnswerer(t)
	caller := newPeer(t, "the caller")
	var waiting []*dialog
	for range 20 {
		d := caller.invitesTo(srv.addr, "sip:callee@mute.example.net")
		waiting = append(waiting, d)
	}
	for range waiting {
		caller.expect("100") // nothing else comes before the nameserver is given up
	}
	named := newPeer(t, "who calls a name that is known")
	for range 20 {
		d := named.call(srv.addr)
		d.uri = fmt.Sprintf("sip:callee@good.example.net:%d", callee.addr.Port())
		if err := d.whole(); err != nil {
			t.Fatal(err)
		}
	}
	for range waiting {
		m := caller.next(patience)
		if m == nil || m.status() < 400 {
			t.Fatalf("a name that nobody answers for gets %v", m)
		}
		for _, d := range waiting {
			if d.id == m.get("Call-ID") {
				d.ack(m)
			}
		}
	}
	calls.goOn(5)

	// It is asked again, not remembered for long: a name that has come back works at once.
	n.mute("mute.example.net", false)
	eventually(t, "the name to be called", func() bool {
		d := caller.call(srv.addr)
		d.uri = fmt.Sprintf("sip:callee@mute.example.net:%d", callee.addr.Port())
		return d.whole() == nil
	})
	calls.allWell()
}

// A CANCEL for a call whose name is looked up ends it: 200 for the CANCEL, 487 for the INVITE, and
// nobody is called afterwards.
func TestCancelWhileNameIsSought(t *testing.T) {
	srv, n := slowNames(t, streamSetup{})
	caller, callee := newPeer(t, "the caller"), newPeer(t, "the callee")
	d := caller.invitesTo(srv.addr, fmt.Sprintf("sip:callee@mute.example.net:%d", callee.addr.Port()))
	caller.expect("100")
	d.cancel()
	got := map[string]*message{}
	for range 2 {
		m := caller.next(patience)
		if m == nil {
			t.Fatalf("a call that waits and its CANCEL get %v", got)
		}
		got[fmt.Sprint(m.status(), " ", m.get("CSeq"))] = m
	}
	if got["200 1 CANCEL"] == nil || got["487 1 INVITE"] == nil {
		t.Fatalf("a call that waits and its CANCEL get %v", got)
	}
	d.ack(got["487 1 INVITE"])
	n.mute("mute.example.net", false) // its next answer comes to a call that is over
	eventually(t, "the name to be called", func() bool {
		caller.requests(srv.addr, "MESSAGE", d.uri)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if m := callee.next(10 * time.Millisecond); m != nil {
				if m.get("Call-ID") == d.id {
					t.Errorf("a call that was cancelled arrives:\n%s", m.raw)
				}
				callee.reply(m, 200, "OK", "callee")
			}
			if m := caller.next(10 * time.Millisecond); m != nil {
				return m.status() == 200
			}
		}
		return false
	})
	callee.silence(beat)
}

// SIGTERM while a call waits for its name: the call gets its answer, and the program ends in order.
func TestDrainWhileNameIsSought(t *testing.T) {
	srv, _ := slowNames(t, streamSetup{})
	caller := newPeer(t, "the caller")
	d := caller.invitesTo(srv.addr, "sip:callee@mute.example.net")
	caller.expect("100")
	srv.beginsToDrain(t)
	m := d.final()
	if m.status() < 400 {
		t.Fatalf("answered %s", m)
	}
	d.ack(m)
	if !srv.wait(slowStart) {
		t.Fatalf("it does not end:\n%s", srv.tail())
	}
	if srv.err != nil {
		t.Errorf("it ends with %v:\n%s", srv.err, srv.tail())
	}
}

// Three thousand calls to as many names that are not there: each has its answer, other calls go on,
// and memory is bounded.
func TestUnknownNames(t *testing.T) {
	srv, _ := slowNames(t, streamSetup{setup: setup{shards: 2, arenaMB: 256}})
	loads(t)
	calls := startTraffic(t, srv, "UDP", overTCP)
	caller := newPeer(t, "the caller")
	before := srv.residentBytes(t)
	const names, atOnce = 3000, 500
	status := map[int]int{}
	for from := 0; from < names; from += atOnce {
		open := map[string]*dialog{}
		for i := range atOnce {
			d := caller.invitesTo(srv.addr, fmt.Sprintf("sip:callee@unknown-%d.example.org", from+i))
			open[d.id] = d
		}
		for len(open) > 0 {
			m := caller.next(patience)
			if m == nil {
				t.Fatalf("%d of %d calls have no answer; the others: %v", len(open), atOnce, status)
			}
			if d := open[m.get("Call-ID")]; d != nil && m.status() >= 200 {
				d.ack(m)
				delete(open, d.id)
				status[m.status()]++
			}
		}
	}
	calls.allWell()
	for code, n := range status {
		if code < 400 {
			t.Errorf("%d calls to names that are not there got %d", n, code)
		}
	}
	t.Logf("answers: %v; %d MiB more are resident", status, (srv.residentBytes(t)-before)>>20)
	if grown := srv.residentBytes(t) - before; grown > 400<<20 {
		t.Errorf("%d MiB more are resident after %d names", grown>>20, names)
	}
	if n := sum(srv.stats(t), "panics"); n > 0 {
		t.Errorf("%d panics were contained:\n%s", n, srv.text())
	}
}

// A name that leads to ourselves: the call comes back until somebody notices (§16.3 steps 3 and 4),
// and one response comes of it.
func TestNameThatLeadsHere(t *testing.T) {
	srv, n := slowNames(t, streamSetup{})
	n.add("here.example.net 60 IN A 127.0.0.1")
	for _, transport := range []string{"UDP", overTCP} {
		caller := srv.caller(t, "the caller over "+transport, transport)
		before := srv.stats(t)
		d := caller.invitesTo(srv.at(transport),
			fmt.Sprintf("sip:callee@here.example.net:%d;transport=%s", srv.at(transport).Port(),
				strings.ToLower(transport)))
		m := d.final()
		if m.status() != 482 && m.status() != 483 {
			t.Errorf("over %s a loop ends with %s", transport, m)
		}
		d.ack(m)
		// 70 hops, each with an ACK, and what was repeated
		if requests := sum(srv.stats(t), "requests") - sum(before, "requests"); requests > 300 {
			t.Errorf("over %s one call made %d requests", transport, requests)
		}
		caller.silence(beat)
	}
}

// Answers that live no time at all, and one with a hundred addresses.
func TestOddAnswers(t *testing.T) {
	srv, n := slowNames(t, streamSetup{})
	callee, caller := newPeer(t, "the callee"), newPeer(t, "the caller")
	n.add("brief.example.net 0 IN A 127.0.0.1")
	for range 5 {
		caller.requests(srv.addr, "MESSAGE", fmt.Sprintf("sip:callee@brief.example.net:%d", callee.addr.Port()))
		answered(caller, callee, "MESSAGE")
	}
	for i := range 100 {
		n.add(fmt.Sprintf("many.example.net 60 IN A 127.0.1.%d", i+1))
	}
	// Someone is at each: whichever is drawn gets it.
	everywhere := newPeerAt(t, "a hundred addresses", netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(freePort(t))))
	for range 5 {
		caller.requests(srv.addr, "MESSAGE", fmt.Sprintf("sip:callee@many.example.net:%d", everywhere.addr.Port()))
		m := everywhere.expect("MESSAGE")
		everywhere.send(srv.addr, replyText(m, everywhere.addr, 200, "OK", "callee"))
		caller.expect("200")
	}
	// Nobody is at any: the call ends all the same, behind sixteen tries at most (docs/dns.md).
	before := srv.stats(t)
	d := caller.requests(srv.addr, "MESSAGE", fmt.Sprintf("sip:callee@many.example.net:%d;transport=tcp", freePort(t)))
	if m := d.final(); m.status() < 400 {
		t.Errorf("nobody is there, and the answer is %s", m)
	}
	if n := sum(srv.stats(t), "panics") - sum(before, "panics"); n > 0 {
		t.Errorf("%d panics:\n%s", n, srv.tail())
	}
}

// A name that fails and comes back: the next calls succeed as soon as it does, over calls as over
// other requests (row 64).
func TestNameComesBack(t *testing.T) {
	srv, n := slowNames(t, streamSetup{})
	callee, caller := newAnswerer(t), newPeer(t, "the caller")
	n.add("later.example.net 1 IN A 127.0.0.1")
	uri := fmt.Sprintf("sip:callee@later.example.net:%d", callee.addr.Port())
	for range 2 {
		n.fail("later.example.net", true)
		d := caller.invitesTo(srv.addr, uri)
		m := d.final()
		if m.status() == 200 {
			d.confirm(m) // an old answer serves while the servers fail (RFC 8767)
			d.request("ACK")
			d.request("BYE")
			d.final()
		} else {
			d.ack(m)
		}
		n.fail("later.example.net", false)
		eventually(t, "a call to a name that resolves again", func() bool {
			d := caller.call(srv.addr)
			d.uri = uri
			if d.whole() == nil {
				return true
			}
			for caller.next(0) != nil {
			}
			time.Sleep(beat)
			return false
		})
	}
}
