package shard

import (
	"bytes"
	"math/bits"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// place is a shard's place on the machine: the CPU it is pinned to, for its
// caches, and a watch on whether that CPU is really its own.
//
// A pinned thread cannot get out of the way. Where something else keeps its CPU
// busy (another program, more shards than CPUs) it waits while other CPUs idle, and
// the calls it owns wait with it. So a shard that waited for its
// CPU more than starvedShare of a second, starvedSeconds in a row, gives up the pin
// and lets the kernel's scheduler choose, once and for good.
type place struct {
	cpus    []int    // the process may use
	stat    *os.File // the thread's schedstat; nil: not watched
	waited  int64    // ns it was runnable and did not run, when last looked at
	at      int64    // when that was
	starved int      // seconds in a row
}

// settle pins the calling thread to the CPU of shard number, one of shards, among
// cpus. What the kernel or a container forbids is left out: the shard runs all the
// same.
func (p *place) settle(cpus []int, number, shards int, now int64) {
	p.cpus, p.at = cpus, now
	_ = allow(cpus[number%len(cpus)])
	if shards > len(cpus) {
		// A shard that wakes up must not push aside the one that is at work: that would cut the batches of both to nothing. Kernel 6.6 and later
		// (EEVDF) and CFS before it: SCHED_BATCH does not preempt on wake-up.
		_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}, 0)
	}
	if len(cpus) == 1 {
		return // nowhere to go
	}
	p.stat, _ = os.Open("/proc/thread-self/schedstat") // needs CONFIG_SCHED_INFO
	p.waited, _ = p.wait()
}

func (p *place) leave() {
	if p.stat != nil {
		p.stat.Close()
	}
}

// watch looks at the waiting time, about once a second. It reports true when it
// gave up the pin, with the share of its time the shard had waited.
func (p *place) watch(now int64) (moved bool, share float64) {
	if p.stat == nil {
		return false, 0
	}
	waited, ok := p.wait()
	span := now - p.at
	if !ok || span <= 0 {
		return false, 0
	}
	share = float64(waited-p.waited) / float64(span)
	p.waited, p.at = waited, now
	if share < starvedShare {
		p.starved = 0
		return false, share
	}
	if p.starved++; p.starved < starvedSeconds {
		return false, share
	}
	p.leave()
	p.stat = nil
	return allow(p.cpus...) == nil, share
}

// wait is the time the thread was runnable without running, in ns: the second
// figure of schedstat (kernel Documentation/scheduler/sched-stats.rst).
func (p *place) wait() (ns int64, ok bool) {
	if p.stat == nil {
		return 0, false
	}
	var room [96]byte
	n, err := p.stat.ReadAt(room[:], 0)
	if n == 0 && err != nil {
		return 0, false
	}
	return secondNumber(room[:n])
}

func secondNumber(b []byte) (n int64, ok bool) {
	_, b, ok = bytes.Cut(b, []byte{' '})
	if !ok {
		return 0, false
	}
	b, _, _ = bytes.Cut(b, []byte{' '})
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// allow limits the calling thread to some CPUs.
func allow(cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(0, &set)
}

// allowedCPUs are those this process may use. To be asked before a thread is pinned.
func allowedCPUs() (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		for i := range len(set) * bits.UintSize {
			if set.IsSet(i) {
				cpus = append(cpus, i)
			}
		}
	}
	if len(cpus) == 0 {
		cpus = []int{0}
	}
	return cpus
}
