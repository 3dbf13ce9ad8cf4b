package outside

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// WebSocket frames that RFC 6455 forbids end their connection; pieces of one byte are one message.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	h := newHostileStreams(t, overWS)
	raw := func(name string, b []byte) (p *peer, s *stream) {
		p = h.srv.caller(t, name, overWS)
		s = p.connection()
		_, _ = lockedWriter{s}.Write(b) // the end may come first
		return p, s
	}
	bytesOf := func(frames ...ws.Frame) []byte {
		var b bytes.Buffer
		for _, f := range frames {
			if err := ws.WriteFrame(&b, f); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	masked := func(f ws.Frame) ws.Frame { return ws.MaskFrameInPlace(f) }
	rsv := func(bits byte) ws.Frame {
		f := masked(ws.NewTextFrame([]byte(h.text("4"))))
		f.Header.Rsv = bits
		return f
	}
	ends := func(name string, b []byte) {
		t.Helper()
		_, s := raw(name, b)
		select {
		case <-s.gone:
		case <-time.After(patience):
			t.Errorf("%s: the connection does not end", name)
		}
		h.clean(name)
	}
	ends("a frame without a mask (§5.1)", bytesOf(ws.NewTextFrame([]byte(h.text("4")))))
	for bits := byte(1); bits < 8; bits++ {
		ends(fmt.Sprintf("RSV bits %03b (§5.2)", bits), bytesOf(rsv(bits)))
	}
	ends("an opcode without a meaning (§5.2)", bytesOf(masked(ws.NewFrame(0x3, true, []byte("x")))))
	ends("a continuation of nothing (§5.4)", bytesOf(masked(ws.NewFrame(ws.OpContinuation, true, []byte("x")))))
	ends("a ping in pieces (§5.5)", bytesOf(masked(ws.NewFrame(ws.OpPing, false, []byte("x")))))
	ends("a ping of 126 bytes (§5.5)", bytesOf(masked(ws.NewFrame(ws.OpPing, true, make([]byte, 126)))))
	ends("a frame of 2^62 bytes", []byte{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	ends("a length with the sign bit (§5.2)", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	ends("a message of 200,000 bytes", bytesOf(masked(ws.NewTextFrame(make([]byte, 200_000)))))

	// A message in frames of one byte.
	p := h.srv.caller(t, "who sends single bytes", overWS)
	d := p.call(h.srv.tcp)
	text := d.text("OPTIONS", d.branch)
	var frames []ws.Frame
	for i := range len(text) {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		frames = append(frames, masked(ws.NewFrame(op, i == len(text)-1, []byte{text[i]})))
	}
	if _, err := (lockedWriter{p.connection()}).Write(bytesOf(frames...)); err != nil {
		t.Fatal(err)
	}
	h.serve("frames of one byte", p, d.id)
	p.connection().close()

	// Pings without end: each gets its pong, or the connection ends.
	_, s := raw("who pings", bytes.Repeat(bytesOf(masked(ws.NewPingFrame([]byte("?")))), 5000))
	h.clean("5,000 pings")
	s.close()
	h.settled("frames")
}

// A sender that closes its half behind a request has gone: the proxy closes the other half. The
// request is forwarded all the same; its answer can go by the Via alone (RFC 3261 §18.2.2), and
// here that leads nowhere.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	h := newHostileStreams(t, overTCP)
	for range 20 {
		p := h.srv.caller(t, "who closes one half", overTCP)
		s := p.connection()
		s.send(h.text("4"))
		if err := s.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		m := h.bob.next(patience)
		if m == nil {
			t.Fatalf("a request before a closed half is not forwarded\n%s", h.srv.tail())
		}
		h.bob.reply(m, 200, "OK", "bob")
		select {
		case <-s.gone:
		case <-time.After(patience):
			t.Fatal("the proxy does not close its half")
		}
	}
	h.clean("closed halves")
	h.settled("closed halves")
}
