// Package routetest is the bench on which functions of routing programs are tested: a real
// proxy.Core with its transactions on a real arena, a clock of its own, and what is sent kept for
// the test to look at. It is imported by tests alone.
package routetest

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Bench is a Core with a listener for each transport on 127.0.0.1:5060, a destination set 1 that is
// 127.0.0.1:7000, and a resolver to which every name is 127.0.0.9.
type Bench struct {
	Core      *proxy.Core
	Config    proxy.Config // what Core was made of
	Table     *txn.Table
	Arena     *shm.Arena
	Listeners []*netio.Listener
	Targets   *balance.Table
	// Sent is what left since Begin, unless Quiet keeps it from being noted.
	Sent  []Sent
	Quiet bool
	// Deaf makes every destination one that no listener can send to.
	Deaf bool
	// Failure, Branch and Reply are the routes that the Core comes to by itself; nil means there is
	// none.
	Failure func(r *proxy.Request, n int)
	// BranchFailure runs what a branch that failed has armed; nil means nothing is.
	BranchFailure func(r *proxy.Request, n int)
	Branch        func(r *proxy.Request, n int) bool
	Onsend        func(r *proxy.Request) bool
	Reply         func(tx *txn.Tx, br *txn.Branch, m *parser.Message, n int) bool

	now int64
}

// Sent is a message that left.
type Sent struct {
	To   netio.Addr
	Text []byte
}

// New makes a Bench.
func New(t testing.TB) *Bench {
	t.Helper()
	arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { arena.Close() })
	b := &Bench{Arena: arena, now: int64(time.Hour)}
	for proto := netio.UDP; proto <= netio.WSS; proto++ {
		a := netio.AddrFrom(netip.MustParseAddrPort("127.0.0.1:5060"))
		b.Listeners = append(b.Listeners,
			&netio.Listener{Index: int(proto), Proto: proto, Addr: a,
				SentBy: []byte("127.0.0.1:5060")})
	}
	b.Config = proxy.Config{Listeners: b.Listeners, Egress: egress{b}, Sender: sender{b},
		Resolver: resolver{}, Script: script{b},
		Arena: arena, Counters: arena.Counters(0), Program: 7,
		Aliases: []proxy.Alias{{Host: "proxy.example.com"}, {Host: "[::1]"}},
		Settings: proxy.Settings{TimeoutStatus: 408, DefaultCode: 500,
			DefaultReason: "Server Internal Error", PathReceived: "received"}}
	b.Core = proxy.New(b.Config)
	b.Table, err = txn.New(txn.Config{Arena: arena, Settings: txn.DefaultSettings(), Sender: sender{b},
		User: b.Core, Counters: arena.Counters(0),
		Random: rand.New(rand.NewPCG(1, 2)).Uint64, Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	b.Core.SetTable(b.Table)
	b.Core.SetNow(b.now)
	if b.Targets, err = balance.Parse("targets",
		[]byte("1 sip:127.0.0.1:7000\n1 sip:127.0.0.1:7001\n"), balance.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	b.Core.SetTargets(b.Targets)
	return b
}

// Wait lets time go by.
func (b *Bench) Wait(d time.Duration) {
	b.now += int64(d)
	b.Table.SetNow(b.now)
	b.Core.SetNow(b.now)
}

// Begin ends what the request before this one left behind and begins on m, as a shard does for a
// new request that came from src by the listener of its protocol.
func (b *Bench) Begin(m *parser.Message, src *netio.Addr) *proxy.Request {
	r := &b.Core.Request
	if r.Tx != nil {
		b.Table.Terminate(r.Tx)
	}
	b.Core.Release()
	b.Table.Reclaim()
	b.Sent = b.Sent[:0]
	b.Table.Begin()
	r.Begin(m, src, int(src.Proto))
	r.Validate()
	r.Key = b.Table.Key(m, m.Method)
	return r
}

// Respond begins on the response m, which came from src.
func (b *Bench) Respond(m *parser.Message, src *netio.Addr) *proxy.Reply {
	b.Table.Begin()
	b.Core.Reply.Begin(m, src, int(src.Proto))
	return &b.Core.Reply
}

// Answer is a response to the request that was sent last, from where it was sent to.
func (b *Bench) Answer(t testing.TB, status string) {
	t.Helper()
	if len(b.Sent) == 0 {
		t.Fatal("nothing was sent")
	}
	last := b.Sent[len(b.Sent)-1]
	var req, m parser.Message
	if reason := req.Parse(last.Text); reason != parser.OK {
		t.Fatal(reason)
	}
	text := []byte("SIP/2.0 " + status + "\r\n")
	for i := range req.Headers {
		switch req.Headers[i].Kind {
		case parser.KindVia, parser.KindFrom, parser.KindCallID, parser.KindCSeq:
			text = append(text, req.Bytes(req.Headers[i].Line)...)
		case parser.KindTo:
			text = append(append(append(text, "To: "...), req.Bytes(req.Headers[i].Value)...),
				";tag=answer\r\n"...)
		}
	}
	if reason := m.Parse(append(text, "Content-Length: 0\r\n\r\n"...)); reason != parser.OK {
		t.Fatal(reason)
	}
	b.Respond(&m, &last.To)
	b.Core.Response(&m, parser.OK)
}

type egress struct{ b *Bench }

func (e egress) Egress(to *netio.Addr, _ int) int {
	if e.b.Deaf {
		return -1
	}
	return int(to.Proto)
}

type sender struct{ b *Bench }

func (sender) SetStreamOptions(txn.StreamOptions, []byte) {}
func (sender) Abandon()                                   {}

func (s sender) Begin(_ int, to *netio.Addr, _ uint64) {
	if !s.b.Quiet {
		s.b.Sent = append(s.b.Sent, Sent{To: *to})
	}
}

func (s sender) Append(text []byte) {
	if !s.b.Quiet {
		last := &s.b.Sent[len(s.b.Sent)-1]
		last.Text = append(last.Text, text...)
	}
}

func (s sender) End() {}

type resolver struct{}

func (resolver) Lookup(q *proxy.NameQuery, out []proxy.Endpoint) (int, proxy.Answer) {
	a := netio.AddrFrom(netip.MustParseAddrPort("127.0.0.9:5060"))
	if q.Port != 0 {
		a.Port = q.Port
	}
	if q.HasProto {
		a.Proto = q.Proto
	}
	if q.Secure {
		a.Proto = netio.TLS
	}
	out[0] = proxy.Endpoint{Addr: a, Proto: a.Proto}
	return 1, proxy.Resolved
}

func (resolver) Ask(*proxy.NameQuery, func()) bool { return false }

type script struct{ b *Bench }

func (s script) Serves(uint64) bool { return true }

func (s script) Failure(r *proxy.Request, n int) {
	if s.b.Failure != nil {
		s.b.Failure(r, n)
	}
}

func (s script) BranchFailure(r *proxy.Request, n int) {
	if s.b.BranchFailure != nil {
		s.b.BranchFailure(r, n)
	}
}

func (s script) Onsend(r *proxy.Request) bool { return s.b.Onsend == nil || s.b.Onsend(r) }

func (s script) Branch(r *proxy.Request, n int) proxy.BranchOutcome {
	if s.b.Branch == nil || s.b.Branch(r, n) {
		return proxy.BranchSent
	}
	return proxy.BranchDropped
}

func (s script) Reply(_ uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message,
	n int) proxy.ReplyOutcome {
	if s.b.Reply == nil || s.b.Reply(tx, br, m, n) {
		return proxy.ReplyPassed
	}
	return proxy.ReplyDropped
}
