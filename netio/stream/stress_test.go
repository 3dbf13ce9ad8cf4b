package stream

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio"
)

// Everything at once, with limits that are reached: what is left in the books is checked by the
// rig, and every token is told of at most once.
func TestStress(t *testing.T) {
	const shards, peers, clients = 3, 4, 12
	pki := newCerts(t)
	r := newRig(t, shards, allTransports(pki), func(c *Config) {
		c.Limits.ConnWqMax.Store(20000)
		c.Limits.WqMax.Store(60000)
		c.Limits.SendTimeout.Store(150 * time.Millisecond)
		c.Limits.Lifetime.Store(400 * time.Millisecond)
		c.Limits.ConnectTimeout.Store(300 * time.Millisecond)
		c.Limits.MaxConnections.Store(40)
		c.Limits.ConnsPerDestination.Store(2)
	})
	var stop atomic.Bool
	var outside, inside sync.WaitGroup

	// Peers that accept, read some, and hang up; one is a black hole, one refuses.
	dsts := []netio.Addr{blackhole(t)}
	for i := range peers {
		l, dst := peer(t)
		dsts = append(dsts, dst)
		if i == 0 {
			l.Close()
			continue
		}
		outside.Add(1)
		go func() {
			defer outside.Done()
			defer l.Close()
			for !stop.Load() {
				_ = l.SetDeadline(time.Now().Add(50 * time.Millisecond))
				c, err := l.AcceptTCP()
				if err != nil {
					continue
				}
				outside.Add(1)
				go func() {
					defer outside.Done()
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(time.Duration(rand.IntN(400)) * time.Millisecond))
					if i == 1 {
						time.Sleep(200 * time.Millisecond) // reads nothing
						return
					}
					_, _ = io.CopyN(io.Discard, c, int64(rand.IntN(200000)))
					if rand.IntN(2) == 0 {
						_ = c.SetLinger(0)
					}
				}()
			}
		}()
	}

	// Clients that send whole messages, halves and junk.
	for range clients {
		outside.Add(1)
		go func() {
			defer outside.Done()
			for !stop.Load() {
				nc, err := net.Dial("tcp", r.addr(0))
				if err != nil {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				_ = nc.SetDeadline(time.Now().Add(300 * time.Millisecond))
				for range rand.IntN(30) {
					m := message(fmt.Sprintf("s shard=%d", rand.IntN(shards)), rand.IntN(3000))
					switch rand.IntN(40) {
					case 0:
						m = m[:rand.IntN(len(m))]
					case 1:
						m = "junk\n"
					}
					if _, err := nc.Write([]byte(m)); err != nil {
						break
					}
					if rand.IntN(4) == 0 {
						_, _ = nc.Read(make([]byte, 5000))
					}
				}
				nc.Close()
			}
		}()
	}

	// Shards that answer and send.
	var tokens, told atomic.Int64
	for shard := range shards {
		inside.Add(1)
		go func() {
			defer inside.Done()
			p := r.e.Port(shard)
			waiting := make(map[uint64]bool)
			next := uint64(0)
			m := []byte(strings.Repeat("m", 900))
			for !stop.Load() {
				packets := p.Recv(64)
				for i := range packets {
					p.Options(SendOptions{NoConnect: rand.IntN(2) == 0, CloseAfter: rand.IntN(100) == 0})
					p.Queue(int(packets[i].Listener), &packets[i].Src, 0, packets[i].Data)
					if rand.IntN(50) == 0 {
						p.Alias(int(packets[i].Listener), &packets[i].Src, 5070)
						p.Lifetime(int(packets[i].Listener), &packets[i].Src, 100*time.Millisecond)
					}
				}
				p.Release()
				for range rand.IntN(3) {
					next++
					tokens.Add(1)
					waiting[next] = true
					dst := dsts[rand.IntN(len(dsts))]
					listener := onTCP
					if rand.IntN(10) == 0 {
						listener = onTLS // nobody there speaks it
						p.Options(SendOptions{Domain: "proxy.example"})
					}
					p.Queue(listener, &dst, next, m)
				}
				p.Flush()
				for _, f := range p.Failures() {
					if !waiting[f.Token] {
						t.Errorf("told of token %d, which was told before or never sent: %+v", f.Token, f)
					}
					delete(waiting, f.Token)
					told.Add(1)
				}
				if !p.Waiting() {
					time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				}
			}
		}()
	}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, i := range r.e.List(5) {
			if rand.IntN(10) == 0 {
				r.e.CloseConn(i.ID)
			}
		}
		_ = r.e.Stats()
	}
	stop.Store(true)
	inside.Wait()
	outside.Wait()
	s := r.e.Stats()
	t.Logf("%d tokens, %d told of; %+v", tokens.Load(), told.Load(), s)
	if s.Panics != 0 || s.MessagesIn == 0 || s.MessagesOut == 0 || s.SendqFull == 0 || s.ConnectFailed == 0 ||
		told.Load() == 0 {
		t.Errorf("something did not happen, or should not have: %+v", s)
	}
	r.wait("all connections to go", func() bool {
		for shard := range shards {
			r.e.Port(shard).Recv(1000)
			r.e.Port(shard).Release()
		}
		return r.e.Stats().CurrentOpened == 0
	})
	if s := r.e.Stats(); s.CurrentWriteQueued != 0 || s.CurrentInflight != 0 || s.CurrentInbound != 0 ||
		s.Established != 0 {
		t.Errorf("left in the books: %+v", s)
	}
}

// An event loop that ends without having been asked is told of, once.
func TestLoopEndIsFatal(t *testing.T) {
	told := make(chan error, 10)
	r := newRig(t, 1, func(c *Config) { c.Fatal = func(err error) { told <- err } })
	c := r.dial(0)
	r.wait("the connection", func() bool { return r.e.Stats().Established == 1 })
	_ = r.e.client.Stop() // what a failing epoll_wait does to it
	if err := <-told; err == nil {
		t.Fatal("no error")
	}
	ended(t, c)
	r.e.Close()
	if len(told) != 0 {
		t.Fatal("told twice")
	}
}

func TestConfigIsChecked(t *testing.T) {
	f := func(want string, change settings) {
		t.Helper()
		cfg := Config{Shards: 1, Owner: func([]byte) int { return 0 }, Ring: func(int) {}}
		change(&cfg)
		_, err := Start(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	listen := func(l ...Listen) settings { return func(c *Config) { c.Listeners = l } }
	local := netipAddrPort("127.0.0.1:0")
	f("0 shards", func(c *Config) { c.Shards = 0 })
	f("-1 event loops", func(c *Config) { c.Loops = -1 })
	f("Owner and Ring", func(c *Config) { c.Owner = nil })
	f("number", func(c *Config) { c.Base = -1 })
	f("only tcp", listen(Listen{Proto: netio.UDP, Addr: local}))
	f("certificate", listen(Listen{Proto: netio.TLS, Addr: local}))
	f("addresses themselves", listen(Listen{Proto: netio.TCP, Addr: netipAddrPort("0.0.0.0:5060")}))
	f("listed twice", listen(Listen{Proto: netio.TCP, Addr: netipAddrPort("127.0.0.1:5060")},
		Listen{Proto: netio.TCP, Addr: netipAddrPort("127.0.0.1:5060")}))
	f("advertised port", listen(Listen{Proto: netio.TCP, Addr: local, AdvertisePort: 5}))
	f("advertised host", listen(Listen{Proto: netio.TCP, Addr: local, AdvertiseHost: "a b"}))
	f("WebSocket", listen(Listen{Proto: netio.TCP, Addr: local, AllowWS: true, WSListener: 0}))
	l, _ := peer(t)
	f("cannot listen on TCP", listen(Listen{Proto: netio.TCP, Addr: netipAddrPort(l.Addr().String())}))
}
