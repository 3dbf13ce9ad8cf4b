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

const callsConfig = `loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "htable.so"
modparam("htable", "htable", "done=>size=8;")
listen=udp:127.0.0.1:5060
request_route {
	if ($rm == "INFO") {
		$var(r) = t_reply_callid("$hdr(X-Id)", "1", "486", "Gone");
		sl_send_reply("202", "$var(r)");
		exit;
	}
	if ($rm == "MESSAGE") {
		$sht(done=>$rU) = $hdr(X-Id);
		sl_send_reply("200", "Done");
		exit;
	}
	if ($rm == "ACK") exit;
	t_suspend();
}
`

// TestCallsOfAnyShard answers calls that belong to the shard that is asked, and to another one, and
// calls that nobody has.
func TestCallsOfAnyShard(t *testing.T) {
	program, settings, _, err := route.Load("calls.cfg", []byte(callsConfig), route.Options{Modules: modules.All})
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
	send := func(method, id, names string) {
		t.Helper()
		msg := fmt.Sprintf("%s sip:u@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s%s\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:bob@c>\r\nCall-ID: %s\r\n"+
			"CSeq: 1 %s\r\nX-Id: %s\r\nContent-Length: 0\r\n\r\n", method, server, uac.LocalAddr(), method, id, id, method,
			names)
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
					break
				}
			}
		}
	}
	for n := range 40 {
		call := fmt.Sprintf("call-%d", n)
		send("INVITE", call, "")
		receive(n, "100 trying -- your call is important to us")
		time.Sleep(time.Millisecond) // the run ends behind its 100
		send("INFO", fmt.Sprintf("info-%d", n), call)
		receive(n, "202 1", "486 Gone")
		send("ACK", call, "")
		send("INFO", fmt.Sprintf("again-%d", n), call)
		receive(n, "202 -1")
		send("INFO", fmt.Sprintf("none-%d", n), "no"+call)
		receive(n, "202 -1")
	}
}

// TestFindingCallsAllocatesNothing: neither a transaction that is put into the index of calls, nor
// one that is looked for and cancelled on its own shard.
func TestFindingCallsAllocatesNothing(t *testing.T) {
	f := newFlow(t, `loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
listen=udp:127.0.0.1:5060
request_route {
	if ($rm == "INFO") {
		t_cancel_callid("MESSAGE$rU", "1", "5");
		sl_send_reply("202", "OK");
		exit;
	}
	$du = "sip:127.0.0.1:7000";
	t_relay();
}
`, "", 64<<20)
	f.counting = true
	const rounds = 200
	src, _ := read("127.0.0.1:6000")
	packets := make([]netio.Packet, 0, 2*rounds+4)
	for i := range rounds + 2 {
		for _, method := range []string{"MESSAGE", "INFO"} {
			packets = append(packets, netio.Packet{Src: src, Data: request(method,
				fmt.Sprintf("sip:%d@127.0.0.1:5060", i), fmt.Sprint(method, i), fmt.Sprint(method, i))})
		}
	}
	next := 0
	once := func() {
		for range 2 {
			f.w.datagram(&packets[next])
			next++
			f.w.reclaim()
		}
	}
	once()
	if n := testing.AllocsPerRun(rounds, once); n != 0 {
		t.Errorf("%v allocations for a transaction and a look for it", n)
	}
	if f.counted != 2*(rounds+2) {
		t.Errorf("%d messages left, want %d", f.counted, 2*(rounds+2))
	}
}
