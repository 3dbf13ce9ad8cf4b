package netio

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receipts (2 vCPU KVM guest, Xeon family 6 model 207, Linux 6.18.44, go1.26.8, 2026-11-21, `go
// test -run - -bench . -benchtime 0.3s ./netio`) stand at the benchmarks, the least of several runs
// while the machine was busy with other work: believe differences and ratios, not absolute times.
// Over loopback the whole receive path up to the socket's queue runs inside the send.

// BenchmarkEcho sends full batches of 800-byte messages in five segments and receives them, both
// through Ports, as bundles and each by itself. 27 ns to receive a datagram of a bundle, 265 one by
// itself; sending 105 and 315, since that is where bundles are cut up which the receiver does not
// want (four runs, 2026-11-26).
func BenchmarkEcho(b *testing.B) {
	for _, how := range []string{"bundled", "apart"} {
		b.Run(how, func(b *testing.B) {
			from, to, dst := pair(b, "127.0.0.1:0")
			if how == "apart" {
				apart(to)
			}
			segment := bytes.Repeat([]byte("s"), 160)
			var sending, receiving time.Duration
			n := 0
			for b.Loop() {
				t0 := time.Now()
				for i := range RecvBatch {
					from.Queue(0, dst, uint64(i), segment, segment, segment, segment, segment)
				}
				from.Flush()
				t1 := time.Now()
				packets := to.Recv(0)
				sending += t1.Sub(t0)
				receiving += time.Since(t1)
				if len(packets) != RecvBatch || len(packets[63].Data) != 800 {
					b.Fatalf("received %d packets", len(packets))
				}
				n += len(packets)
				to.Release()
			}
			b.ReportMetric(float64(sending.Nanoseconds())/float64(n), "send-ns/datagram")
			b.ReportMetric(float64(receiving.Nanoseconds())/float64(n), "recv-ns/datagram")
		})
	}
}

// BenchmarkSingle is the same with batches of one: what a lightly loaded shard pays. 5.6 µs to
// send, look for and receive one.
func BenchmarkSingle(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	segment := bytes.Repeat([]byte("s"), 160)
	for b.Loop() {
		from.Queue(0, dst, 0, segment, segment, segment, segment, segment)
		from.Flush()
		if ev := to.Wait(0); len(ev.Ready) != 1 || len(to.Recv(0)) != 1 {
			b.Fatal("nothing received")
		}
		to.Release()
	}
}

// BenchmarkSegments sends batches of 840-byte messages made of 1, 2, 5 and 8 segments; one segment
// 1,580 to 2,810 ns per message, two +26 to 78, five +85 to 173, eight +140 to 251 (six runs). By
// reference instead of gathered, for 450 to 1,400 bytes, five were +196 to 375 and eight +322 to
// 503 the same day.
func BenchmarkSegments(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	apart(to)
	memory := make([]byte, RecvBatch*4096)
	counts := []int{1, 2, 5, 8}
	batchNs := make([][]float64, len(counts))
	for b.Loop() {
		for k, segments := range counts {
			t0 := time.Now()
			for i := range RecvBatch {
				frame := memory[i*4096:]
				from.Begin(0, dst, 0)
				for s := range segments {
					from.Append(frame[s*400:][:840/segments])
				}
				from.End()
			}
			from.Flush()
			batchNs[k] = append(batchNs[k], float64(time.Since(t0).Nanoseconds()))
			if len(to.Recv(0)) != RecvBatch {
				b.Fatal("not everything arrived")
			}
			to.Release()
		}
	}
	b.ReportMetric(medianExcess(batchNs[0], nil)/RecvBatch, "1-segment-ns")
	for k, segments := range counts[1:] {
		b.ReportMetric(medianExcess(batchNs[k+1], batchNs[0])/RecvBatch, fmt.Sprintf("%d-segments-added-ns", segments))
	}
}

// BenchmarkDrops asks for the drop counter by SO_MEMINFO: 300 ns, once a second.
func BenchmarkDrops(b *testing.B) {
	_, p, _ := pair(b, "127.0.0.1:0")
	for b.Loop() {
		if p.RecvQueue(0).Drops != 0 {
			b.Fatal("drops counted")
		}
	}
}

// BenchmarkDropMessages is the price of the other way, SO_RXQ_OVFL: receiving full batches on a
// socket that has dropped once, in turn without and with a control message per datagram. 372 to 627
// ns without, +65 to 105 with.
func BenchmarkDropMessages(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	apart(to)
	unix.SetsockoptInt(to.fds[0], unix.SOL_SOCKET, unix.SO_RCVBUF, 512<<10)
	message := make([]byte, 800)
	for range 4000 {
		from.Queue(0, dst, 0, message)
	}
	from.Flush()
	receiveAll(to, 0)
	if to.RecvQueue(0).Drops == 0 {
		b.Fatal("nothing was dropped")
	}
	var control [RecvBatch][32]byte
	var batchNs [2][]float64
	for b.Loop() {
		for with := range 2 {
			unix.SetsockoptInt(to.fds[0], unix.SOL_SOCKET, unix.SO_RXQ_OVFL, with)
			for range RecvBatch {
				from.Queue(0, dst, 0, message)
			}
			from.Flush()
			t0 := time.Now()
			if with == 1 {
				for i := range to.rx.hdrs {
					to.rx.hdrs[i].Control = &control[i][0]
					to.rx.hdrs[i].SetControllen(len(control[i]))
				}
			}
			packets := to.Recv(0)
			for i := range packets {
				// Each element of control is longer than a Cmsghdr and aligned to 8 by its size in
				// a Go array of 32-byte elements on the heap.
				if c := (*unix.Cmsghdr)(unsafe.Pointer(&control[i])); with == 1 && c.Type != unix.SO_RXQ_OVFL {
					b.Fatal("no control message")
				}
			}
			batchNs[with] = append(batchNs[with], float64(time.Since(t0).Nanoseconds()))
			for i := range to.rx.hdrs {
				to.rx.hdrs[i].Control = nil
				to.rx.hdrs[i].SetControllen(0)
			}
			if len(packets) != RecvBatch {
				b.Fatalf("%d arrived", len(packets))
			}
			to.Release()
		}
	}
	b.ReportMetric(medianExcess(batchNs[0], nil)/RecvBatch, "without-ns/datagram")
	b.ReportMetric(medianExcess(batchNs[1], batchNs[0])/RecvBatch, "added-ns/datagram")
}

// medianExcess is the median of the differences between measurements made in turn, so that phases
// of a shared host fall out; base nil means zeros.
func medianExcess(measured, base []float64) float64 {
	differences := slices.Clone(measured)
	for i := range base {
		differences[i] -= base[i]
	}
	slices.Sort(differences)
	return differences[len(differences)/2]
}

// BenchmarkWait looks without waiting, as a raw system call and as one that tells the scheduler.
// 185 ns and 435 ns.
func BenchmarkWait(b *testing.B) {
	p, _, _ := pair(b, "127.0.0.1:0")
	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			if ev := p.Wait(0); len(ev.Ready) != 0 || ev.Errno != 0 {
				b.Fatal(ev)
			}
		}
	})
	b.Run("sleep of 1 ns", func(b *testing.B) {
		for b.Loop() {
			if ev := p.Wait(1); len(ev.Ready) != 0 || ev.Errno != 0 {
				b.Fatal(ev)
			}
		}
	})
}

// BenchmarkEgress asks for the listener of a destination with mhomed: 27 ns from the cache, 7.5 µs
// from the kernel.
func BenchmarkEgress(b *testing.B) {
	g := mustListen(b, 1, Options{MHomed: true}, "127.0.0.1:0")
	dst := AddrFrom(netip.MustParseAddrPort("127.0.0.1:5060"))
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			if g.Egress(&dst, 0) != 0 {
				b.Fatal("no listener")
			}
		}
	})
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			g.egress.generation.Add(1)
			if g.Egress(&dst, 0) != 0 {
				b.Fatal("no listener")
			}
		}
	})
}

// BenchmarkAppendTo writes an address as in a received parameter. 31 ns, netip 72 ns.
func BenchmarkAppendTo(b *testing.B) {
	ap := netip.MustParseAddrPort("192.168.100.200:15060")
	a := AddrFrom(ap)
	buf := make([]byte, 0, 64)
	b.Run("Addr", func(b *testing.B) {
		for b.Loop() {
			if len(a.AppendTo(buf)) != 21 {
				b.Fatal("wrong text")
			}
		}
	})
	b.Run("netip", func(b *testing.B) {
		for b.Loop() {
			if len(ap.AppendTo(buf)) != 21 {
				b.Fatal("wrong text")
			}
		}
	})
}
