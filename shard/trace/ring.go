// Package trace keeps the last messages of a shard, those that a filter lets in, for who wants to
// see a call as it went over the wire.
package trace

import (
	"encoding/binary"

	"viaduct/netio"
)

// Message is a message that was received or sent.
type Message struct {
	Number uint64 // counts the messages of the ring, from 1
	At     int64  // ns since 1970
	Out    bool   // sent, not received
	// From and To are the ends; one of them is the listener. Their Proto is that of the message.
	From, To netio.Addr
	Text     []byte // valid until the ring's next method
}

// Ring is a buffer of messages in which new ones displace the oldest. One goroutine uses it.
type Ring struct {
	buf   []byte
	first int    // where the oldest message begins
	next  int    // where the next one begins
	end   int    // of the messages at the upper end, if next is below first
	kept  int    // messages
	last  uint64 // number of the newest
}

// MinBytes is the least size of a ring: that of the longest datagram, and its head.
const MinBytes = headBytes + 1<<16

// A message in the buffer: length of the text, its number, the time, direction, and both ends.
const (
	addrBytes = 16 + 2 + 1 + 1 + 4
	headBytes = 4 + 8 + 8 + 1 + 2*addrBytes
)

// NewRing makes a ring of that many bytes, MinBytes at least.
func NewRing(bytes int) *Ring { return &Ring{buf: make([]byte, max(bytes, MinBytes))} }

// Put adds a message, whose Number is set. One that is longer than the ring is not kept; the result
// is false then.
func (r *Ring) Put(m *Message) bool {
	r.last++
	m.Number = r.last
	need := headBytes + len(m.Text)
	if need > len(r.buf) {
		return false
	}
	r.room(need)
	b := r.buf[r.next : r.next : r.next+need]
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Text)))
	b = binary.LittleEndian.AppendUint64(b, m.Number)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.At))
	out := byte(0)
	if m.Out {
		out = 1
	}
	b = appendAddr(appendAddr(append(b, out), &m.From), &m.To)
	_ = append(b, m.Text...)
	r.next += need
	r.kept++
	return true
}

// room makes need bytes free at next, which may become 0 for that.
func (r *Ring) room(need int) {
	for r.kept > 0 {
		switch {
		case r.end != 0 && r.next+need <= r.first, r.end == 0 && r.next+need <= len(r.buf):
			return
		case r.end == 0: // the messages are in one piece, from first to next: begin below them
			r.end, r.next = r.next, 0
		default:
			r.drop()
		}
	}
	r.first, r.next, r.end = 0, 0, 0
}

// drop forgets the oldest message.
func (r *Ring) drop() {
	r.first += headBytes + int(binary.LittleEndian.Uint32(r.buf[r.first:]))
	r.kept--
	if r.end != 0 && r.first >= r.end {
		r.first, r.end = 0, 0
	}
}

// Each calls f for each message, the oldest first, until f returns false.
func (r *Ring) Each(f func(m *Message) bool) {
	at, end := r.first, r.end
	for range r.kept {
		if end != 0 && at >= end {
			at, end = 0, 0
		}
		b := r.buf[at:]
		n := int(binary.LittleEndian.Uint32(b))
		m := Message{Number: binary.LittleEndian.Uint64(b[4:]),
			At: int64(binary.LittleEndian.Uint64(b[12:])), Out: b[20] != 0,
			From: readAddr(b[21:]), To: readAddr(b[21+addrBytes:]),
			Text: b[headBytes : headBytes+n : headBytes+n]}
		if !f(&m) {
			return
		}
		at += headBytes + n
	}
}

// Kept is how many messages there are, and All how many there have been.
func (r *Ring) Kept() int   { return r.kept }
func (r *Ring) All() uint64 { return r.last }

func appendAddr(b []byte, a *netio.Addr) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, a.IP[:]...), a.Port)
	return binary.LittleEndian.AppendUint32(append(b, a.Family, byte(a.Proto)), a.Zone)
}

func readAddr(b []byte) (a netio.Addr) {
	copy(a.IP[:], b)
	a.Port = binary.LittleEndian.Uint16(b[16:])
	a.Family, a.Proto = b[18], netio.Proto(b[19])
	a.Zone = binary.LittleEndian.Uint32(b[20:])
	return a
}
