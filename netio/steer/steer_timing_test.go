package steer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkOwner hashes a Call-ID of 36 bytes. 17 ns (2 vCPU KVM guest, Xeon family 6 model 207,
// Linux 6.18.44, go1.26.8, 2026-11-21, `go test -run - -bench . -benchtime 0.3s ./netio/steer`; the
// others here likewise).
func BenchmarkOwner(b *testing.B) {
	id := []byte("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
	want := Owner(id, 8)
	for b.Loop() {
		if Owner(id, 8) != want {
			b.Fatal("another owner")
		}
	}
}

// BenchmarkProgram sends 800-byte messages to 8 sockets, with and without the program, in
// alternating slices so that both see the same phases of the host; the receive path runs inside the
// send. The difference is what steering costs per datagram. 450 to 485 ns on top of 1,910 to 2,850,
// on a busy machine.
func BenchmarkProgram(b *testing.B) {
	const shards, slice = 8, 256
	with := newGroup(b, shards, unix.AF_INET)
	without := newGroup(b, shards, unix.AF_INET)
	must(b, unix.SetsockoptInt(without.fds[0], unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0))
	var senders [16]int // as many 4-tuples, or all would go to one socket without the program
	for i := range senders {
		senders[i] = udpSocket(b, unix.AF_INET)
	}
	random := rand.New(rand.NewPCG(3, 4))
	var messages [slice][]byte
	for i := range messages {
		messages[i] = spelledMessage(random, "INVITE sip:bob@example.com SIP/2.0", fmt.Sprintf("%036x", i))
		for len(messages[i]) < 800 {
			messages[i] = append(messages[i], 'v')
		}
		messages[i] = messages[i][:800]
	}
	buffer := make([]byte, 2048)
	var plain, added []float64
	n := 0
	for b.Loop() {
		var spentNs [2]float64
		for i, g := range []*group{with, without} {
			t0 := time.Now()
			for k, m := range messages {
				if err := unix.Sendto(senders[k%len(senders)], m, 0, g.addr); err != nil {
					b.Fatal(err)
				}
			}
			spentNs[i] = float64(time.Since(t0).Nanoseconds()) / slice
			received := 0
			for _, fd := range g.fds {
				for {
					if _, _, err := unix.Recvfrom(fd, buffer, 0); err != nil {
						break
					}
					received++
				}
			}
			if received != slice {
				b.Fatalf("received %d of %d", received, slice)
			}
		}
		n += slice
		plain, added = append(plain, spentNs[1]), append(added, spentNs[0]-spentNs[1])
	}
	if c := with.counts(b); c.Steered != uint64(n) {
		b.Fatalf("counted %+v, want %d steered", c, n)
	}
	slices.Sort(plain)
	slices.Sort(added)
	b.ReportMetric(plain[len(plain)/2], "without-ns/datagram")
	b.ReportMetric(added[len(added)/2], "added-ns/datagram")
}

// BenchmarkCounts reads the totals. 9 µs for 2 CPUs: a few times a minute, not per batch.
func BenchmarkCounts(b *testing.B) {
	p := load(b, 8)
	for b.Loop() {
		if _, err := p.Counts(); err != nil {
			b.Fatal(err)
		}
	}
}
