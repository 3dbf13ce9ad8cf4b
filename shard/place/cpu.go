package place

import (
	"bytes"
	"math/bits"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Settle pins the calling thread to the CPU of shard number, one of shards, among cpus. What the
// kernel or a container forbids is left out: the shard runs all the same. Whether that CPU is
// really its own is for Placement to see.
func Settle(cpus []int, number, shards int) {
	_ = allow(0, firstCPU(cpus, number))
	if shards > len(cpus) {
		// A shard that wakes up must not push aside the one that is at work: that would cut the
		// batches of both to nothing. Kernel 6.6 and later (EEVDF) and CFS before it: SCHED_BATCH
		// does not preempt on wake-up.
		_ = unix.SchedSetAttr(0,
			&unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}, 0)
	}
}

// firstCPU is where shard number begins.
func firstCPU(cpus []int, number int) int { return cpus[number%len(cpus)] }

// allow limits a thread to some CPUs; 0 is the calling one.
func allow(thread int, cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(thread, &set)
}

// Allowed are the CPUs that this process may use. To be asked before a thread is pinned.
func Allowed() []int {
	if cpus := cpusOf(0); len(cpus) > 0 {
		return cpus
	}
	return []int{0}
}

// cpusOf are those that a thread may use; 0 is the calling one. Empty: nobody knows.
func cpusOf(thread int) (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(thread, &set) == nil {
		for i := range len(set) * bits.UintSize {
			if set.IsSet(i) {
				cpus = append(cpus, i)
			}
		}
	}
	return cpus
}

// threadTimes is how long a thread of this process has run, and how long it was runnable without
// running, in ns: the first two figures of schedstat (kernel
// Documentation/scheduler/sched-stats.rst; needs CONFIG_SCHED_INFO).
func threadTimes(thread int) (ran, waited int64, ok bool) {
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(thread) + "/schedstat")
	if err != nil {
		return 0, 0, false
	}
	return parseSchedstat(b)
}

func parseSchedstat(b []byte) (ran, waited int64, ok bool) {
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0, 0, false
	}
	ran, err1 := strconv.ParseInt(string(f[0]), 10, 64)
	waited, err2 := strconv.ParseInt(string(f[1]), 10, 64)
	return ran, waited, err1 == nil && err2 == nil
}

// cpuTime is what /proc/stat says of one CPU, in ticks since boot.
type cpuTime struct{ busy, idle int64 }

// parseStat reads the lines "cpuN user nice system idle iowait irq softirq steal ..."
// (proc_stat(5)). Time that a hypervisor stole is busy: nobody here can use it. The last two
// figures of a line are contained in the first two.
func parseStat(b []byte) map[int]cpuTime {
	cpus := map[int]cpuTime{}
	for line := range bytes.Lines(b) {
		name, rest, _ := bytes.Cut(line, []byte{' '})
		number, isCPU := bytes.CutPrefix(name, []byte("cpu"))
		cpu, err := strconv.Atoi(string(number))
		if !isCPU || err != nil {
			continue
		}
		var t cpuTime
		f := bytes.Fields(rest)
		if len(f) < 4 {
			continue
		}
		for i, s := range f[:min(len(f), 8)] {
			n, err := strconv.ParseInt(string(s), 10, 64)
			switch {
			case err != nil:
				return nil
			case i == 3 || i == 4:
				t.idle += n
			default:
				t.busy += n
			}
		}
		cpus[cpu] = t
	}
	return cpus
}
