package htable

import (
	"sync"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

// twoShards runs a program on two shards at once, n times each.
func twoShards(t *testing.T, body string, n int) (b *moduletest.Bench) {
	t.Helper()
	list := []route.Declared{{Name: "htable", Define: Define}, {Name: "pv", Define: pv.Define}}
	p, _, _, err := route.Load("x.cfg", []byte("loadmodule \"htable.so\" "+head+
		"\nrequest_route {\n"+body+"\n}\n"), route.Options{Modules: list})
	if err != nil {
		t.Fatal(err)
	}
	b = bench(t)
	if err := p.Open(&route.State{Shards: 2, Arena: b.Arena}); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for shard, on := range []*moduletest.Bench{b, bench(t)} {
		on.Ctx.Shard.Number = shard
		both.Go(func() {
			for range n {
				if o := p.Request(on.Ctx, on.Begin(on.Msg(), on.Source())); o == route.Faulted {
					t.Errorf("a run ended as %d", o)
				}
			}
		})
	}
	both.Wait()
	b.Ctx.Shard.Number = 0
	return b
}

// What stands between sht_lock() and sht_unlock() is not mixed with another shard's, nor with a
// write that does not lock.
func TestLock(t *testing.T) {
	const n = 3000
	// A shard that the machine leaves without a CPU keeps the other one out for longer than it waits.
	b := twoShards(t, `
	while (!sht_lock("a=>k")) { $var(n) = 1; }
	$var(x) = $sht(a=>k);
	$sht(a=>other) = $var(x);
	$sht(a=>k) = $var(x) + 1;
	sht_unlock("a=>k");
	$var(y) = $shtinc(c=>n);
	while (!sht_lock("a=>k")) { $var(n) = 1; }
	$var(x) = $sht(a=>k);
	$sht(a=>k) = $var(x) + 1;
	exit;`, n) // the last one ends with the run
	if got := b.Value("", "$sht(a=>k)"); got != "12000" {
		t.Errorf("%s additions, want %d", got, 4*n)
	}
	if got := b.Value("", "$shtinc(c=>n)"); got != "6001" {
		t.Errorf("%s is the next, want %d", got, 2*n+1)
	}
}

// A key that another shard holds for too long: the run goes on without it, and that is counted.
func TestLockHeld(t *testing.T) {
	var h *module
	define := func(m *route.Module) {
		h = &module{byName: map[string]*htable{}}
		h.define(m)
	}
	b := moduletest.New(t, route.Declared{Name: "htable", Define: define})
	b.Head = head
	p, _, err := b.Load(`request_route {
	$var(rc) = sht_lock("a=>k");
	$sht(a=>k) = 1;
	$sht(a=>result) = $var(rc);
	exit;
}`)
	if err != nil {
		t.Fatal(err)
	}
	tab := h.byName["a"]
	l := tab.lockOf([]byte("k"))
	l.take(99)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	if v, _ := tab.t.Get([]byte("result"), 0, nil); v.Int != -1 && tab.lockOf([]byte("result")) != l {
		t.Errorf("sht_lock() gives %d", v.Int)
	}
	if _, verdict := tab.t.Get([]byte("k"), 0, nil); verdict.String() != "absent" || h.locked.Of(0) < 2 {
		t.Errorf("the key is %v, %d waits were counted", verdict, h.locked.Of(0))
	}
	l.give(99)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	if v, _ := tab.t.Get([]byte("k"), 0, nil); v.Int != 1 || l.owner.Load() != 0 {
		t.Errorf("then it is %d, and the lock is %d's", v.Int, l.owner.Load())
	}
}

// TestLockOfReload: what one program holds, the one behind a reload waits for, also for a write of a
// file that has no sht_lock() itself.
func TestLockOfReload(t *testing.T) {
	var before, now *module
	both := [2]**module{&before, &now}
	n := 0
	b := moduletest.New(t, route.Declared{Name: "htable", Define: func(m *route.Module) {
		h := &module{byName: map[string]*htable{}}
		if n < len(both) {
			*both[n] = h
		}
		n++
		h.define(m)
	}})
	b.Head = head
	if _, _, err := b.Load(`request_route { sht_lock("a=>k"); exit; }`); err != nil {
		t.Fatal(err)
	}
	p, _, err := b.Load(`request_route { $sht(a=>k) = 1; exit; }`)
	if err != nil {
		t.Fatal(err)
	}
	l := before.byName["a"].lockOf([]byte("k"))
	l.take(99)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	if _, verdict := now.byName["a"].t.Get([]byte("k"), 0, nil); verdict.String() != "absent" {
		t.Errorf("the key is %v", verdict)
	}
	l.give(99)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	if v, verdict := now.byName["a"].t.Get([]byte("k"), 0, nil); v.Int != 1 {
		t.Errorf("when it is given back the key is %v", verdict)
	}
}
