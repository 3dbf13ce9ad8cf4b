package balance

import (
	"bytes"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// Picks lives in transaction records that other processes attach: its layout is a promise.
func TestPicksLayout(t *testing.T) {
	var p Picks
	if s := unsafe.Sizeof(p); s != 48 {
		t.Errorf("Picks has %d bytes", s)
	}
	f := func(name string, got, want uintptr) {
		t.Helper()
		if got != want {
			t.Errorf("%s is at %d, want %d", name, got, want)
		}
	}
	f("Set", unsafe.Offsetof(p.Set), 0)
	f("N", unsafe.Offsetof(p.N), 4)
	f("Next", unsafe.Offsetof(p.Next), 5)
	f("Flags", unsafe.Offsetof(p.Flags), 6)
	f("UID", unsafe.Offsetof(p.UID), 8)
	typ := reflect.TypeFor[Picks]()
	for i := range typ.NumField() {
		if k := typ.Field(i).Type.Kind(); k != reflect.Uint8 && k != reflect.Uint32 && k != reflect.Array {
			t.Errorf("%s is a %v", typ.Field(i).Name, k)
		}
	}
}

// What calls write must not share cache lines with what other calls read.
func TestCacheLines(t *testing.T) {
	var l live
	var tu turns
	if unsafe.Sizeof(l)%64 != 0 || unsafe.Offsetof(l.latency) < 64 {
		t.Errorf("live has %d bytes, latency at %d", unsafe.Sizeof(l), unsafe.Offsetof(l.latency))
	}
	if unsafe.Sizeof(tu)%64 != 0 || unsafe.Offsetof(tu.gen)-unsafe.Offsetof(tu.wrr) < 64 ||
		unsafe.Offsetof(tu.rr) < 64 {
		t.Errorf("turns has %d bytes, gen at %d, wrr at %d", unsafe.Sizeof(tu), unsafe.Offsetof(tu.gen),
			unsafe.Offsetof(tu.wrr))
	}
}

// What must be inlined to keep its price.
func TestInlining(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the package")
	}
	cmd := exec.Command("go", "build", "-gcflags=-m", ".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range []string{"(*Target).Success", "(*Target).State", "(*Table).Target", "State.Usable", "mix",
		"negLog", "(*Picks).add", "(*shares).find"} {
		if !bytes.Contains(out, []byte("can inline "+f+"\n")) {
			t.Errorf("%s is no longer inlined", strings.TrimSpace(f))
		}
	}
}

// Nothing on a packet's path allocates, with every algorithm, weighted or not, failover included.
func TestNoAllocation(t *testing.T) {
	for _, attrs := range []string{"", "weight=%d"} {
		tb := mustParse(t, nTargets(8, attrs), Config{UseDefault: true}, nil)
		callID := []byte("a84b4c76e66710@pc33.atlanta.example.com")
		var p Picks
		now := int64(0)
		if n := testing.AllocsPerRun(200, func() {
			for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights, 10} {
				tb.Select(1, a, KeyOf(callID), 0, &p)
				for x := p.NextTarget(tb); x != nil; x = p.NextTarget(tb) {
					now++
					x.Success(now, now)
					x.FailTimeout(now, now)
				}
			}
		}); n != 0 {
			t.Errorf("weights %q: %v allocations", attrs, n)
		}
	}
}

// The prober allocates nothing in steady state either: it runs on a shard.
func TestProberNoAllocation(t *testing.T) {
	tb := mustParse(t, nTargets(50, ""), Config{}, nil)
	p := NewProber(ProbeConfig{Interval: minPeriod, Mode: ProbeAll})
	p.OwnCallID = func(b []byte) bool { return b[0] != 0 }
	var probes []Probe
	var outcomes []Outcome
	buf := make([]byte, 0, 1024)
	now, random := int64(0), func() uint64 { return 77 << 20 }
	step := func() {
		now += 10
		probes, outcomes = p.Due(tb, now, random, probes[:0], outcomes[:0])
		for _, pr := range probes {
			buf = p.AppendRequest(buf[:0], pr, callSentBy, callBranch)
			if _, ok := p.Response(pr.ID, 200, now); !ok {
				t.Fatal("not taken")
			}
		}
	}
	for range 20 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

var callSentBy, callBranch = []byte("192.0.2.1:5060"), []byte("z9hG4bK1")
