package shard

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

func request(method, uri, callID, branch string) []byte {
	return fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-%s\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"+
		"Content-Length: 0\r\n\r\n", method, uri, branch, callID, method)
}

// down counts the destinations that selection passes over.
func (f *flow) down() (n int) {
	for _, s := range f.w.shared.tables.Load().Sets() {
		for _, t := range s.Targets {
			if !t.State().Usable() {
				n++
			}
		}
	}
	return n
}

// count is how many datagrams left that begin with start, for any destination.
func (f *flow) count(start string) (n int) {
	for _, d := range f.sent {
		if strings.HasPrefix(string(d.bytes), start) {
			n++
		}
	}
	return n
}

const threeTargets = "1 sip:127.0.0.1:7000\n1 sip:127.0.0.1:7001\n1 sip:127.0.0.1:7002\n"

// TestLifetimeIsNoFault: with fr_timer and max_noninv_lifetime alike, the end of a transaction's
// life is neither blamed on a destination nor followed by another attempt.
func TestLifetimeIsNoFault(t *testing.T) {
	f := newFlow(t, strings.Replace(defaultConfig(t), `modparam("tm", "fr_timer", 30000)`, "", 1), threeTargets, 16<<20)
	f.receive("127.0.0.1:6000", request("MESSAGE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	first := f.sent[0].to
	f.wait(40 * time.Second)
	for _, d := range f.sent {
		if d.to != first && !strings.HasPrefix(string(d.bytes), "SIP/2.0 100") {
			t.Errorf("the MESSAGE went on to %s", d.to)
		}
	}
	if n := f.down(); n != 0 {
		t.Errorf("%d destinations are down", n)
	}
	f.endsClean()
}

// TestInviteLifetime: max_inv_lifetime ends the transaction with 408, whatever destinations are
// left.
func TestInviteLifetime(t *testing.T) {
	f := newFlow(t, strings.Replace(defaultConfig(t), `modparam("tm", "fr_timer", 30000)`,
		"modparam(\"tm\", \"fr_timer\", 5000)\nmodparam(\"tm\", \"max_inv_lifetime\", 6000)", 1), threeTargets, 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.wait(6100 * time.Millisecond)
	if n := f.count("SIP/2.0 408"); n != 1 {
		t.Errorf("%d 408 after the lifetime, want 1", n)
	}
	invites := f.count("INVITE ")
	f.wait(60 * time.Second)
	if n := f.count("INVITE "); n != invites {
		t.Errorf("%d INVITEs left after the 408", n-invites)
	}
	f.endsClean()
}

// TestOneSilentCall: a call that no destination answers does not take the idle ones out; the second
// one does.
func TestOneSilentCall(t *testing.T) {
	f := newFlow(t, defaultConfig(t), threeTargets, 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.wait(150 * time.Second)
	if n := f.down(); n != 0 {
		t.Errorf("%d destinations are down after one call", n)
	}
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c2", "2"))
	f.wait(150 * time.Second)
	if n := f.down(); n != 3 {
		t.Errorf("%d destinations are down after two silent calls, want 3", n)
	}
	f.endsClean()
}

// TestAnswerWithoutTheCallersVia drives its transaction, and the caller hears it with its own Via.
func TestAnswerWithoutTheCallersVia(t *testing.T) {
	f := newFlow(t, defaultConfig(t), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	answer := answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "200 OK", "u", "")
	f.receive("127.0.0.1:7000",
		[]byte(strings.Replace(string(answer), "Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-1\r\n", "", 1)))
	if n := f.count("SIP/2.0 200"); n != 1 ||
		!strings.Contains(string(f.sent[len(f.sent)-1].bytes), "branch=z9hG4bK-1\r\n") {
		t.Errorf("the caller heard %d times of it", n)
	}
	f.endsClean()
}

// TestSecondRelay: each t_relay after a new $du makes a branch of its own, one without a new target
// none.
func TestSecondRelay(t *testing.T) {
	cfg := strings.Replace(defaultConfig(t), `if (!ds_select_dst("1", "0")) {`,
		`$du = "sip:127.0.0.1:7000"; t_relay(); $du = "sip:127.0.0.1:7001"; t_relay(); t_relay(); exit; if `+
			`(!ds_select_dst("1", "0")) {`, 1)
	f := newFlow(t, cfg, defaultTargets, 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	if n := f.count("INVITE "); n != 2 {
		t.Errorf("%d INVITEs left, want 2", n)
	}
	f.endsClean()
}

// TestProgramOverridesTheSet: what the program puts into the Request-URI after ds_select_domain is
// where the request goes.
func TestProgramOverridesTheSet(t *testing.T) {
	cfg := strings.Replace(defaultConfig(t), `if (!ds_select_dst("1", "0")) {`,
		`if (ds_select_domain("1", "4")) { $ru = "sip:x@127.0.0.9:5099"; } else {`, 1)
	f := newFlow(t, cfg, defaultTargets, 16<<20)
	f.receive("127.0.0.1:6000", request("MESSAGE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	if len(f.sent) != 1 || f.sent[0].to != "127.0.0.9:5099" {
		t.Errorf("sent %d, the first to %s", len(f.sent), f.sent[0].to)
	}
	f.endsClean()
}

// TestFailoverToTheOtherFamily writes our Record-Route rows anew, for the listener that the request
// leaves by now (RFC 5658 §3).
func TestFailoverToTheOtherFamily(t *testing.T) {
	cfg := strings.Replace(defaultConfig(t), "listen=udp:127.0.0.1:5060",
		"listen=udp:127.0.0.1:5060\nlisten=udp:[::1]:5060", 1)
	cfg = strings.Replace(cfg, `ds_select_dst("1", "0")`, `ds_select_dst("1", "8")`, 1)
	f := newFlow(t, cfg, "1 sip:127.0.0.1:7000 0 10\n1 sip:[::1]:7001 0 5\n1 sip:127.0.0.1:7002 0 1\n", 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.unreachable("127.0.0.1:7000")
	last := f.sent[len(f.sent)-1]
	if last.to != "[::1]:7001" {
		t.Errorf("failover went to %s", last.to)
	}
	rows := "Via: SIP/2.0/UDP [::1]:5060;branch=" + "*" +
		"\r\nRecord-Route: <sip:[::1]:5060;r2=on;lr*>\r\nRecord-Route: <sip:127.0.0.1:5060;r2=on;lr*>\r\n"
	var got []string
	for _, row := range strings.SplitAfter(string(last.bytes), "\r\n")[1:4] {
		if head, _, found := strings.Cut(row, ";vm="); found {
			row = head + "*>\r\n"
		} else if head, _, found := strings.Cut(row, "branch="); found {
			row = head + "branch=*\r\n"
		} else {
			row = strings.Replace(row, ">", "*>", 1)
		}
		got = append(got, row)
	}
	if strings.Join(got, "") != rows || strings.Count(string(last.bytes), "Record-Route:") != 2 {
		t.Errorf("it has\n%swant\n%s", strings.Join(got, ""), rows)
	}
	f.endsClean()
}

// TestMaddrIsNotFollowed: nobody chooses where our answers go but by where a request came from.
func TestMaddrIsNotFollowed(t *testing.T) {
	f := newFlow(t, defaultConfig(t), defaultTargets, 16<<20)
	f.receive("127.0.0.1:6000",
		[]byte(strings.Replace(string(request("OPTIONS", "sip:127.0.0.1:5060", "c1", "1")), ";branch",
			";maddr=127.0.0.9;branch", 1)))
	if len(f.sent) != 1 || f.sent[0].to != "127.0.0.1:6000" {
		t.Errorf("the answer went to %s", f.sent[0].to)
	}
	f.endsClean()
}

// TestOwnTroubleIsNotTheDestinations: errors of this host fail no transaction and take no
// destination out.
func TestOwnTroubleIsNotTheDestinations(t *testing.T) {
	f := func(e unix.Errno, want bool) {
		t.Helper()
		if refused(e) != want {
			t.Errorf("%v: refused is %v", e, !want)
		}
	}
	f(unix.ECONNREFUSED, true)
	f(unix.EHOSTUNREACH, true)
	f(unix.ENETUNREACH, true)
	f(unix.ENOBUFS, false)
	f(unix.EAGAIN, false)
	f(unix.EPERM, false)
	f(unix.EMSGSIZE, false)
}

// TestTooLargeToForward: a request that our Via makes longer than a datagram gets 513, and its
// destination stays in.
func TestTooLargeToForward(t *testing.T) {
	s, _ := startServer(t, 1, netio.SteerAuto)
	uac, err := net.Dial("udp4", s.Listeners()[0].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer uac.Close()
	big := strings.Replace(string(request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1")), "CSeq",
		"X-Padding: "+strings.Repeat("x", 65200)+"\r\nCSeq", 1)
	big = strings.Replace(big, "127.0.0.1:6000", uac.LocalAddr().String(), 1)
	if _, err := uac.Write([]byte(big)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 65536)
	for code := "100"; code == "100"; {
		uac.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := uac.Read(b); err != nil {
			t.Fatal(err)
		}
		if code = string(b[8:11]); code != "100" && code != "513" {
			t.Errorf("got %s, want 513", code)
		}
	}
	if target := s.Targets().Set(1).Targets[0]; target.State() != balance.State(0) {
		t.Errorf("the destination is %v", target.State())
	}
}

// TestPanicCostsItsMessage: a panic in one message is counted, and the next is served.
func TestPanicCostsItsMessage(t *testing.T) {
	f := newFlow(t, defaultConfig(t), defaultTargets, 16<<20)
	program := f.w.program
	f.w.program = nil // the routing program's first use panics
	f.receive("127.0.0.1:6000", request("OPTIONS", "sip:127.0.0.1:5060", "c1", "1"))
	f.w.program = program
	f.receive("127.0.0.1:6000", request("OPTIONS", "sip:127.0.0.1:5060", "c2", "2"))
	if f.w.count[CountPanics] != 1 || f.count("SIP/2.0 200") != 1 {
		t.Errorf("%d panics counted, %d answers", f.w.count[CountPanics], f.count("SIP/2.0 200"))
	}
	f.w.count[CountPanics] = 0
	f.endsClean()
}

// TestBuiltInIsNoOpenRelay: with the built-in program a To tag and a Route made up by a stranger
// lead nowhere, while the calls it set up go on, after a restart too.
func TestBuiltInIsNoOpenRelay(t *testing.T) {
	cfg := "listen=udp:127.0.0.1:5060\n" + string(route.Default())
	f := newFlow(t, cfg, "1 sip:127.0.0.1:7000\n", 16<<20)
	forged := func(method, uri, routes string) {
		t.Helper()
		f.sent = nil
		m := strings.Replace(string(request(method, uri, "forged", method+uri[len(uri)-3:])), "To: <sip:bob@b>",
			routes+"To: <sip:bob@b>;tag=forged", 1)
		f.receive("127.0.0.1:6000", []byte(m))
		for _, d := range f.sent {
			if d.to != "127.0.0.1:6000" {
				t.Errorf("%s %s with %q went to %s", method, uri, routes, d.to)
			}
		}
	}
	for _, method := range []string{"INVITE", "ACK", "BYE", "MESSAGE"} {
		forged(method, "sip:victim@127.0.0.66:5066", "Route: <sip:127.0.0.1:5060;lr>\r\n")
		forged(method, "sip:victim@127.0.0.66:5067", "Route: <sip:127.0.0.1:5060;lr;vm=0123456789abcdef>\r\n")
		forged(method, "sip:us@127.0.0.1:5060", "Route: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.66:5066;lr>\r\n")
		forged(method, "sip:victim@127.0.0.66:5068", "Route: <sip:127.0.0.66:5066;lr>\r\n")
		forged(method, "sip:127.0.0.1:5060;lr", "Route: <sip:victim@127.0.0.66:5066>\r\n")
	}
	f.sent = nil
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "real", "r1"))
	recorded := regexp.MustCompile(`Record-Route: (<[^>]*>)`).FindSubmatch(f.lastTo["127.0.0.1:7000 INVITE"])
	if recorded == nil {
		t.Fatal("the INVITE has no Record-Route")
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "200 OK", "u", ""))
	f.restart("")
	f.sent = nil
	f.receive("127.0.0.1:6000",
		[]byte(strings.Replace(string(request("BYE", "sip:bob@127.0.0.1:7000", "real", "r2")), "To: <sip:bob@b>",
			fmt.Sprintf("Route: %s\r\nTo: <sip:bob@b>;tag=u", recorded[1]), 1)))
	if len(f.sent) != 1 || f.sent[0].to != "127.0.0.1:7000" {
		t.Errorf("the BYE of a call of ours did not pass: %d sent", len(f.sent))
	}
	f.endsClean()
}

// forkConfig is a configuration that forks, with that request_route and whatever follows it.
func forkConfig(body string) string {
	head := "listen=udp:127.0.0.1:5060\n"
	for _, m := range []string{"tm", "tmx", "pv", "sl", "rr", "textops", "corex", "dispatcher", "xlog"} {
		head += "loadmodule \"" + m + ".so\"\n"
	}
	head += "modparam(\"dispatcher\", \"flags\", 2)\n"
	return head + "request_route {\nif (is_method(\"CANCEL|ACK\")) { t_relay(); exit; }\n" + body
}

// leaves are the start lines of what left, with where to.
func (f *flow) leaves(start string) (all []string) {
	for _, d := range f.sent {
		if line, _, _ := strings.Cut(string(d.bytes), "\r\n"); strings.HasPrefix(line, start) {
			all = append(all, d.to+" "+line)
		}
	}
	return all
}

// TestBranchRouteOverridesTheSet: each branch goes where its own Request-URI says, whatever a set
// had chosen.
func TestBranchRouteOverridesTheSet(t *testing.T) {
	f := newFlow(t, forkConfig(`ds_select_domain("1", "8"); append_branch(); ds_next_domain(); t_on_branch("B"); t_relay(); }
branch_route[B] { $ru = "sip:x@127.0.0.9:5099"; }
`), "1 sip:127.0.0.1:7000 0 10\n1 sip:127.0.0.1:7001 0 5\n", 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	for _, line := range f.leaves("INVITE") {
		if line != "127.0.0.9:5099 INVITE sip:x@127.0.0.9:5099 SIP/2.0" {
			t.Error(line)
		}
	}
	if n := f.count("INVITE "); n != 2 {
		t.Errorf("%d INVITEs left, want 2", n)
	}
	f.endsClean()
}

// TestFailoverStaysInItsSet: a branch of one set is not followed by the next destination of
// another's.
func TestFailoverStaysInItsSet(t *testing.T) {
	f := newFlow(t, forkConfig(`ds_select_dst("1", "8"); append_branch(); ds_select_dst("2", "8"); t_relay(); }
`), "1 sip:127.0.0.1:7000 0 10\n1 sip:127.0.0.1:7001 0 5\n2 sip:127.0.0.1:8000 0 10\n2 sip:127.0.0.1:8001 0 5\n",
		16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.sent = nil
	f.unreachable("127.0.0.1:7000")
	if left := f.leaves("INVITE"); len(left) != 0 {
		t.Errorf("after a destination of set 1 failed: %v", left)
	}
	f.unreachable("127.0.0.1:8000")
	if left := f.leaves("INVITE"); len(left) != 1 || !strings.HasPrefix(left[0], "127.0.0.1:8001 ") {
		t.Errorf("after a destination of set 2 failed: %v", left)
	}
	f.endsClean()
}

// TestNoFailoverPastABranchRoute: what a branch route made is for that destination, and the next
// one might have been dropped.
func TestNoFailoverPastABranchRoute(t *testing.T) {
	f := newFlow(t, forkConfig(`ds_select_dst("1", "8"); t_on_branch("B"); t_relay(); }
branch_route[B] { if ($du =~ ":7001") drop; }
`), "1 sip:127.0.0.1:7000 0 10\n1 sip:127.0.0.1:7001 0 5\n", 16<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.sent = nil
	f.unreachable("127.0.0.1:7000")
	if len(f.leaves("INVITE")) != 0 || f.count("SIP/2.0 500") != 1 {
		t.Errorf("left: %v", f.leaves(""))
	}
	f.endsClean()
}

// TestCancelKeepsItsRequest: with cancel_b_method 0 the INVITE is over at once, but its failure
// route waits for the end of the program that relays the CANCEL.
func TestCancelKeepsItsRequest(t *testing.T) {
	f := newFlow(t, strings.Replace(forkConfig(`$ru = "sip:bob@127.0.0.1:7000"; t_on_failure("F"); t_relay(); }
failure_route[F] { t_reply("480", "From F"); }
`), `{ t_relay(); exit; }`,
		`{ t_relay(); if (is_method("CANCEL") && $ru == "sip:bob@127.0.0.1:5060") xlog("still the CANCEL"); else `+
			`t_reply("500", "not the CANCEL"); t_relay(); exit; }`, 1), "", 16<<20)
	f.settings.Txn.CancelBefore = txn.CancelFakes
	f.restart("")
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.sent = nil
	f.receive("127.0.0.1:6000", request("CANCEL", "sip:bob@127.0.0.1:5060", "c1", "1"))
	if got := strings.Join(f.leaves("SIP/2.0"),
		", "); got != "127.0.0.1:6000 SIP/2.0 200 canceling, 127.0.0.1:6000 SIP/2.0 480 From F" {
		t.Errorf("left: %s", got)
	}
	f.endsClean()
}

// TestBuiltInAnswersStrayCancel: a CANCEL for us that belongs to nothing is told so (RFC 3261
// §9.2); one for elsewhere is not ours to answer.
func TestBuiltInAnswersStrayCancel(t *testing.T) {
	f := newFlow(t, "listen=udp:127.0.0.1:5060\n"+string(route.Default()), "1 sip:127.0.0.1:7000\n", 16<<20)
	for uri, want := range map[string]int{"sip:bob@127.0.0.1:5060": 1, "sip:bob@127.0.0.1:7000": 0} {
		f.sent = nil
		f.receive("127.0.0.1:6000", request("CANCEL", uri, "stray", "stray"))
		if len(f.sent) != want || want == 1 && !strings.HasPrefix(string(f.sent[0].bytes), "SIP/2.0 481 ") {
			t.Errorf("%s: %d answers, not the 481 or none that are due", uri, len(f.sent))
		}
	}
}
