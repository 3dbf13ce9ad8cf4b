package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"viaduct/bench/procfs"
	"viaduct/bench/traffic"
)

// Of the scenario wait.
const (
	waitingFull  = 100_000
	waitingQuick = 2_000
	besideRate   = 1000 // calls per second beside those that wait, and beside reloads
	// waitingLong is how long calls wait while others are looked at, waitingShort while CPU is.
	waitingLong  = 60 * time.Second
	waitingShort = 10 * time.Second
)

// waiting has many calls wait in the script at once. One server tells their memory, and what calls
// beside them notice; two more what it costs to wait: one refuses the same calls after a wait, and
// one at once.
func waiting(ctx context.Context, b *bench, r *Results) error {
	field := b.field("viaduct-wait")
	if len(field) == 0 {
		return errAbsent
	}
	w := &Waiting{Calls: waitingFull}
	if b.cfg.Quick {
		w.Calls = waitingQuick
	}
	for round := range b.cfg.Rounds {
		if err := b.waitBeside(ctx, field[0], w); err != nil {
			return err
		}
		cpu := [2]time.Duration{}
		for i, wait := range []time.Duration{0, waitingShort} {
			var err error
			if cpu[i], err = b.waitCPU(ctx, field[0], w.Calls, wait); err != nil {
				return err
			}
		}
		w.AtOnceUs = append(w.AtOnceUs, cpu[0].Seconds()*1e6/float64(w.Calls))
		w.WaitUs = append(w.WaitUs, (cpu[1]-cpu[0]).Seconds()*1e6/float64(w.Calls))
		b.say("wait round %d: %d calls, %.0f bytes for each, of which %d are its request; p99 beside "+
			"%.0f µs, without %.0f µs; to wait costs %.2f µs", round+1, w.Calls, w.Bytes,
			w.With[round].InviteBytes, w.With[round].Ringing.P99Us, w.Alone[round].Ringing.P99Us,
			w.WaitUs[round])
	}
	r.Waiting = w
	return nil
}

// waitOptions starts a server whose calls wait so long.
func waitOptions(wait time.Duration) serverOptions {
	if wait == 0 {
		return serverOptions{}
	}
	seconds := strconv.Itoa(int(wait.Seconds()))
	return serverOptions{defines: []string{fmt.Sprintf("WAIT=%q", seconds)}}
}

// waiters opens the calls that wait, and returns when all of them have had 100.
func (b *bench) waiters(ctx context.Context, s *server, calls int) (*loader, error) {
	longest := time.Duration(calls)*time.Millisecond + waitingLong
	l, err := b.startLoad(ctx, longest, b.loadArgs(s, "-mode", "hold", "-release", "final",
		"-held-by-trying", "-sleep", "-callers", "6000-6003", "-answerers", "7000-7003",
		"-calls", strconv.Itoa(calls), "-concurrent", strconv.Itoa(openTogether), "-give-up", "30s",
		"-drain", "2s"))
	if err != nil {
		return nil, err
	}
	if err := l.phase("held"); err != nil {
		l.cancel()
		return nil, err
	}
	return l, nil
}

// beside runs calls at a fixed rate beside something else, with a generator that shares its
// processor and does not poll.
func (b *bench) beside(ctx context.Context, s *server, measure time.Duration) (*loader, error) {
	warmup := streamWarmup
	if b.cfg.Quick {
		warmup = time.Second
	}
	return b.startLoad(ctx, warmup+measure, b.loadArgs(s, "-sleep", "-callers", "6004-6007",
		"-answerers", "7004-7007", "-rate", strconv.Itoa(besideRate), "-warmup", warmup.String(),
		"-duration", measure.String(), "-drain", "4s"))
}

func (b *bench) waitBeside(ctx context.Context, c contender, w *Waiting) error {
	s, err := b.start(ctx, c, waitOptions(waitingLong))
	if err != nil {
		return err
	}
	defer s.stop()
	measure := window
	if b.cfg.Quick {
		measure = 2 * time.Second
	}
	var arena [2]uint64
	look := func(i int) error {
		stats, err := s.stats(1)
		arena[i] = arenaUsed(stats)
		return err
	}
	if err := look(0); err != nil {
		return err
	}
	began := time.Now()
	held, err := b.waiters(ctx, s, w.Calls)
	if err != nil {
		return err
	}
	defer held.cancel()
	opened := time.Since(began)
	if err := look(1); err != nil {
		return err
	}
	w.Bytes = float64(arena[1]-arena[0]) / float64(w.Calls)
	calls := func() (traffic.Outcome, error) {
		l, err := b.beside(ctx, s, measure)
		if err != nil {
			return traffic.Outcome{}, err
		}
		defer l.cancel()
		return l.wait()
	}
	with, err := calls()
	if err != nil {
		return err
	}
	if took := time.Since(began); took > waitingLong {
		return fmt.Errorf("to open %d calls and look at others took %v: the first had waited to "+
			"their end by then", w.Calls, took.Round(time.Second))
	}
	all := began.Add(opened + waitingLong + 2*time.Second) // by then the last has been answered
	if err := pause(ctx, time.Until(all)); err != nil {
		return err
	}
	held.goOn()
	waited, err := held.wait()
	if err != nil {
		return err
	}
	alone, err := calls()
	if err != nil {
		return err
	}
	with.InviteBytes = waited.InviteBytes
	w.With, w.Alone = append(w.With, with), append(w.Alone, alone)
	w.Answered += waited.Completed
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// waitCPU is the CPU that a server takes for calls which wait so long and are refused.
func (b *bench) waitCPU(ctx context.Context, c contender, calls int,
	wait time.Duration) (time.Duration, error) {
	s, err := b.start(ctx, c, waitOptions(wait))
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before := procfs.Threads(s.pids()).Ran
	l, err := b.waiters(ctx, s, calls)
	if err != nil {
		return 0, err
	}
	defer l.cancel()
	if err := pause(ctx, waitingShort+2*time.Second); err != nil { // at rest as long with both
		return 0, err
	}
	cpu := procfs.Threads(s.pids()).Ran - before
	l.goOn()
	out, err := l.wait()
	if err == nil && out.Completed != uint64(calls) {
		err = fmt.Errorf("%d of %d calls were answered 486: %v", out.Completed, calls, out.Finals)
	}
	return cpu, err
}

// Waiting is what the scenario wait found, by round.
type Waiting struct {
	Calls            int
	Bytes            float64 // of the arena, for each call
	With, Alone      []traffic.Outcome
	Answered         uint64    // of those that waited, in all rounds
	AtOnceUs, WaitUs []float64 // CPU of a call refused at once, and what a wait adds
}

func (r *Results) printWaiting(p *printer) {
	w := r.Waiting
	if w == nil {
		return
	}
	with, alone := Row{Runs: w.With}, Row{Runs: w.Alone}
	invite := 0
	if len(w.With) > 0 {
		invite = w.With[0].InviteBytes
	}
	p.f("\n## Calls that wait\n\n%s INVITEs wait in the script of Viaduct's `wait.cfg` at once "+
		"(`async_sleep`), on one shard;\n%s calls/s go by beside them, and again when all have "+
		"been answered.\n", thousands(float64(w.Calls), 0), thousands(besideRate, 0))
	p.table("| | |", "|---|---|")
	p.f("| p99 INVITE→180 µs of the others, with those that wait | %s |\n",
		triple(with.values(ringP99), 0))
	p.f("| without | %s |\n", triple(alone.values(ringP99), 0))
	p.f("| failed, with / without | %d / %d |\n", with.sum(notCompleted), alone.sum(notCompleted))
	p.f("| waited, and were answered in their time | %s of %s |\n",
		thousands(float64(w.Answered), 0), thousands(float64(w.Calls*len(w.With)), 0))
	p.f("| bytes of the arena for each, besides its request of %d | %s |\n", invite,
		thousands(w.Bytes-float64(invite), 0))
	p.f("| CPU µs of a call that is refused at once | %s |\n", triple(w.AtOnceUs, 2))
	p.f("| CPU µs that it adds to hold one and go on | %s |\n", triple(w.WaitUs, 2))
}
