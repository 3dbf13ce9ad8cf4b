// Package binrpc reads and writes the packets of Kamailio's binary RPC, which kamcmd(8) speaks and
// the ctl module serves on a Unix socket. It imports nothing of ours.
//
// A packet is a head and records:
//
//	1 0 1 0 0 0 0 1  t t t t l l c c  length (l+1 bytes)  cookie (c+1 bytes)  record …
//	└ magic ┘└ version  └ kind of packet
//
// length counts the bytes of the records. Each record begins with one byte. Its low four bits are
// the type. Above them is a number of three bits: the length of the value, or where the high bit is
// set, how many bytes that length takes. All numbers are big-endian. A text ends with a zero, which
// counts. A structure is its members between two marks; a member is its name and a record.
package binrpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Magic is the first byte of a packet; no line of text begins with it.
const Magic = 0xa1

// Limits of what is read and written.
const (
	// MaxRequest is the most bytes of records that a request may have.
	MaxRequest = 64 << 10
	// MaxReply is the most bytes of records that kamcmd reads (its buffer has 128 KiB with the head).
	MaxReply = 128<<10 - headBytes
	// headBytes is the longest head: magic, kinds, a length and a cookie of four bytes each.
	headBytes = 10
	maxDepth  = 32 // nesting of structures in an answer
)

// kind is what a packet is.
type kind uint8

const (
	request kind = 0
	reply   kind = 1
	fault   kind = 3
)

// tag is the type of a record.
type tag uint8

const (
	intTag    tag = 0
	textTag   tag = 1
	doubleTag tag = 2 // thousandths
	structTag tag = 3
	arrayTag  tag = 4
	nameTag   tag = 5 // name of a member, whose value is the record behind it
	bytesTag  tag = 6
)

// lengthBit says that the number in a record's first byte is the size of a length. At a structure
// or an array it marks the end.
const lengthBit = 0x80

// Request is a call.
type Request struct {
	Method string
	Args   []string // numbers as decimal text
	cookie []byte   // is returned with the reply
}

// ErrTooLong is a request beyond MaxRequest.
var ErrTooLong = fmt.Errorf("the request has more than %d bytes", MaxRequest)

var errShort = errors.New("the packet ends within a record")

// Read reads one request from r, whose next byte is Magic. If the error is a *BadError, the request
// can be answered and r is behind the packet. After any other error nothing more can be read.
func Read(r io.Reader) (*Request, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] != Magic {
		return nil, fmt.Errorf("byte 0x%02x begins no packet of version 1", head[0])
	}
	if k := kind(head[1] >> 4); k != request {
		return nil, fmt.Errorf("a packet of kind %d is no request", k)
	}
	sizes := make([]byte, int(head[1]>>2&3)+1+int(head[1]&3)+1)
	if _, err := io.ReadFull(r, sizes); err != nil {
		return nil, err
	}
	n := int(head[1]>>2&3) + 1
	length := number(sizes[:n])
	if length > MaxRequest {
		return nil, ErrTooLong
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	q := &Request{cookie: sizes[n:]}
	if err := q.parse(body); err != nil {
		return q, &BadError{err}
	}
	return q, nil
}

// BadError says that a request's records do not name a call. The request can be answered.
type BadError struct{ why error }

func (e *BadError) Error() string { return e.why.Error() }

// Unwrap returns what is wrong.
func (e *BadError) Unwrap() error { return e.why }

// parse reads the method and its arguments.
func (q *Request) parse(b []byte) error {
	for first := true; len(b) > 0; first = false {
		t, v, rest, err := record(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case first && t != textTag:
			return errors.New("the first record is no name of a method")
		case first:
			q.Method = text(v)
			continue
		}
		switch t {
		case intTag:
			q.Args = append(q.Args, strconv.FormatInt(int64(int32(number(v))), 10))
		case doubleTag:
			f := float64(int32(number(v))) / 1000
			q.Args = append(q.Args, strconv.FormatFloat(f, 'f', -1, 64))
		case textTag:
			q.Args = append(q.Args, text(v))
		case bytesTag:
			q.Args = append(q.Args, string(v))
		default:
			return errors.New("an argument is a structure or an array: write a text or a number")
		}
	}
	if q.Method == "" {
		return errors.New("no method is named")
	}
	return nil
}

// record cuts the first record off b. The value of a structure's mark is empty.
func record(b []byte) (t tag, value, rest []byte, err error) {
	first := b[0]
	b, t = b[1:], tag(first&0xf)
	n := int(first >> 4 & 7)
	if t == structTag || t == arrayTag {
		return t, nil, b, nil
	}
	if first&lengthBit != 0 {
		if n > 4 {
			return t, nil, nil, fmt.Errorf("a length of %d bytes", n)
		}
		if n > len(b) {
			return t, nil, nil, errShort
		}
		b, n = b[n:], int(number(b[:n]))
	}
	if n > len(b) {
		return t, nil, nil, errShort
	}
	if (t == intTag || t == doubleTag) && n > 4 {
		return t, nil, nil, fmt.Errorf("a number of %d bytes", n)
	}
	return t, b[:n], b[n:], nil
}

// number reads a big-endian number of up to four bytes.
func number(b []byte) (n uint32) {
	for _, c := range b {
		n = n<<8 | uint32(c)
	}
	return n
}

// text returns the value of a text record without its zero.
func text(v []byte) string {
	if n := len(v); n > 0 && v[n-1] == 0 {
		v = v[:n-1]
	}
	return string(v)
}

// appendHead begins a record whose value has n bytes.
func appendHead(b []byte, t tag, n int) []byte {
	if n < 8 {
		return append(b, byte(n)<<4|byte(t))
	}
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(n))
	used := trimmed(size[:])
	return append(append(b, lengthBit|byte(len(used))<<4|byte(t)), used...)
}

// trimmed returns b without leading zeros.
func trimmed(b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// appendText appends a text or a name.
func appendText(b []byte, t tag, s string) []byte {
	return append(append(appendHead(b, t, len(s)+1), s...), 0)
}

// appendInt appends a number. The format has 32 bits; a larger number is sent as text, which kamcmd
// shows alike.
func appendInt(b []byte, n int64) []byte {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return appendText(b, textTag, strconv.FormatInt(n, 10))
	}
	var v [4]byte
	binary.BigEndian.PutUint32(v[:], uint32(int32(n)))
	used := trimmed(v[:])
	return append(appendHead(b, intTag, len(used)), used...)
}

// appendFloat appends a number with a fraction: thousandths, or a text where these do not fit.
func appendFloat(b []byte, f float64) []byte {
	n := math.Round(f * 1000)
	if math.IsNaN(n) || n < math.MinInt32 || n > math.MaxInt32 {
		return appendText(b, textTag, strconv.FormatFloat(f, 'f', -1, 64))
	}
	var v [4]byte
	binary.BigEndian.PutUint32(v[:], uint32(int32(n)))
	used := trimmed(v[:])
	return append(appendHead(b, doubleTag, len(used)), used...)
}

// packet returns records with their head.
func packet(k kind, cookie, records []byte) []byte {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(records)))
	used := trimmed(size[:])
	if len(used) == 0 {
		used = size[3:]
	}
	b := make([]byte, 0, headBytes+len(records))
	b = append(b, Magic, byte(k)<<4|byte(len(used)-1)<<2|byte(len(cookie)-1))
	return append(append(append(b, used...), cookie...), records...)
}

// Fault returns the packet that says that the call failed.
func (q *Request) Fault(code int, reason string) []byte {
	return packet(fault, q.cookie, appendText(appendInt(nil, int64(code)), textTag, reason))
}
