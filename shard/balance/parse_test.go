package balance

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustParse makes a table from lines separated by newlines.
func mustParse(t testing.TB, text string, cfg Config, prev *Table) *Table {
	t.Helper()
	tb, err := Parse("dispatcher.list", []byte(text), cfg, prev)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// nTargets gives n lines for set 1; attrs may use %d for the number from 0.
func nTargets(n int, attrs string) string {
	var b strings.Builder
	for i := range n {
		a := attrs
		if strings.Contains(a, "%d") {
			a = fmt.Sprintf(attrs, i)
		}
		fmt.Fprintf(&b, "1 sip:10.0.%d.%d:5060 0 0 %s\n", i/250, i%250+1, a)
	}
	return b.String()
}

// Not loaded: what the operator reads. Each case is a line, and the text after its position.
func TestBadLines(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		_, err := Parse("d.list", []byte(line), Config{}, nil)
		if err == nil {
			t.Errorf("%q loads", line)
			return
		}
		if got := err.Error(); got != "d.list:"+want {
			t.Errorf("%q\n got %s\nwant d.list:%s", line, got, want)
		}
	}
	const ids = ` is not a set id: write a number from 0 to 2147483647`
	f("x sip:10.0.0.1", `1:1: "x"`+ids)
	f("-1 sip:10.0.0.1", `1:1: "-1"`+ids)
	f("  2147483648 sip:10.0.0.1", `1:3: "2147483648"`+ids)
	f("sip:10.0.0.1", `1:1: "sip:10.0.0.1"`+ids+"\n"+
		`d.list:1:13: the URI is missing: write set id, URI, flags, priority, attributes`)
	f("1", `1:2: the URI is missing: write set id, URI, flags, priority, attributes`)
	f("1 # later", `1:3: the URI is missing: write set id, URI, flags, priority, attributes`)
	f("1 10.0.0.1", `1:3: "10.0.0.1" is not a SIP URI: write "sip:10.0.0.1"`)
	f("1 10.0.0.1:5060", `1:3: "10.0.0.1:5060" is not a SIP URI: write "sip:10.0.0.1:5060"`)
	f("1 tel:+4930", `1:3: scheme "tel" cannot be a destination: write sip:host:port`)
	f("1 <sip:10.0.0.1>", `1:3: unexpected "<": write the bare URI`)
	f("1 gw:5060", `1:3: "gw:5060" is not a SIP URI: write "sip:gw:5060"`)
	f("1 sip:10.0.0.1>", `1:15: unexpected ">": write the bare URI`)
	f("1 sip:10.0.0.1?a=b", `1:15: a destination has no headers: end the URI before the ?`)
	f("1 sip:", `1:7: the host is missing: write sip:host or sip:host:port`)
	f("1 sip:@10.0.0.1", `1:7: nothing stands before the @: remove it or write a user`)
	f("1 sip:10.0.0.1:", `1:16: "" is not a port: write a number from 1 to 65535`)
	f("1 sip:10.0.0.1:0", `1:16: "0" is not a port: write a number from 1 to 65535`)
	f("1 sip:10.0.0.1:65536", `1:16: "65536" is not a port: write a number from 1 to 65535`)
	f("1 sip:10.0.0.1:+5", `1:16: "+5" is not a port: write a number from 1 to 65535`)
	f("1 sip:10.0.0.256", `1:7: "10.0.0.256" is not an IPv4 address`)
	f("1 sip:10.0.0", `1:7: "10.0.0" is not an IPv4 address`)
	f("1 sip:2001:db8::1", `1:7: an IPv6 address stands in brackets: write [2001:db8::1]`)
	f("1 sip:[2001:db8::1", `1:7: the IPv6 address has no closing bracket: write [address]:port`)
	f("1 sip:[10.0.0.1]", `1:8: "10.0.0.1" is not an IPv6 address`)
	f("1 sip:[::1]5060", `1:12: unexpected "5060" after the address: write [address]:port`)
	f("1 sip:a,b", `1:8: "," cannot stand in a host name`)
	f("1 sip:10.0.0.1;transport=dccp", `1:16: transport "dccp" is unknown: write udp, tcp, tls, ws, wss or sctp`)
	f("1 sips:10.0.0.1;lr;transport=udp", `1:20: a sips URI cannot use udp: write sip: or transport=tls`)
	f("1 sip:10.0.0.1 a", `1:16: "a" is not a flags number: write a decimal or 0x number`)
	f("1 sip:10.0.0.1 -1", `1:16: "-1" is not a flags number: write a decimal or 0x number`)
	f("1 sip:10.0.0.1 0xg", `1:16: "0xg" is not a flags number: write a decimal or 0x number`)
	f("1 sip:10.0.0.1 weight=50",
		`1:16: "weight=50" is not a flags number: write a decimal or 0x number; attributes are the fifth column: `+
			`write "0 0 weight=50"`)
	f("1 sip:10.0.0.1 64", `1:16: flags 64: 64 is unknown; add up 1 inactive, 2 trying, 4 disabled, 8 probing, 16 no `+
		`DNS, 32 no ping`)
	f("1 sip:10.0.0.1 0x89",
		`1:16: flags 0x89: 128 is unknown; add up 1 inactive, 2 trying, 4 disabled, 8 probing, 16 no DNS, 32 no ping`)
	f("1 sip:10.0.0.1 0 high", `1:18: "high" is not a priority: write a whole number, higher comes first`)
	f("1 sip:10.0.0.1 0 weight=50",
		`1:18: "weight=50" is not a priority: write a whole number, higher comes first; attributes are the fifth `+
			`column: write "0 weight=50"`)
	f("1 sip:10.0.0.1 0 2147483648", `1:18: "2147483648" is not a priority: write a whole number, higher comes first`)
	f("1 sip:10.0.0.1 0 0 weight=50 duid=a",
		`1:30: unexpected "duid=a": the attributes end at the first blank; write them without blanks`)
	f("1 sip:10.0.0.1 0 0 weight=many", `1:27: weight=many: write a number from 0 to 65536`)
	f("1 sip:10.0.0.1 0 0 duid=a;weight=65537", `1:34: weight=65537: write a number from 0 to 65536`)
	f("1 sip:10.0.0.1 0 0 weight", `1:27: weight=: write a number from 0 to 65536`)
	f("1 sip:10.0.0.1 0 0 rweight=0", `1:28: rweight=0: write a number from 1 to 100`)
	f("1 sip:10.0.0.1 0 0 maxload=-1", `1:28: maxload=-1: write a number from 0 to 2147483647`)
	f("1 sip:10.0.0.1 0 0 cc=2", `1:23: cc=2: write a number from 0 to 1`)
	f("1 sip:10.0.0.1 0 0 ocmin=60;ocmax=50", `1:37: ocmin=60 is above ocmax=50`)
	f("1 sip:10.0.0.1 0 0 socket=10.0.0.2:5060",
		`1:27: socket: "10.0.0.2:5060" is not a socket: write proto:host:port as in the listen line, for example `+
			`udp:192.0.2.1:5060`)
	f("1 sip:10.0.0.1 0 0 ping_socket=udp:10.0.0.2:x",
		`1:32: ping_socket: "x" is not a port: write a number from 1 to 65535; write proto:host:port as in the `+
			`listen line, for example udp:192.0.2.1:5060`)
	f("1 sip:10.0.0.1 0 0 ping_from=me", `1:30: ping_from: "me" is not a SIP URI: write "sip:me"`)
	f("1 sip:10.0.0.1 0 0 obproxy=sip:10.0.0.1:99999",
		`1:41: obproxy: "99999" is not a port: write a number from 1 to 65535`)
	f("1 sip:10.0.0.1\x00", `1:15: control character 0x00: remove it`)
	f("1 sip:gw.example.com",
		`1:1: gw.example.com: host names need a resolver, and none is configured: write the IP address`)
	f("1 sip:gw.example.com 16",
		`1:1: gw.example.com: host names need a resolver, and none is configured: write the IP address`)
	f("1 sip:10.0.0.1 0 0 obproxy=sip:p.example.com",
		`1:1: p.example.com: host names need a resolver, and none is configured: write the IP address`)
	f("1 sip:10.0.0.1 0 0 x="+strings.Repeat("y", MaxLineBytes),
		fmt.Sprintf(`1:4097: line of %d bytes: shorten it to 4096`, MaxLineBytes+21))
	const dup = ` is in set 1 already (line 1): remove one, and give the other weight= if it shall have more calls`
	f("1 sip:10.0.0.1\n1 sip:10.0.0.1", "2:1: sip:10.0.0.1"+dup)
	f("1 sip:10.0.0.1\n\n1 SIP:10.0.0.1:5060;transport=UDP 8 5", "3:1: SIP:10.0.0.1:5060;transport=UDP"+dup)
	f("1 sip:[::1]\n1 sip:[0:0::0:1]", "2:1: sip:[0:0::0:1]"+dup)
	f("1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060\n1 sip:10.0.0.1 0 0 socket=udp:10.0.0.9:5060;duid=b",
		"2:1: sip:10.0.0.1"+dup)
}

// Loaded: how a line comes out.
func TestGoodLines(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		cfg := Config{Resolver: func(string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.9.9.9")}, nil
		}}
		tb, err := Parse("d.list", []byte(line), cfg, nil)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			return
		}
		var b strings.Builder
		for _, x := range tb.Targets() {
			addr := "none"
			if x.Addr.Family != 0 {
				addr = x.Addr.String()
			}
			fmt.Fprintf(&b, "%d %s@%s:%d/%v to %s %d p%d w%d %s\n", x.SetID, x.User, x.Host, x.Port, x.Transport, addr,
				x.Flags, x.Priority, x.Attrs.Weight, x.Attrs.DUID)
		}
		if got := strings.TrimSuffix(b.String(), "\n"); got != want {
			t.Errorf("%q\n got %s\nwant %s", line, got, want)
		}
	}
	f("", "")
	f("# nothing\n\n \t\r\n", "")
	f("1 sip:10.0.0.1", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 ")
	f("\ufeff0 sip:10.0.0.1", "0 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 ")
	f("2147483647\tsip:10.0.0.1\t63\t-5\t\r\n", "2147483647 @10.0.0.1:5060/UDP to 10.0.0.1:5060 63 p-5 w1 ")
	f("1 sip:10.0.0.1 0x28 # probed, never", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 40 p0 w1 ")
	f("1 sip:10.0.0.1#comment", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 ")
	f("1 sip:10.0.0.1 8 10#comment", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 8 p10 w1 ")
	f("1 sip:10.0.0.1 8 10 duid=a#b;weight=7 # comment", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 8 p10 w7 a#b")
	f("1 sip:10.0.0.1 0 0 ;;Weight=0;DUID=\"x;y\";other=1;", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w0 x;y")
	f("1 sip:a;b@10.0.0.1:7000;transport=tcp;lr", "1 a;b@10.0.0.1:7000/TCP to 10.0.0.1:7000 0 p0 w1 ")
	f("1 sips:10.0.0.1", "1 @10.0.0.1:5061/TLS to 10.0.0.1:5061 0 p0 w1 ")
	f("1 sips:10.0.0.1;transport=tcp", "1 @10.0.0.1:5061/TLS to 10.0.0.1:5061 0 p0 w1 ")
	f("1 sip:[2001:DB8::1];transport=wss", "1 @2001:db8::1:5061/WSS to [2001:db8::1]:5061 0 p0 w1 ")
	f("1 sip:GW.Example.com:5070", "1 @gw.example.com:5070/UDP to 10.9.9.9:5070 0 p0 w1 ")
	f("1 sip:gw.example.com 16", "1 @gw.example.com:5060/UDP to none 16 p0 w1 ")
	f("1 sip:10.0.0.1 16", "1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 16 p0 w1 ")
	f("1 sip:10.0.0.1\n2 sip:10.0.0.1",
		"1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 \n2 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 ")
	f("1 sip:10.0.0.1 0 0 socket=udp:10.0.0.8\n1 sip:10.0.0.1 0 0 socket=udp:[::1]:5060",
		"1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 \n1 @10.0.0.1:5060/UDP to 10.0.0.1:5060 0 p0 w1 ")
	f("1 sip:"+strings.Repeat("a.", 120)+"com",
		"1 @"+strings.Repeat("a.", 120)+"com:5060/UDP to 10.9.9.9:5060 0 p0 w1 ")
}

func TestAttributes(t *testing.T) {
	const body = `duid=d1;maxload=100;weight=50;rweight=40;socket=udp:10.0.0.2:5060;ping_socket=tcp:[::1]:5070;sockname=east;ping_from=sip:p@h.example;obproxy=sip:10.0.0.7:5090;transport=tcp;latency=30;ocmin=5;ocmax=90;ocrate=20;cc=1;mine=yes`
	a := mustParse(t, "1 sip:10.0.0.1 0 0 "+body, Config{}, nil).Targets()[0].Attrs
	a.proxy = nil
	want := Attrs{Body: body, DUID: "d1", MaxLoad: 100, Weight: 50, HasWeight: true, RWeight: 40,
		Socket: "udp:10.0.0.2:5060", SocketName: "east",
		PingSocket: "tcp:[::1]:5070", PingFrom: "sip:p@h.example", OBProxy: "sip:10.0.0.7:5090", LatencyMs: 30,
		OCMin: 5, OCMax: 90, OCRate: 20, CC: 1}
	if a != want {
		t.Errorf("got %+v", a)
	}
}

// Every error is listed, in file order, and the count is bounded.
func TestAllErrorsAtOnce(t *testing.T) {
	text := "x sip:10.0.0.1 999 z\n1 sip:10.0.0.1\n1 sip:10.0.0.1\n1 sip:\n"
	_, err := Parse("d.list", []byte(text), Config{}, nil)
	var all *Errors
	if !errors.As(err, &all) || len(all.List) != 5 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []int{1, 1, 1, 3, 4} {
		if all.List[i].Line != want {
			t.Errorf("error %d is of line %d, want %d: %v", i, all.List[i].Line, want, all.List[i])
		}
	}
	if _, err = Parse("d.list", []byte(strings.Repeat("x\n", 1000)), Config{}, nil); !errors.As(err, &all) {
		t.Fatal(err)
	}
	if len(all.List) != MaxErrors || len(all.List)+all.More != 2000 || !strings.HasSuffix(err.Error(), "more errors") {
		t.Errorf("%d listed, %d more", len(all.List), all.More)
	}
	if len(all.Unwrap()) != MaxErrors {
		t.Errorf("unwraps to %d", len(all.Unwrap()))
	}
}

func TestLimitsOfTheFile(t *testing.T) {
	var b strings.Builder
	for i := range MaxTargets + 1 {
		fmt.Fprintf(&b, "%d sip:10.%d.%d.%d\n", i%7, i>>16, i>>8&255, i&255)
	}
	if _, err := Parse("d", []byte(b.String()), Config{}, nil); err == nil ||
		!strings.Contains(err.Error(), "more than 32768 targets") {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, MaxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Config{}, nil); err == nil || !strings.Contains(err.Error(), "is longer than 16 MiB") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(path+".not", Config{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(filepath.Dir(path), Config{}, nil); err == nil {
		t.Error("a folder loads")
	}
	if err := os.WriteFile(path, []byte("1 sip:10.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if tb, err := Load(path, Config{}, nil); err != nil || len(tb.Targets()) != 1 {
		t.Errorf("got %v", err)
	}
	for _, cfg := range []Config{{ProbingThreshold: -1}, {InactiveThreshold: MaxThreshold + 1}} {
		if _, err := Parse("d", nil, cfg, nil); err == nil || !strings.HasPrefix(err.Error(), "ds_") {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
}

// FuzzParse: whatever loads must load again from what it says of itself, and every error must point
// into the text.
func FuzzParse(f *testing.F) {
	f.Add("1 sip:10.0.0.1:5060;transport=tcp 0x9 10 duid=a;weight=50;socket=udp:10.0.0.2:5060\n2 sips:u@[::1] 8")
	f.Add("# c\n\n1 sip:10.0.0.1#x\r\n1 sip:10.0.0.2 0 -3 a=\"b;c\";ping_from=sip:x")
	f.Add("x\n1 sip:\n1 sip:10.0.0.1 0 0 weight=x y")
	f.Add("\ufeff1 sip:a;b@10.0.0.1;lr;;x=y 32 1 obproxy=sip:10.0.0.1")
	f.Fuzz(func(t *testing.T, text string) {
		tb, err := Parse("f", []byte(text), Config{}, nil)
		if err != nil {
			lines := strings.Split(text, "\n")
			var all *Errors
			if !errors.As(err, &all) || len(all.List) == 0 {
				t.Fatalf("error without a place: %v", err)
			}
			for _, e := range all.List {
				if e.Line < 1 || e.Line > len(lines) || e.Col < 1 || e.Col > len(lines[e.Line-1])+4 || e.Text == "" {
					t.Fatalf("%v points outside line of %d bytes", e, len(lines[min(e.Line, len(lines))-1]))
				}
			}
			return
		}
		var b strings.Builder
		for _, x := range tb.Targets() {
			if x.UID == 0 || tb.Target(x.UID) != x || x.Port == 0 || x.Addr.Family == 0 {
				t.Fatalf("bad target %+v", x)
			}
			fmt.Fprintf(&b, "%d %s %d %d %s\n", x.SetID, x.URI, x.Flags, x.Priority, x.Attrs.Body)
		}
		again, err := Parse("f", []byte(b.String()), Config{}, tb)
		if err != nil {
			t.Fatalf("%q loads, what it says of itself does not: %v", text, err)
		}
		for i, x := range again.Targets() {
			if o := tb.Targets()[i]; x.UID != o.UID || x.identity != o.identity || x.Addr != o.Addr ||
				x.live != o.live {
				t.Fatalf("target %d changed by writing and reading", i)
			}
		}
		for _, s := range tb.Sets() {
			for i := 1; i < len(s.Targets); i++ {
				if s.Targets[i-1].Priority < s.Targets[i].Priority {
					t.Fatal("order by priority broken")
				}
			}
			var p Picks
			for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights} {
				if !tb.Select(s.ID, a, Key{Hash: 42}, 0, &p) {
					continue
				}
				for x := p.NextTarget(tb); x != nil; x = p.NextTarget(tb) {
					if x.SetID != s.ID || !x.State().Usable() {
						t.Fatalf("algorithm %d picked %+v", a, x)
					}
				}
			}
		}
	})
}
