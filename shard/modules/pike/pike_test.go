package pike

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

// bench is a script that asks pike of each request; one that names a user asks of that address.
type bench struct {
	*moduletest.Bench
	p    *pike
	prog *route.Program
}

func newBench(t testing.TB, head string) *bench {
	t.Helper()
	b := &bench{}
	b.Bench = moduletest.New(t, route.Declared{Name: "pike", Define: func(m *route.Module) { b.p = define(m) }})
	b.Head = head
	b.load(t, "pike_check_req();")
	return b
}

func (b *bench) load(t testing.TB, body string) {
	t.Helper()
	var err error
	if b.prog, _, err = b.Load("request_route {\n" + body + "\n}\n"); err != nil {
		t.Fatal(err)
	}
}

// sends is what n requests from an address get, "1x16 -2x1 -1x3".
func (b *bench) sends(from string, n int) string {
	*b.Source() = netio.AddrFrom(netip.AddrPortFrom(netip.MustParseAddr(from), 5060))
	var runs []string
	last, count := 0, 0
	for range n {
		b.prog.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		if got := b.Ctx.Return; count > 0 && got != last {
			runs, last, count = append(runs, fmt.Sprintf("%dx%d", last, count)), got, 1
		} else {
			last, count = got, count+1
		}
	}
	return strings.Join(append(runs, fmt.Sprintf("%dx%d", last, count)), " ")
}

// The results are those of Kamailio 5.6.3 for an address whose network it knows.
func TestBurst(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 16)`)
	f := func(wait time.Duration, from string, n int, want string) {
		t.Helper()
		b.Wait(wait)
		if got := b.sends(from, n); got != want {
			t.Errorf("%s sends %d: %s, want %s", from, n, got, want)
		}
	}
	f(0, "192.0.2.2", 80, "1x16 -2x1 -1x63")
	f(0, "192.0.2.3", 16, "1x16")
	f(0, "2001:db8::1", 20, "1x16 -2x1 -1x3")
	f(0, "2001:db8::2", 3, "1x3")
	// In the next unit what was blocked stays so, and what was not may send as much again.
	f(2*time.Second, "192.0.2.2", 16, "-1x16")
	f(0, "192.0.2.3", 17, "1x16 -2x1")
	// A whole unit with no more than that has passed.
	f(2*time.Second, "192.0.2.2", 17, "1x16 -2x1")
	f(0, "192.0.2.3", 1, "-1x1")
	// Two units without a request: nothing is known.
	f(4*time.Second, "192.0.2.2", 17, "1x16 -2x1")
	f(0, "192.0.2.3", 17, "1x16 -2x1")
	f(20*time.Second, "192.0.2.3", 17, "1x16 -2x1")
	if n := b.p.blocked.Of(0); n != 7 {
		t.Errorf("%d blocked", n)
	}
}

func TestLog(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 1)`)
	b.sends("192.0.2.2", 5)
	b.Wait(2 * time.Second)
	b.sends("192.0.2.2", 1)
	b.Wait(2 * time.Second)
	b.sends("192.0.2.2", 1)
	if want := []string{"pike: BLOCKing ip 192.0.2.2", "pike: UNBLOCKing ip 192.0.2.2"}; !slices.Equal(b.Lines, want) {
		t.Errorf("%q", b.Lines)
	}
}

// A reload with a longer unit: what was counted with the shorter one is of the past, also of an
// address that is never silent.
func TestLongerUnit(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 16)`)
	b.Wait(time.Minute)
	b.sends("192.0.2.2", 10)
	b.Head += ` modparam("pike", "sampling_time_unit", 6)`
	b.load(t, "pike_check_req();")
	for range 10 {
		if got := b.sends("192.0.2.2", 3); got != "1x3" {
			t.Fatalf("3 in 6 s, of 16: %s", got)
		}
		b.Wait(6 * time.Second)
	}
}

// A table that is full counts nobody new, and says how often.
func TestFull(t *testing.T) {
	b := newBench(t, `modparam("pike", "max_addresses", 64) modparam("pike", "reqs_density_per_unit", 2)`)
	last := ""
	for i := range 70 {
		last = fmt.Sprintf("192.0.2.%d", i+1)
		b.sends(last, 1)
	}
	if got := b.sends(last, 5); got != "1x5" {
		t.Errorf("one of too many: %s", got)
	}
	if got := b.sends("192.0.2.1", 5); got != "1x1 -2x1 -1x3" {
		t.Errorf("one that is known: %s", got)
	}
	if n := b.p.unknown.Of(0); n != 6+5 {
		t.Errorf("%d not counted", n)
	}
	b.Wait(4 * time.Second)
	b.p.forget(b.Ctx.NowMs())
	if got := b.sends(last, 3); got != "1x2 -2x1" {
		t.Errorf("when there is room again: %s", got)
	}
}

func TestPrefix(t *testing.T) {
	b := newBench(t, `modparam("pike", "ipv6_prefix", 60) modparam("pike", "reqs_density_per_unit", 2)`)
	b.sends("2001:db8:0:0:1::1", 1)
	b.sends("2001:db8:0:f:ffff::1", 1)
	if got := b.sends("2001:db8:0:3::", 1); got != "-2x1" {
		t.Errorf("the third of a network: %s", got)
	}
	if got := b.sends("2001:db8:0:10::", 1); got != "1x1" {
		t.Errorf("another network: %s", got)
	}
}

func TestCheckIP(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 2)`)
	f := func(ip string, want int) {
		t.Helper()
		if _, got := b.Run(`pike_check_ip("` + ip + `");`); got != want {
			t.Errorf("%s is %d, want %d", ip, got, want)
		}
	}
	f("192.0.2.1", 1)
	f("192.0.2.1", 1)
	f("192.0.2.1", -2)
	f("192.0.2.1", -1)
	f("::ffff:192.0.2.1", -1)
	f("2001:db8::1", 1)
	f("[2001:db8::1]", 1)
	f("[2001:db8::1]", -2)
	f("example.com", -1)
	f("", -1)
	f("192.0.2.1:5060", -1)
}

// The answers are Kamailio's.
func TestList(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 16)`)
	b.Wait(time.Second)
	b.sends("192.0.2.1", 3)
	b.sends("192.0.2.2", 29)
	b.sends("192.0.2.3", 6)
	f := func(which, want string) {
		t.Helper()
		got, err := b.p.listAt(which, b.Ctx.NowMs())
		if err != nil {
			got = err.Error()
		}
		if text, _ := json.Marshal(got); string(text) != want {
			t.Errorf("%q: %s\nwant %s", which, text, want)
		}
	}
	const blocked = `{"max_hits":16,"list":[{"ip_addr":"192.0.2.2","leaf_hits_prev":0,"leaf_hits_curr":29,` +
		`"expires":4,"status":"HOT"}],"number_of_rows":1}`
	f("", blocked)
	f("hot", blocked)
	f("WARM", `{"max_hits":16,"list":[{"ip_addr":"192.0.2.3","leaf_hits_prev":0,"leaf_hits_curr":6,`+
		`"expires":4,"status":"WARM"}],"number_of_rows":1}`)
	f("x", `"500 - Bad argument. Select: ALL, HOT or WARM"`)
	if got, _ := b.p.listAt("ALL", b.Ctx.NowMs()); got.(listing).Rows != 3 {
		t.Errorf("%+v", got)
	}
	b.Wait(2 * time.Second)
	f("", strings.NewReplacer(`prev":0`, `prev":29`, `curr":29`, `curr":0`, `expires":4`,
		`expires":2`).Replace(blocked))
}

// A flood of one address stops counting, and a window that is a little behind counts in the later
// one.
func TestHits(t *testing.T) {
	b := newBench(t, `modparam("pike", "reqs_density_per_unit", 2)`)
	b.sends("192.0.2.1", 100)
	if got, _ := b.p.listAt("", b.Ctx.NowMs()); got.(listing).List[0].Curr != 2*enough {
		t.Errorf("%+v", got)
	}
	h := hits{window: windowMask, prev: hitMask, curr: maxHits}
	if hitsOf(h.number()) != h || h.number() < 0 {
		t.Errorf("%+v", hitsOf(h.number()))
	}
	if !h.before(0) || h.before(windowMask) || h.before(windowMask-1) || h.turned(0).prev != maxHits ||
		h.turned(1).prev != 0 {
		t.Error("windows do not go round")
	}
}

func TestNoAllocation(t *testing.T) {
	b := newBench(t, "")
	b.load(t, `pike_check_req(); pike_check_ip("$si");`)
	b.sends("192.0.2.1", 100)
	if n := testing.AllocsPerRun(100, func() { b.prog.Request(b.Ctx, b.Begin(b.Msg(), b.Source())) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
