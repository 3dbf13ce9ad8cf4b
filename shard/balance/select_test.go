package balance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// list runs Select and gives the last number of every address handed out by NextTarget.
func list(tb *Table, a Algorithm, key uint64, limit int) string {
	var p Picks
	if !tb.Select(1, a, Key{Hash: key}, limit, &p) {
		return "none"
	}
	var b strings.Builder
	for t := p.NextTarget(tb); t != nil; t = p.NextTarget(tb) {
		b.WriteString(t.Host[strings.LastIndexByte(t.Host, '.')+1:] + " ")
	}
	return strings.TrimSpace(b.String())
}

// at returns the target whose address ends in n.
func at(t *testing.T, tb *Table, n int) *Target {
	t.Helper()
	for _, x := range tb.Targets() {
		if strings.HasSuffix(x.Host, fmt.Sprintf(".%d", n)) {
			return x
		}
	}
	t.Fatalf("no target %d", n)
	return nil
}

// Serial and round robin, with targets out and with a default. down lists the addresses' last
// numbers that are inactive.
func TestPriorityAndRoundRobin(t *testing.T) {
	const four = "1 sip:10.0.0.1\n1 sip:10.0.0.2\n1 sip:10.0.0.3\n1 sip:10.0.0.4"
	f := func(a Algorithm, cfg Config, limit int, down string, want ...string) {
		t.Helper()
		tb := mustParse(t, four, cfg, nil)
		for _, c := range down {
			at(t, tb, int(c-'0')).SetState(Inactive, 1)
		}
		for i, w := range want {
			if got := list(tb, a, 0, limit); got != w {
				t.Errorf("algorithm %d, %+v, limit %d, down %q, call %d: got %q, want %q", a, cfg, limit, down, i, got,
					w)
			}
		}
	}
	f(Priority, Config{}, 0, "", "4 3 2 1", "4 3 2 1")
	f(Priority, Config{}, 2, "", "4 3")
	f(Priority, Config{}, 99, "4", "3 2 1")
	f(Priority, Config{}, 1, "43", "2")
	f(Priority, Config{}, 0, "1234", "none")
	f(Priority, Config{UseDefault: true}, 0, "", "4 3 2 1")
	f(Priority, Config{UseDefault: true}, 2, "", "4 3")
	// the default is tried although inactive
	f(Priority, Config{UseDefault: true}, 0, "1", "4 3 2 1")
	f(Priority, Config{UseDefault: true}, 0, "1234", "1")
	f(RoundRobin, Config{}, 0, "", "4 3 2 1", "3 2 1 4", "2 1 4 3", "1 4 3 2", "4 3 2 1")
	f(RoundRobin, Config{}, 1, "3", "4", "2", "1", "4")
	f(RoundRobin, Config{}, 3, "34", "2 1", "1 2", "2 1")
	f(RoundRobin, Config{}, 0, "1234", "none", "none")
	f(RoundRobin, Config{UseDefault: true}, 0, "", "4 3 2 1", "3 2 4 1", "2 4 3 1", "4 3 2 1")
	f(RoundRobin, Config{UseDefault: true}, 1, "234", "1", "1")
}

func TestSelectNothing(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 4", Config{UseDefault: true}, nil)
	p := Picks{N: 7, Next: 3}
	for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights} {
		if tb.Select(1, a, Key{}, 0, &p) || p.NextTarget(tb) != nil {
			t.Errorf("algorithm %d selects a disabled default", a)
		}
		if tb.Select(2, a, Key{}, 0, &p) || tb.Select(-1, a, Key{}, 0, &p) {
			t.Errorf("algorithm %d selects from no set", a)
		}
	}
}

// NextTarget looks again: what went down or away since Select is passed over, and what came back is
// not.
func TestNextTargetLooksAgain(t *testing.T) {
	tb := mustParse(t, nTargets(5, ""), Config{}, nil)
	var p Picks
	tb.Select(1, Priority, Key{}, 0, &p)
	if p.Remaining() != 5 || p.NextTarget(tb) != at(t, tb, 5) {
		t.Fatal("not the first")
	}
	at(t, tb, 4).Fail(1, 1)
	at(t, tb, 2).SetState(Disabled, 1)
	smaller := mustParse(t, "1 sip:10.0.0.1\n1 sip:10.0.0.2\n1 sip:10.0.0.4", Config{}, tb)
	q := p
	if x := p.NextTarget(smaller); x == nil || x.Host != "10.0.0.1" {
		t.Errorf("got %v, want 1: 4 and 2 are down, 3 is gone", x)
	}
	for range 2 {
		if p.NextTarget(smaller) != nil || p.Remaining() != 0 {
			t.Error("more than there is")
		}
	}
	at(t, tb, 4).Success(2, 2)
	if x := q.NextTarget(smaller); x == nil || x.Host != "10.0.0.4" {
		t.Errorf("got %v, want 4, which is up again", x)
	}
}

// All algorithms: the list holds each usable target once.
func TestListsAreComplete(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 25; n++ {
		tb := mustParse(t, nTargets(n, "weight=%d"), Config{UseDefault: n%2 == 0}, nil)
		for range 50 {
			usable := 0
			for _, x := range tb.Targets() {
				x.SetState([]State{0, 0, Trying, Inactive, Disabled}[rng.IntN(5)], 1)
			}
			set := tb.Set(1).Targets
			for i, x := range set {
				if x.State().Usable() || n%2 == 0 && i == n-1 && x.State() == Inactive {
					usable++
				}
			}
			for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights} {
				limit := rng.IntN(MaxPicks + 1)
				var p Picks
				ok := tb.Select(1, a, Key{Hash: rng.Uint64()}, limit, &p)
				if limit == 0 {
					limit = MaxPicks
				}
				want := min(usable, limit)
				seen := map[*Target]bool{}
				for x := p.NextTarget(tb); x != nil; x = p.NextTarget(tb) {
					seen[x] = true
				}
				if len(seen) != want || int(p.N) != want || ok != (want > 0) {
					t.Fatalf("algorithm %d, %d targets, limit %d: %d picks, %d different, want %d", a, n, limit, p.N,
						len(seen), want)
				}
			}
		}
	}
}
