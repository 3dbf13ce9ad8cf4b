package outside

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	generator "viaduct/bench/traffic"
)

// reloads writes one configuration after the other, good ones and broken ones, while calls run.
type reloads struct {
	t      *testing.T
	srv    *server
	socket string
	rng    *rand.Rand

	callees []netip.AddrPort
	others  []netip.AddrPort // further addresses to listen on
	taken   netip.AddrPort   // somebody else's

	last    int              // the last good one
	listens []netip.AddrPort // its addresses
	logged  int              // reloads that worked
}

// program is configuration number n: what differs from one to the next is drawn by chance.
func (r *reloads) program(n int, listens []netip.AddrPort) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#!KAMAILIO\nlisten=udp:%s\nlisten=tcp:%s\n", r.srv.listen, r.srv.listen)
	for _, l := range listens {
		fmt.Fprintf(&b, "listen=udp:%s\n", l)
	}
	if n%3 == 0 {
		fmt.Fprintf(&b, "alias=\"host%d.example.org\"\nserver_header=\"Server: %d\"\n", n, n)
	}
	modules := []string{"tm", "tmx", "pv", "sl", "rr", "maxfwd", "siputils", "textops", "dispatcher"}
	for _, more := range []string{"sanity", "nathelper", "xlog", "path"} {
		if r.rng.IntN(2) == 0 {
			modules = append(modules, more)
		}
	}
	for _, m := range modules {
		fmt.Fprintf(&b, "loadmodule \"%s.so\"\n", m)
	}
	// an answered call is over soon, so that no reload has to wait for earlier programs
	fmt.Fprintf(&b, "modparam(\"tm\", \"wt_timer\", 800)\nmodparam(\"tm\", \"t4_timer\", 100)\n"+
		"modparam(\"tm\", \"retr_timer1\", 2000)\nmodparam(\"tm\", \"fr_timer\", %d)\n", 20000+n)
	fmt.Fprintf(&b, "modparam(\"dispatcher\", \"list_file\", \"dispatcher.list\")\nrequest_route {\n")
	for k := range r.rng.IntN(4) {
		fmt.Fprintf(&b, "\troute(MORE%d);\n", k)
	}
	fmt.Fprintf(&b, `	if (is_method("OPTIONS")) {
		append_to_reply("X-Program: %d\r\n");
		sl_send_reply("200", "OK");
		exit;
	}
	if (has_totag()) {
		loose_route();
		t_relay();
		exit;
	}
	if (is_method("CANCEL")) { t_relay(); exit; }
	t_on_failure("F%d");
	t_on_reply("R%d");
	record_route();
	if (!ds_select_dst("1", "4")) { sl_send_reply("503", "No destination"); exit; }
	t_relay();
}
failure_route[F%d] { t_reply("480", "Program %d"); }
onreply_route[R%d] { if (t_check_status("199")) drop; }
`, n, n, n, n, n, n)
	for k := range 4 {
		fmt.Fprintf(&b, "route[MORE%d] {\n\tif (is_method(\"NOTIFY\")) exit;\n\treturn;\n}\n", k)
	}
	return b.String()
}

// list is some of the destinations.
func (r *reloads) list() string {
	var b strings.Builder
	for i, p := range r.rng.Perm(len(r.callees)) {
		if i == 0 || r.rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "1 sip:%s\n", r.callees[p])
		}
	}
	return b.String()
}

func (r *reloads) write(config, list string) {
	r.t.Helper()
	for name, text := range map[string]string{r.srv.config: config, "dispatcher.list": list} {
		if err := os.WriteFile(filepath.Join(r.srv.dir, name), []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// some is a choice of the further addresses.
func (r *reloads) some() (list []netip.AddrPort) {
	for _, a := range r.others {
		if r.rng.IntN(2) == 0 {
			list = append(list, a)
		}
	}
	return list
}

// good loads configuration number n, at the control door or by SIGHUP.
func (r *reloads) good(n int) {
	r.t.Helper()
	listens := r.some()
	r.write(r.program(n, listens), r.list())
	if n%4 == 3 {
		r.srv.cmd.Process.Signal(syscall.SIGHUP)
		eventually(r.t, "a reload by SIGHUP",
			func() bool { return strings.Count(r.srv.text(), "viaduct reloaded") > r.logged })
	} else if _, fault := r.srv.rpc(r.t, r.socket, "core.reload"); fault != "" {
		r.t.Fatalf("configuration %d is refused: %s", n, fault)
	}
	r.last, r.listens, r.logged = n, listens, r.logged+1
}

// broken loads something that cannot be used.
func (r *reloads) broken(n int) {
	r.t.Helper()
	config, list, want := r.program(n, r.some()), r.list(), ""
	switch kind := r.rng.IntN(7); kind {
	case 0:
		config, want = strings.Replace(config, "exit;", "exit", 1), "configuration is not usable"
	case 1:
		config, want = strings.Replace(config, "record_route();", "record_rout();", 1), "record_rout"
	case 2:
		config, want = strings.Replace(config, "loadmodule \"pv.so\"", "loadmodule \"pw.so\"", 1), "pw"
	case 3:
		list, want = list+"1 sip:\n", "dispatcher.list"
	case 4:
		config, want = r.program(n, append(r.some(), r.taken)), "cannot listen on udp "+r.taken.String()
	case 5:
		list, want = list+"1 sip:127.0.0.1:9;transport=tls\n", "no listener serves that"
	case 6:
		config, want = config+"include_file \"missing.cfg\"\n", "missing.cfg"
	}
	r.write(config, list)
	if _, fault := r.srv.rpc(r.t, r.socket, "core.reload"); !strings.Contains(fault, want) {
		r.t.Fatalf("a broken configuration gives %q, want %q in it", fault, want)
	}
}

// runs wants the last good program to answer, at each of its addresses.
func (r *reloads) runs() {
	r.t.Helper()
	for _, at := range append([]netip.AddrPort{r.srv.listen}, r.listens...) {
		conn, err := net.Dial("udp", at.String())
		if err != nil {
			r.t.Fatal(err)
		}
		b := make([]byte, 4096)
		for range 4 { // of all shards
			id := r.rng.Uint64()
			fmt.Fprintf(conn, "OPTIONS sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%x\r\n"+
				"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@c>\r\nCall-ID: %x\r\nCSeq: 1 OPTIONS\r\n"+
				"Content-Length: 0\r\n\r\n", at, conn.LocalAddr(), id, id)
			conn.SetReadDeadline(time.Now().Add(patience))
			n, err := conn.Read(b)
			if err != nil {
				r.t.Fatalf("program %d does not answer at %s: %v", r.last, at, err)
			}
			if want := fmt.Sprintf("\r\nX-Program: %d\r\n", r.last); !strings.Contains(string(b[:n]), want) {
				r.t.Fatalf("at %s another program than %d answers:\n%s", at, r.last, b[:n])
			}
		}
		conn.Close()
	}
}

// TestReloadUnderLoad loads one configuration after the other while calls run, half of them broken:
// no call fails, and the last good program runs always.
func TestReloadUnderLoad(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("Kamailio has no reload of its routes")
	}
	t.Parallel()
	loads(t)
	times, within, rate := 16, 6*time.Second, 300.0
	if *long {
		times, within, rate = 100, 60*time.Second, 1000
	}
	socket := filepath.Join(t.TempDir(), "sock")
	local := func() netip.AddrPort { return netip.AddrPortFrom(loopback4, uint16(freePort(t))) }
	var callees []netip.AddrPort
	for range 4 {
		callees = append(callees, local())
	}
	holder, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	r := &reloads{t: t, socket: socket, rng: rand.New(rand.NewPCG(1, 2)), callees: callees,
		others: []netip.AddrPort{local(), local(), local()}, taken: holder.LocalAddr().(*net.UDPAddr).AddrPort()}
	s := setup{targets: callees, shards: 2, flags: []string{"-x", socket}, listen: local()}
	dir := s.folder(t)
	r.srv = &server{setup: s, dir: dir}
	r.write(r.program(0, nil), r.list())
	r.srv = startIn(t, dir, s)
	r.runs()

	stop := make(chan struct{})
	calls, err := generator.New(generator.Config{Server: s.listen,
		Callers: slices.Repeat([]netip.AddrPort{netip.AddrPortFrom(loopback4, 0)}, 2), Answerers: callees,
		Targets: []string{"sip:bob@" + s.listen.String()}, Rate: rate, Duration: 10 * time.Minute, T1: 2 * time.Second,
		Sleep: true, Stop: stop})
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Close()
	ended := make(chan generator.Report, 1)
	go func() { ended <- calls.Run() }()

	before := r.srv.residentBytes(t)
	began := time.Now()
	for i := range times {
		if i%2 == 0 {
			r.broken(1000 + i)
		} else {
			r.good(i)
		}
		r.runs()
		time.Sleep(time.Until(began.Add(within * time.Duration(i+1) / time.Duration(times))))
	}
	took := time.Since(began)
	close(stop)
	report := <-ended
	if report.Started == 0 || report.Completed != report.Started {
		t.Errorf("of %d calls %d completed, %d failed (%v), %d were given up, %d unfinished", report.Started,
			report.Completed, report.Failed, report.Finals, report.Abandoned, report.Unfinished)
	}
	if want := uint64(rate * within.Seconds() * 0.8); report.Started < want {
		t.Errorf("%d calls were begun, want %d", report.Started, want)
	}
	for i, n := range report.PerAnswerer {
		if n == 0 && times > 20 {
			t.Errorf("destination %d had no call", i)
		}
	}
	t.Logf("%d reloads in %v, %d calls, %d messages repeated, memory %+d KB", times, took.Round(time.Millisecond),
		report.Started, report.Retransmitted, (r.srv.residentBytes(t)-before)>>10)
}

// TestReloadStreams: listeners of TCP and TLS come and go; a connection stays when its listener
// goes, and is served by the new program. Certificates are read with the rest, and a broken one
// changes nothing.
func TestReloadStreams(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("Kamailio has no reload of its listeners")
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "sock")
	answers := func(n int) string {
		return fmt.Sprintf("request_route {\n\tappend_to_reply(\"X-Program: %d\\r\\n\");\n"+
			"\tsl_send_reply(\"200\", \"OK\");\n}\n", n)
	}
	srv := startStreams(t, streamSetup{setup: setup{shards: 2, flags: []string{"-x", socket}, program: answers(1)}})
	path := filepath.Join(srv.dir, srv.config)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	change := func(old, now string) {
		t.Helper()
		if !strings.Contains(config, old) {
			t.Fatalf("no %q in the configuration", old)
		}
		config = strings.Replace(config, old, now, 1)
		if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reload := func(want string) {
		t.Helper()
		if _, fault := srv.rpc(t, socket, "reload"); (fault == "") != (want == "") || !strings.Contains(fault, want) {
			t.Fatalf("reload: %q, want %q", fault, want)
		}
	}
	options := func(conn net.Conn, transport string, n int) {
		t.Helper()
		fmt.Fprintf(conn, "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:9;branch=z9hG4bK%x\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@c>\r\nCall-ID: %x\r\nCSeq: 1 OPTIONS\r\n"+
			"Content-Length: 0\r\n\r\n", transport, rand.Uint64(), rand.Uint64())
		conn.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 4096)
		k, err := conn.Read(b)
		if err != nil || !strings.Contains(string(b[:k]), fmt.Sprintf("\r\nX-Program: %d\r\n", n)) {
			t.Fatalf("over %s, for program %d: %v\n%s", transport, n, err, b[:k])
		}
	}
	dial := func(at netip.AddrPort) net.Conn {
		t.Helper()
		conn, err := net.DialTimeout("tcp", at.String(), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	secure := func(at netip.AddrPort) (*tls.Conn, string) {
		t.Helper()
		conn := tls.Client(dial(at), srv.ca.client())
		if err := conn.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	local := func() netip.AddrPort { return netip.AddrPortFrom(loopback4, uint16(freePort(t))) }

	kept := dial(srv.tcp)
	options(kept, "TCP", 1)
	_, serial := secure(srv.tls)

	tcp, secured := local(), local()
	srv.ca.issue("127.0.0.1", "::1", "proxy.example.net")
	change(answers(1), answers(2))
	change(fmt.Sprintf("listen=tcp:%v", srv.tcp), fmt.Sprintf("listen=tcp:%v\nlisten=tls:%v", tcp, secured))
	reload("")
	options(kept, "TCP", 2)
	options(dial(tcp), "TCP", 2)
	conn, now := secure(secured)
	options(conn, "TLS", 2)
	if now == serial {
		t.Error("the old certificate is shown")
	}
	if conn, err := net.Dial("tcp", srv.tcp.String()); err == nil {
		conn.Close()
		t.Error("a listener that was taken out takes connections")
	}

	srv.ca.write("127.0.0.1.pem", "CERTIFICATE", []byte("no certificate"))
	change(answers(2), answers(3))
	reload("127.0.0.1.pem")
	options(kept, "TCP", 2)
	if _, again := secure(srv.tls); again != now {
		t.Error("a reload that failed changed the certificate")
	}
	srv.ca.issue("127.0.0.1", "::1", "proxy.example.net")
	change(fmt.Sprintf("listen=tcp:%v", tcp), fmt.Sprintf("listen=tcp:%v", srv.tcp))
	reload("")
	options(kept, "TCP", 3)
	options(dial(srv.tcp), "TCP", 3)
}
