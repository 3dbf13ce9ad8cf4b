package outside

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// longestMessage bounds what a peer reads as one message.
const longestMessage = 1 << 20

// stream is one connection of a peer.
type stream struct {
	peer  *peer
	conn  net.Conn
	frame bool // WebSocket
	reads gate
	out   sync.Mutex   // one writer at a time: the reader answers pings
	empty atomic.Int64 // CRLFs between messages that came in
	pongs atomic.Int64 // of WebSocket
	gone  chan struct{}
	err   error // why it ended, after gone: io.EOF is an orderly end
}

// readMessages cuts the stream by Content-Length (RFC 3261 §18.3).
func (s *stream) readMessages(from io.Reader) error {
	in := bufio.NewReader(gated{from, &s.reads})
	for {
		var head bytes.Buffer
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if head.Len() == 0 && len(bytes.TrimRight(line, "\r\n")) == 0 {
				s.empty.Add(1)
				continue
			}
			head.Write(line)
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
			if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(strings.TrimSpace(name),
				"Content-Length") || strings.EqualFold(strings.TrimSpace(name), "l") {
				if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 ||
					length > longestMessage {
					return fmt.Errorf("a Content-Length of %q", strings.TrimSpace(value))
				}
			}
			if head.Len() > longestMessage {
				return errors.New("a message without end")
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		s.deliver(append(head.Bytes(), body...))
	}
}

// readFrames takes one message from each WebSocket message (RFC 7118 §4.2).
func (s *stream) readFrames(from io.Reader) error {
	rw := struct {
		io.Reader
		io.Writer
	}{gated{from, &s.reads}, lockedWriter{s}}
	for {
		head, err := ws.ReadHeader(rw)
		if err != nil {
			return err
		}
		if head.Length > longestMessage {
			return fmt.Errorf("a frame of %d bytes", head.Length)
		}
		if head.Masked {
			return errors.New("a masked frame from a server (RFC 6455 §5.1)")
		}
		body := make([]byte, head.Length)
		if _, err := io.ReadFull(rw, body); err != nil {
			return err
		}
		switch {
		case head.OpCode == ws.OpPing:
			if err := wsutil.WriteClientMessage(rw, ws.OpPong, body); err != nil {
				return err
			}
		case head.OpCode == ws.OpPong:
			s.pongs.Add(1)
		case head.OpCode == ws.OpClose:
			return io.EOF
		case !head.Fin:
			return errors.New("a message in pieces, which no SIP server needs to send")
		case len(bytes.Trim(body, "\r\n")) == 0:
			s.empty.Add(int64(bytes.Count(body, []byte("\n"))))
		default:
			s.deliver(body)
		}
	}
}

func (s *stream) deliver(b []byte) {
	m := readMessage(b, netip.MustParseAddrPort(s.conn.RemoteAddr().String()))
	m.at, m.link = time.Now(), s
	s.peer.in <- m
}

// gate is shut while its peer has stopped reading.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open
}

// gated waits with reading while the gate is shut.
type gated struct {
	io.Reader
	*gate
}

func (g gated) Read(b []byte) (int, error) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return g.Reader.Read(b)
}

type lockedWriter struct{ s *stream }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.s.out.Lock()
	defer w.s.out.Unlock()
	return w.s.conn.Write(b)
}

// stopReading lets what arrives stay in the kernel, after one more read at most. goOn ends it, and
// must come before the test ends.
func (s *stream) stopReading() {
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	s.reads.shut = make(chan struct{})
}

func (s *stream) goOn() {
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	close(s.reads.shut)
	s.reads.shut = nil
}

// write sends bytes as they are, or as one text frame.
func (s *stream) write(b []byte) error {
	if s.frame {
		return wsutil.WriteClientText(lockedWriter{s}, b)
	}
	_, err := lockedWriter{s}.Write(b)
	return err
}

func (s *stream) send(text string) {
	s.peer.t.Helper()
	if err := s.write([]byte(text)); err != nil {
		s.peer.t.Fatalf("%s cannot send: %v", s.peer.name, err)
	}
}

// drip sends byte by byte; Go sets TCP_NODELAY, hence each is a segment of its own while the proxy
// keeps up.
func (s *stream) drip(text string) {
	s.peer.t.Helper()
	for i := range len(text) {
		if _, err := (lockedWriter{s}).Write([]byte{text[i]}); err != nil {
			s.peer.t.Fatalf("%s cannot send byte %d: %v", s.peer.name, i, err)
		}
	}
}

// close ends the connection in order; reset ends it with RST (SO_LINGER 0).
func (s *stream) close() {
	s.conn.Close()
	<-s.gone
}

func (s *stream) reset() {
	inner := s.conn
	if c, ok := inner.(*tls.Conn); ok {
		inner = c.NetConn()
	}
	inner.(*net.TCPConn).SetLinger(0)
	inner.Close()
	<-s.gone
}

// noticed waits, behind close or reset, until the proxy has given its end up. What it writes before
// that is lost without its fault.
func (s *stream) noticed() {
	s.peer.t.Helper()
	own := netip.MustParseAddrPort(s.conn.LocalAddr().String())
	table, remote := "/proc/net/tcp",
		regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:%04X 0[18] `, own.Port()))
	if own.Addr().Is6() {
		table = "/proc/net/tcp6"
	}
	eventually(s.peer.t, "the proxy to notice that a connection ended", func() bool {
		b, err := os.ReadFile(table)
		if err != nil {
			s.peer.t.Fatal(err)
		}
		return !remote.Match(b) // established, or waiting for its own close
	})
}

// alive wants the connection to be there.
func (s *stream) alive() {
	s.peer.t.Helper()
	select {
	case <-s.gone:
		s.peer.t.Errorf("the connection of %s ended: %v", s.peer.name, s.err)
	default:
	}
}

// expectCRLFs wants so many line ends between messages to have arrived in all.
func (s *stream) expectCRLFs(n int64) {
	s.peer.t.Helper()
	eventually(s.peer.t, fmt.Sprintf("%s to get %d CRLFs", s.peer.name, n), func() bool { return s.empty.Load() >= n })
}
