package trouble

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// StormCounts is what became of the handshakes.
type StormCounts struct {
	// Done were made in full; Failed were refused, broken off or too slow; Skipped were due when
	// too many were under way.
	Done    uint64 `json:"done"`
	Failed  uint64 `json:"failed"`
	Skipped uint64 `json:"skipped"`
}

// Storm makes rate full TLS handshakes per second with server, hanging up after each, until stop is
// closed.
func Storm(server netip.AddrPort, rate float64, stop <-chan struct{}) (StormCounts, error) {
	if rate <= 0 || rate > MaxRate {
		return StormCounts{}, fmt.Errorf("rate %g: want 1 to %d", rate, MaxRate)
	}
	var done, failed atomic.Uint64
	var n StormCounts
	var under sync.WaitGroup
	room := make(chan struct{}, stormTogether)
	// No session is kept, so none is resumed. Whose certificate it is does not matter.
	config := &tls.Config{InsecureSkipVerify: true}
	began, started := time.Now(), 0
	for !isClosed(stop) {
		time.Sleep(stepTime)
		for due := int(time.Since(began).Seconds() * rate); started < due; started++ {
			select {
			case room <- struct{}{}:
			default:
				n.Skipped++
				continue
			}
			under.Add(1)
			go func() {
				defer under.Done()
				defer func() { <-room }()
				if handshake(server, config) == nil {
					done.Add(1)
				} else {
					failed.Add(1)
				}
			}()
		}
	}
	under.Wait()
	n.Done, n.Failed = done.Load(), failed.Load()
	return n, nil
}

func handshake(server netip.AddrPort, config *tls.Config) error {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: handshakeTime}, "tcp4", server.String(),
		config)
	if err != nil {
		return err
	}
	tcp := c.NetConn().(*net.TCPConn)
	_ = tcp.SetLinger(0) // no TIME-WAIT of so many
	return tcp.Close()
}
