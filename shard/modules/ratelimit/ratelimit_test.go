package ratelimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/sl"
	"viaduct/shard/route"
	"viaduct/shm/table"
)

func param(name, value string) string {
	return fmt.Sprintf("modparam(\"ratelimit\", %q, %q)\n", name, value)
}

// bench has the module, and tells which one a load made.
func bench(t *testing.T, head string) (b *moduletest.Bench, last func() *ratelimit) {
	var x *ratelimit
	b = moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "sl", Define: sl.Define},
		route.Declared{Name: "ratelimit", Define: func(m *route.Module) { x = define(m) }})
	b.Head = head
	return b, func() *ratelimit { return x }
}

// TestCases plays testdata/ratelimit.txt.
func TestCases(t *testing.T) {
	b, _ := bench(t, param("pipe", "0:TAILDROP:1")+param("pipe", "1:TAILDROP:2")+
		param("pipe", "2:RED:1")+param("pipe", "3:FEEDBACK:80"))
	b.Check("testdata/ratelimit.txt")
}

func TestMistakes(t *testing.T) {
	b, _ := bench(t, "")
	f := func(head, want string) {
		t.Helper()
		b.Head = head
		_, _, err := b.Load("request_route { rl_check(); }")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", head, err, want)
		}
	}
	f(param("pipe", "32:RED:1"), `"32" is no number from 0 to 31`)
	f(param("pipe", "1:GREEN:1"), `no algorithm "GREEN"; there are RED, TAILDROP, FEEDBACK, NETWORK`)
	f(param("pipe", "1:RED:x"), `the limit is "x"; it is a number from 0`)
	f(param("pipe", "RED"), `write NUMBER:ALGORITHM:LIMIT, such as 0:TAILDROP:200`)
	f(param("queue", "INVITE"), `write PIPE:METHOD, such as 0:INVITE`)
	f(param("queue", "5:INVITE"), `there is no pipe 5: write modparam("ratelimit", "pipe", `+
		`"5:TAILDROP:100")`)
}

// TestQueues: the method finds its queue, the first one that fits.
func TestQueues(t *testing.T) {
	b, _ := bench(t, param("pipe", "0:TAILDROP:0")+param("pipe", "1:TAILDROP:100"))
	head := b.Head
	f := func(queues, want string) {
		t.Helper()
		b.Head = head
		for _, q := range strings.Fields(queues) {
			b.Head += param("queue", q)
		}
		if got := b.Value("$var(r) = rl_check();", "$var(r)"); got != want {
			t.Errorf("%s: %s, want %s", queues, got, want)
		}
	}
	f("0:INVITE", "-1")
	f("0:*", "-1")
	f("1:INVITE 0:*", "1")
	f("0:REGISTER", "-1") // no queue
	f("0:REGISTER 1:*", "1")
}

// TestIntervals: an interval begins anew, RED looks at the one before, and what is counted is there
// for the program that comes next.
func TestIntervals(t *testing.T) {
	b, _ := bench(t, param("pipe", "0:TAILDROP:1")+param("pipe", "1:RED:1")+
		"modparam(\"ratelimit\", \"timer_interval\", 2)\n")
	f := func(pipe string, n int, want string) {
		t.Helper()
		got := ""
		for range n {
			got += b.Value(`$var(r) = rl_check_pipe("`+pipe+`");`, "$var(r)") + " "
		}
		if got != want {
			t.Errorf("%d times pipe %s: %s, want %s", n, pipe, got, want)
		}
	}
	b.Wait(2*time.Second - time.Duration(b.Ctx.Now())%(2*time.Second))
	f("0", 3, "1 1 -1 ") // each of them is a program of its own
	f("1", 6, strings.Repeat("1 ", 6))
	b.Wait(2 * time.Second)
	f("0", 3, "1 1 -1 ")
	f("1", 6, "-1 -1 1 -1 -1 1 ")
	b.Wait(4 * time.Second)
	f("1", 2, "1 1 ")
}

// TestPasses: what FEEDBACK and NETWORK make of a load.
func TestPasses(t *testing.T) {
	l := NewLoad()
	refused := func(limit int32) (n int) {
		p := Pipe{Feedback, limit}
		for i := range uint32(100) {
			if !p.Passes(Count{Curr: i}, l) {
				n++
			}
		}
		return n
	}
	f := func(load float64, times int, limit int32, want int) {
		t.Helper()
		for range times {
			l.Push(load)
		}
		if got := refused(limit); got != want {
			t.Errorf("%d of 100 are refused, want %d", got, want)
		}
	}
	f(0.5, 10, 80, 0)
	f(1, 1, 80, 5) // 25 times a fifth
	f(1, 1, 80, 10)
	f(1, 100, 80, 100)
	f(0.7, 4, 80, 90) // and down again, at once
	f(0, 100, 80, 0)
	f(1, 1, 100, 0)
	l.SetPID(0, -100, 0)
	f(1, 1, 80, 20)

	p := Pipe{Network, 100}
	for waiting, want := range map[int64]bool{0: true, 100: true, 101: false} {
		l.waiting.Store(waiting)
		if got := p.Passes(Count{}, l); got != want {
			t.Errorf("%d bytes: %v", waiting, got)
		}
	}
}

func TestLook(t *testing.T) {
	l := NewLoad()
	if _, ok := l.processors([]byte("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\n")); ok {
		t.Error("a load at the first look")
	}
	load, ok := l.processors([]byte("cpu  150 0 125 710 115 0 0 0 9 9\n"))
	if !ok || load != 0.75 {
		t.Error(load, ok)
	}
	sockets := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n" +
		"   7: 0100007F:13C4 00000000:0000 07 00000000:00000A00 00:00000000\n" +
		"   8: 0100007F:13C5 00000000:0000 0A 00000000:00000011 00:00000000\n" +
		"   9: 0100007F:13C6 00000000:0000 07 00000000:00000001 00:00000000\n"
	if n := waiting([]byte(sockets)); n != 0xa01 {
		t.Error(n)
	}
	l.Look() // of this machine
	l.Look()
}

func TestCommands(t *testing.T) {
	b, _ := bench(t, param("pipe", "0:TAILDROP:2")+param("pipe", "3:RED:5")+param("queue", "0:*"))
	p, _, err := b.Load(`request_route { if (rl_check()) { exit; } drop; }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	p.Request(b.Ctx, r)
	f := func(want, name string, args ...string) {
		t.Helper()
		for _, c := range p.Commands() {
			if c.Name == name {
				a, err := c.Read(args)
				if err != nil {
					t.Fatal(err)
				}
				v, err := c.Call(a)
				if got := fmt.Sprint(v, err); !strings.HasPrefix(got, want) {
					t.Errorf("%s %v is %s, want %s", name, args, got, want)
				}
				return
			}
		}
		t.Errorf("there is no %s", name)
	}
	f("[PIPE[0]: 2:TAILDROP 0/2 (drop rate: 0) [", "rl.get_pipes")
	f("[PIPE[0]: 0/2 (drop rate: 0) PIPE[1]: 0/0 (drop rate: 0) PIPE[2]:", "rl.stats")
	f("[QUEUE[0]: 0:*] <nil>", "rl.get_queues")
	f("<nil> <nil>", "rl.set_pipe", "0", "TAILDROP", "0")
	f("<nil> 400 - Unknown algorithm", "rl.set_pipe", "0", "FOO", "0")
	f("<nil> 400 - Unknown pipe", "rl.set_pipe", "32", "RED", "0")
	f("<nil> 400 - MAX_QUEUES reached", "rl.set_queue", "1", "INVITE", "3")
	f("<nil> <nil>", "rl.set_queue", "0", "INVITE", "3")
	f("[QUEUE[0]: 3:INVITE] <nil>", "rl.get_queues")
	f("ki[-25.000000] kp[0.000000] kd[0.000000]<nil>", "rl.get_pid")
	f("<nil> <nil>", "rl.set_pid", "0.5", "0.5", "0.5")
	f("ki[0.500000] kp[0.500000] kd[0.500000]<nil>", "rl.get_pid")
	f("<nil> 400 - \"x\" is no number", "rl.set_pid", "0.5", "x", "0.5")
	f("<nil> <nil>", "rl.push_load", "0.9")
	f("<nil> 400 - value out of range: 0.0 to 1.0", "rl.push_load", "1.1")
	f("<nil> <nil>", "rl.set_dbg", "1")
}

// TestCounts: shards that count for one pipe lose nothing.
func TestCounts(t *testing.T) {
	b, last := bench(t, param("pipe", "0:TAILDROP:2"))
	b.Run("exit;")
	x := last()
	now := table.Now()
	now -= now % x.every.Milliseconds()
	const shards, each = 4, 5000
	done := make(chan bool)
	for range shards {
		go func() {
			for range each {
				x.counts.Add([]byte{7}, now)
			}
			done <- true
		}()
	}
	for range shards {
		<-done
	}
	if n := x.counts.Get([]byte{7}, now); n.Curr != shards*each {
		t.Errorf("%d are counted", n.Curr)
	}
	if n := testing.AllocsPerRun(100, func() { x.counts.Add([]byte{7}, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
