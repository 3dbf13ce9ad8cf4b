package statistics

import (
	"testing"

	"viaduct/shard/modules/counters"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "statistics", Define: Define},
		route.Declared{Name: "counters", Define: counters.Define})
	b.Head = `modparam("statistics", "variable", "one") modparam("statistics", "variable", "two/no_reset")
modparam("counters", "script_counter", "g.c calls") modparam("counters", "script_counter", "plain")`
	return b
}

// TestCases plays testdata/statistics.txt.
func TestCases(t *testing.T) { bench(t).Check("testdata/statistics.txt") }

func TestErrors(t *testing.T) {
	b := bench(t)
	b.Fails(`update_stat("oen", "+1");`, `update_stat: there is no counter "oen"; did you mean one?`)
	b.Fails(`cnt_inc("g.d");`, `cnt_inc: there is no counter "g.d"; did you mean g.c?`)
	b.Fails(`update_stat("one", "x");`, `update_stat wants a number for the value, not "x"`)
	b.Head += ` modparam("statistics", "variable", "one")`
	b.Fails(`exit;`, `statistics.variable counter one is declared twice`)
}

// TestStatWithout: $stat is pv's, and null where nothing is declared.
func TestStatWithout(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define})
	if got := b.Value("", "$stat(rcv_requests)"); got != "null" {
		t.Errorf("$stat is %s", got)
	}
}

// TestCounted: operators are shown what scripts count, and counting costs the heap nothing.
func TestCounted(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route { update_stat("one", "+3"); cnt_inc("g.c"); cnt_add("plain", "2");
		$var(n) = $stat(one); }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	if n := testing.AllocsPerRun(1, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	got := map[string]uint64{}
	for _, k := range p.Counters() {
		got[k.String()] = k.Of(0)
	}
	want := map[string]uint64{"statistics:one": 6, "statistics:two": 0, "counters:g.c": 2,
		"counters:script.plain": 4}
	for name, n := range want {
		if v, there := got[name]; !there || v != n {
			t.Errorf("%s is %d, want %d", name, v, n)
		}
	}
}
