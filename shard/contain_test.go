package shard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// Every flow is run again and again, each time with a fault in another place. The points where
// faults are put:
//
//	Begin, Append and End of the sender; each random number; before and behind each step of the
//	routing program, and each call to the user of the transaction layer; each slot that is allocated
//
// After each run nothing may be left, what left on the wire must be right, and the whole flow must
// run on the same worker as its text says: the canary.

// eachFlow runs f for every flow.
func eachFlow(t *testing.T, f func(*testing.T, *txtar.Archive)) {
	files, err := filepath.Glob("testdata/flows/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(a.Files, func(s txtar.File) bool { return s.Name == "anew" }) {
				return // what a process owed ended with it
			}
			f(t, a)
		})
	}
}

// faultAt makes a hook that panics at its nth call and the burst-1 calls after it.
func faultAt(n, burst int) (point func(), reached *int) {
	calls := 0
	return func() {
		calls++
		if calls > n && calls <= n+burst {
			panic(fmt.Sprintf("the fault at point %d", calls-1))
		}
	}, &calls
}

// equipped is a flow that hands its faults out in all their places.
func equipped(t *testing.T, a *txtar.Archive) *flow {
	f := newStory(t, a)
	f.faulty = true
	f.w.program = f.w.program.Around(func(do func() route.Result) route.Result {
		f.inject()
		r := do()
		f.inject()
		return r
	})
	f.equip = func() { f.w.tx.SetUser(&faultyUser{f.w.core, f}) }
	f.equip()
	return f
}

// again readies the worker for the flow's next run: as clean as the one before left it.
func (f *flow) again(a *txtar.Archive) {
	f.point, f.refuse, f.failures, f.timeless, f.branches = nil, nil, nil, true, nil
	clear(f.lastTo)
	f.sent, f.all, f.arrived = nil, nil, nil
	f.logged() // what the play before has left there
	f.w.slab.Refuse(-1)
	f.w.count[CountPanics] = 0
	f.names.waiting, f.names.names = nil, nil
	clear(f.names.asked)
	f.unasked()
	if f.first != nil { // a reload, or a restart, replaced it
		f.put(f.first.program, f.first.settings, nil)
	}
	f.freshTargets(a)
}

func flowFiles(t testing.TB, a *txtar.Archive) (config, targets string, names map[string][]proxy.Endpoint) {
	config, targets = defaultConfig(t), defaultTargets
	for _, s := range a.Files {
		switch s.Name {
		case "config":
			config = string(s.Data)
		case "targets":
			targets = string(s.Data)
		case "names":
			names = map[string][]proxy.Endpoint{}
			for line := range strings.Lines(string(s.Data)) {
				words := strings.Fields(line)
				names[words[0]] = nil
				for _, w := range words[1:] {
					a, err := read(w)
					if err != nil {
						t.Fatalf("names: %v", err)
					}
					names[words[0]] = append(names[words[0]], proxy.Endpoint{Addr: a, Proto: a.Proto})
				}
			}
		}
	}
	return config, targets, names
}

// faultyUser is the user of the transaction layer with a point before and behind each call.
type faultyUser struct {
	txn.User
	f *flow
}

func (u *faultyUser) Expired(tx *txn.Tx) {
	u.f.inject()
	u.User.Expired(tx)
	u.f.inject()
}

func (u *faultyUser) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	u.f.inject()
	u.User.BranchTimeout(tx, br)
	u.f.inject()
}

func (u *faultyUser) BranchFailed(tx *txn.Tx, br *txn.Branch) {
	u.f.inject()
	u.User.BranchFailed(tx, br)
	u.f.inject()
}

// TestFlowsPanicEverywhere: one panic at each point of each flow, then bursts of them: the
// containment itself panics.
func TestFlowsPanicEverywhere(t *testing.T) {
	eachFlow(t, func(t *testing.T, a *txtar.Archive) {
		f := equipped(t, a)
		want := f.wanted(a)
		for _, burst := range []int{1, 2, 1 << 30} {
			for n := 0; ; n++ {
				f.again(a)
				point, calls := faultAt(n, burst)
				f.point = point
				f.play(a, false)
				if burst == 1<<30 {
					f.point = nil // the cause is gone; what it left behind is not
				}
				f.endsClean()
				if *calls <= n {
					break
				}
				if f.w.count[CountPanics] == 0 {
					t.Error("no panic was counted")
				}
				f.checkWire(burst == 1, "", want)
				if burst == 1 || n%4 == 0 {
					f.canary(a)
				}
				if t.Failed() {
					t.Fatalf("the flow with %d panics from point %d on", burst, n)
				}
			}
		}
	})
}

// TestFlowsPanicInAlloc: the same for each slot.
func TestFlowsPanicInAlloc(t *testing.T) {
	eachFlow(t, func(t *testing.T, a *txtar.Archive) {
		f := equipped(t, a)
		want := f.wanted(a)
		for n := 0; ; n++ {
			f.again(a)
			f.w.slab.RefuseByPanic(n)
			f.play(a, false)
			f.endsClean()
			if f.w.count[CountPanics] == 0 {
				break
			}
			f.checkWire(true, "", want)
			f.canary(a)
			if t.Failed() {
				t.Fatalf("the flow with a panic in allocation %d", n)
			}
		}
	})
}

// TestFlowsSendsFail: each datagram of each flow does not leave, then none from there on; once
// since its destination is gone, once for reasons of our own (TestOwnTroubleIsNotTheDestinations
// has which errno is which).
func TestFlowsSendsFail(t *testing.T) {
	eachFlow(t, func(t *testing.T, a *txtar.Archive) {
		f := equipped(t, a)
		f.faulty = false
		want := f.wanted(a)
		for _, errno := range []unix.Errno{unix.ECONNREFUSED, unix.EAGAIN} {
			for _, burst := range []int{1, 1 << 30} {
				for n := 0; ; n++ {
					f.again(a)
					sends, request := 0, false
					f.refuse = func(d sentDatagram) unix.Errno {
						sends++
						if sends <= n || sends > n+burst {
							return 0
						}
						request = request || !strings.HasPrefix(string(d.bytes), "SIP/2.0 ")
						return errno
					}
					f.play(a, false)
					f.endsClean()
					if sends <= n {
						break
					}
					// A request that did not leave fails over, is answered for, or is sent again by
					// its timer. What did not go up is not sent again when it is a 2xx, which is
					// its sender's to repeat.
					f.checkWire(burst == 1 && request, " INVITE ", want)
					f.canary(a)
					if t.Failed() {
						t.Fatalf("the flow with %d sends failing from %d on: %v", burst, n, errno)
					}
				}
			}
		}
	})
}

// TestPanicsAreLoggedOnce: each is counted, stacksPerSecond are logged, with the stack of what
// panicked; the message in the line is what it was then.
func TestPanicsAreLoggedOnce(t *testing.T) {
	f := newFlow(t, defaultConfig(t), defaultTargets, 16<<20)
	f.faulty = true
	f.w.shared.lines = make(chan queuedLine, 1000)
	const panics = 300
	begin := time.Now()
	for i := range panics {
		f.point = func() { f.point = nil; panic(fmt.Errorf("fault %d", i)) }
		f.receive("127.0.0.1:6000", request("OPTIONS", "sip:127.0.0.1:5060", fmt.Sprintf("c%d", i), fmt.Sprint(i)))
	}
	most := stacksPerSecond * (int(time.Since(begin)/time.Second) + 2)
	if n := f.w.count[CountPanics]; n != panics {
		t.Errorf("%d panics are counted, want %d", n, panics)
	}
	if n := f.w.count[refuseBase+int(Panicked)]; n != panics || f.count("SIP/2.0 500") != panics {
		t.Errorf("%d requests are counted as answered, %d answers left, want %d", n, f.count("SIP/2.0 500"), panics)
	}
	var stacks []logLine
	for range len(f.w.shared.lines) {
		// the others name the calls, see failed
		if l := <-f.w.shared.lines; l.level == slog.LevelError {
			stacks = append(stacks, l.logLine)
		}
	}
	if n := len(stacks); n < 1 || n > most {
		t.Fatalf("%d lines are logged, want 1 to %d", n, most)
	}
	var b bytes.Buffer
	l := stacks[0]
	slog.New(slog.NewTextHandler(&b, nil)).Log(context.Background(), l.level, l.text, l.attrs...)
	for _, part := range []string{"level=ERROR", `panic="fault 0"`, "shard=0", "panics=1", "(*flow).inject",
		"(*worker).datagram"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%q is missing in the line:\n%s", part, b.String())
		}
	}
	f.endsClean()

	limit, second := stackLimit{}, time.Unix(1000, 0)
	allowed := 0
	for i := range 50 {
		if limit.allow(second.Add(time.Duration(i) * 100 * time.Millisecond)) {
			allowed++
		}
	}
	if allowed != 5*stacksPerSecond {
		t.Errorf("%d stacks in five seconds, want %d", allowed, 5*stacksPerSecond)
	}
}

// panicOn makes f panic once, when the datagram that begins with start is being begun, and says
// whether it did.
func (f *flow) panicOn(start string) (done *bool) {
	done = new(bool)
	f.point = func() {
		if !*done && f.open && len(f.sent) > 0 && strings.HasPrefix(string(f.sent[len(f.sent)-1].bytes), start) {
			*done = true
			panic("at " + start)
		}
	}
	return done
}

// TestRelayedAndPanicked: the program relays and then panics. The caller hears 500 once, whatever
// it repeats, and the callee is cancelled as soon as the RFC lets us (§9.1).
func TestRelayedAndPanicked(t *testing.T) {
	f := newFlow(t, defaultConfig(t), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	f.w.program = f.w.program.Around(func(do func() route.Result) route.Result {
		r := do()
		if f.count("INVITE ") > 0 {
			panic("after t_relay")
		}
		return r
	})
	invite := request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1")
	f.receive("127.0.0.1:6000", invite)
	f.receive("127.0.0.1:6000", invite)
	if n := f.w.count[CountPanics]; n != 1 {
		t.Errorf("%d panics, want 1: the retransmission is absorbed", n)
	}
	if f.count("SIP/2.0 500") != 2 || f.count("INVITE ") != 1 || f.count("CANCEL ") != 0 {
		t.Errorf("%d 500, %d INVITE, %d CANCEL left", f.count("SIP/2.0 500"), f.count("INVITE "), f.count("CANCEL "))
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "180 Ringing", "u", ""))
	if f.count("CANCEL ") != 1 {
		t.Errorf("%d CANCELs left after the 180, want 1", f.count("CANCEL "))
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "487 Request Terminated", "u", ""))
	if f.count("SIP/2.0 487") != 0 || f.count("ACK ") != 1 {
		t.Errorf("%d 487 went up, %d ACKs down", f.count("SIP/2.0 487"), f.count("ACK "))
	}
	f.endsClean()
}

// TestCancelPanicked: the program panics over a CANCEL. It hears 500, and its INVITE is cancelled
// all the same.
func TestCancelPanicked(t *testing.T) {
	f := newFlow(t, beforeRelay.Replace(defaultConfig(t)), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "180 Ringing", "u", ""))
	f.panicAtRelay()
	f.receive("127.0.0.1:6000", request("CANCEL", "sip:bob@127.0.0.1:5060", "c1", "1"))
	if f.count("SIP/2.0 500") != 1 || f.count("CANCEL ") != 1 {
		t.Errorf("%d 500, %d CANCELs left", f.count("SIP/2.0 500"), f.count("CANCEL "))
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "487 Request Terminated", "u", ""))
	if f.count("SIP/2.0 487") != 1 {
		t.Error("the caller did not hear the 487")
	}
	f.endsClean()
}

// TestProgramForgetsWhatPanicked: neither variables nor parsed URIs of a run that panicked are seen
// by the next, whose message lies in the same memory.
func TestProgramForgetsWhatPanicked(t *testing.T) {
	cfg := strings.Replace(beforeRelay.Replace(defaultConfig(t)), "request_route {", `request_route {
	if ($var(seen) == 1) { sl_send_reply("488", "Seen"); exit; }
	$var(seen) = 1;
	if ($rU == "carol") { sl_send_reply("480", "Carol is out"); exit; }`, 1)
	f := newFlow(t, cfg, "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	frame := request("INVITE", "sip:bobby@127.0.0.1:5060", "c1", "1")
	program := f.w.program
	f.panicAtRelay()
	f.receive("127.0.0.1:6000", frame)
	f.w.program = program
	// of the same length, as in a receive buffer
	copy(frame, request("INVITE", "sip:carol@127.0.0.1:5060", "c2", "2"))
	f.receive("127.0.0.1:6000", frame)
	if f.count("SIP/2.0 500") != 1 || f.count("SIP/2.0 480") != 1 {
		t.Errorf("%d 500, %d 480, %d 488", f.count("SIP/2.0 500"), f.count("SIP/2.0 480"), f.count("SIP/2.0 488"))
	}
	f.endsClean()
}

// beforeRelay makes t_relay() set flag 31 first, for panicAtRelay.
var beforeRelay = strings.NewReplacer("\tt_relay();", "\tsetflag(31); t_relay();", "if (!t_relay())",
	"setflag(31); if (!t_relay())")

// panicAtRelay makes the program panic where it would relay the message at hand.
func (f *flow) panicAtRelay() {
	f.w.program = f.w.program.Around(func(do func() route.Result) route.Result {
		if f.w.core.Request.Flags>>31 != 0 {
			panic("at t_relay")
		}
		return do()
	})
}

// TestCancelCutOff: what panics is the making of our own CANCEL. It is made again, once.
func TestCancelCutOff(t *testing.T) {
	f := newFlow(t, defaultConfig(t), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.receive("127.0.0.1:6000", request("CANCEL", "sip:bob@127.0.0.1:5060", "c1", "1"))
	f.w.slab.RefuseByPanic(0) // the CANCEL's record
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "180 Ringing", "u", ""))
	if f.w.count[CountPanics] != 1 || f.count("CANCEL ") != 1 {
		t.Errorf("%d panics, %d CANCELs left", f.w.count[CountPanics], f.count("CANCEL "))
	}
	f.receive("127.0.0.1:7000", answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "487 Request Terminated", "u", ""))
	if f.count("SIP/2.0 487") != 1 {
		t.Error("the caller did not hear the 487")
	}
	f.endsClean()
}

// TestFinalCutOff: the final response's way up panics. The caller hears 500 at once, the called
// side's repetition of a 486 gets its ACK, and that of a 200 goes up.
func TestFinalCutOff(t *testing.T) {
	f := func(answer, want string, acks int) {
		t.Helper()
		f := newFlow(t, defaultConfig(t), "1 sip:127.0.0.1:7000\n", 16<<20)
		f.faulty = true
		f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
		response := answerTo(f.lastTo["127.0.0.1:7000 INVITE"], answer, "u", "")
		cut := f.panicOn("SIP/2.0 " + answer[:3])
		f.receive("127.0.0.1:7000", response)
		if !*cut || f.count("SIP/2.0 500") != 1 {
			t.Errorf("%s: cut off: %v, %d 500 left", answer, *cut, f.count("SIP/2.0 500"))
		}
		f.receive("127.0.0.1:7000", response)
		if got := f.count(want); got != acks {
			t.Errorf("%s repeated: %d %s left, want %d", answer, got, want, acks)
		}
		f.endsClean()
	}
	f("486 Busy Here", "ACK ", 2)
	f("200 OK", "SIP/2.0 200", 1)
}

// TestAckCutOff: the making of our ACK panics. The INVITE is not sent again, neither by its timer
// nor in the place of the ACK, which the repeated final gets.
func TestAckCutOff(t *testing.T) {
	f := newFlow(t, defaultConfig(t), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", "c1", "1"))
	response := answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "486 Busy Here", "u", "")
	f.w.slab.RefuseByPanic(0) // the ACK's slot
	f.receive("127.0.0.1:7000", response)
	if f.count("ACK ") != 0 || f.count("SIP/2.0 500") != 1 {
		t.Errorf("%d ACKs, %d 500 left", f.count("ACK "), f.count("SIP/2.0 500"))
	}
	f.wait(time.Second)
	f.receive("127.0.0.1:7000", response)
	f.receive("127.0.0.1:7000", response)
	if f.count("ACK ") != 2 || f.count("INVITE ") != 1 {
		t.Errorf("%d ACKs, %d INVITEs left, want 2 and 1", f.count("ACK "), f.count("INVITE "))
	}
	f.endsClean()
}

// TestTimerPanicsAlone: of a hundred branches whose time is over, one panics. The others end in the
// same instant.
func TestTimerPanicsAlone(t *testing.T) {
	f := newFlow(t, strings.Replace(defaultConfig(t), "debug=0", "debug=-3", 1), "1 sip:127.0.0.1:7000\n", 16<<20)
	f.faulty = true
	calls := 0
	f.w.tx.SetUser(&panicAtTimeout{f.w.core, &calls})
	for i := range 100 {
		f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", fmt.Sprintf("c%d", i), fmt.Sprint(i)))
	}
	f.wait(30100 * time.Millisecond)
	if calls != 100 || f.w.count[CountPanics] != 1 || f.count("SIP/2.0 500") != 1 {
		t.Errorf("%d time-outs, %d panics, %d 500", calls, f.w.count[CountPanics], f.count("SIP/2.0 500"))
	}
	answered := map[string]bool{}
	for _, d := range f.all {
		if s := string(d.bytes); strings.HasPrefix(s, "SIP/2.0 408") {
			_, id, _ := strings.Cut(s, "Call-ID: ")
			id, _, _ = strings.Cut(id, "\r\n")
			answered[id] = true
		}
	}
	if len(answered) != 99 {
		t.Errorf("%d callers heard 408, want 99", len(answered))
	}
	f.endsClean()
}

type panicAtTimeout struct {
	txn.User
	calls *int
}

func (u *panicAtTimeout) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	if *u.calls++; *u.calls == 50 {
		panic("the fiftieth")
	}
	u.User.BranchTimeout(tx, br)
}

// canary runs the flow as its text says, on the worker that had the faults.
func (f *flow) canary(a *txtar.Archive) {
	f.t.Helper()
	f.again(a)
	f.play(a, true)
	f.endsClean()
}

// freshTargets makes all destinations as good as new.
func (f *flow) freshTargets(a *txtar.Archive) {
	_, targets, _ := flowFiles(f.t, a)
	if f.w.shared.tables.Load() == nil {
		return
	}
	tb, err := parseTargets(targets)
	if err != nil {
		f.t.Fatal(err)
	}
	f.w.shared.tables.Store(tb)
	f.w.core.SetTargets(tb)
}

// transactionOf names the transaction a message belongs to at the end that sent the request: the
// top Via's branch and the method, an ACK being its INVITE's.
func transactionOf(m *parser.Message) (string, bool) {
	via, reason := m.TopVia()
	cseq, reason2 := m.CSeq()
	if reason != parser.OK || reason2 != parser.OK {
		return "", false
	}
	return fmt.Sprintf("%s %s %d", via.Branch.Of(m.Raw), cseq.Method, cseq.Number), true
}

// later marks the key of a transaction that is another one than the last with its branch and
// method: that one has ended, so that its request, come again, is a new one.
const later = " later"

// finals are the statuses of the final responses that left, by transaction, in order. Between two
// finals of one transaction lies less than Timer J, or Timer I behind the ACK of one to an INVITE,
// which are repeated every T2 until then (§17.2.1, §17.2.2).
func (f *flow) finals() map[string][]int {
	all := map[string][]int{}
	last := map[string]int64{} // when the last one of a branch and method left
	ended := map[string]int{}  // how many transactions of them have
	timers := txn.DefaultTimers()
	var m parser.Message
	for _, d := range f.all {
		if !strings.HasPrefix(string(d.bytes), "SIP/2.0 ") {
			continue
		}
		if reason := m.Parse(d.bytes); reason != parser.OK {
			f.t.Errorf("a response left that cannot be read (%v):\n%s", reason, d.bytes)
			continue
		}
		key, ok := transactionOf(&m)
		if !ok {
			continue // its request had no CSeq that could be read
		}
		if strings.Contains(key, " ACK ") {
			f.t.Errorf("an ACK was answered:\n%s", d.bytes)
		}
		if m.Status >= 200 {
			life := timers.Wait
			if strings.Contains(key, " INVITE ") {
				life = timers.T4
			}
			if at, before := last[key]; before && d.at-at >= int64(life) {
				ended[key]++
			}
			last[key] = d.at
			key += strings.Repeat(later, ended[key])
			all[key] = append(all[key], int(m.Status))
		}
	}
	return all
}

// stateless tells whether a transaction had its final without our keeping one.
func (f *flow) stateless(key string) bool {
	var m parser.Message
	return slices.ContainsFunc(f.all, func(d sentDatagram) bool {
		if !d.stateless || m.Parse(d.bytes) != parser.OK || m.IsRequest || m.Status < 200 {
			return false
		}
		k, _ := transactionOf(&m)
		return k == strings.ReplaceAll(key, later, "")
	})
}

// wanted are the transactions that have a final response when nothing fails.
func (f *flow) wanted(a *txtar.Archive) map[string][]int {
	f.play(a, false)
	f.endsClean()
	if n := f.w.count[CountPanics]; n != 0 {
		f.t.Fatalf("%d panics where none was asked for", n)
	}
	return f.finals()
}

// checkWire judges what left: one final for each transaction of the caller, or the same again;
// another only if it is a 2xx to an INVITE, which goes up whatever was sent before (§16.7 step 5).
// With complete each transaction of that method ("": any) that should have had one has one.
func (f *flow) checkWire(complete bool, method string, want map[string][]int) {
	f.t.Helper()
	finals := f.finals()
	for key, codes := range finals {
		if f.stateless(key) {
			// What was answered without a transaction is not remembered (§8.2.7), and its
			// retransmission may panic.
			codes = slices.DeleteFunc(slices.Clone(codes), func(code int) bool { return code == 500 })
		}
		if several(want[key]) {
			continue // requests that share a branch: their own fault
		}
		first := 0
		for _, code := range codes {
			if code/100 == 2 && strings.Contains(key, " INVITE ") {
				continue
			}
			if first == 0 {
				first = code
			}
			if code != first {
				f.t.Errorf("%s was answered with %v", key, codes)
				break
			}
		}
		for i, code := range codes {
			if i > 0 && code/100 != 2 && codes[0]/100 == 2 {
				f.t.Errorf("%s was answered with %v", key, codes)
				break
			}
		}
	}
	if !complete || f.w.program.UsesForward() {
		// without a transaction what is lost is lost, and the ends repeat it; these here do not
		return
	}
	for key := range want {
		if len(finals[key]) == 0 && strings.Contains(key, method) && f.asked(key) {
			f.t.Errorf("%s had no final response, without a fault %v", key, want[key])
		}
	}
}

// several tells whether different finals are among codes.
func several(codes []int) bool {
	for _, code := range codes {
		if code != codes[0] && code/100 != 2 {
			return true
		}
	}
	return false
}

// asked tells whether the request of a transaction arrived.
func (f *flow) asked(key string) bool {
	var m parser.Message
	for _, b := range f.arrived {
		m.Parse(b)
		if k, ok := transactionOf(&m); ok && k == key && m.IsRequest {
			return true
		}
	}
	return false
}
