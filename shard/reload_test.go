package shard

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// numbered is a program that answers OPTIONS with a number, and relays INVITEs with a failure route
// that answers with it.
func numbered(t *testing.T, number int, callee net.Addr) Next {
	t.Helper()
	text := fmt.Sprintf(`loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "textops.so"
modparam("tm", "wt_timer", 100)
modparam("tm", "t4_timer", 100)
request_route {
	if (is_method("OPTIONS")) { sl_send_reply("200", "Program %d"); exit; }
	if (is_method("ACK")) exit;
	$du = "sip:%s";
	t_on_failure("F%d");
	t_relay();
}
failure_route[F%d] {
	t_reply("480", "Program %d");
}`, number, callee, number, number, number)
	program, settings, _, err := route.Load("numbered.cfg", []byte(text), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	return Next{Program: program, Settings: settings}
}

// asker is a peer that sends one request after the other.
type asker struct {
	t    *testing.T
	conn net.Conn
	n    int
}

func (a *asker) send(method, user string) {
	a.t.Helper()
	a.n++
	_, err := fmt.Fprintf(a.conn, "%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>\r\nCall-ID: %d-reload\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		method, user, a.conn.RemoteAddr(), a.conn.LocalAddr(), a.n, a.n, a.n, method)
	if err != nil {
		a.t.Fatal(err)
	}
}

// final is the status line of the next final response.
func (a *asker) final() string {
	a.t.Helper()
	b := make([]byte, 65536)
	for {
		a.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := a.conn.Read(b)
		if err != nil {
			a.t.Fatal(err)
		}
		if line, _, _ := strings.Cut(string(b[:n]), "\r\n"); !strings.HasPrefix(line, "SIP/2.0 1") {
			return strings.TrimPrefix(line, "SIP/2.0 ")
		}
	}
}

// TestReload: the program loaded last answers at once, on all shards; what began with an earlier
// one ends with it; eight of those are kept, and the ninth reload is refused and changes nothing,
// until one of them is not needed any more.
func TestReload(t *testing.T) {
	s, _ := startServer(t, 2, netio.SteerOff)
	server := s.Listeners()[0].Addr.String()
	dial := func() *asker {
		conn, err := net.Dial("udp4", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return &asker{t: t, conn: conn}
	}
	// callee answers nothing until it is told to.
	callee, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer callee.Close()
	invited := func() ([]byte, *net.UDPAddr) {
		b := make([]byte, 65536)
		callee.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			n, from, err := callee.ReadFromUDP(b)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(b[:n]), "INVITE") {
				return b[:n], from
			}
		}
	}
	options := dial()
	runs := func(number int) {
		t.Helper()
		for range 8 { // over both shards
			options.send("OPTIONS", "x")
			if got, want := options.final(), fmt.Sprintf("200 Program %d", number); got != want {
				t.Fatalf("OPTIONS gets %q, want %q", got, want)
			}
		}
	}
	load := func(number int) error { return s.Reload(numbered(t, number, callee.LocalAddr())) }
	if err := load(0); err != nil {
		t.Fatal(err)
	}
	type call struct {
		caller *asker
		invite []byte
		from   *net.UDPAddr
	}
	var calls []call
	ring := func() {
		c := dial()
		c.send("INVITE", "bob")
		invite, from := invited()
		callee.WriteToUDP(answerTo(invite, "180 Ringing", "uas", ""), from)
		calls = append(calls, call{c, invite, from})
	}
	for n := range maxKept + 1 {
		runs(n)
		ring()
		if n < maxKept {
			if err := load(n + 1); err != nil {
				t.Fatalf("reload %d: %v", n+1, err)
			}
			if got := len(s.Programs()); got != n+2 {
				t.Errorf("after %d reloads there are %d programs", n+2, got)
			}
		}
	}
	refused := func() {
		t.Helper()
		if err := load(100); err == nil || !strings.Contains(err.Error(), "8 earlier programs still serve transactions") {
			t.Fatalf("the ninth reload: %v", err)
		}
		runs(maxKept)
	}
	refused()
	// The same text again needs no room.
	if err := load(maxKept); err != nil {
		t.Errorf("the program that runs, once more: %v", err)
	}
	// What cannot be is refused before anything changes.
	n := numbered(t, 101, callee.LocalAddr())
	if n.Targets, err = balance.Parse("targets", []byte("1 sip:127.0.0.1:9;transport=tcp\n"), balance.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(n); err == nil || !strings.Contains(err.Error(), "no listener serves that") {
		t.Errorf("destinations that cannot be reached: %v", err)
	}
	runs(maxKept)
	for i, c := range calls {
		callee.WriteToUDP(answerTo(c.invite, "486 Busy Here", "uas", ""), c.from)
		if got, want := c.caller.final(), fmt.Sprintf("480 Program %d", i); got != want {
			t.Errorf("the call of program %d ends with %q", i, got)
		}
		fmt.Fprintf(c.caller.conn, "ACK sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:bob@c>;tag=vd\r\nCall-ID: 1-reload\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
			server, c.caller.conn.LocalAddr())
	}
	var late error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if late = load(102); late == nil && len(s.Programs()) <= 2 {
			break
		}
	}
	if late != nil {
		t.Fatalf("when all calls had ended: %v", late)
	}
	runs(102)
	if n := len(s.Programs()); n > 2 {
		t.Errorf("%d programs are kept for nobody", n-1)
	}
}
