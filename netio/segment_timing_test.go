package netio

import (
	"fmt"
	"testing"
)

// BenchmarkSegmentation sends full batches of messages of mixed sizes to one and to eight
// destinations, each message by itself, grouped in order (one flow) and grouped freely (a flow
// each); per datagram.
func BenchmarkSegmentation(b *testing.B) {
	for _, destinations := range []int{1, 8} {
		for _, how := range []string{"singly", "in order", "freely"} {
			b.Run(fmt.Sprintf("%d destinations/%s", destinations, how), func(b *testing.B) {
				addrs := []string{"127.0.0.1:0"}
				for range destinations {
					addrs = append(addrs, "127.0.0.1:0")
				}
				g := mustListen(b, 1, Options{}, addrs...)
				p := g.Port(0)
				p.tx[0].segment.off = how == "singly"
				message := make([]byte, 800)
				sizes := []int{330, 420, 700, 400, 780, 500, 420}
				b.ResetTimer()
				for n := 0; n < b.N; {
					for i := range SendBatch {
						if how == "freely" {
							p.Flow(uint32(1 + i))
						}
						p.Queue(0, &g.Listeners()[1+i%destinations].Addr, 0, message[:sizes[i%len(sizes)]])
						n++
					}
					p.Flush()
					b.StopTimer()
					for k := 1; k <= destinations; k++ {
						for len(p.Recv(k)) > 0 {
							p.Release()
						}
						p.Release()
					}
					b.StartTimer()
				}
				if p.Stats().SendFailed > 0 {
					b.Fatalf("%d messages failed", p.Stats().SendFailed)
				}
			})
		}
	}
}
