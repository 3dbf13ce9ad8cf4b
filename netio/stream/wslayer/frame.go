package wslayer

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A frame's header (RFC 6455 §5.2):
//
//	 0               1               2        …        4 or 10      +4
//	+-+---+-------+-+-------------+-------------------+-----------+
//	|F|RSV|opcode |M| length      | 16 or 64 bits more| mask      |
//	+-+---+-------+-+-------------+-------------------+-----------+
//	                 126: 16 bits, 127: 64 bits          if M

// errLength: the length is not in its shortest form, or its top bit is set (§5.2).
var errLength = errors.New("length is not encoded as RFC 6455 §5.2 asks")

// headerLen says how many bytes the header that begins with b has; b has at least two.
func headerLen(b []byte) int {
	n := 2
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// readHeader reads a whole header. ws.ReadHeader does the same from an io.Reader, at the price of
// two allocations for each frame.
func readHeader(b []byte) (h ws.Header, err error) {
	h.Fin, h.Rsv, h.OpCode = b[0]&0x80 != 0, b[0]>>4&7, ws.OpCode(b[0]&0x0f)
	h.Masked = b[1]&0x80 != 0
	rest := b[2:]
	switch n := b[1] & 0x7f; n {
	default:
		h.Length = int64(n)
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
		if h.Length < 126 {
			return h, errLength
		}
	case 127:
		n := binary.BigEndian.Uint64(rest)
		rest = rest[8:]
		if n < 1<<16 || n>>63 != 0 {
			return h, errLength
		}
		h.Length = int64(n)
	}
	if h.Masked {
		copy(h.Mask[:], rest)
	}
	return h, nil
}

// Frame appends msg to dst as one unfragmented, unmasked frame: text if msg is valid UTF-8, as most
// SIP is, and else binary (RFC 7118 §5, RFC 6455 §5.6).
func Frame(dst, msg []byte) []byte {
	op := ws.OpBinary
	if utf8.Valid(msg) {
		op = ws.OpText
	}
	return appendFrame(dst, op, msg)
}

func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = append(dst, 126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, payload...)
}

// Ping appends a ping with no more than 125 bytes of payload; the pong that answers it is taken in
// silence.
func Ping(dst, payload []byte) []byte {
	return appendFrame(dst, ws.OpPing, payload[:min(len(payload), ControlBytes)])
}

// Pong appends a pong that answers nothing, which is allowed and not answered (RFC 6455 §5.5.3).
func Pong(dst, payload []byte) []byte {
	return appendFrame(dst, ws.OpPong, payload[:min(len(payload), ControlBytes)])
}

// appendClose appends a close frame with a code and a reason.
func appendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	reason = reason[:min(len(reason), ControlBytes-2)]
	dst = append(dst, 0x80|byte(ws.OpClose), byte(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
