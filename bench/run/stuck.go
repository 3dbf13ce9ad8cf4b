package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/bench/traffic"
	"viaduct/bench/trouble"
)

// What the scenario stuck does to a server.
const (
	stuckRate = 500  // calls per second over TCP, and as many over UDP
	deafRate  = 2000 // messages per second towards peers that never read
	stormRate = 200  // TLS handshakes per second
	// descriptors left to the server: 16 for the calls' connections, the others for those who take
	// them away
	filesLeft      = 48
	hogConnections = 256 // connections that want to be served then
	deafAddress    = "127.0.0.1:7100"
)

// stuckCase is one kind of trouble: the arguments of the neighbour that makes it, and how its
// counts read.
type stuckCase struct {
	name   string
	args   []string
	files  bool // the server has few descriptors left
	detail func(counts []byte) (string, error)
}

var stuckCases = []stuckCase{
	{name: "none"},
	{name: "peers that never read",
		args: []string{"deaf", "-server", serverAddress, "-at", deafAddress, "-rate",
			strconv.Itoa(deafRate)}, detail: func(b []byte) (string, error) {
			var n trouble.DeafCounts
			err := json.Unmarshal(b, &n)
			return fmt.Sprintf("%d requests for one, %d from the other; hung up on it %d "+
				"times, did not take %d", n.ToForward, n.ToAnswer, n.Closed, n.Blocked), err
		}},
	{name: "TLS handshakes",
		args: []string{"storm", "-server", secureAddress, "-rate", strconv.Itoa(stormRate)},
		detail: func(b []byte) (string, error) {
			var n trouble.StormCounts
			err := json.Unmarshal(b, &n)
			return fmt.Sprintf("%d made, %d failed, %d skipped", n.Done, n.Failed, n.Skipped), err
		}},
	{name: "no descriptor left",
		args: []string{"idle", "-server", serverAddress, "-connections",
			strconv.Itoa(hogConnections)}, files: true, detail: func(b []byte) (string, error) {
			var n trouble.IdleCounts
			err := json.Unmarshal(b, &n)
			text := fmt.Sprintf("of %d connections %d served, %d closed, %d left waiting", n.Asked,
				n.Open, n.Closed, n.Unanswered)
			if n.Open == n.Asked {
				text += ": **the limit was not met**"
			}
			return text, err
		}},
}

// stuck runs calls over TCP and over UDP together, alone and with each kind of trouble, and asks
// what the calls notice.
func stuck(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-all", "viaduct-all")
	if len(field) == 0 {
		return errAbsent
	}
	for _, c := range field {
		for i := range stuckCases {
			row, err := b.stuckWith(ctx, c, &stuckCases[i])
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, stuckCases[i].name, err)
			}
			r.Stuck = append(r.Stuck, *row)
			b.say("stuck %-26s %-22s p99 of 180 over TCP %6.0f µs, over UDP %6.0f µs; failed %d, "+
				"%d  %s", c.name, row.Trouble, row.TCP.Ringing.P99Us, row.UDP.Ringing.P99Us,
				notCompleted(&row.TCP), notCompleted(&row.UDP), row.Detail)
		}
	}
	return nil
}

func (b *bench) stuckWith(ctx context.Context, c contender, k *stuckCase) (*Stuck, error) {
	s, err := b.start(ctx, c, serverOptions{})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	row := &Stuck{Name: c.name, Trouble: k.name}
	if k.files {
		if err := s.limitFiles(filesLeft); err != nil {
			return nil, err
		}
	}
	warmup, measure := streamWarmup, window
	if b.cfg.Quick {
		warmup, measure = 1500*time.Millisecond, 2*time.Second
	}
	// The two generators and the neighbour share a processor, so none polls.
	calls := func(t traffic.Transport, callers, answerers string) (*loader, error) {
		return b.startLoad(ctx, warmup+measure,
			b.loadArgs(s, "-transport", strings.ToLower(t.String()), "-callers", callers,
				"-answerers", answerers, "-sleep",
				"-rate", strconv.Itoa(stuckRate), "-warmup", warmup.String(), "-duration",
				measure.String(), "-give-up", "4s", "-drain", "6s"))
	}
	tcp, err := calls(traffic.TCP, "6000-6003", "7000-7003")
	if err != nil {
		return nil, err
	}
	defer tcp.cancel()
	udp, err := calls(traffic.UDP, "6004-6007", "7004-7007")
	if err != nil {
		return nil, err
	}
	defer udp.cancel()
	if k.args != nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(warmup / 2):
			// The calls have their connections, and the window has not opened.
		}
		neighbour, err := b.startLoad(ctx, warmup+measure, k.args)
		if err != nil {
			return nil, err
		}
		defer neighbour.cancel()
		defer neighbour.goOn()
		if row.TCP, err = tcp.wait(); err != nil {
			return nil, err
		}
		if row.UDP, err = udp.wait(); err != nil {
			return nil, err
		}
		neighbour.goOn()
		if _, err = neighbour.wait(); err != nil {
			return nil, err
		}
		row.Detail, err = k.detail(neighbour.last)
		return row, err
	}
	if row.TCP, err = tcp.wait(); err != nil {
		return nil, err
	}
	row.UDP, err = udp.wait()
	return row, err
}

// limitFiles leaves every process of the server so many descriptors. New ones take the lowest
// numbers, and there may be gaps.
func (s *server) limitFiles(left int) error {
	for _, pid := range s.pids() {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return fmt.Errorf("cannot see the server's files: %w", err)
		}
		var open []int
		for _, f := range list {
			if n, err := strconv.Atoi(f.Name()); err == nil {
				open = append(open, n)
			}
		}
		n := uint64(limitLeaving(open, left))
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n},
			nil); err != nil {
			return fmt.Errorf("cannot limit the server's files: %w", err)
		}
	}
	return nil
}

// limitLeaving is the RLIMIT_NOFILE below which left numbers are free beside those open.
func limitLeaving(open []int, left int) int {
	limit := left
	for _, n := range sortedInts(open) {
		if n < limit {
			limit++
		}
	}
	return limit
}

func sortedInts(v []int) []int {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}

// Stuck is one server with one kind of trouble.
type Stuck struct {
	Name, Trouble, Detail string
	TCP, UDP              traffic.Outcome
}

func (r *Results) printStuck(p *printer) {
	if len(r.Stuck) == 0 {
		return
	}
	p.f("\n## Trouble beside the calls\n\n`stateful-all.cfg`; %d calls/s over TCP and as many "+
		"over UDP, alone and with trouble that began before the window: peers that never read "+
		"their\n", stuckRate)
	p.f("socket (%d messages/s), full TLS handshakes (%d/s), a server with no descriptor left. "+
		"The generators share one processor and sleep between\n", deafRate, stormRate)
	p.f("messages, so compare rows, not with other tables.\n")
	p.table("| | trouble | TCP p99 INVITE→180 µs | UDP p99 | failed TCP / UDP | lost TCP / UDP | "+
		"connections lost | what happened |", "|---|---|---|---|---|---|---|---|")
	for i := range r.Stuck {
		s := &r.Stuck[i]
		p.f("| %s | %s | %s | %s | %d / %d | %d / %d | %d | %s |\n", s.Name, s.Trouble,
			thousands(s.TCP.Ringing.P99Us, 0), thousands(s.UDP.Ringing.P99Us, 0),
			notCompleted(&s.TCP), notCompleted(&s.UDP), s.TCP.Lost, s.UDP.Lost,
			s.TCP.Sockets.Closed, s.Detail)
	}
}
