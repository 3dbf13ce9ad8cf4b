package shard

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// startServer runs a real server on a free loopback port, with one destination
// that answers 180 and 200 back to back.
func startServer(t *testing.T, shards int, steer netio.SteerMode) (*Server, *net.UDPConn) {
	t.Helper()
	uas, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { uas.Close() })
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := uas.ReadFromUDP(b)
			if err != nil {
				return
			}
			if req := b[:n]; !bytes.HasPrefix(req, []byte("ACK")) {
				if bytes.HasPrefix(req, []byte("INVITE")) {
					uas.WriteToUDP(answerTo(req, "180 Ringing", "uas", ""), from)
				}
				uas.WriteToUDP(answerTo(req, "200 OK", "uas", ""), from)
			}
		}
	}()
	text, err := os.ReadFile("testdata/lb.cfg")
	if err != nil {
		t.Fatal(err)
	}
	program, settings, _, err := route.Load("lb.cfg", text, route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := balance.Parse("targets", fmt.Appendf(nil, "1 sip:%s\n", uas.LocalAddr()), balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(Config{Shards: shards, Program: program, Settings: settings, Targets: targets, Steer: steer,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, uas
}

// TestServerShards calls through 1, 2 and 4 shards from one socket, steered by the
// kernel and by hand-off alone: every call is answered, 180 before 200, and
// everything is accounted for.
func TestServerShards(t *testing.T) {
	for _, c := range []struct {
		shards int
		steer  netio.SteerMode
	}{{1, netio.SteerAuto}, {2, netio.SteerOff}, {4, netio.SteerOff}, {4, netio.SteerAuto}} {
		t.Run(fmt.Sprintf("%d shards, steering %d", c.shards, c.steer), func(t *testing.T) {
			s, _ := startServer(t, c.shards, c.steer)
			server := s.Listeners()[0].Addr.String()
			uac, err := net.Dial("udp4", server)
			if err != nil {
				t.Fatal(err)
			}
			defer uac.Close()
			const calls = 400
			b := make([]byte, 65536)
			for n := range calls {
				invite := fmt.Sprintf("INVITE sip:bob@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%d\r\n"+
					"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>\r\nCall-ID: %d-shards\r\n"+
					"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", server, uac.LocalAddr(), n, n, n)
				if _, err := uac.Write([]byte(invite)); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"100", "180", "200"} {
					uac.SetReadDeadline(time.Now().Add(10 * time.Second))
					k, err := uac.Read(b)
					if err != nil {
						t.Fatalf("call %d, waiting for %s: %v", n, want, err)
					}
					if got := string(b[8:11]); got != want ||
						!strings.Contains(string(b[:k]), fmt.Sprintf("Call-ID: %d-shards\r\n", n)) {
						t.Fatalf("call %d: got %s, want %s:\n%s", n, got, want, b[:k])
					}
				}
			}
			if left := s.Drain(5 * time.Second); left != 0 {
				t.Errorf("%d transactions are unanswered", left)
			}
			time.Sleep(300 * time.Millisecond) // the gauges are copied with the next round
			var in, out, created, handed, dropped uint64
			for _, st := range s.Stats() {
				in += st.Value("datagrams_in")
				out += st.Value("datagrams_out")
				created += st.Value("transactions_created")
				handed += st.Value("handed_off")
				for _, v := range st.Dropped {
					dropped += v
				}
			}
			if in != 3*calls || out != 4*calls || created != calls || dropped != 0 {
				t.Errorf("in %d, out %d, transactions %d, dropped %d; want %d, %d, %d, 0", in, out, created, dropped,
					3*calls, 4*calls, calls)
			}
			if c.shards > 1 && c.steer == netio.SteerOff && handed == 0 {
				t.Error("nothing was handed from shard to shard")
			}
			t.Logf("steering %q, handed off %d of %d", s.Steering(), handed, in)
		})
	}
}

// TestServerICMP: a destination without a socket refuses by ICMP, and the caller
// hears 500 long before any timer.
func TestServerICMP(t *testing.T) {
	for _, shards := range []int{1, 4} {
		s, uas := startServer(t, shards, netio.SteerOff)
		uas.Close()
		server := s.Listeners()[0].Addr.String()
		uac, err := net.Dial("udp4", server)
		if err != nil {
			t.Fatal(err)
		}
		defer uac.Close()
		b := make([]byte, 65536)
		for n := range 8 {
			fmt.Fprintf(uac, "INVITE sip:bob@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-i%d\r\n"+
				"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>\r\nCall-ID: %d-icmp\r\n"+
				"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", server, uac.LocalAddr(), n, n, n)
			for {
				uac.SetReadDeadline(time.Now().Add(10 * time.Second))
				k, err := uac.Read(b)
				if err != nil {
					t.Fatalf("%d shards, call %d: %v", shards, n, err)
				}
				code := string(b[8:11])
				if code == "100" || !strings.Contains(string(b[:k]), fmt.Sprintf(" %d-icmp", n)) {
					continue // a repeated final of the call before is not ours to count
				}
				want := "500"
				if n > 0 {
					want = "503" // the destination is known to be down
				}
				if code != want {
					t.Fatalf("%d shards, call %d: got %s, want %s", shards, n, code, want)
				}
				break
			}
		}
	}
}

// TestIdleShardsSleep: without traffic a shard does not wake at all, what it shows stays right, and
// a stop is not late for it.
func TestIdleShardsSleep(t *testing.T) {
	s, _ := startServer(t, 2, netio.SteerOff)
	server := s.Listeners()[0].Addr.String()
	uac, err := net.Dial("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	defer uac.Close()
	fmt.Fprintf(uac, "OPTIONS sip:bob@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-idle\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@b>;tag=1\r\nTo: <sip:bob@c>\r\nCall-ID: idle\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		server, uac.LocalAddr())
	uac.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := uac.Read(make([]byte, 65536)); err != nil {
		t.Fatal(err)
	}
	sleeps := func() (n int) {
		for _, w := range s.workers {
			status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", w.thread.Load()))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
			var v int
			if _, err := fmt.Sscan(rest, &v); err != nil {
				t.Fatal(err)
			}
			n += v
		}
		return n
	}
	time.Sleep(2 * onceEvery) // the last look behind the request
	before := sleeps()
	time.Sleep(2 * time.Second)
	if n := sleeps() - before; n > 2 {
		t.Errorf("two idle shards woke %d times in two seconds", n)
	}
	held := uint64(0)
	for i := range s.workers {
		held += atomic.LoadUint64(&s.arena.Counters(i)[GaugeTransactions])
	}
	if held != 1 {
		t.Errorf("%d transactions are shown, one is held", held)
	}
	began := time.Now()
	s.Stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the stop took %v", d)
	}
}
