package shard

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

const suspendConfig = `loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "htable.so"
modparam("htable", "htable", "held=>size=8;")
listen=udp:127.0.0.1:5060
request_route {
	if ($rm == "INFO") {
		$var(r) = t_continue("$sht(held=>$rU::index)", "$sht(held=>$rU::label)", "GO");
		sl_send_reply("202", "$var(r)");
		exit;
	}
	t_suspend();
	$sht(held=>$rU::index) = $T(id_index);
	$sht(held=>$rU::label) = $T(id_label);
}
route[GO] { t_reply("200", "Gone On"); }
`

// TestSuspendedOfAnyShard suspends requests and has others continue them, which come to the same
// shard and to another one.
func TestSuspendedOfAnyShard(t *testing.T) {
	program, settings, _, err := route.Load("suspend.cfg", []byte(suspendConfig),
		route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := balance.Parse("targets", nil, balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(Config{Shards: 4, Program: program, Settings: settings, Targets: targets,
		Steer:   netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	server := s.Listeners()[0].Addr.String()
	uac, err := net.Dial("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	defer uac.Close()
	send := func(method string, n int) {
		t.Helper()
		msg := fmt.Sprintf("%s sip:u%d@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s%d\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>\r\nCall-ID: %d-%s\r\n"+
			"CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, n, server, uac.LocalAddr(), method, n, n, n, method, method)
		if _, err := uac.Write([]byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 65536)
	receive := func(n int, want ...string) {
		t.Helper()
		for len(want) > 0 {
			uac.SetReadDeadline(time.Now().Add(10 * time.Second))
			k, err := uac.Read(b)
			if err != nil {
				t.Fatalf("%d: waiting for %q: %v", n, want, err)
			}
			line, _, _ := strings.Cut(string(b[:k]), "\r\n")
			for i, w := range want {
				if line == "SIP/2.0 "+w {
					want = append(want[:i:i], want[i+1:]...)
					line = ""
					break
				}
			}
			if line != "" {
				t.Fatalf("%d: got %q, want %q", n, line, want)
			}
		}
	}
	for n := range 40 {
		send("INVITE", n)
		receive(n, "100 trying -- your call is important to us")
		time.Sleep(time.Millisecond) // the run ends behind its 100
		send("INFO", n)
		receive(n, "202 1", "200 Gone On")
	}
}

// TestSuspendingAllocatesNothing: neither what suspends a request nor what continues it.
func TestSuspendingAllocatesNothing(t *testing.T) {
	f := newFlow(t, suspendConfig, "", 64<<20)
	f.counting = true
	const rounds = 200
	src, _ := read("127.0.0.1:6000")
	packets := make([]netio.Packet, 0, 2*rounds+4)
	for i := range rounds + 2 {
		for _, method := range []string{"MESSAGE", "INFO"} {
			packets = append(packets, netio.Packet{Src: src, Data: request(method, "sip:bob@127.0.0.1:5060",
				fmt.Sprint(method, i), fmt.Sprint(method, i))})
		}
	}
	next := 0
	once := func() {
		for range 2 {
			f.w.datagram(&packets[next])
			next++
			for f.w.takeMail() > 0 {
			}
			f.w.reclaim()
		}
	}
	once()
	if n := testing.AllocsPerRun(rounds, once); n != 0 {
		t.Errorf("%v allocations for a request that is suspended and one that continues it", n)
	}
	if f.counted != 2*(rounds+2) {
		t.Errorf("%d messages left, want %d", f.counted, 2*(rounds+2))
	}
}
