package wslayer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

const goodRequest = "GET /sip HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n" +
	"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Origin: https://phone.example.com\r\nSec-WebSocket-Protocol: xmpp, sip\r\nSec-WebSocket-Version: 13\r\n\r\n"

// heard is what a session said: every message and every reply, in order.
type heard struct {
	log      []string
	messages [][]byte
	replies  []byte
}

func (h *heard) emit(b []byte) {
	h.log = append(h.log, fmt.Sprintf("message %q", b))
	h.messages = append(h.messages, bytes.Clone(b))
}

func (h *heard) reply(b []byte) {
	h.log = append(h.log, fmt.Sprintf("reply %q", b))
	h.replies = append(h.replies, b...)
}

// upgraded gives a session whose upgrade is behind it.
func upgraded(tb testing.TB, cfg *Config) *Session {
	tb.Helper()
	s := New(cfg)
	if n, err := s.Feed([]byte(goodRequest), nil, func([]byte) {}); n != len(goodRequest) || err != nil ||
		s.Request() == nil {
		tb.Fatalf("upgrade: %d bytes, %v", n, err)
	}
	return s
}

// masked makes a client's frame with the library's writer.
func masked(fin bool, op ws.OpCode, payload string) []byte {
	f := ws.NewFrame(op, fin, []byte(payload))
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(f, [4]byte{0x12, 0x34, 0x56, 0x78}))
}

func TestMessagesAndReplies(t *testing.T) {
	f := func(name string, frames [][]byte, want []string, wantErr string) {
		t.Helper()
		whole := bytes.Join(frames, nil)
		for _, step := range []int{1, 2, 3, 7, 1 << 20} {
			s, h := upgraded(t, &Config{MessageBytes: 1000}), &heard{}
			var err error
			for piece := range slices.Chunk(bytes.Clone(whole), step) {
				var n int
				if n, err = s.Feed(piece, h.emit, h.reply); err != nil {
					break
				}
				if n != len(piece) {
					t.Fatalf("%s: step %d: consumed %d of %d", name, step, n, len(piece))
				}
			}
			if got := fmt.Sprint(err); got != wantErr && !(err == nil && wantErr == "") {
				t.Errorf("%s: step %d: error %v, want %s", name, step, err, wantErr)
			}
			if !slices.Equal(h.log, want) {
				t.Errorf("%s: step %d:\n got %q\nwant %q", name, step, h.log, want)
			}
			if err != nil {
				if _, again := s.Feed([]byte("x"), nil, nil); again != err {
					t.Errorf("%s: the error did not stick: %v", name, again)
				}
			}
		}
	}
	frames := func(f ...[]byte) [][]byte { return f }
	closed := func(code int, reason string) []string {
		return []string{fmt.Sprintf("reply %q",
			"\x88"+string(rune(2+len(reason)))+string([]byte{byte(code >> 8), byte(code)})+reason)}
	}
	long := strings.Repeat("x", 300)

	f("text", frames(masked(true, ws.OpText, "OPTIONS")), []string{`message "OPTIONS"`}, "")
	f("binary", frames(masked(true, ws.OpBinary, "OPT\xff")), []string{`message "OPT\xff"`}, "")
	f("two", frames(masked(true, ws.OpText, "a"), masked(true, ws.OpBinary, "b")),
		[]string{`message "a"`, `message "b"`}, "")
	f("16 bit length", frames(masked(true, ws.OpText, long)), []string{`message "` + long + `"`}, "")
	f("fragments", frames(masked(false, ws.OpText, "OP"), masked(false, ws.OpContinuation, "TI"),
		masked(true, ws.OpContinuation, "ONS")),
		[]string{`message "OPTIONS"`}, "")
	f("ping between fragments",
		frames(masked(false, ws.OpText, "OP"), masked(true, ws.OpPing, "hi"), masked(true, ws.OpContinuation, "TIONS")),
		[]string{`reply "\x8a\x02hi"`, `message "OPTIONS"`}, "")
	f("rune cut by fragments", frames(masked(false, ws.OpText, "\xc3"), masked(true, ws.OpContinuation, "\xa9")),
		[]string{`message "é"`}, "")
	f("empty fragments", frames(masked(false, ws.OpText, ""), masked(false, ws.OpContinuation, ""),
		masked(true, ws.OpContinuation, "x")), []string{`message "x"`}, "")
	f("empty message", frames(masked(true, ws.OpText, "")), nil, "")
	f("pong", frames(masked(true, ws.OpPong, "hi")), nil, "")
	f("empty ping", frames(masked(true, ws.OpPing, "")), []string{`reply "\x8a\x00"`}, "")
	f("CRLF CRLF", frames(masked(true, ws.OpText, "\r\n\r\n")), []string{`reply "\x81\x02\r\n"`}, "")
	f("CRLF", frames(masked(true, ws.OpText, "\r\n")), nil, "")

	f("close", frames(masked(true, ws.OpClose, "\x03\xe8bye"), masked(true, ws.OpText, "late")), closed(1000, ""),
		"EOF")
	f("empty close", frames(masked(true, ws.OpClose, "")), []string{`reply "\x88\x00"`}, "EOF")
	f("close of one byte", frames(masked(true, ws.OpClose, "\x03")), closed(1002, "close frame of one byte"),
		"websocket closed with 1002: close frame of one byte")
	f("close with a forbidden code", frames(masked(true, ws.OpClose, "\x03\xed")),
		closed(1002, "status code is only application level"),
		"websocket closed with 1002: status code is only application level")

	f("unmasked", frames(ws.MustCompileFrame(ws.NewTextFrame([]byte("OPTIONS")))),
		closed(1002, "frames from client to server must be masked"),
		"websocket closed with 1002: frames from client to server must be masked")
	rsv := masked(true, ws.OpText, "x")
	rsv[0] |= 0x40
	f("RSV1", frames(rsv), closed(1002, "non-zero rsv bits with no extension negotiated"),
		"websocket closed with 1002: non-zero rsv bits with no extension negotiated")
	f("reserved opcode", frames(masked(true, 3, "x")), closed(1002, "use of reserved op code"),
		"websocket closed with 1002: use of reserved op code")
	f("fragmented ping", frames(masked(false, ws.OpPing, "x")), closed(1002, "control frame is not final"),
		"websocket closed with 1002: control frame is not final")
	f("long ping", frames(masked(true, ws.OpPing, long)), closed(1002, "control frame payload limit exceeded"),
		"websocket closed with 1002: control frame payload limit exceeded")
	f("lone continuation", frames(masked(true, ws.OpContinuation, "x")),
		closed(1002, "unexpected continuation data frame"),
		"websocket closed with 1002: unexpected continuation data frame")
	f("message inside a message", frames(masked(false, ws.OpText, "x"), masked(true, ws.OpText, "y")),
		closed(1002, "unexpected non-continuation data frame"),
		"websocket closed with 1002: unexpected non-continuation data frame")
	f("text that is none", frames(masked(true, ws.OpText, "ok"), masked(true, ws.OpText, "\xff")),
		append([]string{`message "ok"`}, closed(1007, "text is not UTF-8")...),
		"websocket closed with 1007: text is not UTF-8")
	f("too long", frames(masked(true, ws.OpText, strings.Repeat("x", 1001))),
		closed(1009, "messages are limited to 1000 bytes"),
		"websocket closed with 1009: messages are limited to 1000 bytes")
	f("too long in fragments",
		frames(masked(false, ws.OpText, strings.Repeat("x", 999)), masked(true, ws.OpContinuation, "yy")),
		closed(1009, "messages are limited to 1000 bytes"),
		"websocket closed with 1009: messages are limited to 1000 bytes")
	f("length of 2^63-1 behind a fragment",
		frames(masked(false, ws.OpText, "x"), []byte("\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")),
		closed(1009, "messages are limited to 1000 bytes"),
		"websocket closed with 1009: messages are limited to 1000 bytes")
	f("length of 2^63", frames([]byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")),
		closed(1002, errLength.Error()), "websocket closed with 1002: "+errLength.Error())
	f("length in 16 bits for 5", frames([]byte("\x81\xfe\x00\x05\x00\x00\x00\x00hello")),
		closed(1002, errLength.Error()), "websocket closed with 1002: "+errLength.Error())
}

func TestLargestMessage(t *testing.T) {
	s, h := upgraded(t, &Config{}), &heard{}
	msg := strings.Repeat("0123456789abcdef", 4096)[:defaultMessageBytes]
	for piece := range slices.Chunk(masked(true, ws.OpText, msg), 1500) {
		if _, err := s.Feed(piece, h.emit, h.reply); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.messages) != 1 || string(h.messages[0]) != msg {
		t.Fatalf("%d messages", len(h.messages))
	}
	if cap(s.buf) > keepBytes {
		t.Errorf("the idle session keeps %d bytes", cap(s.buf))
	}
}

func TestFrameIsReadByTheLibrary(t *testing.T) {
	f := func(msg string, op ws.OpCode) {
		t.Helper()
		wire := Frame([]byte("before"), []byte(msg))
		frame, err := ws.ReadFrame(bytes.NewReader(wire[len("before"):]))
		if err != nil || frame.Header.OpCode != op || !frame.Header.Fin || frame.Header.Masked ||
			frame.Header.Rsv != 0 || string(frame.Payload) != msg {
			t.Fatalf("%d bytes: %v, header %+v", len(msg), err, frame.Header)
		}
		if !bytes.HasPrefix(wire, []byte("before")) {
			t.Fatal("Frame lost what was in dst")
		}
	}
	f("", ws.OpText)
	f("OPTIONS é", ws.OpText)
	f("OPTIONS \xe9", ws.OpBinary)
	for _, n := range []int{125, 126, 65535, 65536, 70000} {
		f(strings.Repeat("x", n), ws.OpText)
	}
}

func TestClose(t *testing.T) {
	s := upgraded(t, &Config{})
	if got := string(s.Close(nil, ws.StatusGoingAway, "stop")); got != "\x88\x06\x03\xe9stop" {
		t.Errorf("Close gave %q", got)
	}
	if got := s.Close(nil, ws.StatusGoingAway, "stop"); len(got) != 0 {
		t.Errorf("the second Close gave %q", got)
	}
	if _, err := s.Feed([]byte("x"), nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Feed after Close: %v", err)
	}
	if got := New(&Config{}).Close(nil, ws.StatusGoingAway, "stop"); len(got) != 0 {
		t.Errorf("Close before the upgrade gave %q", got)
	}
}

func TestCloseWithinEmit(t *testing.T) {
	s := upgraded(t, &Config{})
	wire := bytes.Join([][]byte{masked(false, ws.OpText, "a"), masked(true, ws.OpContinuation, "b"),
		masked(true, ws.OpText, "c")}, nil)
	seen := 0
	_, err := s.Feed(wire,
		func([]byte) { seen++; s.Close(nil, ws.StatusNormalClosure, "") }, func([]byte) { t.Error("a reply") })
	if err != ErrClosed || seen != 1 {
		t.Errorf("%d messages, %v", seen, err)
	}
}

// Any bytes, split in any way, must give the same messages, replies and error as in one piece.
func FuzzAnySplitIsTheSame(f *testing.F) {
	f.Add([]byte(goodRequest), uint64(1), false)
	f.Add(append([]byte(goodRequest), masked(true, ws.OpText, "OPTIONS")...), uint64(2), false)
	f.Add(append([]byte("get /"), goodRequest...), uint64(3), false)
	f.Add(bytes.Join([][]byte{masked(false, ws.OpText, "OP"), masked(true, ws.OpPing, "hi"),
		masked(true, ws.OpContinuation, "TIONS"), masked(true, ws.OpClose, "\x03\xe8")}, nil), uint64(4), true)
	f.Add(masked(true, ws.OpBinary, strings.Repeat("\xff", 700)), uint64(5), true)
	f.Add([]byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint64(6), true)
	cfg := &Config{MessageBytes: 1000, HeaderBytes: 600}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64, past bool) {
		start := func() *Session {
			if past {
				return upgraded(t, cfg)
			}
			return New(cfg)
		}
		s, whole := start(), &heard{}
		n, wholeErr := s.Feed(bytes.Clone(wire), whole.emit, whole.reply)
		if n < 0 || n > len(wire) || wholeErr == nil && n != len(wire) {
			t.Fatalf("consumed %d of %d, error %v", n, len(wire), wholeErr)
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		s, split := start(), &heard{}
		var splitErr error
		for rest := bytes.Clone(wire); len(rest) > 0 && splitErr == nil; {
			k := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(64)))
			_, splitErr = s.Feed(rest[:k:k], split.emit, split.reply)
			if len(s.buf) > max(cfg.MessageBytes, cfg.HeaderBytes) {
				t.Fatalf("the session keeps %d bytes", len(s.buf))
			}
			rest = rest[k:]
		}
		if !slices.Equal(whole.log, split.log) || fmt.Sprint(wholeErr) != fmt.Sprint(splitErr) {
			t.Fatalf("in one piece %q, %v\nin several    %q, %v", whole.log, wholeErr, split.log, splitErr)
		}
		for r := bytes.NewReader(whole.replies); past && r.Len() > 0; {
			fr, err := ws.ReadFrame(r)
			if err == nil {
				err = ws.CheckHeader(fr.Header, ws.StateClientSide)
			}
			if err != nil && err != io.EOF {
				t.Fatalf("replies are no frames: %q: %v", whole.replies, err)
			}
		}
	})
}
