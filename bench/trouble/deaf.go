package trouble

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Deaf has a server send to two peers that never read: one that it is asked, over UDP, to forward
// requests to, and one that sends it requests over TCP and leaves the answers where they are.
type Deaf struct {
	server   netip.AddrPort
	rate     float64
	udp      *net.UDPConn
	listener *net.TCPListener
	caller   *net.TCPConn
	lock     sync.Mutex // of taken
	taken    []net.Conn
	done     sync.WaitGroup
	counts   struct{ toForward, toAnswer, blocked, answers, connections, closed atomic.Uint64 }
}

// DeafCounts is what was sent to the server.
type DeafCounts struct {
	// ToForward are requests for the deaf peer, ToAnswer those of the deaf caller; Blocked counts
	// moments at which the server did not take any.
	ToForward uint64 `json:"to_forward"`
	ToAnswer  uint64 `json:"to_answer"`
	Blocked   uint64 `json:"blocked"`
	// Answers counts datagrams that came back for ToForward, Connections those the server opened to
	// the deaf peer, Closed how often it hung up on the caller.
	Answers     uint64 `json:"answers"`
	Connections uint64 `json:"connections"`
	Closed      uint64 `json:"closed"`
}

// NewDeaf listens at the deaf peer's address. Rate is messages per second, half of them each way.
// The server must serve UDP and TCP at server.
func NewDeaf(server, at netip.AddrPort, rate float64) (*Deaf, error) {
	if rate <= 0 || rate > MaxRate {
		return nil, fmt.Errorf("rate %g: want 1 to %d", rate, MaxRate)
	}
	d := &Deaf{server: server, rate: rate}
	config := net.ListenConfig{Control: smallBuffer} // inherited by what it accepts
	l, err := config.Listen(background, "tcp4", at.String())
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	d.listener = l.(*net.TCPListener)
	if d.udp, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server)); err != nil {
		d.listener.Close()
		return nil, fmt.Errorf("cannot open UDP: %w", err)
	}
	if err := d.call(); err != nil {
		d.listener.Close()
		d.udp.Close()
		return nil, err
	}
	return d, nil
}

func (d *Deaf) call() error {
	dialer := net.Dialer{Control: smallBuffer, Timeout: handshakeTime}
	c, err := dialer.Dial("tcp4", d.server.String())
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	d.caller = c.(*net.TCPConn)
	return nil
}

// Run sends until stop is closed, and closes everything.
func (d *Deaf) Run(stop <-chan struct{}) DeafCounts {
	d.done.Add(2)
	go d.accept()
	go d.hear()
	peer := d.listener.Addr().(*net.TCPAddr).AddrPort()
	padding := strings.Repeat("x", paddingBytes)
	began, sent := time.Now(), 0
	for !isClosed(stop) {
		time.Sleep(stepTime)
		due := int(time.Since(began).Seconds() * d.rate)
		for ; sent < due && !isClosed(stop); sent++ {
			id := fmt.Sprintf("deaf%d-%d", began.UnixNano(), sent)
			if sent%2 == 0 {
				if _, err := d.udp.Write(request(fmt.Sprintf("sip:deaf@%s;transport=tcp", peer),
					d.udp.LocalAddr(), "UDP", id, 70, padding)); err == nil {
					d.counts.toForward.Add(1)
				}
				continue
			}
			d.ask(request("sip:"+d.server.String()+";transport=tcp", d.caller.LocalAddr(), "TCP",
				id, 0, padding))
		}
	}
	d.listener.Close()
	d.udp.Close()
	d.caller.Close()
	d.lock.Lock()
	for _, c := range d.taken {
		c.Close()
	}
	d.lock.Unlock()
	d.done.Wait()
	n := &d.counts
	return DeafCounts{n.toForward.Load(), n.toAnswer.Load(), n.blocked.Load(), n.answers.Load(),
		n.connections.Load(), n.closed.Load()}
}

// ask sends over the deaf caller's connection; one that the server has closed, or of which it takes
// nothing more, is opened anew.
func (d *Deaf) ask(b []byte) {
	_ = d.caller.SetWriteDeadline(time.Now().Add(stepTime))
	n, err := d.caller.Write(b)
	if err == nil {
		d.counts.toAnswer.Add(1)
		return
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() && n == 0 {
		d.counts.blocked.Add(1) // the server has stopped reading, which is its right
		return
	}
	// The server hung up, or took half a message.
	d.counts.closed.Add(1)
	d.caller.Close()
	if d.call() != nil {
		d.counts.blocked.Add(1) // the closed one stays: the next message tries again
	}
}

// accept takes connections and never reads them. Half a message does not end before its connection
// does.
func (d *Deaf) accept() {
	defer d.done.Done()
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.counts.connections.Add(1)
		d.lock.Lock()
		d.taken = append(d.taken, c)
		if len(d.taken) > 2*stormTogether { // a server that hangs up and comes again
			d.taken[0].Close()
			d.taken = d.taken[1:]
		}
		d.lock.Unlock()
	}
}

// hear counts the answers over UDP.
func (d *Deaf) hear() {
	defer d.done.Done()
	b := make([]byte, 2048)
	for {
		if _, err := d.udp.Read(b); err == nil {
			d.counts.answers.Add(1)
		} else if isOver(err) {
			return
		}
	}
}

func smallBuffer(_, _ string, c rawConn) error {
	var err error
	e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, deafBuffer)
	})
	if e != nil {
		return e
	}
	return err
}
