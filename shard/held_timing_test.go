package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkHold is a MESSAGE that is answered, with its transaction from beginning to end: as it is,
// and with a run that is held until its time is over in between.
func BenchmarkHold(b *testing.B) {
	for _, wait := range []string{"", "usleep(1);"} {
		name := "held"
		if wait == "" {
			name = "not held"
		}
		b.Run(name, func(b *testing.B) {
			cfg := "loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"cfgutils.so\"\nmodparam(\"tm\", \"wt_timer\", 5)\nlisten=udp:127.0.0.1:5060\n" +
				"request_route { $var(x) = 1; $var(y) = \"a text\"; t_newtran(); " + wait + " t_reply(\"200\", \"OK\"); }\n"
			f := newFlow(b, cfg, "", 64<<20)
			msg := request("MESSAGE", "sip:bob@127.0.0.1:5060", "c000000", "000000")
			p := make([][]byte, 1000)
			for i := range p {
				p[i] = []byte(strings.ReplaceAll(string(msg), "000000", fmt.Sprintf("%06d", i)))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f.receive("127.0.0.1:6000", p[i%len(p)])
				if i%len(p) == len(p)-1 {
					f.wait(10 * time.Millisecond)
					f.wait(10 * time.Second)
					if n := len(f.sent); n != len(p) {
						b.Fatalf("%d answers, want %d", n, len(p))
					}
					f.sent, f.all, f.arrived = f.sent[:0], f.all[:0], f.arrived[:0]
				}
			}
		})
	}
}
