package shard

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// numbered is a program that answers OPTIONS with a number, and relays INVITEs with a failure route
// that answers with it.
func numbered(t *testing.T, number int, callee net.Addr, listens ...netio.ListenConfig) Next {
	t.Helper()
	text := numberedText(number, callee)
	program, settings, _, err := route.Load("numbered.cfg", []byte(text), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	return Next{Program: program, Settings: settings, Listens: listens}
}

func numberedText(number int, callee net.Addr) string {
	return fmt.Sprintf(`loadmodule "tm.so"
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
	_, err := fmt.Fprintf(a.conn,
		"%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r%d\r\nMax-Forwards: 70\r\n"+
			"From: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>\r\nCall-ID: %d-reload\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n"+
			"\r\n",
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

func dialed(t *testing.T, server string) *asker {
	t.Helper()
	conn, err := net.Dial("udp4", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &asker{t: t, conn: conn}
}

// runs wants a program to answer, on both shards.
func (a *asker) runs(number int) {
	a.t.Helper()
	for range 8 {
		a.send("OPTIONS", "x")
		if got, want := a.final(), fmt.Sprintf("200 Program %d", number); got != want {
			a.t.Fatalf("OPTIONS gets %q, want %q", got, want)
		}
	}
}

func listenOn(t *testing.T, at string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// invited is the next INVITE that a callee gets.
func invited(t *testing.T, callee *net.UDPConn) ([]byte, *net.UDPAddr) {
	t.Helper()
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

// TestReload: the program loaded last answers at once, on all shards; what began with an earlier
// one ends with it; eight of those are kept, and the ninth reload is refused and changes nothing,
// until one of them is not needed any more.
func TestReload(t *testing.T) {
	s, _ := startServer(t, 2, netio.SteerOff)
	server := s.Listeners()[0].Addr.String()
	dial := func() *asker {
		return dialed(t, server)
	}
	callee := listenOn(t, "127.0.0.1:0")
	options := dial()
	runs := func(number int) {
		t.Helper()
		options.runs(number)
	}
	own := netio.ListenConfig{Addr: s.Listeners()[0].Addr.AddrPort()}
	load := func(number int) error { return s.Reload(numbered(t, number, callee.LocalAddr(), own)) }
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
		invite, from := invited(t, callee)
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
		if err := load(100); err == nil ||
			!strings.Contains(err.Error(), "8 earlier programs still serve transactions") {
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
	var err error
	n := numbered(t, 101, callee.LocalAddr(), own)
	if n.Targets, err = balance.Parse("targets", []byte("1 sip:127.0.0.1:9;transport=tcp\n"), balance.Config{},
		nil); err != nil {
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
		fmt.Fprintf(c.caller.conn,
			"ACK sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r1\r\nMax-Forwards: 70\r\n"+
				"From: <sip:a@b>;tag=1\r\nTo: <sip:bob@c>;tag=vd\r\nCall-ID: 1-reload\r\nCSeq: 1 ACK\r\n"+
				"Content-Length: 0\r\n\r\n",
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

// TestReloadListeners: an address that a reload brings is served when it returns; one that it takes
// out serves what began over it, refuses what is new, and is closed when nothing is left. One that
// cannot be bound changes nothing, also of the others.
func TestReloadListeners(t *testing.T) {
	for _, steer := range []netio.SteerMode{netio.SteerOff, netio.SteerAuto} {
		s, _ := startServer(t, 2, steer)
		callee := listenOn(t, "127.0.0.1:0")
		first := netio.ListenConfig{Addr: s.Listeners()[0].Addr.AddrPort()}
		free := func() netio.ListenConfig {
			conn := listenOn(t, "127.0.0.1:0")
			defer conn.Close()
			return netio.ListenConfig{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Name: "second"}
		}
		load := func(number int, listens ...netio.ListenConfig) error {
			return s.Reload(numbered(t, number, callee.LocalAddr(), listens...))
		}
		open := func() (list []string) {
			for _, l := range s.Listeners() {
				list = append(list, l.Addr.String())
			}
			return list
		}
		bindable := func(l netio.ListenConfig) bool {
			conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(l.Addr))
			if err == nil {
				conn.Close()
			}
			return err == nil
		}
		second := free()
		if err := load(1, first, second); err != nil {
			t.Fatal(err)
		}
		old, caller := dialed(t, first.Addr.String()), dialed(t, second.Addr.String())
		old.runs(1)
		caller.runs(1)
		if got, want := fmt.Sprint(open()),
			fmt.Sprint([]string{first.Addr.String(), second.Addr.String()}); got != want {
			t.Errorf("open are %s, want %s", got, want)
		}

		taken, third := listenOn(t, "127.0.0.1:0"), free()
		if err := load(2, first, second, third,
			netio.ListenConfig{Addr: taken.LocalAddr().(*net.UDPAddr).AddrPort()}); err == nil ||
			!strings.Contains(err.Error(), "cannot listen on udp "+taken.LocalAddr().String()) {
			t.Fatalf("an address in use: %v", err)
		}
		if old.runs(1); !bindable(third) || len(open()) != 2 {
			t.Errorf("a reload that failed left %v open", open())
		}

		caller.send("INVITE", "bob")
		invite, from := invited(t, callee)
		callee.WriteToUDP(answerTo(invite, "180 Ringing", "uas", ""), from)
		if err := load(3, first); err != nil {
			t.Fatal(err)
		}
		old.runs(3)
		late := dialed(t, second.Addr.String())
		late.send("OPTIONS", "x")
		if got := late.final(); !strings.HasPrefix(got, "503 ") {
			t.Errorf("new over a listener that leaves: %s", got)
		}
		if bindable(second) {
			t.Error("it is closed while a call rings")
		}
		callee.WriteToUDP(answerTo(invite, "486 Busy Here", "uas", ""), from)
		if got, want := caller.final(), "480 Program 1"; got != want {
			t.Errorf("the call over it ends with %q, want %q", got, want)
		}
		// taken back in time it never was away
		if err := load(4, first, second); err != nil {
			t.Fatal(err)
		}
		caller.runs(4)
		if err := load(5, first); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(caller.conn,
			"ACK sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r9\r\nMax-Forwards: 70\r\n"+
				"From: <sip:a@b>;tag=9\r\nTo: <sip:bob@c>;tag=vd\r\nCall-ID: 9-reload\r\nCSeq: 1 ACK\r\n"+
				"Content-Length: 0\r\n\r\n",
			second.Addr, caller.conn.LocalAddr())
		for end := time.Now().Add(10 * time.Second); !bindable(second); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is open though nothing is left")
			}
		}
		old.runs(5)
		if err := load(6, first, second); err != nil {
			t.Fatal(err)
		}
		dialed(t, second.Addr.String()).runs(6)
		if n := len(s.shared.gen.Load().listeners); n != 2 {
			t.Errorf("there are %d numbers for two listeners that were never three at a time", n)
		}
		s.Stop()
		if !bindable(second) {
			t.Error("a listener of a reload is open behind the stop")
		}
	}
}

// TestReloadRace reloads as fast as it can, with other listeners and other destinations each time,
// while calls run on both shards: each request meets one of the programs, and memory does not grow.
func TestReloadRace(t *testing.T) {
	s, uas := startServer(t, 2, netio.SteerAuto)
	first := netio.ListenConfig{Addr: s.Listeners()[0].Addr.AddrPort()}
	var others []netio.ListenConfig
	for range 2 {
		conn := listenOn(t, "127.0.0.1:0")
		others = append(others, netio.ListenConfig{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()})
		conn.Close()
	}
	if err := s.Reload(numbered(t, 0, uas.LocalAddr(), first)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 3 {
		a := dialed(t, first.Addr.String())
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a.send("OPTIONS", "x")
				if got := a.final(); !strings.HasPrefix(got, "200 Program ") {
					t.Errorf("OPTIONS gets %q", got)
					return
				}
				a.send("INVITE", "bob")
				if got := a.final(); got != "200 OK" {
					t.Errorf("INVITE gets %q", got)
					return
				}
			}
		})
	}
	const times = 60
	refused := 0
	for i := range times {
		targets, err := balance.Parse("targets",
			fmt.Appendf(nil, "1 sip:%s\n1 sip:127.0.0.1:%d\n", uas.LocalAddr(), 10+i%3), balance.Config{}, s.Targets())
		if err != nil {
			t.Fatal(err)
		}
		n := numbered(t, i, uas.LocalAddr(), append([]netio.ListenConfig{first}, others[:i%3]...)...)
		n.Targets = targets
		if err := s.Reload(n); err != nil {
			if !strings.Contains(err.Error(), "earlier programs still serve") {
				t.Fatal(err)
			}
			refused++
			time.Sleep(50 * time.Millisecond)
		}
		if err := s.SetTargets(targets); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	callers.Wait()
	if refused == times {
		t.Error("no reload was let through")
	}
	t.Logf("%d of %d reloads were refused while earlier programs were in use", refused, times)
	for _, st := range s.Stats() {
		if n := st.Value("panics"); n != 0 {
			t.Errorf("%d panics", n)
		}
	}
}

// TestReloadDropsTables: a table that the file does not declare any more gives its memory back when
// the last program that has it is let go, and that of a reload which failed at once.
func TestReloadDropsTables(t *testing.T) {
	s, _ := startServer(t, 2, netio.SteerOff)
	callee := listenOn(t, "127.0.0.1:0")
	first := netio.ListenConfig{Addr: s.Listeners()[0].Addr.AddrPort()}
	load := func(number int, tables string, listens ...netio.ListenConfig) error {
		t.Helper()
		n := numbered(t, number, callee.LocalAddr(), append(listens, first)...)
		text := "loadmodule \"htable.so\"\n" + tables + numberedText(number, callee.LocalAddr())
		var err error
		n.Program, n.Settings, _, err = route.Load("numbered.cfg", []byte(text), route.Options{Modules: modules.All})
		if err != nil {
			t.Fatal(err)
		}
		return s.Reload(n)
	}
	table := func(name string) string {
		return "modparam(\"htable\", \"htable\", \"" + name + "=>size=10\")\n"
	}
	has := func(want ...string) {
		t.Helper()
		got := s.state.Unused()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("there are the tables %s, want %s", got, want)
		}
	}
	used := func() uint64 { return s.arena.Shared().UsedBytes() }
	c := dialed(t, first.Addr.String())
	if err := load(1, table("stays")); err != nil {
		t.Fatal(err)
	}
	has("htable/stays")
	before := used()
	if err := load(2, table("stays")+table("goes")); err != nil {
		t.Fatal(err)
	}
	has("htable/goes", "htable/stays")
	if used() < before+1<<16 {
		t.Fatalf("a table takes %d bytes", used()-before)
	}
	c.send("INVITE", "bob")
	invite, from := invited(t, callee)
	callee.WriteToUDP(answerTo(invite, "180 Ringing", "uas", ""), from)
	commands := s.Commands()
	if err := load(3, table("stays")); err != nil {
		t.Fatal(err)
	}
	has("htable/goes", "htable/stays") // the call's program has it
	s.letGo()
	has("htable/goes", "htable/stays")
	callee.WriteToUDP(answerTo(invite, "486 Busy Here", "uas", ""), from)
	if got, want := c.final(), "480 Program 2"; got != want {
		t.Errorf("the call ends with %q, want %q", got, want)
	}
	fmt.Fprintf(c.conn, "ACK sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-r%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@b>;tag=%d\r\nTo: <sip:bob@c>;tag=vd\r\nCall-ID: %d-reload\r\nCSeq: 1 ACK\r\n"+
		"Content-Length: 0\r\n\r\n", first.Addr, c.conn.LocalAddr(), c.n, c.n, c.n)
	for end := time.Now().Add(10 * time.Second); s.letGo(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is there though its program is gone")
		}
	}
	has("htable/stays")
	if used() != before {
		t.Errorf("%d bytes are not given back", used()-before)
	}
	for _, m := range commands {
		if m.Name != "htable.dump" {
			continue
		}
		args, err := m.Read([]string{"goes"})
		if err == nil {
			_, err = m.Call(args)
		}
		if err == nil || !strings.Contains(err.Error(), "try again") {
			t.Errorf("a command of a program that is gone: %v", err)
		}
	}
	taken := listenOn(t, "127.0.0.1:0").LocalAddr().(*net.UDPAddr).AddrPort()
	if err := load(4, table("stays")+table("never"), netio.ListenConfig{Addr: taken}); err == nil {
		t.Fatal("an address in use")
	}
	has("htable/stays")
	if used() != before {
		t.Errorf("%d bytes of a reload that failed are not given back", used()-before)
	}
	c.runs(3)
	// The same name, and another size.
	if err := load(5, table("stays")+"modparam(\"htable\", \"htable\", \"goes=>size=4\")\n"); err != nil {
		t.Fatal(err)
	}
	c.runs(5)
}
