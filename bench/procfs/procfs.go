// Package procfs stands beside the packet's path, on the bench: it reads from /proc what a server
// and its children cost.
//
// Figures are sums over a process and all its descendants, since Kamailio is many processes and
// Viaduct one. On a kernel built without CONFIG_IRQ_TIME_ACCOUNTING the processor time of a process
// includes the softirq work done in its system calls, which on loopback is the receiver's half of
// every datagram; with it, that work is charged to nobody and Core.SoftIRQ of the server's
// processor has to be added.
package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/<pid>/stat: USER_HZ is 100 on every Linux architecture Go runs
// on.
const tick = 10 * time.Millisecond

// Tree gives root and its descendants that are alive now. A process that ends meanwhile is left
// out.
func Tree(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid, so this cannot fail
	for _, path := range stats {
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil {
			continue
		}
		if f, err := fields(pid); err == nil {
			parent, _ := strconv.Atoi(f[ppid])
			children[parent] = append(children[parent], pid)
		}
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// Places in /proc/<pid>/stat after the command, which is in parentheses and may hold anything
// (proc_pid_stat(5), fields 3 and on).
const (
	ppid  = 1
	utime = 11
	stime = 12
)

func fields(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return parseStat(b)
}

func parseStat(b []byte) ([]string, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return nil, fmt.Errorf("no command in %q", b)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) <= stime {
		return nil, fmt.Errorf("only %d fields in %q", len(f), b)
	}
	return f, nil
}

// CPU is the processor time, user and system, that the processes have used since they started.
// Resolution: 10 ms per process.
func CPU(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		f, err := fields(pid)
		if err != nil {
			continue
		}
		u, _ := strconv.ParseInt(f[utime], 10, 64)
		s, _ := strconv.ParseInt(f[stime], 10, 64)
		sum += time.Duration(u+s) * tick
	}
	return sum
}

// ThreadTimes is what the threads of some processes have done.
type ThreadTimes struct {
	Ran    time.Duration // as the scheduler counts it, to the nanosecond
	Sleeps int           // voluntary context switches
}

// Threads adds up the threads of the processes that are alive now. Without schedstat
// (CONFIG_SCHED_INFO) Ran is 0.
func Threads(pids []int) (sum ThreadTimes) {
	for _, pid := range pids {
		// the pattern is valid, so this cannot fail
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		for _, task := range tasks {
			if b, err := os.ReadFile(task + "/schedstat"); err == nil {
				sum.Ran += ran(b)
			}
			if b, err := os.ReadFile(task + "/status"); err == nil {
				sum.Sleeps += sleeps(b)
			}
		}
	}
	return sum
}

// ran reads a schedstat (Documentation/scheduler/sched-stats.rst): ns on a processor, ns waiting
// for one, slices.
func ran(schedstat []byte) time.Duration {
	first, _, _ := strings.Cut(string(schedstat), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
}

func sleeps(status []byte) int {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	return 0
}

// Core is how one processor has spent its time since boot.
type Core struct {
	// Busy is all but idle and waiting for I/O, time stolen by other virtual machines included.
	// SoftIRQ is the part in irq and softirq.
	Busy, SoftIRQ time.Duration
}

// ReadCore reads the line of one processor in /proc/stat; zero if there is none.
func ReadCore(cpu int) Core {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Core{}
	}
	return parseCore(b, cpu)
}

func parseCore(b []byte, cpu int) Core {
	prefix := fmt.Sprintf("cpu%d ", cpu)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if !strings.HasPrefix(line, prefix) || len(f) < 9 {
			continue
		}
		// proc_stat(5): user nice system idle iowait irq softirq steal.
		var v [8]time.Duration
		for i := range v {
			n, _ := strconv.ParseInt(f[1+i], 10, 64)
			v[i] = time.Duration(n) * tick
		}
		return Core{Busy: v[0] + v[1] + v[2] + v[5] + v[6] + v[7], SoftIRQ: v[5] + v[6]}
	}
	return Core{}
}

// RSS is the resident memory in bytes, shared pages counted once per process: meaningful for one
// process, an upper bound for several.
func RSS(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		sum += statusBytes(pid, "VmRSS:")
	}
	return sum
}

// PSS is the resident memory in bytes with shared pages divided among those that map them: the
// right sum for several processes. 0 if the kernel does not tell (no CONFIG_PROC_PAGE_MONITOR, or
// no permission).
func PSS(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0
		}
		sum += kilobytes(b, "Pss:")
	}
	return sum
}

func statusBytes(pid int, key string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return kilobytes(b, key)
}

func kilobytes(b []byte, key string) int64 {
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n << 10
			}
		}
	}
	return 0
}
