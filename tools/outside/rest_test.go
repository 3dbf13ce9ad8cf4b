package outside

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A process without traffic sleeps: nothing in it ticks, with datagrams only and with event loops,
// a resolver and the placement of two shards. What is counted is sleeps, which do not depend on
// what else the machine does; each costs some tens of microseconds, and a shard's keeps the monitor
// of the Go runtime up for 10 ms more.
func TestRest(t *testing.T) {
	t.Parallel()
	callee := newPeer(t, "the callee")
	targets := to(callee)
	servers := map[string]*server{
		"lb.cfg":               start(t, setup{targets: targets, shards: 2, timers: true}),
		"the built-in program": start(t, setup{targets: targets, shards: 2, builtIn: true}),
	}
	before := map[string]int{}
	time.Sleep(4 * time.Second)
	for name, s := range servers {
		before[name] = sleeps(t, s)
	}
	const seconds = 5
	time.Sleep(seconds * time.Second)
	for name, s := range servers {
		if n := (sleeps(t, s) - before[name]) / seconds; n > 60 {
			t.Errorf("%s: its threads sleep %d times a second", name, n)
		}
	}
}

// sleeps is the voluntary context switches of all threads so far.
func sleeps(t *testing.T, s *server) (sum int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
