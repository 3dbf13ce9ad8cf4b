package outside

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sipp is a SIPp, running one of testdata/sipp.
type sipp struct {
	*process
	scenario string
	addr     netip.AddrPort
	stat     string // its -trace_stat file
}

// figures are the last row of SIPp's statistics: cumulative columns by their name without "(C)".
type figures map[string]int

// Names in figures.
const (
	created    = "TotalCallCreated"
	successful = "SuccessfulCall"
	failed     = "FailedCall"
	unexpected = "FailedUnexpectedMessage"
	resent     = "Retransmissions"
	outOfCall  = "OutOfCallMsgs"
)

var loopback4 = netip.MustParseAddr("127.0.0.1")

// startSipp runs a scenario on a free port of ip. As UAC it needs -m and the proxy as last
// arguments.
func startSipp(t *testing.T, scenario string, ip netip.Addr, args ...string) *sipp {
	t.Helper()
	path := needs(t, "sipp", "sip-tester")
	file, err := filepath.Abs(filepath.Join("testdata/sipp", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &sipp{scenario: scenario, addr: netip.AddrPortFrom(ip, uint16(freePort(t))),
		stat: filepath.Join(dir, "stat.csv")}
	errors := filepath.Join(dir, "errors.log") // unexpected messages, in full
	cmd := exec.Command(path, append([]string{"-sf", file, "-i", ip.String(), "-p", strconv.Itoa(int(s.addr.Port())),
		"-mp", strconv.Itoa(freePort(t)), "-cp", strconv.Itoa(freePort(t)), "-nostdin", "-buff_size", socketBytes,
		"-trace_stat", "-stf", s.stat, "-fd", "1", "-trace_err", "-error_file", errors}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	cmd.Stdout = io.Discard // its screens
	s.process = run(t, "sipp "+scenario, cmd)
	s.process.errors = errors
	return s
}

// startUAS runs n callees and waits until they listen.
func startUAS(t *testing.T, n int, scenario string, ip netip.Addr, args ...string) (all []*sipp, at []netip.AddrPort) {
	t.Helper()
	for range n {
		s := startSipp(t, scenario, ip, args...)
		all, at = append(all, s), append(at, s.addr)
	}
	for _, s := range all {
		s.awaitBound(t, s.addr)
	}
	return all, at
}

// startUAC begins calls to the proxy at a rate per second.
func startUAC(t *testing.T, scenario string, to netip.AddrPort, calls, rate int, args ...string) *sipp {
	t.Helper()
	args = append([]string{"-m", strconv.Itoa(calls), "-r", strconv.Itoa(rate)}, args...)
	return startSipp(t, scenario, to.Addr(), append(args, to.String())...)
}

// figures reads the statistics written last.
func (s *sipp) figures(t *testing.T) figures {
	t.Helper()
	b, err := os.ReadFile(s.stat)
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.name, err, s.tail())
	}
	// The last line may be half written.
	b = b[:strings.LastIndexByte(string(b), '\n')+1]
	in := csv.NewReader(strings.NewReader(string(b)))
	in.Comma, in.FieldsPerRecord = ';', -1
	rows, err := in.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows of statistics, %v", s.name, len(rows), err)
	}
	f := figures{}
	for i, name := range rows[0] {
		if name == created || strings.HasSuffix(name, "(C)") {
			f[strings.TrimSuffix(name, "(C)")], _ = strconv.Atoi(rows[len(rows)-1][i])
		}
	}
	for _, name := range []string{created, successful, failed, unexpected, resent} {
		if _, ok := f[name]; !ok {
			t.Fatalf("%s: no column %s in its statistics: %q", s.name, name, rows[0])
		}
	}
	return f
}

// finish waits for a caller's last call, or tells a callee to end with its last one, and gives the
// statistics.
func (s *sipp) finish(t *testing.T, within time.Duration) figures {
	t.Helper()
	if !s.wait(within) {
		t.Fatalf("%s is not done after %v: %v\n%s", s.name, within, s.figures(t), s.errorFile())
	}
	return s.figures(t)
}

// quit tells callees to end with their last call. SIPp sees the signal within a second or two,
// hence all at once.
func quit(t *testing.T, all []*sipp) (f []figures) {
	t.Helper()
	for _, s := range all {
		s.cmd.Process.Signal(syscall.SIGUSR1)
	}
	for _, s := range all {
		if !s.wait(patience) {
			t.Errorf("%s has calls that do not end: %v", s.name, s.figures(t))
		}
		f = append(f, s.figures(t))
	}
	return f
}

// allWell wants every one of n calls to have succeeded, with nothing unexpected on the way.
func (s *sipp) allWell(t *testing.T, f figures, n int) {
	t.Helper()
	if f[successful] != n || f[created] != n || f[failed] != 0 || f[unexpected] != 0 {
		t.Errorf("%s: %d calls, %d successful, %d failed (%d by unexpected messages), want %d successful:\n%s",
			s.name, f[created], f[successful], f[failed], f[unexpected], n, s.errorFile())
	}
}

// patientT1 keeps the proxy from repeating what a busy machine only delays: SIPp takes a repeated
// INVITE for a mistake when it has answered the first one in the same breath. The scenarios wait as
// long. What is repeated when is tested by sockets.
var patientT1 = params(`modparam("tm", "retr_timer1", 2000)`)

// callTest is calls of one scenario through a proxy to callees of the matching one.
type callTest struct {
	callees, callers int // 0: 2 and 1
	calls, rate      int // of each caller
	ip               netip.Addr
	args             []string // for the callers
}

// figuresOf is what came of a callTest.
type outcome struct {
	caller, callee []figures
}

// through runs the calls over a proxy that serve starts, and wants all of them to succeed on both
// sides.
func (c callTest) through(t *testing.T, scenario string, serve func(*testing.T, setup) *server,
	s setup) (*server, outcome) {
	t.Helper()
	if c.callees == 0 {
		c.callees = 2
	}
	c.callers = max(c.callers, 1)
	if !c.ip.IsValid() {
		c.ip = loopback4
	}
	uas, targets := startUAS(t, c.callees, "uas"+scenario, c.ip)
	s.targets = targets
	s.edits = append(s.edits, patientT1...)
	s.listen = netip.AddrPortFrom(c.ip, uint16(freePort(t)))
	srv := serve(t, s)
	var uac []*sipp
	for range c.callers {
		uac = append(uac, startUAC(t, "uac"+scenario, srv.addr, c.calls, c.rate, c.args...))
	}
	var o outcome
	for _, u := range uac {
		f := u.finish(t, 40*time.Second)
		u.allWell(t, f, c.calls)
		o.caller = append(o.caller, f)
	}
	total := 0
	for i, f := range quit(t, uas) {
		uas[i].allWell(t, f, f[created])
		total += f[created]
		o.callee = append(o.callee, f)
	}
	if total != c.calls*c.callers {
		t.Errorf("the callees had %d calls, the callers %d", total, c.calls*c.callers)
	}
	return srv, o
}

// resent tells whether anybody had to repeat something, which makes the proxy's counters inexact.
func (o *outcome) resent() bool {
	for _, f := range append(append([]figures{}, o.caller...), o.callee...) {
		if f[resent] > 0 {
			return true
		}
	}
	return false
}

// balanced wants every callee to have had its share of the calls: a hash leaves a deviation of some
// √(calls/callees).
func (o *outcome) balanced(t *testing.T, calls int) {
	t.Helper()
	share := calls / len(o.callee)
	for i, f := range o.callee {
		if f[created] < share*2/3 || f[created] > share*4/3 {
			t.Errorf("callee %d of %d had %d of %d calls", i, len(o.callee), f[created], calls)
		}
	}
}

func (o outcome) String() string { return fmt.Sprintf("callers %v, callees %v", o.caller, o.callee) }
