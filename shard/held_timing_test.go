package shard

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkHold is a MESSAGE that is answered, with its transaction from beginning to end: as it
// is, and with a run that is held until its time is over in between. cpu-ns/op is what the thread
// took, without what others on the machine did meanwhile. The difference of the two is what it
// costs to hold a run and go on.
func BenchmarkHold(b *testing.B) {
	for _, wait := range []string{"", "usleep(1);"} {
		name := "held"
		if wait == "" {
			name = "not held"
		}
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			cfg := "loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"cfgutils.so\"\n" +
				"modparam(\"tm\", \"wt_timer\", 5)\nlisten=udp:127.0.0.1:5060\n" +
				"request_route { $var(x) = 1; $var(y) = \"a text\"; t_newtran(); " + wait +
				" t_reply(\"200\", \"OK\"); }\n"
			f := newFlow(b, cfg, "", 64<<20)
			f.counting = true
			msg := request("MESSAGE", "sip:bob@127.0.0.1:5060", "c000000", "000000")
			p := make([][]byte, 1000)
			for i := range p {
				p[i] = []byte(strings.ReplaceAll(string(msg), "000000", fmt.Sprintf("%06d", i)))
			}
			b.ReportAllocs()
			began := threadCPU(b)
			for i := 0; b.Loop(); i++ {
				f.receive("127.0.0.1:6000", p[i%len(p)])
				f.arrived = f.arrived[:0]
				if i%len(p) == len(p)-1 {
					f.wait(10 * time.Millisecond)
					f.wait(10 * time.Second)
					if f.counted != len(p) {
						b.Fatalf("%d answers, want %d", f.counted, len(p))
					}
					f.counted = 0
				}
			}
			b.ReportMetric(float64(threadCPU(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// threadCPU is how long the thread has run.
func threadCPU(tb testing.TB) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}
