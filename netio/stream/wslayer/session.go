package wslayer

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Config is what a listener's sessions share. It must not change while they live.
type Config struct {
	// MessageBytes bounds one SIP message; 0 means 65535, at most 16 MiB.
	MessageBytes int
	// HeaderBytes bounds the HTTP request of the upgrade, without a body; 0 means 8 KiB, at most 1
	// MiB.
	HeaderBytes int
	// Origins are the origins of web pages that may connect ("https://phone.example.com"), compared
	// without regard to case; empty lets all in. A client that is no browser sends no Origin and
	// always may (RFC 6455 §10.2).
	Origins []string
	// CORS is what the answer to an upgrade says of its origin.
	CORS CORS
}

// CORS is what Access-Control-Allow-Origin says in the answer to an upgrade. The WebSocket protocol
// does not need it: it is for what stands between.
type CORS int

const (
	CORSNone   CORS = iota // there is none
	CORSAny                // *
	CORSOrigin             // the request's Origin, if it has one
)

// Validate says what is out of range.
func (c *Config) Validate() error {
	if c.MessageBytes < 0 || c.MessageBytes > maxMessageBytes {
		return fmt.Errorf("websocket message limit %d is not between 0 and %d bytes",
			c.MessageBytes, maxMessageBytes)
	}
	if c.HeaderBytes < 0 || c.HeaderBytes > maxHeaderBytes {
		return fmt.Errorf("websocket header limit %d is not between 0 and %d bytes", c.HeaderBytes,
			maxHeaderBytes)
	}
	return nil
}

func (c *Config) messageBytes() int {
	if c.MessageBytes == 0 {
		return defaultMessageBytes
	}
	return c.MessageBytes
}

func (c *Config) headerBytes() int {
	if c.HeaderBytes == 0 {
		return defaultHeaderBytes
	}
	return c.HeaderBytes
}

// CloseError is what ends a session that has been upgraded: a rule of RFC 6455 that the peer broke.
// The close frame has been given to reply.
type CloseError struct {
	Code   ws.StatusCode // 1002, 1007 or 1009
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("websocket closed with %d: %s", e.Code, e.Reason)
}

// ErrClosed: Close was called before.
var ErrClosed = errors.New("websocket is closed")

// Session is one connection, from its first byte on. The zero Session is not usable: see New.
type Session struct {
	cfg *Config
	err error // what ended the session; sticky

	request *Request // nil until upgraded

	// The HTTP request so far; afterwards the message so far, unmasked, when it comes in several
	// pieces.
	buf []byte

	head    [ws.MaxHeaderSize]byte // a frame header begun: head[:headLen]
	headLen int

	inPayload  bool // frame is being read, left bytes are missing
	frame      ws.Header
	left       int
	fragmented bool      // a data message began and has not ended
	op         ws.OpCode // of that message
	control    [ControlBytes]byte
	controlLen int

	out []byte // replies are built here
}

// New gives a session that waits for its HTTP request.
func New(cfg *Config) *Session { return &Session{cfg: cfg} }

// Upgraded gives a session whose HTTP request was answered elsewhere.
func Upgraded(cfg *Config, request *Request) *Session {
	return &Session{cfg: cfg, request: request}
}

// Request is the upgrade request, or nil before the session is upgraded.
func (s *Session) Request() *Request { return s.request }

// Feed takes bytes from the wire. Every complete message goes to emit, every answer that must be
// written to reply, in their order on the wire. Empty messages and CRLF keep-alives (RFC 5626
// §4.4.1, RFC 7118 §6) are not emitted; a double CRLF is answered by a single one. It never blocks.
//
// consumed is len(in) unless there is an error: nothing has to be given twice. Every error is
// final, comes back from later calls, and asks the caller to write what reply got and close the
// connection: io.EOF after the peer's close frame, a *CloseError for a broken rule, a *RefusedError
// for a refused upgrade.
func (s *Session) Feed(in []byte, emit, reply func([]byte)) (consumed int, err error) {
	total := len(in)
	for s.err == nil && (len(in) > 0 || s.inPayload && s.left == 0) {
		switch {
		case s.request == nil:
			in = s.upgrade(in, reply)
		case !s.inPayload:
			in = s.readHead(in, reply)
		default:
			in = s.readPayload(in, emit, reply)
		}
	}
	return total - len(in), s.err
}

// readHead collects a frame's header and checks it.
func (s *Session) readHead(in []byte, reply func([]byte)) []byte {
	for {
		want := 2
		if s.headLen >= 2 {
			want = headerLen(s.head[:])
		}
		n := copy(s.head[s.headLen:want], in)
		s.headLen += n
		in = in[n:]
		if s.headLen < want {
			return in
		}
		if want == headerLen(s.head[:]) {
			break
		}
	}
	h, err := readHeader(s.head[:s.headLen])
	s.headLen = 0
	if err == nil {
		err = ws.CheckHeader(h, s.state())
	}
	if err != nil {
		s.fail(ws.StatusProtocolError, err.Error(), reply)
		return in
	}
	if h.OpCode.IsData() && h.Length > int64(s.cfg.messageBytes()-len(s.buf)) {
		s.fail(ws.StatusMessageTooBig,
			fmt.Sprintf("messages are limited to %d bytes", s.cfg.messageBytes()), reply)
		return in
	}
	s.frame, s.left, s.inPayload = h, int(h.Length), true
	return in
}

func (s *Session) state() ws.State {
	state := ws.StateServerSide
	if s.fragmented {
		state = state.Set(ws.StateFragmented)
	}
	return state
}

// readPayload takes what is there of the frame's payload. A message that is wholly in in is emitted
// from there.
func (s *Session) readPayload(in []byte, emit, reply func([]byte)) []byte {
	n := min(s.left, len(in))
	piece, rest := in[:n:n], in[n:]
	done := int(s.frame.Length) - s.left
	ws.Cipher(piece, s.frame.Mask, done)
	s.left -= n
	if s.frame.OpCode.IsControl() {
		s.controlLen += copy(s.control[s.controlLen:], piece)
		if s.left == 0 {
			s.inPayload = false
			payload := s.control[:s.controlLen]
			s.controlLen = 0
			s.answer(payload, reply)
		}
		return rest
	}
	if s.frame.OpCode != ws.OpContinuation {
		s.op = s.frame.OpCode
	}
	whole := s.left == 0 && done == 0 && s.frame.Fin && !s.fragmented
	if !whole {
		s.buf = append(s.buf, piece...)
		piece = s.buf
	}
	if s.left > 0 {
		return rest
	}
	s.inPayload, s.fragmented = false, !s.frame.Fin
	if s.fragmented {
		return rest
	}
	s.message(piece, emit, reply)
	if s.buf = s.buf[:0]; cap(s.buf) > keepBytes {
		s.buf = nil
	}
	return rest
}

// message ends one data message.
func (s *Session) message(msg []byte, emit, reply func([]byte)) {
	switch {
	case s.op == ws.OpText && !utf8.Valid(msg): // §8.1
		s.fail(ws.StatusInvalidFramePayloadData, "text is not UTF-8", reply)
	case string(msg) == "\r\n\r\n":
		s.out = appendFrame(s.out[:0], ws.OpText, []byte("\r\n"))
		reply(s.out)
	case len(msg) == 0 || string(msg) == "\r\n":
	default:
		emit(msg)
	}
}

// answer ends one control frame.
func (s *Session) answer(payload []byte, reply func([]byte)) {
	switch s.frame.OpCode {
	case ws.OpPing: // §5.5.2
		s.out = appendFrame(s.out[:0], ws.OpPong, payload)
		reply(s.out)
	case ws.OpClose: // §5.5.1: echo the code
		switch {
		case len(payload) == 0:
			s.out = appendFrame(s.out[:0], ws.OpClose, nil)
		case len(payload) == 1:
			s.fail(ws.StatusProtocolError, "close frame of one byte", reply)
			return
		default:
			code, reason := ws.ParseCloseFrameData(payload)
			if err := ws.CheckCloseFrameData(code, reason); err != nil {
				s.fail(ws.StatusProtocolError, err.Error(), reply)
				return
			}
			s.out = appendClose(s.out[:0], code, "")
		}
		s.end(io.EOF)
		reply(s.out)
	}
}

// fail ends the session because the peer broke a rule.
func (s *Session) fail(code ws.StatusCode, reason string, reply func([]byte)) {
	s.out = appendClose(s.out[:0], code, reason)
	s.end(&CloseError{code, reason})
	reply(s.out)
}

func (s *Session) end(err error) { s.err, s.buf = err, nil }

// Close ends the session from our side and appends the close frame: 1001 and "going away" for a
// server that stops, 1000 else. Nothing if the session is over, or has not been upgraded. The
// caller writes it, and closes the connection when the peer has, or after a while.
func (s *Session) Close(dst []byte, code ws.StatusCode, reason string) []byte {
	if s.err == nil && s.request != nil {
		dst = appendClose(dst, code, reason)
	}
	if s.err == nil {
		s.end(ErrClosed)
	}
	return dst
}
