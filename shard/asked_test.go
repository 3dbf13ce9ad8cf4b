package shard

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"viaduct/netio"
	"viaduct/shard/ask"
	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// flowService is whom the function ask() of a flow asks. It answers when the flow says so.
type flowService struct {
	asked   []*ask.Question // not answered yet
	checked int             // of those, looked at by an asked step
	full    bool            // it takes none
	times   int             // how often it was asked
}

func (s *flowService) Ask(q *ask.Question) bool {
	if s.full {
		return false
	}
	s.times++
	s.asked = append(s.asked, q)
	return true
}

// module is what a flow loads as flowask.so:
//
//	ask("TEXT")     asks, 5 s at most: the number answered, -1 without an answer, -2 if nothing
//	                could be asked; a text answered becomes $du
//	known("TEXT")   knows the answer without asking: it is true
func (s *flowService) module() route.Declared {
	return route.Declared{Name: "flowask", Define: func(m *route.Module) {
		text := route.Text("text", "what is asked")
		route.Wait1(m, "ask", route.Anywhere, text, "Asks the flow.",
			func(_ *route.Ctx, q *ask.Question, text []byte) route.Result {
				q.Append(text)
				return q.Ask(s, 5*time.Second)
			},
			func(c *route.Ctx, a *ask.Answer, _ []byte) route.Result {
				switch {
				case a.Err == ask.ErrLate:
					return -1
				case a.Err != nil:
					return -2
				case len(a.Text()) > 0:
					c.SetDstURI(a.Text())
				}
				return int(a.Number)
			})
		route.Wait1(m, "known", route.Anywhere, text, "Need not ask.",
			func(_ *route.Ctx, q *ask.Question, text []byte) route.Result {
				q.Append(text)
				return 1
			},
			func(*route.Ctx, *ask.Answer, []byte) route.Result { return -1 })
	}}
}

// loadFlow loads the program of a flow.
func loadFlow(t testing.TB, config string, s *flowService) (*route.Program, *route.Settings) {
	t.Helper()
	program, settings, _, err := route.Load("flow.cfg", []byte(config),
		route.Options{Modules: append(slices.Clip(modules.All), s.module())})
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	return program, settings
}

// wasAsked is the step asked.
func (f *flow) wasAsked(text string) {
	s := f.service
	if s.checked >= len(s.asked) {
		f.t.Errorf("not asked: %s", text)
		return
	}
	if got := string(s.asked[s.checked].Text()); got != text && !f.lenient {
		f.t.Errorf("asked %q, want %q", got, text)
	}
	s.checked++
}

// answered is the step answered: the oldest question has its answer.
func (f *flow) answered(words []string) {
	s := f.service
	if len(s.asked) == 0 {
		f.t.Fatal("answered: nothing was asked")
	}
	q := s.asked[0]
	s.asked, s.checked = s.asked[1:], max(s.checked-1, 0)
	n, err := strconv.Atoi(words[0])
	if err != nil {
		f.t.Fatal(err)
	}
	q.Answer.Number = int64(n)
	q.Answer.SetText([]byte(strings.Join(words[1:], " ")))
	q.Done()
	f.takeMail()
}

// unasked answers what was asked and not answered, which nobody waits for any more.
func (f *flow) unasked() {
	f.t.Helper()
	for len(f.service.asked) > 0 {
		f.answered([]string{"1"})
	}
	f.service.checked = 0
	if n := f.w.asks.queue.UnderWay(); n != 0 {
		f.t.Errorf("%d questions are under way and nobody has them", n)
	}
	if len(f.w.asks.parked) != 0 || f.w.asks.bytes != 0 {
		f.t.Errorf("%d runs are parked, %d bytes", len(f.w.asks.parked), f.w.asks.bytes)
	}
}

// TestLocks plays flows with locks, which belong to the program and so cannot be played again and
// again with faults.
func TestLocks(t *testing.T) {
	files, err := filepath.Glob("testdata/locks/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, out := runFlow(t, a, -1, true)
			f.endsClean()
			if *update {
				if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestHeldCosts: what a call that waits takes of the arena beyond its request and what any
// transaction with a failure route has, and that nothing is left of many that wait at once, which
// cost another call no message and no timer.
func TestHeldCosts(t *testing.T) {
	const calls = 10000
	cfg := strings.Replace(defaultConfig(t), "request_route {",
		"request_route {\n\tif ($rU == \"slow\") { sleep(\"30\"); sl_send_reply(\"404\", \"Late\"); exit; }", 1)
	cfg = strings.Replace(cfg, "loadmodule \"tm.so\"", "loadmodule \"tm.so\"\nloadmodule \"cfgutils.so\"", 1)
	f := newFlow(t, cfg, defaultTargets, 128<<20)
	f.receive("127.0.0.1:6000", request("INVITE", "sip:slow@127.0.0.1:5060", "first", "first"))
	before := f.w.slab.UsedBytes()
	invite := request("INVITE", "sip:slow@127.0.0.1:5060", "c00000", "00000")
	for i := range calls {
		f.receive("127.0.0.1:6000",
			request("INVITE", "sip:slow@127.0.0.1:5060", fmt.Sprintf("c%05d", i), fmt.Sprintf("%05d", i)))
		f.sent, f.all, f.arrived = nil, nil, nil
	}
	each := int(f.w.slab.UsedBytes()-before) / calls
	t.Logf("a call that waits takes %d bytes, %d besides its request of %d", each, each-len(invite), len(invite))
	if most := 512; each-len(invite) > most { // its transaction, and its saved request and run
		t.Errorf("a call that waits takes %d bytes besides its request, want %d at most", each-len(invite), most)
	}
	// another call goes its way: it costs no slot and no timer of theirs
	f.receive("127.0.0.1:6000", request("OPTIONS", "sip:bob@127.0.0.1:5060", "other", "other"))
	if n := len(f.sent); n != 1 {
		t.Errorf("%d messages left for another call, want 1", n)
	}
	f.sent = nil
	f.wait(31 * time.Second)
	if n := f.count("SIP/2.0 404"); n < calls {
		t.Errorf("%d calls were answered, want %d", n, calls)
	}
	f.sent, f.all = nil, nil
	f.endsClean()
}

// TestHeldReplyCosts: what a response that waits in its reply route takes of the arena beyond its
// own bytes, and that nothing is left of many.
func TestHeldReplyCosts(t *testing.T) {
	f := newFlow(t, heldConfig("t_on_reply(\"slow\");",
		"onreply_route[slow] { if ($rs == 180) sleep(\"30\"); }"), "", 128<<20)
	var rings [][]byte
	for i := range 2001 {
		f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:7000",
			fmt.Sprintf("c%05d", i), fmt.Sprintf("%05d", i)))
		rings = append(rings, answerTo(f.lastTo["127.0.0.1:7000 INVITE"], "180 Ringing", "b", ""))
		f.sent, f.all, f.arrived = nil, nil, nil
	}
	f.receive("127.0.0.1:7000", rings[2000])
	before, all := f.w.slab.UsedBytes(), 0
	for _, ring := range rings[:2000] {
		f.receive("127.0.0.1:7000", ring)
		all += len(ring)
		if n := f.count("SIP/2.0 180"); n != 0 {
			t.Fatalf("%d responses left at once, want them to wait", n)
		}
	}
	if each := (int(f.w.slab.UsedBytes()-before) - all) / 2000; each > 512 {
		t.Errorf("a response that waits takes %d bytes besides itself, want 512 at most", each)
	} else {
		t.Logf("a response that waits takes %d bytes besides itself", each)
	}
	f.wait(31 * time.Second)
	if n := f.count("SIP/2.0 180"); n < len(rings) {
		t.Errorf("%d responses went up, want %d", n, len(rings))
	}
}

// TestHeldBranchCosts: what a call whose branch route waits takes of the arena beyond its request:
// what any call takes that waits, and the branch. The branches leave when the wait is over.
func TestHeldBranchCosts(t *testing.T) {
	f := newFlow(t, heldConfig("t_on_branch(\"slow\");", "branch_route[slow] { sleep(\"30\"); }"),
		"", 128<<20)
	const calls = 2000
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:7000", "first", "first"))
	before := f.w.slab.UsedBytes()
	all := 0
	for i := range calls {
		invite := request("INVITE", "sip:bob@127.0.0.1:7000", fmt.Sprintf("c%05d", i),
			fmt.Sprintf("%05d", i))
		f.receive("127.0.0.1:6000", invite)
		all += len(invite)
		if n := f.count("INVITE"); n != 0 {
			t.Fatalf("%d branches left at once, want them to wait", n)
		}
		f.sent, f.all, f.arrived = nil, nil, nil
	}
	if each := (int(f.w.slab.UsedBytes()-before) - all) / calls; each > 640 {
		t.Errorf("a branch that waits takes %d bytes besides its request, want 640 at most", each)
	} else {
		t.Logf("a branch that waits takes %d bytes besides its request", each)
	}
	f.wait(30200 * time.Millisecond)
	if n := f.count("INVITE"); n < calls {
		t.Errorf("%d branches left, want %d", n, calls)
	}
}

// heldConfig is a configuration that relays each request behind before, with a route more.
func heldConfig(before, more string) string {
	return "loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"cfgutils.so\"\n" +
		"listen=udp:127.0.0.1:5060\nrequest_route { " + before + " t_relay(); }\n" + more + "\n"
}

// TestWaitingAllocatesNothing: a call that may wait and need not.
func TestWaitingAllocatesNothing(t *testing.T) {
	cfg := "loadmodule \"sl.so\"\nloadmodule \"flowask.so\"\nlisten=udp:127.0.0.1:5060\n" +
		"request_route { known(\"$ci\"); }\n"
	f := newFlow(t, cfg, "", 16<<20)
	p := &netio.Packet{Data: request("OPTIONS", "sip:bob@127.0.0.1:5060", "c1", "1")}
	p.Src, _ = read("127.0.0.1:6000")
	once := func() { f.w.datagram(p); f.w.reclaim() }
	once()
	if n := testing.AllocsPerRun(1000, once); n != 0 {
		t.Errorf("%v allocations where nothing waits", n)
	}
}

// TestFlowsKilledWhileAsked kills the process behind each question of each flow that asks: the next
// one asks again, and nothing else is different. What is parked, without a transaction, is lost
// with its process, and so are programs that were replaced.
func TestFlowsKilledWhileAsked(t *testing.T) {
	files, _ := filepath.Glob("testdata/flows/*.txtar")
	asks := 0
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var open []txtar.File // the questions that are not answered yet, all of which are asked again
		for i, s := range a.Files {
			if strings.HasPrefix(s.Name, "answered") && len(open) > 0 {
				open = open[1:]
			}
			if strings.HasPrefix(s.Name, "asked") {
				open = append(slices.Clip(open), s)
			}
			if !strings.HasPrefix(s.Name, "asked") || strings.HasPrefix(filepath.Base(file), "parked-") ||
				slices.ContainsFunc(a.Files, func(s txtar.File) bool { return s.Name == "reload" }) {
				continue
			}
			asks++
			again := append([]txtar.File{{Name: "restart"}}, open...)
			t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(file), ".txtar"), i), func(t *testing.T) {
				b := &txtar.Archive{Files: slices.Insert(slices.Clone(a.Files), i+1, again...)}
				f, _ := runFlow(t, b, -1, true)
				f.endsClean()
			})
		}
	}
	if asks == 0 {
		t.Error("no flow asks")
	}
}

// available is the memory that a program can have without others giving up theirs, in bytes: what is
// free, and what the kernel keeps of files and can read again.
func available(t *testing.T) (n int) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "MemAvailable:")
	if _, err := fmt.Sscanf(line, "%d kB", &n); err != nil {
		t.Fatalf("MemAvailable in %q: %v", b, err)
	}
	return n << 10
}

// TestHundredThousandWait: as many calls wait at once, in 64 MB of the arena, each is answered once
// when its time is over, and other calls meanwhile are answered at once, out of as much memory as
// without them.
func TestHundredThousandWait(t *testing.T) {
	const calls, arenaBytes, needed = 100_000, 96 << 20, 512 << 20
	if free := available(t); free < needed {
		t.Skipf("%d MiB of memory are available, it needs %d", free>>20, needed>>20)
	}
	cfg := strings.Replace(defaultConfig(t), "request_route {",
		"request_route {\n\tif ($rU == \"slow\") { sleep(\"30\"); sl_send_reply(\"404\", \"Late\"); exit; }", 1)
	cfg = strings.Replace(cfg, "loadmodule \"tm.so\"", "loadmodule \"tm.so\"\nloadmodule \"cfgutils.so\"", 1)
	f := newFlow(t, cfg, defaultTargets, arenaBytes)
	f.counting = true
	receive := func(b []byte) { f.receive("127.0.0.1:6000", b); f.arrived = f.arrived[:0] }
	// others are OPTIONS that are answered without a transaction. They return the CPU of the 99th
	// of a hundred, and the bytes of the arena they took.
	others := func(name string) (time.Duration, int64) {
		before, used := f.counted, int64(f.w.slab.UsedBytes())
		took := make([]time.Duration, 1000)
		for i := range took {
			msg := request("OPTIONS", "sip:127.0.0.1:5060", fmt.Sprintf("%s%d", name, i), fmt.Sprintf("%s%d", name, i))
			began := threadCPU(t)
			receive(msg)
			took[i] = threadCPU(t) - began
		}
		if n := f.counted - before; n != len(took) {
			t.Errorf("%d of %d other requests were answered at once", n, len(took))
		}
		slices.Sort(took)
		return took[len(took)*99/100], int64(f.w.slab.UsedBytes()) - used
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p99, took := others("before")
	used := int64(f.w.slab.UsedBytes())
	f.counted = 0
	for i := range calls {
		receive(request("INVITE", "sip:slow@127.0.0.1:5060", fmt.Sprintf("c%06d", i), fmt.Sprintf("%06d", i)))
	}
	if f.counted != calls {
		t.Errorf("%d calls heard 100, want %d", f.counted, calls)
	}
	each := (int64(f.w.slab.UsedBytes()) - used) / calls
	p99With, tookWith := others("meanwhile")
	t.Logf("%d bytes for each; p99 of others: %v of CPU without, %v with %d calls that wait", each, p99, p99With, calls)
	if tookWith != took {
		t.Errorf("other requests took %d bytes with calls that wait, %d without", tookWith, took)
	}
	f.counted = 0
	f.wait(30*time.Second + 100*time.Millisecond)
	if f.counted != calls {
		t.Errorf("%d calls were answered, want %d", f.counted, calls)
	}
	f.wait(40 * time.Second)
	f.endsClean()
}
