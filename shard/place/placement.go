package place

import (
	"cmp"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// Placement moves shards whose CPU is not their own.
//
// A pinned thread cannot get out of the way. Where something else keeps its CPU busy (another
// program, interrupts, more shards than CPUs) it waits while other CPUs idle, and the calls it owns
// wait with it. So once a second Placement looks how long each shard was ready to run without
// running. One that waited more than starvedShare, starvedSeconds in a row, goes to where it gets
// more.
//
// Calls are spread evenly by Call-ID, so what counts is the share of a CPU that the worst placed
// shard has. Two shards on one CPU go well together: each works off a batch and sleeps. Beside a
// foreign thread a shard waits for slices of milliseconds, and on its account the kernel pulls a
// woken shard to the CPU of whoever woke it. So of two places with much the same share the one
// without strangers is better; and pinning a shard elsewhere is better than unpinning it, which is
// left for when there is no such place for long, and is for good.
//
// Receipt: lb.cfg with 2, 4 and 8 shards on two CPUs, the generator on one of them, 128 calls under
// way: 37, 45 and 37 thousand calls/s where starved shards were unpinned, 34, 34 and 37 where they
// stayed, 51, 46 and 41 where they were moved like this, the seconds before the move included (2
// vCPU guest, Linux 6.18.44, 2026-11-26).
type Placement struct {
	cpus   []int
	seats  []seat
	logger *slog.Logger
	last   map[int]cpuTime // /proc/stat, when last looked at
	at     time.Time

	// The kernel; tests have their own.
	times func(thread int) (ran, waited int64, ok bool)
	stat  func() ([]byte, error)
	allow func(thread int, cpus ...int) error
}

// seat is where a shard runs.
type seat struct {
	thread      *atomic.Int32 // its id; 0 means not running yet
	cpu         int
	roams       bool // not pinned any more, or not to be moved
	known       bool // ran and waited are of the last look
	ran, waited int64
	used, wait  float64 // shares of the last second that it ran, and that it waited
	starved     int     // seconds in a row
	rest        int     // seconds until it may be moved again
	moves       int     // so far
}

// load is what one CPU does.
type load struct {
	shards  int     // pinned here
	foreign float64 // share of the last second that went to others
}

// room is the share of a CPU that one of n shards there would have.
func (l load) room(n int) float64 { return max(1-l.foreign, 0.01) / float64(n) }

// move says where a shard is to go; cpu -1: anywhere.
type move struct{ shard, cpu int }

// NewPlacement is that of the shards which began on cpus in turn, as Settle has it. threads are
// their ids, 0 while a shard does not run yet.
func NewPlacement(cpus []int, threads []*atomic.Int32, logger *slog.Logger) *Placement {
	p := &Placement{cpus: cpus, logger: logger, at: time.Now(), times: threadTimes, allow: allow}
	p.stat = func() ([]byte, error) { return os.ReadFile("/proc/stat") }
	for number, thread := range threads {
		p.seats = append(p.seats, seat{thread: thread, cpu: firstCPU(cpus, number)})
	}
	return p
}

// Run looks once a second while shards have something to do, until stopped is closed. They say so
// on activity: one that sleeps waits for nothing.
func (p *Placement) Run(stopped, activity <-chan struct{}) {
	defer func() { // a panic ends the moving, not the calls
		if v := recover(); v != nil {
			p.logger.Error("contained a panic in the placement of shards, please report", "panic",
				v, "stack", string(debug.Stack()))
		}
	}()
	tick := time.NewTimer(Every)
	defer tick.Stop()
	for {
		select {
		case <-stopped:
			return
		case <-activity:
		}
		if now := time.Now(); now.Sub(p.at) >= 2*Every {
			p.second(now) // what the next look is compared with: the rest before it says nothing
		}
		tick.Reset(Every)
		select {
		case <-stopped:
			return
		case <-tick.C:
			p.second(time.Now()) // not the tick's time, which a late goroutine is long past
		}
	}
}

// second looks, and moves who has to be moved.
func (p *Placement) second(now time.Time) {
	if loads, starving := p.look(now); starving {
		for _, m := range decide(p.seats, loads) {
			p.carryOut(m, loads)
		}
	}
}

// look measures the second that is over. What the kernel does not say of a CPU is missing in loads.
func (p *Placement) look(now time.Time) (loads map[int]load, starving bool) {
	span := now.Sub(p.at).Seconds()
	p.at = now
	for i := range p.seats {
		p.seats[i].look(span, p.times)
		starving = starving || p.seats[i].starved > 0
	}
	before := p.last
	p.last = nil
	if !starving { // /proc/stat of a large machine is not free
		return nil, false
	}
	b, err := p.stat()
	if err != nil {
		return nil, true
	}
	p.last = parseStat(b)
	if before == nil {
		return nil, false // the first of two
	}
	return loadsOf(p.cpus, p.seats, before, p.last), true
}

func (s *seat) look(span float64, times func(int) (int64, int64, bool)) {
	thread := int(s.thread.Load())
	if thread == 0 || s.roams || span <= 0 {
		return
	}
	ran, waited, ok := times(thread)
	if ok && s.known {
		s.used, s.wait = float64(ran-s.ran)/1e9/span, float64(waited-s.waited)/1e9/span
	}
	s.ran, s.waited = ran, waited
	s.rest = max(s.rest-max(int(span+0.5), 1), 0)
	if s.starved++; !ok || !s.known || s.wait < starvedShare {
		s.starved = 0
	}
	s.known = ok
}

// loadsOf tells what is on each CPU. One that /proc/stat does not show, as in some containers, is
// left out: nobody goes there.
func loadsOf(cpus []int, seats []seat, before, after map[int]cpuTime) map[int]load {
	loads := map[int]load{}
	for _, cpu := range cpus {
		t, ok1 := before[cpu]
		u, ok2 := after[cpu]
		if all := u.busy - t.busy + u.idle - t.idle; ok1 && ok2 && all > 0 {
			loads[cpu] = load{foreign: float64(u.busy-t.busy) / float64(all)}
		}
	}
	for i := range seats {
		if s := &seats[i]; !s.roams {
			if l, ok := loads[s.cpu]; ok {
				l.shards++
				l.foreign = max(l.foreign-s.used, 0)
				loads[s.cpu] = l
			}
		}
	}
	return loads
}

// decide says who goes where, the one that waits longest first. In one second only one CPU is left
// by some: what that changes for the others is measured first.
func decide(seats []seat, loads map[int]load) (moves []move) {
	order := make([]int, len(seats))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(seats[b].wait, seats[a].wait)
	})
	from := -1
	for _, i := range order {
		s := &seats[i]
		if s.roams || s.starved < starvedSeconds || s.rest > 0 || from >= 0 && s.cpu != from {
			continue
		}
		here, known := loads[s.cpu]
		cpu := -1
		if known {
			cpu = bestPlace(s.cpu, loads)
		}
		switch {
		case cpu >= 0:
			from = s.cpu
			there := loads[cpu]
			here.shards--
			there.shards++
			loads[s.cpu], loads[cpu] = here, there
			moves = append(moves, move{i, cpu})
		case s.starved >= roamSeconds && (!known || here.foreign >= starvedShare):
			// One that waits for other shards would wait anywhere.
			return append(moves, move{i, -1})
		}
	}
	return moves
}

// hurdle is how many times its share here a shard must have there.
func hurdle(here, there load) float64 {
	switch strangers := there.foreign - here.foreign; {
	case strangers <= -starvedShare:
		return fewerStrangers
	case strangers >= starvedShare:
		return moreStrangers
	}
	return moreRoom
}

// bestPlace is where a shard of the CPU from gains most by going. It returns -1 if nowhere enough.
// What it gains is its share there against the hurdle.
func bestPlace(from int, loads map[int]load) int {
	here := loads[from]
	best, most := -1, 1.0
	for cpu, there := range loads {
		if cpu == from {
			continue
		}
		gain := there.room(there.shards+1) / (here.room(here.shards) * hurdle(here, there))
		if gain > most || gain == most && (best < 0 || cpu < best) {
			best, most = cpu, gain
		}
	}
	return best
}

func (p *Placement) carryOut(m move, loads map[int]load) {
	s := &p.seats[m.shard]
	to := []int{m.cpu}
	if m.cpu < 0 {
		to = p.cpus
	}
	attrs := []any{"shard", m.shard, "from_cpu", s.cpu, "waiting_percent", int(100 * s.wait),
		"others_percent", int(100 * loads[s.cpu].foreign)}
	if err := p.allow(int(s.thread.Load()), to...); err != nil {
		s.roams = true // it would fail again
		p.logger.Warn("this shard has to wait for its CPU, and cannot be moved",
			append(attrs, "error", err)...)
		return
	}
	if m.cpu < 0 {
		s.roams = true
		p.logger.Warn("this shard had to wait for its CPU: it may use the others from now on",
			attrs...)
		return
	}
	p.logger.Warn("this shard had to wait for its CPU: it has moved",
		append(attrs, "to_cpu", m.cpu)...)
	s.cpu = m.cpu
	s.starved, s.rest = 0, restSeconds<<min(s.moves, restDoublings)
	s.moves++
	for i := range p.seats {
		if n := &p.seats[i]; n.cpu == m.cpu {
			// who has just been joined is not to run away from it
			n.starved, n.rest = 0, max(n.rest, restSeconds)
		}
	}
}
