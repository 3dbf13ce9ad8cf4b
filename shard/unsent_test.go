package shard

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

const unsentHead = `listen=udp:127.0.0.1:5060
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "textops.so"
loadmodule "corex.so"
loadmodule "dispatcher.so"
modparam("tm", "fr_timer", 1000)
modparam("tm", "auto_inv_100", 0)
modparam("dispatcher", "flags", 2)
request_route {
`

// invite sends one INVITE and lets its names be found. It returns what left for others than the
// caller, and the status that the caller had.
func (f *flow) invite(callID string) (to []string, status string) {
	f.t.Helper()
	f.sent = nil
	f.receive("127.0.0.1:6000", request("INVITE", "sip:bob@127.0.0.1:5060", callID, callID))
	for range 4 {
		f.resolve()
	}
	return f.left()
}

// left is what invite returns, of all that left since.
func (f *flow) left() (to []string, status string) {
	for _, d := range f.sent {
		if d.to == "127.0.0.1:6000" {
			status = string(bytes.Fields(d.bytes)[1])
		} else {
			to = append(to, d.to)
		}
	}
	f.sent = nil
	return to, status
}

// TestListedAreNotChosen: while others are free the balancer chooses none that the blocklist names,
// whatever the algorithm and wherever its list is cut; and those that are free share alike.
func TestListedAreNotChosen(t *testing.T) {
	const targets = "1 sip:127.0.0.1:7000 0 3\n1 sip:127.0.0.1:7001 0 2\n1 sip:127.0.0.1:7002 0 1\n"
	for _, limit := range []string{"", `, "1"`, `, "2"`} {
		for _, algorithm := range []balance.Algorithm{balance.CallIDHash, balance.RoundRobin, balance.Priority,
			balance.Weights} {
			f := newFlow(t, fmt.Sprintf("%sds_select_dst(\"1\", \"%d\"%s); if (!t_relay()) sl_reply_error(); }\n",
				unsentHead, algorithm, limit), targets, 16<<20)
			f.list("127.0.0.1:7000")
			got := map[string]int{}
			for i := range 60 {
				to, status := f.invite(fmt.Sprint("call", i))
				if len(to) != 1 || status != "" {
					t.Fatalf("algorithm %d, limit %q: a call went to %v, %q", algorithm, limit, to, status)
				}
				got[to[0]]++
			}
			if got["127.0.0.1:7000"] != 0 {
				t.Errorf("algorithm %d, limit %q: %v", algorithm, limit, got)
			}
			if algorithm == balance.RoundRobin && got["127.0.0.1:7001"] != 30 ||
				algorithm != balance.Priority && got["127.0.0.1:7002"] < 15 {
				t.Errorf("algorithm %d, limit %q: the free ones do not share alike: %v", algorithm, limit, got)
			}
			f.list("127.0.0.1:7001", "127.0.0.1:7002")
			if to, status := f.invite("last"); to != nil || status != "477" {
				t.Errorf("algorithm %d, limit %q: all are listed, and a call went to %v, %q", algorithm, limit, to,
					status)
			}
			f.endsClean()
		}
	}
}

// TestListedAreCountedOnce: a call counts each listed destination that is passed over once, and
// each that refuses it once; what the blocklist itself counts is the same.
func TestListedAreCountedOnce(t *testing.T) {
	var targets strings.Builder
	for i := range 6 {
		fmt.Fprintf(&targets, "1 sip:127.0.0.1:%d 0 %d\n", 7000+i, 6-i)
	}
	f := func(algorithm balance.Algorithm, listed int) (counted uint64) {
		t.Helper()
		f := newFlow(t, fmt.Sprintf("%sds_select_dst(\"1\", \"%d\"); if (!t_relay()) sl_reply_error(); }\n", unsentHead,
			algorithm), targets.String(), 16<<20)
		for i := range listed {
			f.list(fmt.Sprintf("127.0.0.1:%d", 7000+i))
		}
		f.invite("call")
		counted = f.w.count[proxy.CountBlocked]
		if hits := f.w.shared.list.Stats().Hits; hits != counted {
			t.Errorf("algorithm %d, %d listed: counted %d, the blocklist %d", algorithm, listed, counted, hits)
		}
		f.endsClean()
		return counted
	}
	for _, algorithm := range []balance.Algorithm{balance.CallIDHash, balance.RoundRobin, balance.Priority,
		balance.Weights} {
		if got := f(algorithm, 6); got != 6 {
			t.Errorf("algorithm %d, all 6 are listed: %d are counted", algorithm, got)
		}
		if got := f(algorithm, 5); algorithm == balance.Priority && got != 5 || got > 5 {
			t.Errorf("algorithm %d, 5 of 6 are listed: %d are counted", algorithm, got)
		}
	}
}

// TestWhatKeepsFromSending: whatever keeps a destination from being sent to leads where a time-out
// leads.
func TestWhatKeepsFromSending(t *testing.T) {
	names := map[string][]proxy.Endpoint{"silent.example": nil}
	here, _ := read("127.0.0.1:7005")
	names["here.example"] = []proxy.Endpoint{{Addr: here}}
	// the first destination, and what is answered if it is the only one
	cannot := map[string]string{
		"sip:[::1]:7000":                   "477", // no listener has its family
		"sip:127.0.0.1:7000;transport=tcp": "478", // nor its transport
		"sip:gone.example":                 "478",
		"sip:silent.example":               "504",
	}
	f := func(body, targets, want string) {
		t.Helper()
		f := newNamedFlow(t, unsentHead+body, targets, names, 16<<20)
		f.list("127.0.0.1:7009")
		to, status := f.invite("call")
		f.wait(1500 * time.Millisecond)
		later, last := f.left()
		if last != "" {
			status = last
		}
		var tried []string
		for _, a := range append(to, later...) {
			if a = strings.TrimPrefix(a, "127.0.0.1:"); len(tried) == 0 || tried[len(tried)-1] != a {
				tried = append(tried, a)
			}
		}
		if got := strings.Join(append(tried, status), " "); got != want {
			t.Errorf("%s%s:\n\tgot  %q\n\twant %q", targets, body, got, want)
		}
		f.endsClean()
	}
	const (
		relay = "if (!t_relay()) sl_reply_error(); }\n"
		next  = `failure_route[F] { if (t_check_status("503|408") && ds_next_dst()) { t_on_failure("F"); ` +
			`t_relay(); exit; } }` + "\n"
		elsewhr = `failure_route[F] { if ($T_reply_code == 503) { $du = "sip:127.0.0.1:7002"; t_relay(); } }` + "\n"
	)
	for uri, status := range cannot {
		first := "1 " + uri + " 16 9\n"
		both := first + "1 sip:127.0.0.1:7001 0 5\n"
		f(`ds_select_dst("1", "8"); `+relay, both, "7001 408")
		f(`ds_select_dst("1", "8"); `+relay, first, status)
		f(`ds_select_dst("1", "8"); t_on_failure("F"); `+relay+next, both, "7001 408")
		f(`ds_select_dst("1", "8"); t_on_failure("F"); `+relay+next, first, status)
		f(`ds_select_domain("1", "8"); append_branch("sip:bob@127.0.0.1:7002"); `+relay, both, "7001 7002 7001 408")
		f(`ds_select_dst("1", "8"); if (!forward()) sl_reply_error(); }`, both, "7001 ")
		f(`$du = "`+uri+`"; t_on_failure("F"); `+relay+elsewhr, "", "7002 408")
		f(`$du = "`+uri+`"; append_branch("`+uri+`"); t_on_failure("F"); `+relay+elsewhr, "", "7002 408")
		f(`$du = "`+uri+`"; t_on_failure("F"); `+relay+"failure_route[F] { exit; }\n", "", status)
		f(`$du = "`+uri+`"; t_on_failure("F"); `+relay+`failure_route[F] { t_reply("480", "Nobody"); }`, "", "480")
		// A failure route that relays in vain again and again comes to an end.
		f(`$du = "`+uri+`"; t_on_failure("F"); `+relay+`failure_route[F] { $du = "`+uri+
			`"; t_on_failure("F"); t_relay(); }`, "", status)
	}
	f(`$du = "sip:127.0.0.1:7009"; t_on_failure("F"); `+relay+elsewhr, "", "7002 408")
	f(`$du = "sip:127.0.0.1:7009"; t_on_failure("F"); `+relay+"failure_route[F] { exit; }\n", "", "477")
	f(`$du = "sip:127.0.0.1:7009"; `+relay, "", "477")
	// In the failover of a destination that is silent: a name is gone to as soon as it is known,
	// and passed over else.
	f(`ds_select_dst("1", "8"); `+relay,
		"1 sip:127.0.0.1:7000 0 9\n1 sip:gone.example 16 8\n1 sip:127.0.0.1:7009 0 7\n1 sip:127.0.0.1:7001 0 5\n",
		"7000 7001 ")
	const known = "1 sip:127.0.0.1:7000 0 9\n1 sip:here.example 16 8\n1 sip:127.0.0.1:7001 0 5\n"
	f(`ds_select_dst("1", "8"); `+relay, known, "7000 7001 ")
	f(`if ($rU != "x") { $du = "sip:here.example"; t_relay(); exit; } `+relay, "", "7005 408")

	w := newNamedFlow(t, unsentHead+`ds_select_dst("1", "8"); `+relay, known, names, 16<<20)
	for _, want := range []string{"127.0.0.1:7001", "127.0.0.1:7005"} {
		w.invite(want)
		w.wait(1200 * time.Millisecond)
		w.resolve()
		if to, _ := w.left(); len(to) == 0 || to[len(to)-1] != want {
			t.Errorf("behind a silent destination a call went to %v, want %s", to, want)
		}
	}
	w.endsClean()
}

// TestHopelessSends: what the kernel will not send however often leads on at once; what it may take
// in a moment waits for Timer A.
func TestHopelessSends(t *testing.T) {
	f := func(errno unix.Errno, want string) {
		t.Helper()
		f := newFlow(t, unsentHead+`ds_select_dst("1", "8"); if (!t_relay()) sl_reply_error(); }`,
			"1 sip:127.0.0.1:7000 0 9\n1 sip:127.0.0.1:7001 0 5\n", 16<<20)
		f.refuse = func(d sentDatagram) unix.Errno {
			if d.to == "127.0.0.1:7000" && f.now == flowStart {
				return errno
			}
			return 0
		}
		f.invite("call")
		f.endBatch()
		f.wait(600 * time.Millisecond)
		if b := f.lastTo[want]; b == nil {
			t.Errorf("%v: nothing was sent to %s", errno, want)
		}
		f.endsClean()
	}
	for _, errno := range []unix.Errno{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EINVAL, unix.EACCES,
		unix.EADDRNOTAVAIL, unix.ENETDOWN} {
		f(errno, "127.0.0.1:7001")
	}
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOBUFS, unix.EPERM} {
		f(errno, "127.0.0.1:7000")
	}
}

// TestFullStreamQueue: a connection that takes no more, and one that cannot be made, lead to the
// next destination.
func TestFullStreamQueue(t *testing.T) {
	for _, why := range []stream.Reason{stream.QueueFull, stream.ConnectFailed, stream.ConnectTimeout, stream.DialBusy,
		stream.TooMany, stream.NoConnection} {
		f := newFlow(t, "listen=tcp:127.0.0.1:5060\n"+unsentHead+
			`ds_select_dst("1", "8"); if (!t_relay()) sl_reply_error(); }`,
			"1 sip:127.0.0.1:7000;transport=tcp 0 9\n1 sip:127.0.0.1:7001 0 5\n", 16<<20)
		f.invite("call")
		f.w.streamsFailed([]streamFailure{failureOf(stream.Failure{Token: f.all[0].token, Reason: why})})
		f.endBatch()
		if to, status := f.left(); len(to) != 1 || to[0] != "127.0.0.1:7001" || status != "" {
			t.Errorf("%v: left for %v, %q", why, to, status)
		}
		f.endsClean()
	}
}

// TestOldResponses: a 200 to a call of before does not put a destination back that its probes have
// taken out.
func TestOldResponses(t *testing.T) {
	f := newFlow(t, unsentHead+"ds_select_dst(\"1\", \"8\"); t_relay(); }", "1 sip:127.0.0.1:7000\n", 16<<20)
	x := f.w.shared.tables.Load().Targets()[0]
	f.invite("before")
	f.wait(50 * time.Millisecond)
	x.ProbeFail(f.now/1e6, f.now/1e6)
	for range 3 {
		f.wait(50 * time.Millisecond)
		f.step("answer 127.0.0.1:7000 180 Ringing", "")
	}
	f.step("answer 127.0.0.1:7000 200 OK", "")
	if x.State().Usable() {
		t.Error("it is back")
	}
	f.endsClean()
}

// tcpServer starts a server with lb.cfg, a listener of each transport and one TCP destination.
func tcpServer(t *testing.T, target string, interval time.Duration) *Server {
	t.Helper()
	program, settings, _, err := route.Load("lb.cfg", []byte(defaultConfig(t)), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := parseTargets("1 sip:" + target + ";transport=tcp\n")
	if err != nil {
		t.Fatal(err)
	}
	settings.Dispatcher.Probes.Interval, settings.Dispatcher.Probes.Mode = interval, balance.ProbeAll
	here := netip.MustParseAddrPort("127.0.0.1:0")
	s, err := Start(Config{Shards: 1, Program: program, Settings: settings, Targets: targets, Steer: netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: here}},
		Streams: stream.Config{Listeners: []stream.Listen{{Addr: here, Proto: netio.TCP}}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// TestProbeRefusedByTCP: a probe whose connection is refused has failed then, not when its time is
// over.
func TestProbeRefusedByTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there
	s := tcpServer(t, l.Addr().String(), 500*time.Millisecond)
	target := s.Targets().Set(1).Targets[0]
	for began := time.Now(); target.State().Usable(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 3*time.Second { // the time of a probe is 4 s
			t.Fatal("it is still chosen")
		}
	}
}

// TestBrokenUnderTheRequest: a connection that is there and breaks when a request comes, by FIN or
// by RST, read or unread, costs no call and no probe: the request comes again over another one,
// with the same Via.
func TestBrokenUnderTheRequest(t *testing.T) {
	for _, how := range []string{"FIN read", "RST read", "RST unread"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := tcpServer(t, l.Addr().String(), 0)
		uac, err := net.Dial("udp4", s.Listeners()[0].Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer uac.Close()
		ask := func(id string) {
			req := strings.ReplaceAll(string(request("INVITE", "sip:bob@127.0.0.1:5060", id, id)), "127.0.0.1:6000",
				uac.LocalAddr().String())
			if _, err := uac.Write([]byte(req)); err != nil {
				t.Fatal(err)
			}
		}
		status := func() string {
			b := make([]byte, 65536)
			for {
				uac.SetReadDeadline(time.Now().Add(5 * time.Second))
				if _, err := uac.Read(b); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if code := string(b[8:11]); code != "100" {
					return code
				}
			}
		}
		take := func(c net.Conn) []byte {
			b := make([]byte, 65536)
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := c.Read(b)
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			return b[:n]
		}
		ask("first")
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Write(answerTo(take(c), "486 Busy Here", "uas", ""))
		if code := status(); code != "486" {
			t.Fatal(code)
		}
		take(c) // the ACK
		ask("second")
		var lost []byte
		if how == "RST unread" {
			time.Sleep(200 * time.Millisecond) // it is in the socket
		} else {
			lost = take(c)
		}
		if how == "RST read" {
			c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
		again, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := take(again)
		if lost != nil && !bytes.Equal(got, lost) {
			t.Errorf("%s: it came again as\n%s\nafter\n%s", how, got, lost)
		}
		again.Write(answerTo(got, "480 Gone", "uas", ""))
		if code := status(); code != "480" {
			t.Errorf("%s: the call ended with %s", how, code)
		}
		// Once only: the second connection is the last.
		take(again)
		ask("third")
		take(again)
		again.Close()
		last, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		take(last)
		last.Close()
		if code := status(); code != "500" {
			t.Errorf("%s: with its second connection broken the call ended with %s", how, code)
		}
	}
}

// TestRetryRefused: with retry_refused one ICMP error about the only destination is passed over,
// and the second is not; without it, and where there is another destination, the first counts.
func TestRetryRefused(t *testing.T) {
	f := func(param, targets string, errors int, want string) {
		t.Helper()
		head := strings.Replace(unsentHead, "request_route", param+"\nrequest_route", 1)
		f := newFlow(t, head+"ds_select_dst(\"1\", \"8\"); t_relay(); }", targets, 16<<20)
		f.invite("call")
		for range errors {
			f.unreachable("127.0.0.1:7000")
			f.wait(510 * time.Millisecond)
		}
		to, status := f.left()
		if got := fmt.Sprint(len(to), " ", status); got != want {
			t.Errorf("%s%s%d errors: left for %v, %q; want %s", targets, param, errors, to, status, want)
		}
		f.endsClean()
	}
	const (
		on   = `modparam("tm", "retry_refused", 1)`
		one  = "1 sip:127.0.0.1:7000 0 9\n"
		both = one + "1 sip:127.0.0.1:7001 0 5\n"
	)
	f("", one, 1, "0 500")
	f(on, one, 1, "1 ")
	f(on, one, 2, "1 500")
	f(on, both, 1, "2 ") // to the other one, and by Timer A again
}
