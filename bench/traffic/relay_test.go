package traffic

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"
)

// relay is a raw forwarder on one socket whose treatment of each datagram the test decides.
type relay struct {
	conn *net.UDPConn
	peer map[netip.AddrPort]netip.AddrPort
	// treat returns what to send instead of the datagram, each entry once: nil drops it.
	treat func(*relay, []byte) [][]byte
	// dropped and added count datagrams by their first word and, for responses, number: "INVITE",
	// "180", "200 BYE".
	dropped, added map[string]uint64
	done           chan struct{}
}

var loopback = netip.MustParseAddr("127.0.0.1")

func newRelay(t *testing.T, treat func(*relay, []byte) [][]byte) *relay {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	return &relay{
		conn: conn, peer: map[netip.AddrPort]netip.AddrPort{}, treat: treat, dropped: map[string]uint64{},
		added: map[string]uint64{}, done: make(chan struct{}),
	}
}

func (r *relay) addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *relay) join(e *Engine) {
	for i, c := range e.CallerAddrs() {
		a := e.AnswererAddrs()[i]
		r.peer[c], r.peer[a] = a, c
	}
	go r.run()
}

func (r *relay) run() {
	defer close(r.done)
	buffer := make([]byte, frameBytes)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		b := bytes.Clone(buffer[:n])
		out := [][]byte{b}
		if r.treat != nil {
			out = r.treat(r, b)
		}
		for _, d := range out {
			// a port that is gone is the test's own end
			_, _ = r.conn.WriteToUDPAddrPort(d, r.peer[from])
		}
	}
}

func (r *relay) close() {
	r.conn.Close()
	<-r.done
}

// what names a datagram.
func what(b []byte) string {
	first, _, _ := bytes.Cut(b, []byte(" "))
	if string(first) != "SIP/2.0" {
		return string(first)
	}
	i := bytes.Index(b, []byte("CSeq: "))
	_, rest, _ := bytes.Cut(b[i+6:], []byte(" "))
	method, _, _ := bytes.Cut(rest, []byte("\r"))
	return string(b[8:11]) + " " + string(method)
}

// through runs cfg with a relay between the ends, or directly if treat is nil and cfg.Path is
// Direct.
func through(t *testing.T, cfg Config, treat func(*relay, []byte) [][]byte) (Report, *relay) {
	t.Helper()
	var r *relay
	if cfg.Path == Raw {
		r = newRelay(t, treat)
		cfg.Server = r.addr()
	}
	for range 2 {
		cfg.Callers = append(cfg.Callers, netip.AddrPortFrom(loopback, 0))
		cfg.Answerers = append(cfg.Answerers, netip.AddrPortFrom(loopback, 0))
	}
	cfg.Sleep = true
	if cfg.T1 == 0 {
		cfg.T1 = 20 * time.Millisecond
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if r != nil {
		r.join(e)
		defer r.close()
	}
	return e.Run(), r
}

func sumOf(m map[string]uint64) uint64 {
	var n uint64
	for _, v := range m {
		n += v
	}
	return n
}

// copies gives the datagrams that left one end and those that reached the other, over the whole
// run.
func copies(r *Report) (sent, arrived uint64) {
	for _, n := range r.Messages {
		sent += n.Sent + n.Retransmitted
		arrived += n.Received + n.Duplicated
	}
	return sent, arrived + r.Late
}
