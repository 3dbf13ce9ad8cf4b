package resolve

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

// zone is a DNS server on loopback whose answers a test can change: records by name and type, and
// mischief by handler.
type zone struct {
	addr netip.AddrPort

	mu      sync.Mutex
	records []dns.RR
	asked   map[string]int // "TYPE name." to the times it was asked
	handler func(w dns.ResponseWriter, q *dns.Msg) (done bool)
}

func serve(t *testing.T, records ...string) *zone {
	t.Helper()
	z := &zone{asked: map[string]int{}}
	z.set(t, records...)
	var pc net.PacketConn
	var l net.Listener
	for range 50 { // one number for both
		var err error
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			break
		}
		pc.Close()
	}
	z.addr = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: l, Handler: z}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		t.Cleanup(func() { s.Shutdown() })
	}
	return z
}

func (z *zone) set(t testing.TB, records ...string) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = nil
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		z.records = append(z.records, rr)
	}
}

func (z *zone) mischief(f func(w dns.ResponseWriter, q *dns.Msg) bool) {
	z.mu.Lock()
	z.handler = f
	z.mu.Unlock()
}

func (z *zone) times(what string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[what]
}

func (z *zone) total() (n int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, times := range z.asked {
		n += times
	}
	return n
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	handler := z.handler
	z.asked[dns.TypeToString[q.Question[0].Qtype]+" "+q.Question[0].Name]++
	z.mu.Unlock()
	if handler != nil && handler(w, q) {
		return
	}
	w.WriteMsg(z.answer(q, w.LocalAddr().Network() == "udp"))
}

// answer is a proper server's: CNAMEs followed, SOA with what is not there, TC when it does not
// fit.
func (z *zone) answer(q *dns.Msg, udp bool) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name, exists, found := strings.ToLower(q.Question[0].Name), false, false
	for range 20 {
		next := ""
		for _, rr := range z.records {
			if strings.ToLower(rr.Header().Name) != name {
				continue
			}
			exists = true
			switch {
			case rr.Header().Rrtype == q.Question[0].Qtype:
				found = true
				m.Answer = append(m.Answer, rr)
			case rr.Header().Rrtype == dns.TypeCNAME:
				m.Answer = append(m.Answer, rr)
				next = rr.(*dns.CNAME).Target
			}
		}
		if name = strings.ToLower(next); name == "" {
			break
		}
		exists = false
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	if !found {
		soa, _ := dns.NewRR("test. 300 IN SOA ns.test. root.test. 1 1 1 1 300")
		m.Ns = append(m.Ns, soa)
	}
	if udp {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	return m
}

// clock is the resolver's, which a test can set forward.
type clock struct {
	start time.Time
	ahead atomic.Int64
	fuse  atomic.Int64 // the reading at which it panics, counted down; 0: never
}

func (c *clock) now() int64 {
	if c.fuse.Load() > 0 && c.fuse.Add(-1) == 0 {
		panic("the clock's")
	}
	return int64(time.Since(c.start)) + c.ahead.Load()
}

// forward lets so much time pass for r, up to Lookup's clock.
func (c *clock) forward(t testing.TB, r *Resolver, d time.Duration) {
	c.ahead.Add(int64(d))
	due := c.now()
	until(t, "the clock's tick", func() bool {
		r.wake()
		return r.now.Load() >= due
	})
}

// start gives a resolver that asks the servers given and reads no file of the host.
func start(t testing.TB, change func(*Settings), servers ...netip.AddrPort) *Resolver {
	t.Helper()
	r, _ := startAt(t, change, servers...)
	return r
}

func startAt(t testing.TB, change func(*Settings), servers ...netip.AddrPort) (*Resolver, *clock) {
	t.Helper()
	s := Defaults()
	s.ResolvConf, s.Hosts, s.Servers = "", "", servers
	s.RetryTime, s.Retries, s.Timeout = time.Second, 1, 10*time.Second
	if change != nil {
		change(&s)
	}
	c := &clock{start: time.Now()}
	r, err := open(s, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, c
}

const (
	udp = 1 << netio.UDP
	tcp = 1 << netio.TCP
	tls = 1 << netio.TLS
)

// query reads "sip:host", "sips:host:5070;transport=tcp" for listeners of UDP, TCP and TLS in both
// families.
func query(uri string) *proxy.NameQuery {
	q := &proxy.NameQuery{Protos: udp | tcp | tls, Families: 3}
	scheme, rest, _ := strings.Cut(uri, ":")
	q.Secure = scheme == "sips"
	rest, transport, has := strings.Cut(rest, ";transport=")
	if has {
		q.HasProto = true
		q.Proto = map[string]netio.Proto{"udp": netio.UDP, "tcp": netio.TCP, "tls": netio.TLS, "ws": netio.WS,
			"wss": netio.WSS}[transport]
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		fmt.Sscan(rest[i+1:], &q.Port)
		rest = rest[:i]
	}
	q.Host = []byte(rest)
	return q
}

// locate asks if need be and gives the answer as text: "UDP 127.0.0.1:5060, TCP …", or its name.
func locate(t testing.TB, r *Resolver, q *proxy.NameQuery) string {
	t.Helper()
	if text := lookup(r, q); text != "unknown" {
		return text
	}
	wait(t, r, q)
	return lookup(r, q)
}

// wait asks and waits for done.
func wait(t testing.TB, r *Resolver, q *proxy.NameQuery) {
	t.Helper()
	done := make(chan struct{})
	if !r.Ask(q, func() { close(done) }) {
		t.Fatal("Ask refused")
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("done was not called")
	}
}

func lookup(r *Resolver, q *proxy.NameQuery) string {
	var out [proxy.MaxEndpoints]proxy.Endpoint
	n, a := r.Lookup(q, out[:])
	if a != proxy.Resolved {
		return [...]string{proxy.Unknown: "unknown", proxy.Nowhere: "nowhere", proxy.Failed: "failed"}[a]
	}
	var list []string
	for _, e := range out[:n] {
		list = append(list, e.Proto.String()+" "+e.Addr.String())
	}
	return strings.Join(list, ", ")
}

// until waits for a condition, a generous time.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("never: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}
