package procfs

import (
	"os"
	"strconv"
	"strings"
)

// AvailableMemory is what the machine can give without swapping, in bytes (MemAvailable); 0 if it
// does not tell.
func AvailableMemory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kilobytes(b, "MemAvailable:")
}

// KernelMemory is the kernel's memory that sockets are part of, in bytes, of the whole machine:
// slab, and the pages of TCP buffers.
func KernelMemory() int64 {
	var sum int64
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		sum = kilobytes(b, "Slab:")
	}
	if b, err := os.ReadFile("/proc/net/sockstat"); err == nil {
		sum += tcpPages(string(b)) * int64(os.Getpagesize())
	}
	return sum
}

// tcpPages reads the pages of TCP buffers: "TCP: inuse 4 orphan 0 tw 1 alloc 6 mem 2".
func tcpPages(sockstat string) int64 {
	for line := range strings.Lines(sockstat) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(f); i += 2 {
			if f[i] == "mem" {
				n, _ := strconv.ParseInt(f[i+1], 10, 64)
				return n
			}
		}
	}
	return 0
}
