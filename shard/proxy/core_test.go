package proxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// bench is a Core between a caller and any number of targets, with routes written in Go.
type bench struct {
	t     *testing.T
	c     *Core
	now   int64
	arena *shm.Arena
	sent  []sent
	m     parser.Message // the request or response at hand

	failure func(r *Request, route int)
	branch  func(r *Request, route int) bool
	onsend  func(r *Request) bool
	failing string // what begins so kills the process when it is sent
	reply   func(tx *txn.Tx, br *txn.Branch, m *parser.Message, route int) bool
}

type sent struct{ to, text string }

func (b *bench) SetStreamOptions(txn.StreamOptions, []byte) {}
func (b *bench) Abandon()                                   {}

func (b *bench) Begin(_ int, to *netio.Addr, _ uint64) {
	b.sent = append(b.sent, sent{to: to.String()})
}
func (b *bench) Append(s []byte) {
	if b.failing != "" && strings.HasPrefix(string(s), b.failing) {
		panic("killed")
	}
	b.sent[len(b.sent)-1].text += string(s)
}
func (b *bench) End()                        {}
func (b *bench) Egress(*netio.Addr, int) int { return 0 }

func (b *bench) Serves(program uint64) bool { return program == b.c.cfg.Program }

func (b *bench) Failure(r *Request, route int) {
	if b.failure != nil {
		b.failure(r, route)
	}
}

func (b *bench) BranchFailure(*Request, int) {}

func (b *bench) Onsend(r *Request) bool { return b.onsend == nil || b.onsend(r) }
func (b *bench) Branch(r *Request, route int) BranchOutcome {
	if b.branch == nil || b.branch(r, route) {
		return BranchSent
	}
	return BranchDropped
}

func (b *bench) Reply(_ uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message,
	route int) ReplyOutcome {
	if b.reply == nil || b.reply(tx, br, m, route) {
		return ReplyPassed
	}
	return ReplyDropped
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { arena.Close() })
	b := &bench{t: t, now: int64(time.Hour), arena: arena}
	me := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 5060, Family: 4}
	cfg := Config{Listeners: []*netio.Listener{{Addr: me, SentBy: []byte("127.0.0.1:5060")}}, Egress: b, Sender: b,
		Arena: arena, Counters: arena.Counters(0),
		Settings: Settings{AutoTrying: true, TryingReason: "Trying", Remap503: true, TimeoutStatus: 408,
			DefaultCode: 500, DefaultReason: "Server Internal Error", AggregateChallenges: true, LocalReason: true},
		Script: b, Program: 7}
	if change != nil {
		change(&cfg)
	}
	b.c = New(cfg)
	settings := txn.DefaultSettings()
	settings.MaxBranches = 8
	tb, err := txn.New(txn.Config{Arena: arena, Settings: settings, Sender: b, User: b.c,
		Counters: arena.Counters(0),
		Random:   rand.New(rand.NewPCG(1, 2)).Uint64, Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	b.c.SetTable(tb)
	b.c.SetNow(b.now)
	return b
}

// request begins a request from 127.0.0.1:6000 and looks at its Max-Forwards, as a routing program
// does.
func (b *bench) request(method, more string) *Request {
	b.t.Helper()
	text := fmt.Sprintf("%s sip:bob@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-1\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:bob@b>\r\nCall-ID: c1\r\nCSeq: 1 %s\r\n"+
		"%sContent-Length: 0\r\n\r\n", method, method, more)
	if reason := b.m.Parse([]byte(text)); reason != parser.OK {
		b.t.Fatal(reason)
	}
	r := &b.c.Request
	if !r.Begin(&b.m, &netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6000, Family: 4}, 0) || !r.readBreadth() {
		b.t.Fatal("not taken")
	}
	r.Key = b.c.tx.Key(&b.m, b.m.Method)
	return r
}

// answer answers the last request of that method sent to a port.
func (b *bench) answer(port int, method, status string) {
	b.t.Helper()
	to := fmt.Sprintf("127.0.0.1:%d", port)
	for i := len(b.sent) - 1; i >= 0; i-- {
		if s := b.sent[i]; s.to == to && strings.HasPrefix(s.text, method+" ") {
			var rows []string
			for _, row := range strings.Split(s.text, "\r\n") {
				name, _, _ := strings.Cut(row, ":")
				switch name {
				case "To":
					row += ";tag=t"
					fallthrough
				case "Via", "From", "Call-ID", "CSeq":
					rows = append(rows, row)
				}
			}
			text := "SIP/2.0 " + status + "\r\n" + strings.Join(rows, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
			if reason := b.m.Parse([]byte(text)); reason != parser.OK {
				b.t.Fatal(reason)
			}
			b.c.Response(&b.m, parser.OK)
			return
		}
	}
	b.t.Fatalf("no %s was sent to %s", method, to)
}

func (b *bench) wait(d time.Duration) {
	for end := b.now + int64(d); b.now < end; {
		b.now = min(b.now+int64(50*time.Millisecond), end)
		b.c.SetNow(b.now)
		b.c.tx.SetNow(b.now)
		b.c.tx.Expire(1000)
	}
}

// took lists what was sent since the last call, "to first line", ACKs left out, and ends the batch.
func (b *bench) took() string {
	var l []string
	for _, s := range b.sent {
		line, _, _ := strings.Cut(s.text, "\r\n")
		if !strings.HasPrefix(line, "ACK ") {
			l = append(l, s.to[len("127.0.0.1:"):]+" "+
				strings.TrimSuffix(strings.TrimPrefix(line, "SIP/2.0 "), " SIP/2.0"))
		}
	}
	b.c.Release()
	b.c.tx.Reclaim()
	b.sent = b.sent[:0]
	return strings.Join(l, ", ")
}

func (b *bench) want(want string) {
	b.t.Helper()
	if got := b.took(); got != want {
		b.t.Errorf("sent\n\t%s\nwant\n\t%s", got, want)
	}
}

// TestFailureRoute: the route sees the request as it was left and the best response, and goes on
// from there.
func TestFailureRoute(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.RecordRoute(nil, nil)
	r.MaxForwards(70, 10)
	r.Flags = 0x80
	r.Arm(FailureRoute, 3)
	if !r.Relay() {
		t.Fatal("not relayed")
	}
	runs := 0
	b.failure = func(r *Request, route int) {
		runs++
		if route != 3 || r.BestStatus() != 486 || r.Flags != 0x80 || r.BestReplied() || r.AnyReplied() ||
			r.BestTimedOut() || r.Armed(FailureRoute) != 0 {
			t.Errorf("route %d, status %d, flags %#x, armed %d", route, r.BestStatus(), r.Flags, r.Armed(FailureRoute))
		}
		if r.Relay() {
			t.Error("relayed without a new target")
		}
		if !r.AppendBranch([]byte("sip:carol@127.0.0.1:7001"), -1) || !r.Relay() {
			t.Error("not relayed again")
		}
	}
	b.answer(7000, "INVITE", "486 Busy Here")
	var second string
	for _, s := range b.sent {
		if s.to == "127.0.0.1:7001" {
			second = s.text
		}
	}
	if strings.Count(second, "Record-Route:") != 1 || !strings.Contains(second, "Max-Forwards: 10\r\n") ||
		strings.Count(second, "Via:") != 2 {
		t.Errorf("the second branch is\n%s", second)
	}
	b.answer(7001, "INVITE", "404 Not Found")
	if runs != 1 {
		t.Errorf("the failure route ran %d times", runs)
	}
	b.want("6000 100 Trying, 7000 INVITE sip:bob@127.0.0.1:7000, 7001 INVITE sip:carol@127.0.0.1:7001, 6000 404 Not " +
		"Found")
}

// TestFailureRouteAfterRinging: what came before the time-out tells a destination that rang from a
// dead one.
func TestFailureRouteAfterRinging(t *testing.T) {
	f := func(before string, want bool) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", "")
		r.Arm(FailureRoute, 1)
		r.SetFinalTimers(time.Second, time.Second)
		r.Relay()
		runs := 0
		b.failure = func(r *Request, _ int) {
			runs++
			if !r.BestTimedOut() || r.BestReplied() != want || r.AnyReplied() != want {
				t.Errorf("after %q: timed out %v, replied %v, any %v", before, r.BestTimedOut(), r.BestReplied(),
					r.AnyReplied())
			}
		}
		if before != "" {
			b.answer(7000, "INVITE", before)
		}
		b.wait(1500 * time.Millisecond)
		if runs != 1 {
			t.Errorf("after %q the failure route ran %d times", before, runs)
		}
	}
	f("", false)
	f("100 Trying", true)
	f("180 Ringing", true)
}

// TestRefusedDstChangesNothing: the request is not sent to the failed target again.
func TestRefusedDstChangesNothing(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(FailureRoute, 1)
	r.Relay()
	b.failure = func(r *Request, _ int) {
		if r.SetDstURI([]byte("not a uri")) || r.Relay() {
			t.Error("taken for a new target")
		}
	}
	b.answer(7000, "INVITE", "486 Busy Here")
	b.want("6000 100 Trying, 7000 INVITE sip:bob@127.0.0.1:7000, 6000 486 Busy Here")
}

// TestKilledBeforeTheAnswer: the process dies when the last final was taken, before it, or another
// one, went up. The next one sends what was kept.
func TestKilledBeforeTheAnswer(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.AppendBranch([]byte("sip:carol@127.0.0.1:7001"), -1)
	r.Relay()
	b.answer(7001, "INVITE", "404 Not Found")
	b.failing = "ACK"
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the final was not acknowledged")
			}
		}()
		b.answer(7000, "INVITE", "486 Busy Here")
	}()
	b.takenOver()
	b.want("6000 404 Not Found")
}

// takenOver lets the next process take over after a kill.
func (b *bench) takenOver() {
	b.t.Helper()
	b.failing, b.sent = "", nil
	tb, err := txn.New(txn.Config{Arena: b.arena, Settings: txn.DefaultSettings(), Sender: b, User: b.c,
		Counters: b.arena.Counters(0), Random: func() uint64 {
			return 5
		}, Now: b.now})
	if err != nil {
		b.t.Fatal(err)
	}
	if n := tb.Rebuild(); n != 1 {
		b.t.Fatalf("%d transactions were taken over", n)
	}
	b.c.SetTable(tb)
	b.c.concluding = nil
	b.c.Recover()
}

// TestKilledBeforeTheFailureRoute: nothing could be sent, and the process dies before the failure
// route that is for that has run. It runs in the next one, for it no branch ends any more.
func TestKilledBeforeTheFailureRoute(t *testing.T) {
	for _, method := range []string{"INVITE", "MESSAGE"} {
		b := newBench(t, nil)
		r := b.request(method, "")
		r.Arm(FailureRoute, 1)
		r.SetRequestURI([]byte("sip:bob@a.example"))
		if !r.Relay() || r.Tx.Live() != 0 {
			t.Fatalf("%s: sent: %s", method, b.took())
		}
		runs := 0
		b.failure = func(r *Request, _ int) {
			if runs++; r.BestStatus() != 503 {
				t.Errorf("%s: the failure route runs for a %d", method, r.BestStatus())
			}
		}
		b.takenOver()
		b.want("6000 478 Unresolvable Destination")
		if runs != 1 {
			t.Errorf("%s: the failure route ran %d times", method, runs)
		}
	}
}

// TestLastCauseOfSeveralTargets: of several targets that cannot be sent to the last cause in the
// order of the table is told, whatever their own order.
func TestLastCauseOfSeveralTargets(t *testing.T) {
	f := func(uris ...string) {
		t.Helper()
		b := newBench(t, func(c *Config) { c.Egress = nowhere{} })
		r := b.request("INVITE", "")
		r.Arm(FailureRoute, 1)
		r.SetRequestURI([]byte(uris[0]))
		r.AppendBranch([]byte(uris[1]), -1)
		if !r.Relay() {
			t.Fatal("no failure route is armed")
		}
		if got := Cause(b.c.saved(r.Tx).unsent); got != NameUnresolved {
			t.Errorf("%q: told is %s", uris, got)
		}
	}
	f("sip:a.example", "sip:[2001:db8::1]")
	f("sip:[2001:db8::1]", "sip:a.example")
}

// TestNoFailures: what ends when the caller has its answer, or since it was cancelled after a 6xx,
// failed for nobody.
func TestNoFailures(t *testing.T) {
	f := func(name string, run func(b *bench, r *Request), want ...string) {
		t.Helper()
		var told []string
		b := newBench(t, func(c *Config) {
			c.OnFailure = func(f *Failure) { told = append(told, fmt.Sprint(f.Code, " ", f.Cause)) }
		})
		r := b.request("INVITE", "")
		r.AppendBranch([]byte("sip:carol@127.0.0.1:7001"), -1)
		r.Relay()
		run(b, r)
		if !slices.Equal(told, want) {
			t.Errorf("%s: told is %q, want %q", name, told, want)
		}
	}
	second := func(b *bench, r *Request) (br *txn.Branch) {
		b.c.tx.Branches(r.Tx, func(other *txn.Branch) bool {
			if other.Index() == 1 {
				br = other
			}
			return true
		})
		return br
	}
	f("after a 200", func(b *bench, r *Request) {
		b.answer(7000, "INVITE", "200 OK")
		b.c.tx.TransportError(second(b, r))
	})
	f("after a 6xx", func(b *bench, r *Request) {
		b.answer(7001, "INVITE", "180 Ringing")
		b.answer(7000, "INVITE", "603 Decline")
		b.answer(7001, "INVITE", "487 Request Terminated")
	}, "603 "+RefusedDownstream.String())
	f("alone", func(b *bench, r *Request) { b.c.tx.TransportError(second(b, r)) }, "500 "+NotSent.String())
}

// TestFailureRouteOfAnotherProgram is not run: its number means another route now.
func TestFailureRouteOfAnotherProgram(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(FailureRoute, 1)
	r.Relay()
	b.failure = func(*Request, int) { t.Error("it ran") }
	b.c.cfg.Program++
	b.answer(7000, "INVITE", "486 Busy Here")
	b.want("6000 100 Trying, 7000 INVITE sip:bob@127.0.0.1:7000, 6000 486 Busy Here")
}

// TestTimeoutReachesTheFailureRoute as a 408, a transport error as a 503; answered, the transaction
// is over.
func TestTimeoutReachesTheFailureRoute(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(FailureRoute, 1)
	r.SetFinalTimers(0, time.Second)
	r.Relay()
	b.failure = func(r *Request, _ int) {
		if r.BestStatus() != 408 || !r.BestTimedOut() || !r.AnyTimedOut() || r.AnyReplied() {
			t.Errorf("status %d", r.BestStatus())
		}
		r.Arm(FailureRoute, 2)
		r.SetRequestURI([]byte("sip:bob@127.0.0.1:7001"))
		r.Relay()
	}
	b.wait(1100 * time.Millisecond)
	b.failure = func(r *Request, route int) {
		if route != 2 || !r.AnyTimedOut() {
			t.Errorf("route %d", route)
		}
		r.Reply(480, "Gone", "")
	}
	b.c.NotDelivered([]byte(b.sent[len(b.sent)-1].text))
	b.want("6000 100 Trying, 7000 INVITE sip:bob@127.0.0.1:7000, 7000 INVITE sip:bob@127.0.0.1:7000, 7001 INVITE " +
		"sip:bob@127.0.0.1:7001, 6000 480 Gone")
}

// TestBranchRoute: what it changes is the branch's own, what it drops does not leave, a reply route
// armed in it hears that branch alone.
func TestBranchRoute(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	r.Arm(BranchRoute, 5)
	r.Arm(ReplyRoute, 1)
	r.AppendBranch([]byte("sip:two@127.0.0.1:7001"), -1)
	r.AppendBranch([]byte("sip:three@127.0.0.1:7002"), -1)
	var seen []string
	b.branch = func(r *Request, route int) bool {
		seen = append(seen, fmt.Sprint(route, " ", r.Tx.Total(), " ", string(r.RequestURI())))
		switch len(seen) {
		case 1:
			r.SetRequestURI([]byte("sip:one@127.0.0.1:7003"))
			r.Arm(ReplyRoute, 2)
			r.Flags = 4
		case 2:
			return false
		}
		return true
	}
	if !r.Relay() || string(r.RequestURI()) != "sip:bob@127.0.0.1:7000" {
		t.Errorf("afterwards the Request-URI is %s", r.RequestURI())
	}
	if got := strings.Join(seen,
		", "); got != "5 0 sip:bob@127.0.0.1:7000, 5 1 sip:two@127.0.0.1:7001, 5 1 sip:three@127.0.0.1:7002" {
		t.Errorf("the route saw %s", got)
	}
	if r.Armed(BranchRoute) != 0 {
		t.Error("the branch route is armed for the next relay too")
	}
	if got := b.c.TxFlags(r.Tx); got != 4 {
		t.Errorf("later routes see flags %#x, the branch route set 4", got)
	}
	var heard []string
	b.reply = func(tx *txn.Tx, br *txn.Branch, m *parser.Message, route int) bool {
		heard = append(heard, fmt.Sprint(br.Index(), " ", m.Status, " ", route))
		return m.Status != 183
	}
	b.answer(7003, "INVITE", "180 Ringing")
	b.answer(7002, "INVITE", "183 Progress")
	b.answer(7002, "INVITE", "486 Busy Here")
	if got := strings.Join(heard, ", "); got != "0 180 2, 1 183 1, 1 486 1" {
		t.Errorf("the reply routes heard %s", got)
	}
	b.want("6000 100 Trying, 7003 INVITE sip:one@127.0.0.1:7003, 7002 INVITE sip:three@127.0.0.1:7002, 6000 180 " +
		"Ringing")
}

// TestContacts: sorted by q, handed out group by group, those without a q last, and kept for the
// failure route.
func TestContacts(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("INVITE", "")
	for i, q := range []int{300, 900, 900, 0} {
		r.AppendBranch(fmt.Appendf(nil, "sip:c%d@127.0.0.1:%d", i, 7001+i), q)
	}
	if !r.LoadContacts() || !r.NextContacts() {
		t.Fatal("nothing loaded")
	}
	r.Arm(FailureRoute, 1)
	r.Relay()
	b.failure = func(r *Request, _ int) {
		if r.NextContacts() {
			r.Arm(FailureRoute, 1)
			r.Relay()
		}
	}
	for _, port := range []int{7002, 7003, 7001, 7004, 7000} {
		b.answer(port, "INVITE", "486 Busy Here")
	}
	b.want("6000 100 Trying, 7002 INVITE sip:c1@127.0.0.1:7002, 7003 INVITE sip:c2@127.0.0.1:7003, 7001 INVITE " +
		"sip:c0@127.0.0.1:7001, 7004 INVITE sip:c3@127.0.0.1:7004, 7000 INVITE sip:bob@127.0.0.1:7000, 6000 486 " +
		"Busy Here")
}

// TestReplyModes: what is left of a first leg's responses when a second one fails
// (failure_reply_mode).
func TestReplyModes(t *testing.T) {
	f := func(mode ReplyMode, again bool, want string) {
		t.Helper()
		b := newBench(t, func(c *Config) { c.FailureReplies = mode })
		r := b.request("INVITE", "")
		r.Arm(FailureRoute, 1)
		r.Relay()
		b.failure = func(r *Request, route int) {
			if route == 1 {
				r.SetRequestURI([]byte("sip:bob@127.0.0.1:7001"))
				if again {
					r.Arm(FailureRoute, 2)
				}
				r.Relay()
			}
		}
		b.answer(7000, "INVITE", "484 Address Incomplete")
		b.answer(7001, "INVITE", "480 Temporarily Unavailable")
		if got := b.sent[len(b.sent)-1].text[len("SIP/2.0 "):][:3]; got != want {
			t.Errorf("mode %d, again %v: %s, want %s", mode, again, got, want)
		}
	}
	f(KeepAll, false, "484")
	f(KeepAll, true, "484")
	f(KeepNone, false, "480")
	f(KeepNone, true, "500")
	f(KeepLastLeg, false, "480")
	f(KeepLastLeg, true, "480")
}

// TestStillTryingIsRepeated: once the 100 of RFC 4320 has left, a retransmission gets it again, and
// before nothing.
func TestStillTryingIsRepeated(t *testing.T) {
	b := newBench(t, nil)
	r := b.request("OPTIONS", "")
	r.Relay()
	tx := r.Tx
	b.wait(3400 * time.Millisecond)
	b.c.tx.Repeat(tx)
	for _, s := range b.sent {
		if s.to == "127.0.0.1:6000" {
			t.Errorf("too early: %s", s.text)
		}
	}
	b.took()
	b.wait(150 * time.Millisecond)
	b.c.tx.Repeat(tx)
	// Timer E of ours as well
	b.want("7000 OPTIONS sip:bob@127.0.0.1:7000, 6000 100 Trying, 6000 100 Trying")
}

// TestRank: §16.7 step 6, from the best to the worst.
func TestRank(t *testing.T) {
	type final struct {
		status int
		local  bool
	}
	order := []final{{603, false}, {302, false}, {401, false}, {407, false}, {415, false}, {420, false}, {484, false},
		{404, false}, {486, false}, {408, true}, {500, false}, {503, false}, {503, true}}
	for i := range order[1:] {
		a, b := order[i], order[i+1]
		if rank(a.status, a.local) >= rank(b.status, b.local) {
			t.Errorf("%v does not come before %v", a, b)
		}
	}
}

// TestNonInvite408 loses to whatever else came, in any order: it will not be sent (RFC 4320 §4.2).
func TestNonInvite408(t *testing.T) {
	f := func(first, second, want string) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("OPTIONS", "")
		r.AppendBranch([]byte("sip:two@127.0.0.1:7001"), -1)
		r.Relay()
		b.answer(7000, "OPTIONS", first)
		b.answer(7001, "OPTIONS", second)
		if want != "" {
			want = ", " + want
		}
		b.want("7000 OPTIONS sip:bob@127.0.0.1:7000, 7001 OPTIONS sip:two@127.0.0.1:7001" + want)
	}
	f("408 Late", "480 Gone", "6000 480 Gone")
	f("480 Gone", "408 Late", "6000 480 Gone")
	f("408 Late", "500 Broken", "6000 500 Broken")
	f("503 Full", "408 Late", "6000 500 Server Internal Error")
	f("408 Late", "408 Late", "")
}

// TestTimersFollow: branches under way follow the transaction's own timers from when they are set,
// wherever that is.
func TestTimersFollow(t *testing.T) {
	const second = time.Second
	start := func() (*bench, *Request) {
		b := newBench(t, nil)
		return b, b.request("INVITE", "")
	}
	const gone = "6000 408 Request Timeout"
	ends := func(b *bench, name, early, late string) {
		t.Helper()
		b.took()
		b.wait(900 * time.Millisecond)
		count := func() (n int) {
			for _, s := range strings.Split(b.took(), ", ") {
				if s == early || s == late {
					n++
				}
			}
			return n
		}
		if n := count(); n != 0 {
			t.Errorf("%s: it ended early", name)
		}
		b.wait(200 * time.Millisecond)
		if n := count(); n != 2 {
			t.Errorf("%s: %d of the two messages that end it", name, n)
		}
	}

	b, r := start() // a reply route, on a 180
	r.Arm(ReplyRoute, 1)
	r.Relay()
	b.reply = func(tx *txn.Tx, _ *txn.Branch, _ *parser.Message, _ int) bool {
		return b.c.SetTxTimers(tx, second, 0)
	}
	b.wait(2 * second)
	b.answer(7000, "INVITE", "180 Ringing")
	ends(b, "reply route", "7000 CANCEL sip:bob@127.0.0.1:7000", gone)

	b, r = start() // request_route, after the relay
	r.Relay()
	r.SetFinalTimers(0, second)
	b.took()
	b.wait(900 * time.Millisecond)
	b.want("7000 INVITE sip:bob@127.0.0.1:7000")
	b.wait(200 * time.Millisecond)
	b.want(gone)

	b, r = start() // and back to the settings'
	r.SetFinalTimers(0, second)
	r.Relay()
	r.ResetFinalTimers()
	b.took()
	b.wait(1200 * time.Millisecond)
	b.want("7000 INVITE sip:bob@127.0.0.1:7000")

	b, r = start() // a branch route of the second branch: the first follows too
	r.SetRequestURI([]byte("sip:rob@127.0.0.1:7000"))
	r.AppendBranch([]byte("sip:two@127.0.0.1:7001"), -1)
	r.Arm(BranchRoute, 1)
	b.branch = func(r *Request, _ int) bool {
		if string(r.RequestURI()) == "sip:two@127.0.0.1:7001" {
			r.SetRequestURI([]byte("sip:third@127.0.0.1:7002"))
			r.Arm(ReplyRoute, 9)
			return r.SetFinalTimers(second, 0)
		}
		return true
	}
	r.Relay()
	if s := b.c.saved(r.Tx); s == nil || s.reply != 0 || s.FrInvMs != 1000 {
		t.Errorf("a branch route's timers are kept as %+v", s)
	}
	tx := r.Tx
	b.answer(7000, "INVITE", "180 Ringing")
	b.answer(7002, "INVITE", "180 Ringing")
	ends(b, "branch route", "7000 CANCEL sip:rob@127.0.0.1:7000", "7002 CANCEL sip:third@127.0.0.1:7002")
	if !b.c.resume(tx) || string(b.c.Request.RequestURI()) != "sip:rob@127.0.0.1:7000" {
		t.Error("what is kept is a branch's Request-URI")
	}
}

// TestRefusedTargets: what append_branch() does not take is counted for what it is.
func TestRefusedTargets(t *testing.T) {
	f := func(uri string, more int, bad, many uint64) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", "")
		for range more {
			r.AppendBranch([]byte("sip:c@127.0.0.1"), -1)
		}
		if ok := r.AppendBranch([]byte(uri), -1); ok != (bad+many == 0) {
			t.Errorf("%.20q beside %d: %v", uri, more, ok)
		}
		if got, full := b.c.count[CountBadTarget], b.c.count[CountTooManyTargets]; got != bad || full != many {
			t.Errorf("%.20q beside %d: %d bad, %d too many", uri, more, got, full)
		}
	}
	f("sip:c@127.0.0.1", maxTargets-1, 0, 0)
	f("sip:c@127.0.0.1", maxTargets, 0, 1)
	f("", maxTargets, 0, 1)
	f("sip:c@@", 0, 1, 0)
	f("sip:c@"+strings.Repeat("1", 1024), 0, 1, 0)
	f("sip:c@@", maxTargets, 1, 0)
}

// TestCancelLeaves whatever Reason the caller gives: what does not fit is left out.
func TestCancelLeaves(t *testing.T) {
	f := func(invite, reason string, rows int, leftOut uint64) {
		t.Helper()
		b := newBench(t, func(c *Config) { c.E2EReason = true })
		r := b.request("INVITE", invite)
		r.Relay()
		tx := r.Tx
		b.answer(7000, "INVITE", "180 Ringing")
		r = b.request("CANCEL", reason)
		r.Invite = tx
		r.Relay()
		for _, s := range b.sent {
			if s.to == "127.0.0.1:7000" && strings.HasPrefix(s.text, "CANCEL ") {
				if n := strings.Count(s.text, "Reason: "); n != rows || len(s.text) > maxDatagramBytes {
					t.Errorf("the CANCEL has %d rows of %d and %d bytes", n, rows, len(s.text))
				}
				if n := b.c.count[CountRowsLeftOut]; n != leftOut {
					t.Errorf("%d rows were left out, want %d", n, leftOut)
				}
				return
			}
		}
		t.Error("no CANCEL was sent")
	}
	const why = "Reason: SIP;cause=600\r\n"
	long := "Reason: SIP;text=\"" + strings.Repeat("x", 40000) + "\"\r\n"
	f("", why+why, 2, 0)
	f("", long+why+long, 1, 2)
	f("", strings.Repeat(why, 50), maxReasonBytes/len(why), 50-uint64(maxReasonBytes/len(why)))
	f("Route: <sip:127.0.0.1:7000;lr;x="+strings.Repeat("x", maxDatagramBytes-510)+">\r\n", strings.Repeat(why, 40), 0,
		0)
}

// toCaller is the last response that the caller got; it fits a datagram.
func (b *bench) toCaller() string {
	b.t.Helper()
	for i := len(b.sent) - 1; i >= 0; i-- {
		if s := b.sent[i]; s.to == "127.0.0.1:6000" {
			if len(s.text) > maxDatagramBytes {
				b.t.Errorf("%.20q has %d bytes", s.text, len(s.text))
			}
			return s.text
		}
	}
	b.t.Fatal("the caller got nothing")
	return ""
}

// TestChallengesFit: those that make the response longer than a datagram are left out, row by row.
func TestChallengesFit(t *testing.T) {
	long := func(c string) string { return "\r\nWWW-Authenticate: Digest\r\n realm=" + strings.Repeat(c, 40000) }
	const short = "\r\nProxy-Authenticate: Digest realm=s"
	f := func(want string, leftOut uint64, finals ...string) {
		t.Helper()
		b := newBench(t, nil)
		r := b.request("INVITE", "")
		for i := 1; i < len(finals); i++ {
			r.AppendBranch(fmt.Appendf(nil, "sip:c@127.0.0.1:%d", 7000+i), -1)
		}
		r.Relay()
		for i, status := range finals {
			b.answer(7000+i, "INVITE", status)
		}
		up, got := b.toCaller(), ""
		if b.m.Parse([]byte(up)) != parser.OK {
			t.Fatal("what went up is malformed")
		}
		for _, h := range b.m.Headers {
			if h.Kind == parser.KindWWWAuthenticate || h.Kind == parser.KindProxyAuthenticate {
				row := strings.TrimSpace(string(h.Line.Of(b.m.Raw)))
				got += row[len(row)-1:]
			}
		}
		if n := b.c.count[CountRowsLeftOut]; up[8:11] != "401" || got != want || n != leftOut {
			t.Errorf("a %s with the challenges %q went up, %d left out; want %q, %d", up[8:11], got, n, want, leftOut)
		}
	}
	f("a", 1, "401 U"+long("a"), "401 U"+long("b"))
	f("as", 1, "401 U"+long("a"), "407 U"+long("b")+short)
	f("as", 2, "401 U"+long("a"), "401 U"+long("b"), "401 U"+long("c")+short)
	f("as", 1, "407 U"+long("b")+short, "401 U"+long("a")) // the best one comes last
	f("sas", 0, "401 U"+short, "401 U"+long("a"), "407 U"+short)
}

// TestOwnRepliesFit: a response made here, which repeats the request's Vias, leaves without what is
// not needed if it is too long.
func TestOwnRepliesFit(t *testing.T) {
	via := "Via: SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bK-2;x="
	f := func(viaBytes int, relayed bool) {
		t.Helper()
		b := newBench(t, func(c *Config) { c.ServerHeader = "Server: " + strings.Repeat("s", 300) })
		r := b.request("INVITE", via+strings.Repeat("x", viaBytes-len(via)-2)+"\r\n")
		if relayed {
			r.Relay()
			b.took()
			b.wait(33 * time.Second) // Timer B; what was sent is all there is
		} else if !r.Reply(503, "Service Unavailable", RetryAfter) {
			t.Error("not answered")
		}
		if up := b.toCaller(); !strings.HasPrefix(up, "SIP/2.0 503 ") && !strings.HasPrefix(up, "SIP/2.0 408 ") ||
			!strings.Contains(up, ";tag=vd") {
			t.Errorf("the caller got %.30q", up)
		}
	}
	f(1000, false)
	f(65100, false)
	f(65100, true)
}
