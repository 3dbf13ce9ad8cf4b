package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Machine is what a figure depends on.
type Machine struct {
	Processor, Kernel string
	Processors        int
	MemoryGiB         float64
	// SoftIRQ says how the kernel accounts for work done in interrupts.
	SoftIRQ string
}

func readMachine() Machine {
	m := Machine{
		Processor: "unknown processor", Kernel: "unknown kernel", Processors: runtime.NumCPU(),
		SoftIRQ: "part of the process that causes it",
	}
	if irqTimeAccounting() {
		m.SoftIRQ = "accounted apart (CONFIG_IRQ_TIME_ACCOUNTING); that of the server's " +
			"processor is added to its figures"
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok &&
				strings.TrimSpace(key) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = fmt.Sprintf("%s %s %s", unix.ByteSliceToString(u.Sysname[:]),
			unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryGiB = float64(info.Totalram) * float64(info.Unit) / (1 << 30)
	}
	return m
}

// irqTimeAccounting says whether softirq work is missing from process times. Where the kernel's
// configuration cannot be read it is assumed that it is not, which is the default of most kernels
// for virtual machines.
var irqTimeAccounting = sync.OnceValue(func() bool {
	const option = "CONFIG_IRQ_TIME_ACCOUNTING=y"
	if f, err := os.Open("/proc/config.gz"); err == nil {
		defer f.Close()
		if z, err := gzip.NewReader(f); err == nil {
			text, err := io.ReadAll(z)
			return err == nil && strings.Contains(string(text), option)
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	text, err := os.ReadFile("/boot/config-" + unix.ByteSliceToString(u.Release[:]))
	return err == nil && strings.Contains(string(text), option)
})
