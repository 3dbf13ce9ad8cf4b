package tlslayer

import (
	"net"
	"time"
)

// errAgain is what a read finds when the fed bytes are used up. Temporary is what keeps crypto/tls
// from remembering it.
var errAgain error = again{}

type again struct{}

func (again) Error() string   { return "tlslayer: no more bytes yet" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

// pipe is the net.Conn below a tls.Conn: the real one during the handshake (nc set), afterwards
// memory.
type pipe struct {
	nc net.Conn
	in []byte // what Feed was given and TLS has not read yet; nil between calls
	// TLS writes into dst during Seal and Close (sealing), and else into pending, whose memory is
	// kept.
	sealing      bool
	dst, pending []byte
}

func (p *pipe) Read(b []byte) (int, error) {
	if p.nc != nil {
		return p.nc.Read(b)
	}
	if len(p.in) == 0 {
		return 0, errAgain
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.nc != nil {
		return p.nc.Write(b)
	}
	if p.sealing {
		p.dst = append(p.dst, b...)
	} else {
		p.pending = append(p.pending, b...)
	}
	return len(b), nil
}

// Close is called when the context of the handshake ends, and by tls.Conn.Close. After the
// handshake the connection is not ours to close.
func (p *pipe) Close() error {
	if p.nc != nil {
		return p.nc.Close()
	}
	return nil
}

func (p *pipe) LocalAddr() net.Addr {
	if p.nc != nil {
		return p.nc.LocalAddr()
	}
	return noAddr{}
}

func (p *pipe) RemoteAddr() net.Addr {
	if p.nc != nil {
		return p.nc.RemoteAddr()
	}
	return noAddr{}
}

func (p *pipe) SetDeadline(t time.Time) error {
	if p.nc != nil {
		return p.nc.SetDeadline(t)
	}
	return nil // memory has no deadlines; tls.Conn.Close sets one
}

func (p *pipe) SetReadDeadline(t time.Time) error {
	if p.nc != nil {
		return p.nc.SetReadDeadline(t)
	}
	return nil
}

func (p *pipe) SetWriteDeadline(t time.Time) error {
	if p.nc != nil {
		return p.nc.SetWriteDeadline(t)
	}
	return nil
}

// noAddr is the address of a session whose connection has gone to the event loop.
type noAddr struct{}

func (noAddr) Network() string { return "tls" }
func (noAddr) String() string  { return "" }
