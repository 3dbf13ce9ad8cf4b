package stream

import (
	"sync"
	"sync/atomic"

	"viaduct/netio"
)

// inMsg is one message on its way to a shard. It belongs to the event loop until pushed, then to
// the Port until Release.
type inMsg struct {
	data     []byte
	src      netio.Addr
	conn     uint64
	listener uint16
	fault    Fault
	http     HTTPRequest
}

// inMsgs keeps records with their bytes, none longer than pooledBytes: what a full queue may hold
// depends on it. valyala/bytebufferpool, whose bound is what it has seen of 42,000 buffers, is not
// faster, and the record would need a pool beside it: 23 to 30 ns here, 29 to 35 there without the
// record (BenchmarkMessagePool, EPYC under load, Go 1.26, 2026-11).
var inMsgs = sync.Pool{New: func() any { return new(inMsg) }}

// newInMsg copies data.
func newInMsg(data []byte) *inMsg {
	m := inMsgs.Get().(*inMsg)
	m.data = append(m.data[:0], data...)
	m.http = HTTPRequest{}
	return m
}

func (m *inMsg) free() {
	if cap(m.data) > pooledBytes {
		m.data = nil
	}
	inMsgs.Put(m)
}

// queue carries messages from all event loops to one shard: bounded, lock-free, many producers and
// one consumer.
//
// A cell's turn says whose it is: turn = position: free for the producer that takes the position;
// turn = position+1: filled, the consumer's. The producer's Store of turn pairs with the consumer's
// Load and makes the message visible; the consumer's Store, a lap ahead, pairs with the Load of the
// producer one lap later.
type queue struct {
	cells [queueMessages]cell
	_     [64]byte // producers write tail, the consumer head: apart from each other
	tail  atomic.Uint64
	_     [64]byte
	head  atomic.Uint64 // written by the consumer only
	_     [64]byte
	// starved is set by a loop that found no room, and taken back by the shard when there is again.
	starved atomic.Bool
}

type cell struct {
	turn atomic.Uint64
	msg  *inMsg
}

func newQueue() *queue {
	q := &queue{}
	for i := range q.cells {
		q.cells[i].turn.Store(uint64(i))
	}
	return q
}

// push gives m to the shard. It returns false if there is no room.
func (q *queue) push(m *inMsg) bool {
	at := q.tail.Load()
	for {
		c := &q.cells[at%queueMessages]
		switch turn := c.turn.Load(); {
		case turn == at:
			if q.tail.CompareAndSwap(at, at+1) {
				c.msg = m
				c.turn.Store(at + 1)
				return true
			}
			at = q.tail.Load()
		case turn < at:
			return false
		default:
			at = q.tail.Load()
		}
	}
}

// pop takes the oldest message. It returns nil if there is none. The shard's.
func (q *queue) pop() *inMsg {
	at := q.head.Load()
	c := &q.cells[at%queueMessages]
	if c.turn.Load() != at+1 {
		return nil
	}
	m := c.msg
	c.msg = nil
	c.turn.Store(at + queueMessages)
	q.head.Store(at + 1)
	return m
}

// empty tells whether pop would find nothing. The shard's.
func (q *queue) empty() bool {
	at := q.head.Load()
	return q.cells[at%queueMessages].turn.Load() != at+1
}

// length is how many messages wait; any goroutine, and old when it returns.
func (q *queue) length() int { return int(q.tail.Load() - q.head.Load()) }
