package blocklist

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"viaduct/netio"
	"viaduct/shm"
)

func layout() uint64 { return shm.LayoutOf(Root{}, Bucket{}, Node{}, Network{}) }

func testArena(t testing.TB) *shm.Arena {
	t.Helper()
	a, err := shm.Create(shm.Config{Bytes: 4 << 20, Shards: 1, Layout: layout()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// testTable is a table that is on, with what edit changes of the defaults.
func testTable(t testing.TB, edit func(*Config)) *Table {
	t.Helper()
	c := DefaultConfig()
	c.Use = true
	if edit != nil {
		edit(&c)
	}
	table, err := New(testArena(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func addr(s string) *netio.Addr {
	a := netio.AddrFrom(netip.MustParseAddrPort(s))
	return &a
}

// entries allows for exactly n entries.
func entries(n int) func(*Config) { return func(c *Config) { c.MemBytes = n*EntryBytes + 1 } }

func TestSizes(t *testing.T) {
	f := func(name string, got uintptr, want int) {
		t.Helper()
		if int(got) != want {
			t.Errorf("%s has %d bytes, want %d", name, got, want)
		}
	}
	f("Root", unsafe.Sizeof(Root{}), rootBytes)
	f("Bucket", unsafe.Sizeof(Bucket{}), bucketBytes)
	f("Node", unsafe.Sizeof(Node{}), EntryBytes)
	f("Network", unsafe.Sizeof(Network{}), EntryBytes)
	f("Root.networks", unsafe.Offsetof(Root{}.networks), 192)
	f("Root.lock", unsafe.Offsetof(Root{}.lock), 128)
	if n := slotBytes((capacity(MaxMemBytes)+blockLen-1)/blockLen*blockLen, 1<<18); n > shm.MaxSlotBytes {
		t.Errorf("the largest table has %d bytes, a slot %d", n, shm.MaxSlotBytes)
	}
}

// One case, one line: what is listed, what is asked.
func TestKey(t *testing.T) {
	f := func(p netio.Proto, a string, q netio.Proto, b string, want bool) {
		t.Helper()
		table := testTable(t, nil)
		if v := table.Add(p, addr(a), Cause{Reasons: Timeout}, 0); v != Added {
			t.Fatalf("add: %v", v)
		}
		if got := table.Listed(q, addr(b), 1); got != want {
			t.Errorf("%s %s listed; %s %s: %v", ProtoName(p), a, ProtoName(q), b, got)
		}
	}
	f(netio.UDP, "192.0.2.1:5060", netio.UDP, "192.0.2.1:5060", true)
	f(netio.UDP, "192.0.2.1:5060", netio.UDP, "192.0.2.1:5061", false)
	f(netio.UDP, "192.0.2.1:5060", netio.UDP, "192.0.2.2:5060", false)
	f(netio.UDP, "192.0.2.1:5060", netio.TCP, "192.0.2.1:5060", false)
	f(AnyProto, "192.0.2.1:5060", netio.TCP, "192.0.2.1:5060", true)
	f(AnyProto, "192.0.2.1:5060", netio.WSS, "192.0.2.1:5061", false)
	f(netio.WSS, "192.0.2.1:5060", AnyProto, "192.0.2.1:5060", true)
	f(netio.TLS, "[2001:db8::1]:5061", netio.TLS, "[2001:db8::1]:5061", true)
	f(netio.TLS, "[2001:db8::1]:5061", netio.TLS, "[2001:db8::2]:5061", false)
	// the same digits, another host
	f(netio.TLS, "[fe80::1%3]:5061", netio.TLS, "[fe80::1%4]:5061", false)
	f(netio.UDP, "[::ffff:192.0.2.1]:5060", netio.UDP, "192.0.2.1:5060", true)
}

// C1 (d): expiry, and listing again.
func TestExpiry(t *testing.T) {
	table := testTable(t, nil)
	a := addr("192.0.2.1:5060")
	f := func(nowMs int64, want bool) {
		t.Helper()
		if got := table.Listed(netio.UDP, a, nowMs); got != want {
			t.Errorf("at %d ms: listed %v", nowMs, got)
		}
	}
	add := func(ttl time.Duration, nowMs int64, want Verdict) {
		t.Helper()
		if v := table.Add(netio.UDP, a, Cause{Reasons: Timeout, TTL: ttl}, nowMs); v != want {
			t.Errorf("at %d ms: %v, want %v", nowMs, v, want)
		}
	}
	add(2*time.Second, 0, Added)
	f(1800, true)
	f(1999, true)
	f(2000, false)
	f(2200, false)
	if used, _ := table.MemInfo(); used != 0 {
		t.Errorf("%d bytes in use: the look-up should have given the entry back", used)
	}
	add(2*time.Second, 10_000, Added)
	add(2*time.Second, 11_500, Updated)
	f(13_400, true)
	f(13_500, false)
	add(10*time.Second, 20_000, Added)
	add(time.Second, 20_500, Updated) // shortens
	f(21_499, true)
	f(21_500, false)
	add(0, 30_000, Added) // dst_blacklist_expire
	f(89_999, true)
	f(90_000, false)
	add(time.Nanosecond, 100_000, Added) // the shortest there is
	f(100_000, true)
	f(100_001, false)
	add(1<<62, maxExpiry-1, Added) // cut, not turned round
	f(maxExpiry-1, true)
}

func TestAgain(t *testing.T) {
	table := testTable(t, nil)
	a := addr("[2001:db8::1]:5060")
	table.Add(netio.UDP, a, Cause{Reasons: Timeout, Owner: "timeout"}, 1000)
	table.Add(netio.UDP, a, Cause{Reasons: Busy503, TTL: time.Hour, Owner: "503 and more"}, 2000)
	e, ok := table.Look(netio.UDP, a, 3000)
	want := Entry{
		Proto: netio.UDP, Addr: *a, Reasons: IPv6 | Timeout | Busy503, ExpiresMs: 2000 + 3600_000, SinceMs: 1000,
		Owner: OwnerOf("503 and "),
	}
	if !ok || e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
	if e.Owner.String() != "503 and " || e.Reasons.String() != "ipv6,timeout,503" {
		t.Errorf("%q %q", e.Owner, e.Reasons)
	}
	// Ended and listed again is a new entry: no old flag comes back.
	table.Add(netio.UDP, a, Cause{Reasons: SendError}, 2000+3600_000)
	if e, _ := table.Look(netio.UDP, a, 2000+3600_000); e.Reasons != IPv6|SendError || e.SinceMs != 2000+3600_000 ||
		e.Owner.String() != "" {
		t.Errorf("%+v", e)
	}
}

// C1 (a), (h) and rules 3 and 10: what does not list.
func TestIgnored(t *testing.T) {
	f := func(edit func(*Config), p netio.Proto, c Cause, want Verdict) {
		t.Helper()
		table := testTable(t, edit)
		a := addr("192.0.2.1:5060")
		if got := table.Add(p, a, c, 0); got != want || table.Listed(p, a, 1) != (want == Added) {
			t.Errorf("%s %+v: %v, want %v", ProtoName(p), c, got, want)
		}
	}
	f(nil, netio.UDP, Cause{Reasons: ICMP}, Ignored)
	f(func(c *Config) { c.ICMP = true }, netio.UDP, Cause{Reasons: ICMP}, Added)
	f(nil, netio.UDP, Cause{Reasons: ICMP | SendError}, Added)
	f(func(c *Config) { c.IMask[netio.UDP] = Timeout }, netio.UDP, Cause{Reasons: Timeout}, Ignored)
	f(func(c *Config) { c.IMask[netio.UDP] = Timeout }, netio.TCP, Cause{Reasons: Timeout}, Added)
	f(func(c *Config) { c.IMask[netio.UDP] = Timeout }, AnyProto, Cause{Reasons: Timeout}, Added)
	f(func(c *Config) { c.IMask[netio.UDP] = Timeout }, netio.UDP, Cause{Reasons: Timeout | Busy503}, Added)
	f(func(c *Config) {
		c.IMask[netio.UDP] = Timeout
	}, netio.UDP, Cause{Reasons: Timeout | Busy503, Ignore: Busy503}, Ignored)
	f(nil, netio.TLS, Cause{Reasons: Connect, Ignore: Connect}, Ignored)
	f(nil, netio.TLS, Cause{Reasons: Connect, Ignore: SendError}, Added)
	f(nil, netio.UDP, Cause{}, Ignored)
	f(nil, netio.Proto(77), Cause{Reasons: Timeout}, Ignored)

	table := testTable(t, nil)
	if v := table.Add(netio.UDP, &netio.Addr{}, Cause{Reasons: Timeout}, 0); v != Ignored {
		t.Errorf("no address: %v", v)
	}
	if v := table.AddWaiting(netio.UDP, addr("192.0.2.1:1"), Cause{Reasons: ICMP}, 0); v != Added {
		t.Errorf("an operator may: %v", v)
	}
	if n := table.Stats().Ignored; n != 1 {
		t.Errorf("%d counted", n)
	}
}

// C1 (e): the fourth is refused, the three stay; what ended makes room, 1/8 at least.
func TestFull(t *testing.T) {
	table := testTable(t, entries(3))
	c := Cause{Reasons: Timeout, TTL: time.Second}
	three := []*netio.Addr{addr("192.0.2.1:1"), addr("192.0.2.1:2"), addr("192.0.2.1:3")}
	for i, a := range three {
		if v := table.Add(netio.UDP, a, c, int64(i)); v != Added {
			t.Fatal(v)
		}
	}
	fourth := addr("192.0.2.1:4")
	for i, add := range []func(netio.Proto, *netio.Addr, Cause, int64) Verdict{table.Add, table.AddWaiting} {
		if v := add(netio.UDP, fourth, c, 10); v != Full || table.Stats().LRU != uint64(i+1) {
			t.Errorf("%v, counted %+v", v, table.Stats())
		}
	}
	for _, a := range three {
		if !table.Listed(netio.UDP, a, 10) {
			t.Errorf("%v was put out", a)
		}
	}
	if v := table.Add(netio.UDP, three[0], c, 20); v != Updated {
		t.Errorf("a full table extends: %v", v)
	}
	if used, most := table.MemInfo(); used != 3*EntryBytes || most != 3*EntryBytes+1 {
		t.Errorf("%d %d", used, most)
	}
	if v := table.Add(netio.UDP, fourth, c, 1001); v != Added { // 2 has ended
		t.Errorf("%v", v)
	}
	if !table.Listed(netio.UDP, three[2], 1001) || !table.Listed(netio.UDP, three[0], 1001) ||
		table.Listed(netio.UDP, three[1], 1001) {
		t.Error("not the ended one went")
	}
	// Exactly the bytes of three: used + size ≥ mem refuses the third.
	table = testTable(t, func(c *Config) { c.MemBytes = 3 * EntryBytes })
	table.Add(netio.UDP, three[0], c, 0)
	table.Add(netio.UDP, three[1], c, 0)
	if v := table.Add(netio.UDP, three[2], c, 0); v != Full {
		t.Errorf("%v", v)
	}
}

// A full table whose entries have ended gives back an eighth and not all of them.
func TestFullSweepsAnEighth(t *testing.T) {
	table := testTable(t, entries(800))
	for i := range 800 {
		a := addr("192.0.2.1:1")
		a.Port = uint16(i)
		table.Add(netio.TCP, a, Cause{Reasons: Connect, TTL: time.Second}, 0)
	}
	// those whose bucket holds an ended entry take its place
	for i := uint16(0); table.Stats().LRU == 0; i++ {
		a := addr("192.0.2.2:1")
		a.Port = i
		if v := table.Add(netio.TCP, a, Cause{Reasons: Connect}, 5000); v != Added {
			t.Fatal(v)
		}
	}
	used, _ := table.MemInfo()
	if n := used / EntryBytes; n > 701 || n < 690 {
		t.Errorf("%d entries left, want about 7/8 of 800", n)
	}
}

// C1 (f): off at start stays off.
func TestInitOff(t *testing.T) {
	a := testArena(t)
	before := a.UsedBytes()
	c := DefaultConfig()
	c.Init = false
	table, err := New(a, c)
	if err != nil {
		t.Fatal(err)
	}
	if a.UsedBytes() != before {
		t.Errorf("%d bytes taken", a.UsedBytes()-before)
	}
	const text = "dst blocklist is turned off by dst_blocklist_init=0, it cannot be enabled runtime."
	if err := table.Enable(true); err == nil || err.Error() != text {
		t.Errorf("%v", err)
	}
	now := table.Settings()
	now.Use = true
	if err := table.Apply(now); err == nil || err.Error() != text {
		t.Errorf("%v", err)
	}
	if err := table.Enable(false); err != nil || table.Enabled() {
		t.Errorf("%v", err)
	}
	x := addr("192.0.2.1:5060")
	if v := table.Add(netio.UDP, x, Cause{Reasons: Timeout}, 0); v != Off {
		t.Errorf("%v", v)
	}
	if v := table.AddWaiting(netio.UDP, x, Cause{Reasons: Timeout}, 0); v != Off {
		t.Errorf("%v", v)
	}
	used, most := table.MemInfo()
	n, next := table.View(0, 0, make([]Entry, 1))
	if _, done := table.GC(0); table.Listed(netio.UDP, x, 0) || table.Delete(netio.UDP, x) || table.DeleteAll() != 0 ||
		used+most+n+int(next) != 0 || !done {
		t.Error("something is there")
	}
}

// The switch keeps what is listed, and hides it.
func TestSwitch(t *testing.T) {
	table := testTable(t, nil)
	x := addr("192.0.2.1:5060")
	table.Add(netio.UDP, x, Cause{Reasons: Timeout}, 0)
	if err := table.Enable(false); err != nil || table.Listed(netio.UDP, x, 1) {
		t.Errorf("off: %v", err)
	}
	if _, ok := table.Look(netio.UDP, x, 1); ok {
		t.Error("off, and seen")
	}
	if err := table.Enable(true); err != nil || !table.Listed(netio.UDP, x, 1) {
		t.Errorf("on again: %v", err)
	}
}

// C1 (g) and rule 4.
func TestTTL503(t *testing.T) {
	f := func(def, low, high time.Duration, retryAfter int64, present bool, want time.Duration) {
		t.Helper()
		table := testTable(t, func(c *Config) { c.Use503, c.Def503, c.Min503, c.Max503 = true, def, low, high })
		if got, ok := table.TTL503(retryAfter, present); got != want || ok != (want > 0) {
			t.Errorf("Retry-After %d %v: %v %v, want %v", retryAfter, present, got, ok, want)
		}
	}
	const s = time.Second
	f(0, 30*s, 3600*s, 5, true, 30*s)
	f(0, 0, 3600*s, 5, true, 5*s)
	f(0, 0, 3600*s, 7200, true, 3600*s)
	f(0, 0, 3600*s, 1<<62, true, 3600*s)
	f(0, 0, 3600*s, -5, true, 0)
	f(0, 0, 3600*s, 0, true, 0)
	f(0, 10*s, 3600*s, 0, true, 10*s)
	f(0, 30*s, 3600*s, 0, false, 0)
	f(7*s, 30*s, 3600*s, 0, false, 7*s)
	table := testTable(t, nil)
	if ttl, ok := table.TTL503(5, true); ok {
		t.Errorf("blst_503 is off: %v", ttl)
	}
}

func TestMethods(t *testing.T) {
	table := testTable(t, nil)
	f := func(method uint32, add, lookup bool) {
		t.Helper()
		if table.ListsTimeout(method) != add || table.Checks(method) != lookup {
			t.Errorf("method %d: %v %v", method, table.ListsTimeout(method), table.Checks(method))
		}
	}
	f(MethodInvite, true, true)
	f(MethodOther, false, true)
	f(MethodBye, false, false)
	if DefaultConfig().MethodsLookup != 4294967287 {
		t.Error("the default is Kamailio's")
	}
	table.Enable(false)
	f(MethodInvite, false, false)
}

func TestApply(t *testing.T) {
	table := testTable(t, entries(4))
	x := func(port uint16) *netio.Addr { a := addr("192.0.2.1:1"); a.Port = port; return a }
	now := table.Settings()
	if now != table.start {
		t.Errorf("%+v", now)
	}
	good := func(edit func(*Config)) {
		t.Helper()
		c := table.Settings()
		edit(&c)
		if err := table.Apply(c); err != nil || table.Settings() != c {
			t.Errorf("%v: %+v", err, table.Settings())
		}
	}
	bad := func(edit func(*Config), want string) {
		t.Helper()
		c, before := table.Settings(), table.Settings()
		edit(&c)
		if err := table.Apply(c); err == nil || !strings.Contains(err.Error(), want) || table.Settings() != before {
			t.Errorf("%v, want %q", err, want)
		}
	}
	good(func(c *Config) { c.Expire = 5 * time.Second })
	table.Add(netio.UDP, x(1), Cause{Reasons: Timeout}, 0)
	if e, _ := table.Look(netio.UDP, x(1), 0); e.ExpiresMs != 5000 {
		t.Errorf("%+v", e)
	}
	good(func(c *Config) { c.MemBytes = 2*EntryBytes + 1 })
	table.Add(netio.UDP, x(2), Cause{Reasons: Timeout}, 0)
	if v := table.Add(netio.UDP, x(3), Cause{Reasons: Timeout}, 0); v != Full {
		t.Errorf("lowered: %v", v)
	}
	good(func(c *Config) { c.MemBytes = 4*EntryBytes + 1 })
	if v := table.Add(netio.UDP, x(3), Cause{Reasons: Timeout}, 0); v != Added {
		t.Errorf("raised again: %v", v)
	}
	good(func(c *Config) { c.IMask[netio.TLS], c.ICMP, c.Use503, c.MethodsAdd = Timeout, true, true, 3 })
	bad(func(c *Config) { c.MemBytes *= 2 }, "restart with more")
	bad(func(c *Config) { c.MemBytes = EntryBytes }, "out of range")
	bad(func(c *Config) { c.Expire = 0 }, "dst_blocklist_expire 0s is out of range: write 1ms to 576h0m0s")
	bad(func(c *Config) { c.Init = false }, "only at start")
	bad(func(c *Config) { c.GCInterval = 0 }, "only at start")
	bad(func(c *Config) { c.Min503 = 2 * time.Hour }, "above blst_503_max_timeout")
	bad(func(c *Config) { c.Max503 = MaxTTL + 1 }, "blst_503_max_timeout")

	none := Config{Use: true, Expire: time.Second}
	if err := none.Validate(); err == nil || !strings.Contains(err.Error(), "remove one of them") {
		t.Errorf("%v", err)
	}
	if errors.Is(table.Enable(true), errInitOff) {
		t.Error("it has memory")
	}
}

func TestNoRoomInArena(t *testing.T) {
	a := testArena(t)
	a.Shared().Refuse(0)
	_, err := New(a, DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "raise -m or lower dst_blocklist_mem") {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	for _, p := range []netio.Proto{netio.UDP, netio.TCP, netio.TLS, netio.WS, netio.WSS, AnyProto} {
		name := ProtoName(p)
		if got, ok := ParseProto(strings.ToUpper(name)); !ok || got != p {
			t.Errorf("%s: %v %v", name, got, ok)
		}
		if p != AnyProto && !strings.EqualFold(name, p.String()) {
			t.Errorf("%s is %s elsewhere", name, p)
		}
	}
	if _, ok := ParseProto("sctp"); ok || ProtoName(9) != "unknown" {
		t.Error("there is no sctp")
	}
}
