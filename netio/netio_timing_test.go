package netio

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receipts (2 vCPU KVM guest, Xeon family 6 model 207, Linux 6.18.44, go1.26.8, 2026-11-21, `go test -run - -bench . -benchtime 0.3s ./netio`) stand at the
// benchmarks. Loopback: the whole receive path up to the socket's queue runs inside the send. The host is shared; believe ratios, not absolute times.

// BenchmarkEcho sends full batches of 800-byte messages in five segments and receives them, both through Ports. RECEIPT_ECHO
func BenchmarkEcho(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	segment := bytes.Repeat([]byte("s"), 160)
	var sending, receiving time.Duration
	n := 0
	for b.Loop() {
		t0 := time.Now()
		for i := range BatchDatagrams {
			from.Queue(0, dst, uint64(i), segment, segment, segment, segment, segment)
		}
		from.Flush()
		t1 := time.Now()
		packets := to.Recv(0)
		sending += t1.Sub(t0)
		receiving += time.Since(t1)
		if len(packets) != BatchDatagrams || len(packets[63].Data) != 800 {
			b.Fatalf("received %d packets", len(packets))
		}
		n += len(packets)
		to.Release()
	}
	b.ReportMetric(float64(sending.Nanoseconds())/float64(n), "send-ns/datagram")
	b.ReportMetric(float64(receiving.Nanoseconds())/float64(n), "recv-ns/datagram")
}

// BenchmarkSingle is the same with batches of one: what a lightly loaded shard pays. RECEIPT_SINGLE
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

// BenchmarkSegments sends batches of 840-byte messages made of 1, 2, 5 and 8 segments; RECEIPT_SEGMENTS
func BenchmarkSegments(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	memory := make([]byte, BatchDatagrams*4096)
	counts := []int{1, 2, 5, 8}
	spent := make([]time.Duration, len(counts))
	n := 0
	for b.Loop() {
		for k, segments := range counts {
			t0 := time.Now()
			for i := range BatchDatagrams {
				frame := memory[i*4096:]
				from.Begin(0, dst, 0)
				for s := range segments {
					from.Append(frame[s*400:][:840/segments])
				}
				from.End()
			}
			from.Flush()
			spent[k] += time.Since(t0)
			if len(to.Recv(0)) != BatchDatagrams {
				b.Fatal("not everything arrived")
			}
			to.Release()
		}
		n += BatchDatagrams
	}
	for k, segments := range counts {
		b.ReportMetric(float64(spent[k].Nanoseconds())/float64(n), fmt.Sprintf("%d-segments-ns", segments))
	}
}

// BenchmarkDrops asks for the drop counter by SO_MEMINFO: RECEIPT_DROPS
func BenchmarkDrops(b *testing.B) {
	_, p, _ := pair(b, "127.0.0.1:0")
	for b.Loop() {
		if p.Drops(0) != 0 {
			b.Fatal("drops counted")
		}
	}
}

// BenchmarkDropMessages is the price of the other way, SO_RXQ_OVFL: receiving full batches on a socket that has dropped once, in turn without and with a control
// message per datagram. RECEIPT_MESSAGES
func BenchmarkDropMessages(b *testing.B) {
	from, to, dst := pair(b, "127.0.0.1:0")
	unix.SetsockoptInt(to.fds[0], unix.SOL_SOCKET, unix.SO_RCVBUF, 512<<10)
	message := make([]byte, 800)
	for range 4000 {
		from.Queue(0, dst, 0, message)
	}
	from.Flush()
	receiveAll(to, 0)
	if to.Drops(0) == 0 {
		b.Fatal("nothing was dropped")
	}
	var control [BatchDatagrams][32]byte
	var spent [2]time.Duration
	n := 0
	for b.Loop() {
		for with := range 2 {
			unix.SetsockoptInt(to.fds[0], unix.SOL_SOCKET, unix.SO_RXQ_OVFL, with)
			for range BatchDatagrams {
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
				// Each element of control is longer than a Cmsghdr and aligned to 8 by its size in a Go array of 32-byte elements on the heap.
				if c := (*unix.Cmsghdr)(unsafe.Pointer(&control[i])); with == 1 && c.Type != unix.SO_RXQ_OVFL {
					b.Fatal("no control message")
				}
			}
			spent[with] += time.Since(t0)
			for i := range to.rx.hdrs {
				to.rx.hdrs[i].Control = nil
				to.rx.hdrs[i].SetControllen(0)
			}
			if len(packets) != BatchDatagrams {
				b.Fatalf("%d arrived", len(packets))
			}
			to.Release()
		}
		n += BatchDatagrams
	}
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(n), "without-ns/datagram")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(n), "with-ns/datagram")
}

// BenchmarkWait looks without waiting, as a raw system call and as one that tells the scheduler. RECEIPT_WAIT
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

// BenchmarkEgress asks for the listener of a destination with mhomed: RECEIPT_EGRESS
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

// BenchmarkAppendTo writes an address as in a received parameter. RECEIPT_APPEND
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
