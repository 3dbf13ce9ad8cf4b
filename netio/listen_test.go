package netio

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"viaduct/netio/steer"
)

func logTo(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func TestSentBy(t *testing.T) {
	f := func(listen, host string, port uint16, want string) {
		t.Helper()
		g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort(listen), AdvertiseHost: host,
			AdvertisePort: port}}, 1, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		l := g.Listeners()[0]
		if want == "" {
			want = l.Addr.String()
		}
		if string(l.SentBy) != want || l.Addr.Port == 0 {
			t.Errorf("%s advertise %q %d: sent-by %q on %v, want %q", listen, host, port, l.SentBy, l.Addr, want)
		}
	}
	f("127.0.0.1:0", "", 0, "")
	f("[::1]:0", "", 0, "")
	f("127.0.0.1:0", "sip.example.com", 0, "sip.example.com")
	f("127.0.0.1:0", "sip.example.com", 5060, "sip.example.com:5060")
	f("127.0.0.1:0", "192.0.2.1", 5070, "192.0.2.1:5070")
	f("[::1]:0", "2001:db8::1", 5060, "[2001:db8::1]:5060")
	f("[::1]:0", "2001:db8::1", 0, "[2001:db8::1]")
	f("[::1]:0", "[2001:db8::1]", 5060, "[2001:db8::1]:5060")
}

func TestListenRefuses(t *testing.T) {
	f := func(want string, shards int, cfgs ...ListenConfig) {
		t.Helper()
		g, err := Listen(cfgs, shards, Options{})
		if err == nil {
			g.Close()
			t.Errorf("no error, want %q", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
	at := func(s string) ListenConfig { return ListenConfig{Addr: netip.MustParseAddrPort(s)} }
	f("listen on 16385 addresses", 1, make([]ListenConfig, maxListeners+1)...)
	f("empty address", 1, ListenConfig{})
	f("list the addresses themselves", 1, at("0.0.0.0:5060"))
	f("list the addresses themselves", 1, at("[::]:5060"))
	f("multicast", 1, at("224.0.1.75:5060"))
	f("serve 0 shards", 0, at("127.0.0.1:0"))
	f("serve 257 shards", 257, at("127.0.0.1:0"))
	f("listed twice", 1, at("127.0.0.1:50601"), at("127.0.0.1:50601"))
	f("no interface of this host has the address", 1, at("192.0.2.77:0"))
	f("out of range", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), RecvBufferBytes: -1})
	f("out of range", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), RecvBufferBytes: 1<<30 + 1})
	f("out of range", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), SendBufferBytes: -1})
	f("out of range", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), TOS: 256})
	f("needs an advertised host", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), AdvertisePort: 1})
	f("cannot carry", 1, ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), AdvertiseHost: "a\r\nb"})
}

// TestSecondInstanceIsRefused: SO_REUSEPORT alone would let it take a part of the datagrams.
func TestSecondInstanceIsRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		g := mustListen(t, 3, Options{}, host)
		_, err := Listen([]ListenConfig{{Addr: g.Listeners()[0].Addr.AddrPort()}}, 3, Options{})
		if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "another instance") {
			t.Errorf("%s: error %v", host, err)
		}
	}
}

// TestFailedListenLeavesNothing: every descriptor is closed again, at whatever point it failed.
func TestFailedListenLeavesNothing(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	taken := mustListen(t, 1, Options{}, "127.0.0.1:0")
	before := descriptors()
	_, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")},
		{Addr: taken.Listeners()[0].Addr.AddrPort()}}, 4, Options{MHomed: true})
	if err == nil {
		t.Fatal("no error")
	}
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after a failed Listen", before, after)
	}
	g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}}, 4, Options{MHomed: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after Listen and Close", before, after)
	}
}

func sysctl(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/core/" + name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReceiveBuffer(t *testing.T) {
	defaultBytes, maxBytes := sysctl(t, "rmem_default"), sysctl(t, "rmem_max")
	if os.Geteuid() != 0 || 3*maxBytes > maxRecvBufferBytes || maxBytes < defaultBytes {
		t.Skipf("SKIP %s: needs root and net.core.rmem_max between %d and %d", t.Name(), defaultBytes,
			maxRecvBufferBytes/3)
	}
	f := func(wantBytes, gotBytes int, warns bool) {
		t.Helper()
		var log bytes.Buffer
		g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0"), RecvBufferBytes: wantBytes}}, 2,
			Options{Logger: logTo(&log), Steer: SteerOff})
		if err != nil {
			t.Error(err)
			return
		}
		defer g.Close()
		for shard := range 2 {
			real, err := unix.GetsockoptInt(g.Port(shard).fds[0], unix.SOL_SOCKET, unix.SO_RCVBUF)
			if err != nil || real != gotBytes || g.Listeners()[0].RecvBufferBytes != gotBytes {
				t.Errorf("cap %d: shard %d has %d bytes (%v), said %d, want %d", wantBytes, shard, real, err,
					g.Listeners()[0].RecvBufferBytes, gotBytes)
			}
		}
		if strings.Contains(log.String(), "net.core.rmem_max") != warns || strings.Count(log.String(), "\n") > 1 {
			t.Errorf("cap %d: log %q, want a warning: %v", wantBytes, log.String(), warns)
		}
	}
	f(1, defaultBytes, false)
	f(0, max(defaultBytes, defaultRecvBufferBytes), false)
	f(defaultBytes+100_000, defaultBytes+100_000, false)
	withoutCapabilities(t, func() {
		f(2*maxBytes, 2*maxBytes, false)
		f(3*maxBytes, 2*maxBytes, true)
	})
	withoutCapabilities(t, func() { f(3*maxBytes, 3*maxBytes, false) }, unix.CAP_NET_ADMIN)
}

func TestSteeringModes(t *testing.T) {
	f := func(mode SteerMode, shards int, wantSteering, wantErr string) {
		t.Helper()
		var log bytes.Buffer
		const small = 64 << 10 // the kernel's own is larger and stays: nothing to warn of
		g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0"), RecvBufferBytes: small},
			{Addr: netip.MustParseAddrPort("[::1]:0"), RecvBufferBytes: small}}, shards,
			Options{Steer: mode, Logger: logTo(&log)})
		if wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), wantErr) {
				t.Errorf("mode %d: error %v, want %q", mode, err, wantErr)
			}
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		defer g.Close()
		if !strings.Contains(g.Steering(), wantSteering) {
			t.Errorf("mode %d, %d shards: steering %q, want %q", mode, shards, g.Steering(), wantSteering)
		}
		lines := strings.Count(log.String(), "\n")
		if fallback := strings.Contains(wantSteering, "needs"); fallback &&
			(lines != 1 || !strings.Contains(log.String(), wantSteering)) || !fallback && lines != 0 {
			t.Errorf("mode %d: log %q", mode, log.String())
		}
	}
	f(SteerOff, 4, "user: switched off", "")
	f(SteerOn, 1, "none: one shard", "")
	f(SteerAuto, 1, "none: one shard", "")
	withoutCapabilities(t, func() {
		f(SteerAuto, 4, "needs CAP_BPF", "")
		f(SteerOn, 4, "", "needs CAP_BPF")
		f(SteerOff, 4, "user: switched off", "")
	})
	p, err := steer.Load(4)
	if err != nil {
		t.Skipf("SKIP %s, the part with kernel steering: %v", t.Name(), err)
	}
	p.Close()
	f(SteerAuto, 4, "kernel", "")
	f(SteerOn, 4, "kernel", "")
	withoutCapabilities(t, func() { f(SteerOn, 4, "kernel", "") }, unix.CAP_BPF)
}

// TestEveryShardReceives sends calls from one source: with the program each arrives at its owner,
// without it at one shard by the kernel's choice. Nothing is lost.
func TestEveryShardReceives(t *testing.T) {
	const shards, calls = 4, 400
	for _, mode := range []SteerMode{SteerAuto, SteerOff} {
		for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
			g := mustListen(t, shards, Options{Steer: mode}, host, host)
			// One by one: the program is asked once for what leaves together on the same host.
			sender := mustListen(t, 1, Options{NoSegment: true}, host).Port(0)
			for i := range calls {
				sender.Queue(0, &g.Listeners()[i%2].Addr, 0,
					fmt.Appendf(nil, "INVITE sip:b SIP/2.0\r\nCall-ID: %d@h\r\n\r\n", i))
			}
			sender.Flush()
			noFailures(t, sender)
			arrived, steered := 0, g.Steering() == "kernel"
			for shard := range shards {
				for listener := range 2 {
					for _, pk := range receiveAll(g.Port(shard), listener) {
						arrived++
						var call int
						if _, err := fmt.Sscanf(string(pk.Data), "INVITE sip:b SIP/2.0\r\nCall-ID: %d@h",
							&call); err != nil {
							t.Fatal(err)
						}
						owner := steer.Owner(fmt.Appendf(nil, "%d@h", call), shards)
						if steered && owner != shard {
							t.Errorf("call %d arrived at shard %d, its owner is %d", call, shard, owner)
						}
						if call%2 != listener {
							t.Errorf("call %d arrived at listener %d", call, listener)
						}
					}
				}
			}
			stats, err := g.SteerStats()
			if err != nil || arrived != calls {
				t.Errorf("%s: %d of %d arrived (%v)", g.Steering(), arrived, calls, err)
			}
			if want := map[bool]uint64{true: calls, false: 0}[steered]; stats.Steered != want ||
				stats.NoKey+stats.NoSlot != 0 {
				t.Errorf("%s: counted %+v, want %d steered", g.Steering(), stats, want)
			}
		}
	}
}

func TestExpand(t *testing.T) {
	f := func(name string, want ...string) {
		t.Helper()
		cfgs, err := Expand(name, 5060)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			return
		}
		var got []string
		for _, c := range cfgs {
			got = append(got, c.Addr.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q gives %v, want %v", name, got, want)
		}
	}
	f("192.0.2.1", "192.0.2.1:5060")
	f("::1", "[::1]:5060")
	f("[::1]", "[::1]:5060")
	f("[fe80::1%lo]", "[fe80::1%lo]:5060")
	f("::ffff:192.0.2.1", "192.0.2.1:5060")
	for _, name := range []string{"no.such.host.invalid", "127.0.0.1:5060", "nointerface0", "[::1"} {
		if cfgs, err := Expand(name, 1); err == nil {
			t.Errorf("%q gives %v, want an error", name, cfgs)
		}
	}
	inNamespace(t, append(twoSubnets, "addr add 10.2.0.2/24 dev v1", "link add v2 type veth peer name p2",
		"addr add 10.3.0.1/24 dev v2"), func() {
		f("v1", "10.2.0.1:5060", "10.2.0.2:5060", "[fd02::1]:5060")
		f("lo", "127.0.0.1:5060", "[::1]:5060")
		f("", "127.0.0.1:5060", "10.1.0.1:5060", "10.2.0.1:5060", "10.2.0.2:5060") // v2 is down
		f("0.0.0.0", "127.0.0.1:5060", "10.1.0.1:5060", "10.2.0.1:5060", "10.2.0.2:5060")
		f("[::]", "[::1]:5060", "[fd01::1]:5060", "[fd02::1]:5060")
		if cfgs, err := Expand("localhost", 5060); err != nil || cfgs[0].Addr.String() != "127.0.0.1:5060" {
			t.Errorf("localhost gives %v (%v), want 127.0.0.1 first", cfgs, err)
		}
		if _, err := Expand("p2", 1); err == nil || !strings.Contains(err.Error(), "no address") {
			t.Errorf("an interface without addresses: %v", err)
		}
	})
}

// Without its program a listener's datagrams are spread by their 4-tuple: all of one sender go to
// one shard. Others keep theirs.
func TestUnsteer(t *testing.T) {
	g := mustListen(t, 4, Options{}, "127.0.0.1:0", "127.0.0.1:0")
	if g.Steering() != "kernel" {
		t.Skip("needs steering by the kernel: ", g.Steering())
	}
	if !g.Unsteer(1) || g.Unsteer(1) {
		t.Error("the program can be taken off once")
	}
	if s := g.Steering(); !strings.Contains(s, "1 of 2 listeners") {
		t.Errorf("steering is %q", s)
	}
	from := mustListen(t, 1, Options{}, "127.0.0.1:0").Port(0)
	for l, wantShards := range []int{4, 1} {
		for i := range 200 {
			from.Queue(0, &g.Listeners()[l].Addr, 0,
				fmt.Appendf(nil, "OPTIONS sip:x SIP/2.0\r\nCall-ID: %d\r\n\r\n", i))
			from.Flush()
		}
		shards, all := 0, 0
		for shard := range 4 {
			n := len(receiveAll(g.Port(shard), l))
			if all += n; n > 0 {
				shards++
			}
		}
		if shards != wantShards || all != 200 {
			t.Errorf("listener %d: %d datagrams on %d shards, want %d", l, all, shards, wantShards)
		}
	}
	if mustListen(t, 2, Options{Steer: SteerOff}, "127.0.0.1:0").Unsteer(0) {
		t.Error("there was no program to take off")
	}
}

func TestSocketsTOS(t *testing.T) {
	f := func(addr string, level, name int) {
		t.Helper()
		g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort(addr), SendBufferBytes: 96 << 10, TOS: 0xb8}}, 1,
			Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		fd := g.socket[0]
		if got, err := unix.GetsockoptInt(fd, level, name); err != nil || got != 0xb8 {
			t.Errorf("%s sends with %d, %v", addr, got, err)
		}
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err != nil || got != 96<<10 {
			t.Errorf("%s has a send buffer of %d, %v", addr, got, err)
		}
	}
	f("127.0.0.1:0", unix.IPPROTO_IP, unix.IP_TOS)
	f("[::1]:0", unix.IPPROTO_IPV6, unix.IPV6_TCLASS)
}
