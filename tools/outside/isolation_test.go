package outside

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Trouble on some connections is no trouble for others: in each test here calls run over UDP and
// over connections of their own, and none of them is lost.

// traffic is calls that follow each other on several lines until they are told to stop.
type traffic struct {
	t       *testing.T
	stop    chan struct{}
	lines   sync.WaitGroup
	done    []atomic.Int64 // calls, by line
	names   []string
	mu      sync.Mutex
	trouble []string
}

// startTraffic begins calls through the proxy, one line for each transport, to a callee over UDP.
func startTraffic(t *testing.T, srv *streamServer, transports ...string) *traffic {
	t.Helper()
	callee := newAnswerer(t)
	f := &traffic{t: t, stop: make(chan struct{}), done: make([]atomic.Int64, len(transports)), names: transports}
	for i, transport := range transports {
		p := srv.caller(t, "the line over "+transport, transport)
		f.lines.Go(func() {
			for {
				select {
				case <-f.stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				d := p.call(srv.at(transport))
				d.uri = callee.contact("callee")
				if err := d.whole(); err != nil {
					f.mu.Lock()
					f.trouble = append(f.trouble,
						fmt.Sprintf("call %d over %s: %v", f.done[i].Load()+1, transport, err))
					f.mu.Unlock()
					return
				}
				f.done[i].Add(1)
			}
		})
	}
	t.Cleanup(f.halt)
	f.goOn(5)
	return f
}

func (f *traffic) halt() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	f.lines.Wait()
}

// goOn waits until each line has had so many more calls.
func (f *traffic) goOn(calls int64) {
	f.t.Helper()
	for i := range f.done {
		from := f.done[i].Load()
		eventually(f.t, fmt.Sprintf("%d more calls over %s", calls, f.names[i]), func() bool {
			return f.done[i].Load() >= from+calls || len(f.failed()) > 0
		})
	}
	if failed := f.failed(); len(failed) > 0 {
		f.t.Fatalf("calls that nothing was wrong with failed: %q", failed)
	}
}

func (f *traffic) failed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// allWell ends the calls: every one that was begun has succeeded.
func (f *traffic) allWell() {
	f.t.Helper()
	f.goOn(5)
	f.halt()
	if failed := f.failed(); len(failed) > 0 {
		f.t.Errorf("calls that nothing was wrong with failed: %q", failed)
	}
	for i := range f.done {
		f.t.Logf("%d calls over %s", f.done[i].Load(), f.names[i])
	}
}

// whole makes a call to a callee that answers by itself, and ends it.
func (d *dialog) whole() error {
	final := func(method string) (*message, error) {
		for end := time.Now().Add(patience); ; {
			m := d.peer.next(time.Until(end))
			switch {
			case m == nil:
				return nil, fmt.Errorf("no answer to %s", method)
			case m.status() >= 200 && m.get("Call-ID") == d.id && strings.HasSuffix(m.get("CSeq"), " "+method):
				if m.status() != 200 {
					return nil, fmt.Errorf("%s gets %s", method, m.start)
				}
				return m, nil
			case m.status() == 0:
				return nil, fmt.Errorf("a request came: %s", m.start)
			}
		}
	}
	d.invite()
	m, err := final("INVITE")
	if err != nil {
		return err
	}
	d.confirm(m)
	d.request("ACK")
	d.request("BYE")
	_, err = final("BYE")
	return err
}

// streamCounters asks for the counters of streams: at SIGUSR1 they are one line of JSON, under the
// names that Kamailio's group tcp has.
func (s *server) streamCounters(t *testing.T) map[string]int64 {
	t.Helper()
	if *against == "kamailio" {
		return nil // it has them, behind an interface that is not loaded here
	}
	from := s.lines()
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	line := s.waitLine(t, from, `"passive_open"`)
	line = line[strings.Index(line, "{"):]
	var tree map[string]any
	if err := json.Unmarshal([]byte(line), &tree); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	flat := map[string]int64{}
	var walk func(map[string]any)
	walk = func(m map[string]any) {
		for name, v := range m {
			switch v := v.(type) {
			case float64:
				flat[name] += int64(v)
			case map[string]any:
				walk(v)
			}
		}
	}
	walk(tree)
	return flat
}

// counted wants a counter of streams to have grown.
func counted(t *testing.T, before, after map[string]int64, name string, atLeast int64) {
	t.Helper()
	if n := after[name] - before[name]; n < atLeast && *against != "kamailio" {
		t.Errorf("%s grew by %d, want %d at least; counted is %v", name, n, atLeast, after)
	}
}

// descriptorLimit is the limit that leaves the program so many file descriptors: the lowest numbers
// that are free are the ones it gets.
func (p *process) descriptorLimit(t *testing.T, spare int) (limit uint64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	open := map[uint64]bool{}
	for _, e := range entries {
		n, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		open[n] = true
	}
	for ; spare > 0; limit++ {
		if !open[limit] {
			spare--
		}
	}
	return limit
}

// The process has no descriptor left (EMFILE): connections that want in wait or are refused, those
// that are there go on, and when descriptors are free again new ones are taken.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	loads(t)
	srv := startStreams(t, streamSetup{ws: true, setup: setup{shards: 2}})
	calls := startTraffic(t, srv, "UDP", overTCP, overTLS, overWS)
	before := srv.streamCounters(t)
	const spare = 10
	limit := srv.descriptorLimit(t, spare)
	if err := unix.Prlimit(srv.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit},
		nil); err != nil {
		t.Fatal(err)
	}
	var flood []net.Conn
	end := func() {
		for _, c := range flood {
			c.Close()
		}
		flood = nil
	}
	defer end()
	for i := range 10 * spare {
		to := srv.tcp
		if i%2 == 1 {
			to = srv.tls
		}
		conn, err := net.DialTimeout("tcp", to.String(), patience)
		if err != nil {
			break // the queue of the kernel is full too
		}
		flood = append(flood, conn)
	}
	calls.goOn(20)
	end()
	eventually(t, "a connection to be taken again", func() bool {
		p := newStreamPeer(t, "a caller who came late", overTCP)
		conn, from, err := p.connect(srv.tcp)
		if err != nil {
			return false
		}
		p.attach(conn, from)
		p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
		d := p.call(srv.tcp)
		d.uri = "sip:nobody@127.0.0.1:9"
		if p.connection() == nil ||
			p.connection().write([]byte(d.text("OPTIONS", d.branch, "-Max-Forwards", "Max-Forwards: 0"))) != nil {
			return false
		}
		m := p.next(time.Second)
		return m != nil && m.status() == 483
	})
	calls.allWell()
	counted(t, before, srv.streamCounters(t), "accept_failed", 1)
}

// A peer takes connections and reads nothing: what is meant for it fills its queue up to
// tcp_conn_wq_max and fails, and nobody else waits for it.
func TestPeerThatNeverReads(t *testing.T) {
	t.Parallel()
	loads(t)
	srv := startStreams(t, streamSetup{ws: true, setup: setup{shards: 2, arenaMB: 256},
		globals: []string{"tcp_conn_wq_max=65536"}})
	calls := startTraffic(t, srv, "UDP", overTCP, overTLS, overWS)
	before := srv.streamCounters(t)
	stuck := srv.callee(t, "a peer that never reads", overTCP)
	feeder := srv.caller(t, "who sends to it", overTCP)
	feeder.requests(srv.tcp, "MESSAGE", stuck.contact("stuck"))
	answered(feeder, stuck, "MESSAGE")
	line := stuck.expectConnection()
	line.stopReading()
	defer func() {
		line.goOn()
		for stuck.next(0) != nil {
		}
	}()
	// The buffers of two sockets hold some megabytes (net.ipv4.tcp_wmem, tcp_rmem) before the
	// proxy's own queue begins to grow.
	body := strings.Repeat("x", 16000)
	sent, refused := 0, false
	for ; sent < 2000 && !refused; sent++ {
		d := feeder.call(srv.tcp)
		d.uri = stuck.contact("stuck")
		feeder.connection().send(d.text("MESSAGE", d.branch, "-Content-Length",
			fmt.Sprintf("Content-Length: %d", len(body))) + body)
		if m := feeder.next(2 * time.Millisecond); m != nil {
			switch { // a busy machine takes so long that the 100 of RFC 4320 §4.1 comes first
			case m.status() >= 400:
				refused = true
			case m.status() != 100:
				t.Fatalf("who answers?\n%s", m.raw)
			}
		}
	}
	if !refused {
		t.Fatalf("%d messages of 16 KB were sent to a peer that reads nothing, and none was refused", sent)
	}
	calls.goOn(20)
	calls.allWell()
	after := srv.streamCounters(t)
	counted(t, before, after, "sendq_full", 1)
	t.Logf("refused after %d messages of 16 KB", sent)
	if queued := after["current_write_queue_size"]; queued > 65536 {
		t.Errorf("%d bytes are queued for peers, want no more than tcp_conn_wq_max", queued)
	}
}

// Two hundred want to shake hands at once, half of them begin and say no more: the others get their
// sessions, at once or when they try again, as phones do after a network was down; every one that
// was turned away is counted, and calls go on.
func TestHandshakeStorm(t *testing.T) {
	t.Parallel()
	loads(t)
	srv := startStreams(t, streamSetup{ws: true, setup: setup{shards: 2}})
	calls := startTraffic(t, srv, "UDP", overTCP, overTLS, overWSS)
	before := srv.streamCounters(t)
	const each = 100
	var all sync.WaitGroup
	var good, again atomic.Int64
	silent := make([]net.Conn, each)
	for i := range each {
		all.Go(func() {
			conn, err := net.DialTimeout("tcp", srv.tls.String(), patience)
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			// the head of a record, RFC 8446 §5.1; the rest does not come
			conn.Write([]byte{22, 3, 1, 2, 0})
			silent[i] = conn
		})
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), slowStart)
			defer cancel()
			for {
				conn, err := (&tls.Dialer{Config: srv.ca.client()}).DialContext(ctx, "tcp", srv.tls.String())
				if err == nil {
					conn.Close()
					good.Add(1)
					return
				}
				again.Add(1)
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
					t.Errorf("handshake %d: %v", i, err)
					return
				}
			}
		})
	}
	calls.goOn(5)
	all.Wait()
	calls.goOn(20)
	for _, conn := range silent {
		if conn != nil {
			conn.Close()
		}
	}
	calls.allWell()
	if good.Load() != each {
		t.Errorf("%d of %d handshakes came to their end", good.Load(), each)
	}
	after := srv.streamCounters(t)
	counted(t, before, after, "passive_open", 2*each)
	counted(t, before, after, "handshakes", each)
	turned := int64(0)
	for _, name := range []string{"handshakes_failed", "admits_refused", "admit_timeouts", "local_reject"} {
		turned += after[name] - before[name]
	}
	if n := again.Load(); n > turned && *against != "kamailio" {
		t.Errorf("%d handshakes failed, and only %d are counted: %v", n, turned, after)
	}
}
