package traffic

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// streamRelay joins each caller's connection to one to the answerer of the same place, message by
// message; the test decides what becomes of each, and in what pieces bytes are written.
type streamRelay struct {
	listener *net.TCPListener
	lock     sync.Mutex // of all below: each direction of each connection has its goroutine
	peer     map[netip.AddrPort]netip.AddrPort
	treat    func([]byte) [][]byte
	// pieces is the size of the next write, 0 for all there is.
	pieces func() int
	conns  []net.Conn
	ready  chan struct{} // closed by join
	done   sync.WaitGroup
}

func newStreamRelay(t *testing.T, treat func([]byte) [][]byte, pieces func() int) *streamRelay {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &streamRelay{
		listener: l, peer: map[netip.AddrPort]netip.AddrPort{}, treat: treat, pieces: pieces,
		ready: make(chan struct{}),
	}
	r.done.Add(1)
	go r.run()
	return r
}

func (r *streamRelay) addr() netip.AddrPort { return r.listener.Addr().(*net.TCPAddr).AddrPort() }

func (r *streamRelay) join(e *Engine) {
	for i, c := range e.CallerAddrs() {
		r.peer[c] = e.AnswererAddrs()[i]
	}
	close(r.ready)
}

func (r *streamRelay) run() {
	defer r.done.Done()
	for {
		a, err := r.listener.AcceptTCP()
		if err != nil {
			return
		}
		<-r.ready
		b, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(r.peer[a.RemoteAddr().(*net.TCPAddr).AddrPort()]))
		if err != nil {
			a.Close()
			continue
		}
		r.lock.Lock()
		r.conns = append(r.conns, a, b)
		r.lock.Unlock()
		r.done.Add(2)
		go r.move(a, b)
		go r.move(b, a)
	}
}

// move reads whole messages from one connection and writes them to the other.
func (r *streamRelay) move(from, to net.Conn) {
	defer r.done.Done()
	defer to.Close()
	var have []byte
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		have = append(have, buffer[:n]...)
		var out []byte
		for {
			whole := wholeMessage(have)
			if whole == 0 {
				break
			}
			r.lock.Lock()
			parts := [][]byte{have[:whole]}
			if r.treat != nil {
				parts = r.treat(bytes.Clone(have[:whole]))
			}
			r.lock.Unlock()
			have = have[whole:]
			for _, p := range parts {
				out = append(out, p...)
			}
		}
		for len(out) > 0 {
			n := len(out)
			if r.pieces != nil {
				r.lock.Lock()
				if p := r.pieces(); p > 0 {
					n = min(n, p)
				}
				r.lock.Unlock()
			}
			if _, err := to.Write(out[:n]); err != nil {
				return
			}
			out = out[n:]
		}
	}
}

// wholeMessage is the length of the message that b begins with, 0 if its end has not come.
func wholeMessage(b []byte) int {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return 0
	}
	_, rest, ok := bytes.Cut(b[:head+2], []byte("\r\nContent-Length: "))
	if !ok {
		return 0
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	body, err := strconv.Atoi(string(digits))
	if err != nil || head+4+body > len(b) {
		return 0
	}
	return head + 4 + body
}

func (r *streamRelay) close() {
	r.listener.Close()
	r.lock.Lock()
	for _, c := range r.conns {
		c.Close()
	}
	r.lock.Unlock()
	r.done.Wait()
}

// throughStreams runs cfg over two connections a side, through a relay unless cfg.Path is Direct.
func throughStreams(t *testing.T, cfg Config, treat func([]byte) [][]byte, pieces func() int) Report {
	t.Helper()
	var r *streamRelay
	if cfg.Path == Raw {
		r = newStreamRelay(t, treat, pieces)
		defer r.close()
		cfg.Server = r.addr()
	}
	for range 2 {
		cfg.Callers = append(cfg.Callers, netip.AddrPortFrom(loopback, 0))
		cfg.Answerers = append(cfg.Answerers, netip.AddrPortFrom(loopback, 0))
	}
	if cfg.Transport == UDP {
		cfg.Transport = TCP
	}
	cfg.Sleep = true
	if cfg.T1 == 0 {
		cfg.T1 = DefaultT1
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if r != nil {
		r.join(e)
	}
	return e.Run()
}
