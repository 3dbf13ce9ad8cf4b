package netio

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLater: a further address is bound by Open, sent by once it is taken, received from once it is
// listened on, and free again when all shards have dropped it.
func TestLater(t *testing.T) {
	loopback := func(port uint16) *ListenConfig {
		return &ListenConfig{Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}
	}
	g, err := Listen([]ListenConfig{*loopback(0)}, 2, Options{Steer: SteerOff})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	const number = 3 // 1 and 2 are others' listeners
	s, err := g.Open(number, loopback(0))
	if err != nil {
		t.Fatal(err)
	}
	at := s.Listener.Addr.AddrPort()
	if _, err := g.Open(number+1, &ListenConfig{Addr: at}); err == nil {
		t.Error("an address is bound twice")
	}
	peer, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	to := AddrFrom(peer.LocalAddr().(*net.UDPAddr).AddrPort())
	send := func(p *Port) (failed bool) {
		p.Begin(number, &to, 1)
		p.Append([]byte("out"))
		p.End()
		p.Flush()
		return len(p.Failures()) > 0
	}
	for shard := range 2 {
		if p := g.Port(shard); p.Has(number) || !send(p) {
			t.Errorf("shard %d has the listener before it took it", shard)
		} else if err := p.Take(s); err != nil {
			t.Fatal(err)
		} else if !p.Has(number) || p.Listens(number) || send(p) {
			t.Errorf("shard %d does not send by a listener that it took", shard)
		}
	}
	b := make([]byte, 16)
	peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := peer.Read(b); err != nil || string(b[:n]) != "out" {
		t.Fatalf("%q %v", b[:n], err)
	}
	if _, err := peer.Write([]byte("in")); err != nil {
		t.Fatal(err)
	}
	received := func(within time.Duration) int {
		for end := time.Now().Add(within); time.Now().Before(end); {
			for shard := range 2 {
				p := g.Port(shard)
				for _, l := range p.Wait(int64(time.Millisecond)).Ready {
					n := len(p.Recv(int(l)))
					p.Release()
					if l == number && n > 0 {
						return n
					}
				}
			}
		}
		return 0
	}
	if n := received(50 * time.Millisecond); n != 0 {
		t.Errorf("%d datagrams are received before anybody listens", n)
	}
	for shard := range 2 {
		if err := g.Port(shard).Listen(number); err != nil {
			t.Fatal(err)
		}
	}
	if n := received(10 * time.Second); n != 1 {
		t.Errorf("%d datagrams are received", n)
	}
	g.Choose([]*Listener{{Proto: TCP}, {Proto: UDP, Addr: s.Listener.Addr, Leaving: true},
		{Proto: UDP, Addr: s.Listener.Addr, Gone: true}, s.Listener})
	if by := g.Egress(&to, 1); by != number {
		t.Errorf("%d is chosen, want %d", by, number)
	}
	g.Forget(number)
	for shard := range 2 {
		if err := g.Port(shard).Drop(number); err != nil {
			t.Error(err)
		}
		if p := g.Port(shard); p.Has(number) || !send(p) {
			t.Errorf("shard %d sends by a listener that it dropped", shard)
		}
	}
	if err := probeAgain(at); err != nil {
		t.Errorf("it is not free: %v", err)
	}
}

func probeAgain(at netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, sa := sockaddr(at)
	return unix.Bind(fd, sa)
}
