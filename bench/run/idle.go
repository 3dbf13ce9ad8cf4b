package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"viaduct/bench/procfs"
	"viaduct/bench/traffic"
	"viaduct/bench/trouble"
)

// Defaults of the scenario idle.
const (
	idleFull  = 100_000
	idleQuick = 2_000
	// filesSpared is left of the limit of open files to the server's own needs and the calls.
	filesSpared = 500
	// idleBytes is what one connection is reckoned to take of the machine: two sockets in the
	// kernel, the server's buffers; idleSpared is what must remain.
	idleBytes  = 32 << 10
	idleSpared = 4 << 30
	// idleRate is the calls per second on the active connections.
	idleRate = 500
	// idlePerSecond is the slowest opening worth waiting for.
	idlePerSecond = 500
)

var maxConnections = regexp.MustCompile(`tcp_max_connections=\d+`)

// idle opens connections that stay silent, looks at the memory, and compares the calls on a few
// others before and with them.
func idle(ctx context.Context, b *bench, r *Results) error {
	keys := []string{"viaduct-tcp"}
	if b.cfg.Peer {
		keys = append(keys, "kamailio-tcp")
	}
	field := b.field(keys...)
	if len(field) == 0 {
		return errAbsent
	}
	asked := b.cfg.IdleConnections
	if asked == 0 {
		asked = idleFull
		if b.cfg.Quick {
			asked = idleQuick
		}
	}
	count, why := idleRoom(asked)
	if count < 1 {
		return errors.New("no room for a single idle connection: " + why)
	}
	if count < asked {
		b.say("idle: %d connections instead of %d: %s", count, asked, why)
	}
	dir, err := b.idleFolder(count)
	if err != nil {
		return err
	}
	for _, c := range field {
		row := Idle{Name: c.name, Asked: asked, Tried: count, Why: why}
		if err := b.idleWith(ctx, c, dir, &row); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Idle = append(r.Idle, row)
		b.say("idle %s: %d open, resident %.0f → %.0f MB, kernel +%.0f MB, p99 of 180 %.0f → "+
			"%.0f µs", c.name, row.Counts.Open, mb(row.ResidentBefore), mb(row.ResidentWith),
			mb(row.KernelWith-row.KernelBefore), row.Before.Ringing.P99Us, row.With.Ringing.P99Us)
	}
	return nil
}

// idleRoom is how many of asked connections open files and memory allow, and what the limit is. The
// files' limit is raised as far as may be, for the server and the generator, which inherit it.
func idleRoom(asked int) (count int, why string) {
	count = asked
	if limit := raiseFiles(asked + filesSpared); limit-filesSpared < count {
		count, why = max(limit-filesSpared, 0),
			fmt.Sprintf("a process may open %d files (RLIMIT_NOFILE, ulimit -n)", limit)
	}
	if room := int(max(procfs.AvailableMemory()-idleSpared, 0) / idleBytes); room < count {
		count, why = room, fmt.Sprintf("memory for %d (%d KiB each, %d GiB spared)", room,
			idleBytes>>10, idleSpared>>30)
	}
	return count, why
}

// raiseFiles raises the limit of open files to want, or as near as this user may, and returns it.
func raiseFiles(want int) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	// Set even if high enough: only then do children inherit it, and not what it was before Go
	// raised it for itself.
	more := syscall.Rlimit{Cur: max(l.Max, uint64(want)), Max: max(l.Max, uint64(want))}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
		return int(min(more.Cur, 1<<30))
	}
	l.Cur = l.Max
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(l.Cur, 1<<30))
}

// idleFolder holds stateful-tcp.cfg with room for count connections.
func (b *bench) idleFolder(count int) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.peers, "stateful-tcp.cfg"))
	if err != nil {
		return "", err
	}
	if !maxConnections.Match(text) {
		return "", errors.New("stateful-tcp.cfg sets no tcp_max_connections")
	}
	text = maxConnections.ReplaceAll(text,
		fmt.Appendf(nil, "tcp_max_connections=%d", count+filesSpared))
	dir := filepath.Join(b.dir, "idle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "stateful-tcp.cfg"), text, 0o644)
}

func (b *bench) idleWith(ctx context.Context, c contender, dir string, row *Idle) error {
	s, err := b.start(ctx, c, serverOptions{dir: dir})
	if err != nil {
		return err
	}
	defer s.stop()
	warmup, measure := streamWarmup, window
	if b.cfg.Quick {
		warmup, measure = b.times(c, false)
	}
	calls := func() (traffic.Outcome, error) {
		return b.runLoad(ctx, warmup+measure,
			b.loadArgs(s, "-callers", "6000-6001", "-answerers", "7000-7001", "-rate",
				strconv.Itoa(idleRate),
				"-warmup", warmup.String(), "-duration", measure.String()))
	}
	if row.Before, err = calls(); err != nil {
		return err
	}
	row.ResidentBefore, row.KernelBefore = s.resident(), procfs.KernelMemory()
	l, err := b.startLoad(ctx,
		time.Duration(row.Tried/idlePerSecond)*time.Second+2*(warmup+measure),
		[]string{"idle", "-server", serverAddress, "-connections", strconv.Itoa(row.Tried),
			"-longest", "30m"})
	if err != nil {
		return err
	}
	defer l.cancel()
	if err := l.phase("held"); err != nil {
		return err
	}
	row.ResidentWith, row.KernelWith = s.resident(), procfs.KernelMemory()
	if row.With, err = calls(); err != nil {
		return err
	}
	l.goOn()
	return l.counts(&row.Counts)
}

// resident is VmRSS or, for Kamailio, which is several processes sharing one memory, the sum of
// their shares.
func (s *server) resident() int64 {
	if s.contender.kind == kindKamailio {
		return procfs.PSS(s.pids())
	}
	return procfs.RSS(s.pids())
}

// counts waits for the end of a neighbour (load idle, deaf, storm) and reads what it counted.
func (l *loader) counts(into any) error {
	if _, err := l.wait(); err != nil {
		return err
	}
	return json.Unmarshal(l.last, into)
}

// Idle is the scenario idle of one server.
type Idle struct {
	Name string
	// Asked is how many connections were wanted, Tried how many there was room for; Why says what
	// limited them.
	Asked, Tried                 int
	Why                          string
	Counts                       trouble.IdleCounts
	ResidentBefore, ResidentWith int64
	KernelBefore, KernelWith     int64 // of the whole machine
	Before, With                 traffic.Outcome
}

func (r *Results) printIdle(p *printer) {
	if len(r.Idle) == 0 {
		return
	}
	p.f("\n## Idle connections\n\n`stateful-tcp.cfg` with `tcp_max_connections` raised; %d "+
		"calls/s on two other connections, before the idle ones were opened and with them open.\n",
		idleRate)
	p.f("Each idle connection was answered one OPTIONS, so that what the server keeps for it has " +
		"been used once.\n")
	p.f("\n    load idle -connections %d\n", r.Idle[0].Tried)
	p.table("| | open | resident MiB before / with | server bytes per connection | kernel MiB "+
		"added | p99 INVITE→180 µs before | with | failed before / with |",
		"|---|---|---|---|---|---|---|---|")
	for i := range r.Idle {
		d := &r.Idle[i]
		open := thousands(float64(d.Counts.Open), 0)
		if d.Counts.Open < d.Tried {
			open += fmt.Sprintf(" (refused %d, unanswered %d, closed %d)", d.Counts.Refused,
				d.Counts.Unanswered, d.Counts.Closed)
		}
		p.f("| %s | %s | %s / %s | %s | %s | %s | %s | %d / %d |\n", d.Name, open,
			thousands(mb(d.ResidentBefore), 0), thousands(mb(d.ResidentWith), 0),
			thousands(float64(d.ResidentWith-d.ResidentBefore)/float64(max(d.Counts.Open, 1)), 0),
			thousands(mb(d.KernelWith-d.KernelBefore), 0),
			thousands(d.Before.Ringing.P99Us, 0), thousands(d.With.Ringing.P99Us, 0),
			notCompleted(&d.Before), notCompleted(&d.With))
	}
	p.f("\nResident is VmRSS; for several processes the sum of their shares. The kernel's part " +
		"is the growth of slab and TCP buffers of the whole machine:\n" +
		"both ends of every connection, and whatever else happened meanwhile.\n")
	if d := &r.Idle[0]; d.Tried < d.Asked {
		p.f("\n**%s connections were tried instead of %s: %s.**\n", thousands(float64(d.Tried), 0),
			thousands(float64(d.Asked), 0), d.Why)
	}
}
