package outside

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
)

// The scenarios, by the ending of their file names.
var scenarios = []string{"", "-busy", "-cancel", "-callee", "-reinvite", "-lossy"}

// argsFor is what a scenario needs on the callers' command line.
func argsFor(scenario string) []string {
	if scenario == "-lossy" {
		return []string{"-lost", "5"}
	}
	return nil
}

// The scenarios are right if a proxy written elsewhere passes them.
func TestScenariosOnKamailio(t *testing.T) {
	needs(t, "kamailio", "kamailio")
	t.Parallel()
	for _, scenario := range scenarios {
		t.Run("uac"+scenario, func(t *testing.T) {
			t.Parallel()
			callTest{calls: 60, rate: 60, args: argsFor(scenario)}.through(t, scenario, startKamailio, setup{})
		})
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, scenario := range scenarios {
		t.Run("uac"+scenario, func(t *testing.T) {
			t.Parallel()
			callTest{calls: 200, rate: 100, args: argsFor(scenario)}.through(t, scenario, start, setup{shards: 2})
		})
	}
}

func TestCallsOverIPv6(t *testing.T) {
	t.Parallel()
	if conn, err := net.ListenPacket("udp", "[::1]:0"); err != nil {
		t.Skipf("needs IPv6 on the loopback interface: %v", err)
	} else {
		conn.Close()
	}
	callTest{calls: 200, rate: 100, ip: netip.MustParseAddr("::1")}.through(t, "", start, setup{shards: 2})
}

// 2,000 calls with 180 and 200 back to back: none fails, none is reordered, every destination has
// its share, and the counters agree.
func TestCalls(t *testing.T) {
	t.Parallel()
	const calls = 2000
	for _, c := range []struct {
		shards, callees, callers int
		flags                    []string
	}{
		{shards: 1, callees: 2, callers: 1},
		{shards: 2, callees: 4, callers: 4},
		{shards: 4, callees: 8, callers: 4},
		// All traffic from one source port: a hash of addresses and ports would give it all to one
		// shard.
		{shards: 4, callees: 2, callers: 1},
		// The same without the kernel's help: by the rings between the shards.
		{shards: 4, callees: 2, callers: 1, flags: []string{"--steer=off"}},
	} {
		t.Run(fmt.Sprintf("%d shards, %d destinations, %d source ports%s", c.shards, c.callees, c.callers, c.flags),
			func(t *testing.T) {
				t.Parallel()
				loadsHalf(t)
				srv, o := callTest{callees: c.callees, callers: c.callers, calls: calls / c.callers,
					rate: 400 / c.callers}.
					through(t, "", start, setup{shards: c.shards, flags: c.flags})
				o.balanced(t, calls)
				all := srv.stats(t)
				checkCounters(t, all, calls, !o.resent())
				spread(t, all, 2*calls)
				if c.flags != nil && c.shards > 1 && sum(all, "handed_off") == 0 {
					t.Error("without steering, nothing was handed off")
				}
				t.Logf("steering %q, handed off %d of %d", srv.steering(t), sum(all, "handed_off"),
					sum(all, "datagrams_in"))
			})
	}
}

// checkCounters wants what SIGUSR1 tells to agree with calls of INVITE-180-200-ACK-BYE-200. When
// nobody repeated anything the numbers are exact.
func checkCounters(t *testing.T, all []counters, calls int, exact bool) {
	t.Helper()
	// f wants a counter's sum, or at least that when there were retransmissions.
	f := func(name string, want int) {
		t.Helper()
		if got := int(sum(all, name)); got < want || exact && got != want {
			t.Errorf("%s is %d for %d calls, want %d", name, got, calls, want)
		}
	}
	f("requests", 3*calls)
	f("replies", 3*calls)
	f("datagrams_in", 6*calls)
	f("datagrams_out", 7*calls) // with our 100 Trying
	f("transactions_created", 2*calls)
	f("retransmissions_absorbed", 0)
	for _, c := range all {
		if exact && len(c.Dropped) > 0 || len(c.Refused) > 0 {
			t.Errorf("shard %d dropped %v and refused %v of %d good calls", c.Shard, c.Dropped, c.Refused, calls)
		}
		if c.count["transactions"] > 0 && c.count["arena_used_bytes"] == 0 {
			t.Errorf("shard %d has %d transactions and no arena in use", c.Shard, c.count["transactions"])
		}
		if c.count["transactions"] > c.count["transactions_created"] {
			t.Errorf("shard %d has %d transactions, more than it made", c.Shard, c.count["transactions"])
		}
	}
}

// spread wants each shard to own its part of the transactions, wherever they came from.
func spread(t *testing.T, all []counters, transactions int) {
	t.Helper()
	share := uint64(transactions / len(all))
	for _, c := range all {
		if n := c.count["transactions_created"]; n < share*2/3 || n > share*4/3 {
			t.Errorf("shard %d of %d owned %d of %d transactions", c.Shard, len(all), n, transactions)
		}
	}
}
