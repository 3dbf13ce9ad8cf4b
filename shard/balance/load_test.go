package balance

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// hosts lists a set's targets in selection order.
func hosts(s *Set) string {
	var b strings.Builder
	for _, t := range s.Targets {
		b.WriteString(t.Host[strings.LastIndexByte(t.Host, '.')+1:] + " ")
	}
	return strings.TrimSpace(b.String())
}

func TestOrderInSet(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := hosts(mustParse(t, text, Config{}, nil).Set(1)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	f("1 sip:10.0.0.1\n1 sip:10.0.0.2\n1 sip:10.0.0.3", "3 2 1")
	f("1 sip:10.0.0.1 0 5\n1 sip:10.0.0.2 0 9\n1 sip:10.0.0.3 0 5", "2 3 1")
	f("1 sip:10.0.0.1 0 -1\n2 sip:10.0.0.9 0 99\n1 sip:10.0.0.2\n1 sip:10.0.0.3 0 0", "3 2 1")
}

const three = "1 sip:10.0.0.1\n1 sip:10.0.0.2\n2 sip:10.0.0.3 8\n"

// What stays of a target over a reload.
func TestReload(t *testing.T) {
	f := func(next string, cfg Config, wantState string, wantUID bool) {
		t.Helper()
		tb := mustParse(t, three, Config{}, nil)
		x := tb.Targets()[0]
		x.Fail(1, 1)
		uid := x.UID
		got := "gone"
		after := mustParse(t, next, cfg, tb)
		if y := after.Target(uid); y != nil {
			got = y.State().String()
		}
		if got != wantState || (got != "gone") != wantUID {
			t.Errorf("%q: state %s, want %s", next, got, wantState)
		}
		if x.State().String() != "IX" || tb.Target(uid) != x {
			t.Errorf("%q: the previous table changed", next)
		}
	}
	f(three, Config{}, "IX", true)
	f(three, Config{StatesFromFile: true}, "AX", true)
	f("1 sip:10.0.0.2\n1 sip:10.0.0.1 0 7 weight=5;duid=new", Config{}, "IX", true)
	f("1 SIP:10.0.0.1:5060;transport=udp", Config{}, "IX", true)
	f("1 sip:10.0.0.1 8", Config{}, "AP", true) // the operator wrote other flags: they hold
	f("1 sip:10.0.0.1 4", Config{}, "DX", true)
	f("1 sip:10.0.0.2", Config{}, "gone", false)
	f("2 sip:10.0.0.1", Config{}, "gone", false)
	f("1 sip:10.0.0.1;lr", Config{}, "gone", false)
	f("1 sip:10.0.0.1:5061", Config{}, "gone", false)
	f("1 sip:10.0.0.1;transport=tcp", Config{}, "gone", false)
	f("1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060", Config{}, "gone", false)
}

// A shard on the old snapshot and one on the new share the state, and thresholds are the new
// table's.
func TestReloadSharesState(t *testing.T) {
	old := mustParse(t, nTargets(3, ""), Config{}, nil)
	x := old.Targets()[1]
	tb := mustParse(t, nTargets(3, ""), Config{ProbingThreshold: 2}, old)
	y := tb.Target(x.UID)
	var p Picks
	for now := int64(1); now < 6; now += 2 {
		if x.Fail(now, now) != Down {
			t.Fatal("no event")
		}
		for _, table := range []*Table{old, tb} {
			if table.Select(1, Priority, Key{}, 0, &p); p.N != 2 || p.has(x.UID) {
				t.Fatalf("picked %v while %d is down", p.UID[:p.N], x.UID)
			}
		}
		if y.Success(now+1, now+1) != Up {
			t.Fatal("no event")
		}
	}
	if y.Fail(9, 9) != NoEvent || x.State() != Trying {
		t.Errorf("state %v after the first of two failures", x.State())
	}
	// The turn goes on where it was.
	old.Select(1, RoundRobin, Key{}, 1, &p)
	first := p.UID[0]
	if tb.Select(1, RoundRobin, Key{}, 1, &p); p.UID[0] == first {
		t.Error("the turn began anew")
	}
}

// UIDs: the same file gives the same in another process, others' are not reused, and a target that
// comes back is known again.
func TestUIDs(t *testing.T) {
	a, b := mustParse(t, nTargets(500, ""), Config{}, nil), mustParse(t, nTargets(500, ""), Config{}, nil)
	seen := map[uint16]string{}
	for i, x := range a.Targets() {
		if x.UID != b.Targets()[i].UID {
			t.Fatalf("target %d: UID %d and %d", i, x.UID, b.Targets()[i].UID)
		}
		if other := seen[x.UID]; other != "" {
			t.Fatalf("%s and %s share UID %d", other, x.URI, x.UID)
		}
		seen[x.UID] = x.URI
	}
	// Replace all targets a hundred times: no UID returns to another.
	tb := a
	for round := range 40 {
		tb = mustParse(t, strings.ReplaceAll(nTargets(500, ""), "sip:10.0",
			"sip:10."+string(rune('1'+round/10))+string(rune('0'+round%10))), Config{}, tb)
		for _, x := range tb.Targets() {
			if other := seen[x.UID]; other != "" && other != x.URI {
				t.Fatalf("round %d: UID %d of %s went to %s", round, x.UID, other, x.URI)
			}
			seen[x.UID] = x.URI
		}
	}
	back := mustParse(t, nTargets(500, ""), Config{}, tb)
	for i, x := range back.Targets() {
		if x.UID != a.Targets()[i].UID {
			t.Fatalf("%s came back as %d, was %d", x.URI, x.UID, a.Targets()[i].UID)
		}
	}
	if back.Target(0) != nil || back.Target(tb.Targets()[0].UID) != nil || a.Target(65535) != nil && seen[65535] == "" {
		t.Error("a UID nobody has gives a target")
	}
}

// With all numbers used up, those of targets long gone are given out again.
func TestUIDsRunOut(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1", Config{}, nil)
	kept := tb.Targets()[0].UID
	for uid := range 1 << 16 {
		if uid != int(kept) {
			tb.retired[uint16(uid)] = "somebody"
		}
	}
	next := mustParse(t, "1 sip:10.0.0.1\n1 sip:10.0.0.2", Config{}, tb)
	if a, b := next.Targets()[0].UID, next.Targets()[1].UID; a != kept || b == 0 || b == kept {
		t.Errorf("got %d and %d", a, b)
	}
}

func TestResolver(t *testing.T) {
	asked, down := 0, false
	cfg := Config{Resolver: func(host string) ([]netip.Addr, error) {
		asked++
		switch {
		case down:
			return nil, errors.New("no server answers")
		case host == "empty.example":
			return nil, nil
		}
		return []netip.Addr{netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("10.0.0.7")}, nil
	}}
	const text = "1 sip:gw.example:5070\n2 sip:GW.example 0 0 obproxy=sip:gw.example:5099;transport=tcp\n" +
		"3 sip:late.example 16"
	tb := mustParse(t, text, cfg, nil)
	x, y := tb.Targets()[0], tb.Targets()[1]
	if asked != 1 || x.Addr.String() != "[2001:db8::7]:5070" || y.PingAddr.String() != "[2001:db8::7]:5099" ||
		tb.Targets()[2].Addr.Family != 0 {
		t.Errorf("asked %d times, %v %v", asked, x.Addr, y.PingAddr)
	}
	down = true
	again := mustParse(t, text, cfg, tb)
	if again.Targets()[0].Addr != x.Addr || again.Targets()[1].PingAddr != y.PingAddr || len(again.Warnings) != 3 {
		t.Errorf("%v %v %q", again.Targets()[0].Addr, again.Targets()[1].PingAddr, again.Warnings)
	}
	if _, err := Parse("d", []byte(text), cfg, nil); err == nil ||
		!strings.Contains(err.Error(), "d:1:1: cannot resolve gw.example: no server answers; add 16 to the flags") {
		t.Errorf("got %v", err)
	}
	down = false
	if _, err := Parse("d", []byte("1 sip:empty.example"), cfg, nil); err == nil ||
		!strings.Contains(err.Error(), "no address") {
		t.Errorf("got %v", err)
	}
}

func TestValidate(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 0 0 weight=50\n1 sip:10.0.0.2\n2 sip:10.0.0.1", Config{}, nil)
	f := func(set int, a Algorithm, want string) {
		t.Helper()
		got := ""
		if err := tb.Validate(set, a); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("set %d, algorithm %d: got %q, want %q", set, a, got, want)
		}
	}
	f(1, 0, "")
	f(1, 4, "")
	f(1, 8, "")
	f(2, 9, "")
	f(-1, 9, "")
	f(-1, 10, "")
	f(1, 15, "algorithm 15 (priority and weight) is not implemented; available: 0 to 13; nearest: "+
		"a set for each priority, each chosen by weights, as in ds_select_routes(\"1=9;2=9\", \"0\")")
	f(1, 64, "algorithm 64 (overload control) is not implemented; available: 0 to 13; nearest: 13, latency, "+
		"which spares the destinations that have become slow")
	f(1, 16, "algorithm 16 does not exist; available: 0 to 13")
	f(1, -1, "algorithm -1 does not exist; available: 0 to 13")
	f(3, 0, "set 3 does not exist: the destination list has 1, 2")
	f(1, 9, "algorithm 9 (weights): set 1: sip:10.0.0.2 has no weight= and counts as 1, while sip:10.0.0.1 has "+
		"weight=50; write a weight for each")
	if len(tb.Warnings) != 1 {
		t.Errorf("warnings %q", tb.Warnings)
	}
	tb = mustParse(t, "", Config{}, nil)
	f(1, 0, "set 1 does not exist: the destination list is empty")
	for _, a := range []Algorithm{14, 16, -1} {
		tb = mustParse(t, "1 sip:10.0.0.1", Config{UseDefault: true}, nil)
		var p Picks
		if tb.Select(1, a, Key{}, 0, &p) || p.N != 0 {
			t.Errorf("algorithm %d selects", a)
		}
	}
}
