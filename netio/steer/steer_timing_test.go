package steer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkOwner hashes a Call-ID of 36 bytes. RECEIPT_OWNER
func BenchmarkOwner(b *testing.B) {
	id := []byte("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
	want := Owner(id, 8)
	for b.Loop() {
		if Owner(id, 8) != want {
			b.Fatal("another owner")
		}
	}
}

// BenchmarkProgram sends 800-byte messages to 8 sockets, with and without the program, in alternating slices so that both see the same phases of the host; the
// receive path runs inside the send. The difference is what steering costs per datagram. RECEIPT_PROGRAM
func BenchmarkProgram(b *testing.B) {
	const shards, slice = 8, 256
	with := newGroup(b, shards, unix.AF_INET)
	without := newGroup(b, shards, unix.AF_INET)
	must(b, unix.SetsockoptInt(without.fds[0], unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0))
	sender := udpSocket(b, unix.AF_INET)
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
	var spent [2]time.Duration
	n := 0
	for b.Loop() {
		for i, g := range []*group{with, without} {
			t0 := time.Now()
			for _, m := range messages {
				if err := unix.Sendto(sender, m, 0, g.addr); err != nil {
					b.Fatal(err)
				}
			}
			spent[i] += time.Since(t0)
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
	}
	if c := with.counts(b); c.Steered != uint64(n) {
		b.Fatalf("counted %+v, want %d steered", c, n)
	}
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(n), "with-ns/datagram")
	b.ReportMetric(float64(spent[1].Nanoseconds())/float64(n), "without-ns/datagram")
	b.ReportMetric(float64((spent[0]-spent[1]).Nanoseconds())/float64(n), "added-ns/datagram")
}

// BenchmarkCounts reads the totals. RECEIPT_COUNTS
func BenchmarkCounts(b *testing.B) {
	p := load(b, 8)
	for b.Loop() {
		if _, err := p.Counts(); err != nil {
			b.Fatal(err)
		}
	}
}
