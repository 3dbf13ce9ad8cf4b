package siptrace

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
)

const (
	// maxWatched is how many transactions and dialogs a shard watches at once. A further one is
	// only traced by the message at hand, and counted (siptrace.unwatched).
	maxWatched = 8192
	// maxCorrelation is the longest correlation ID in bytes; a longer one is cut.
	maxCorrelation = 256
)

// A transaction is watched until this time has passed without a message of it, which is longer than
// an INVITE rings. A dialog is watched longer.
const (
	txIdleMs     = 5 * 60_000
	dialogIdleMs = 12 * 3_600_000
	// sweepMs is how long a full shard waits before it looks again for what is idle.
	sweepMs = 1000
)

// watched is a transaction or a dialog whose messages are sent to a collector.
type watched struct {
	to          *netio.CopyTo
	correlation []byte
	seenMs      int64
	dialog      bool
	accepted    bool // the INVITE had a 2xx: its ACK is another transaction
}

// watch is what a shard watches. Its memory is the Go heap's: who takes over after a kill watches
// nothing that began before.
type watch struct {
	by      map[uint64]watched // by hash of Call-ID and CSeq number, or of the Call-ID
	sweptMs int64
	m       parser.Message
	out     []byte
}

func newWatch(int) *watch {
	return &watch{by: map[uint64]watched{}, out: make([]byte, 0, maxPacket)}
}

// keys returns the keys of the message's transaction and dialog.
func keys(m *parser.Message) (tx, dialog uint64, ok bool) {
	cseq, reason := m.CSeq()
	id := m.CallID()
	if reason != parser.OK || len(id) == 0 {
		return 0, 0, false
	}
	dialog = xxhash.Sum64(id)
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], dialog)
	binary.LittleEndian.PutUint32(b[8:], cseq.Number)
	return xxhash.Sum64(b[:]), dialog, true
}

// add begins to watch what m belongs to. It returns false if there is no room.
func (w *watch) add(m *parser.Message, x watched, nowMs int64) bool {
	key, dialog, ok := keys(m)
	if !ok {
		return true
	}
	if x.dialog {
		key = dialog
	}
	if len(w.by) >= maxWatched && nowMs-w.sweptMs > sweepMs {
		w.sweep(nowMs)
	}
	if len(w.by) >= maxWatched {
		return false
	}
	x.seenMs = nowMs
	w.by[key] = x
	return true
}

// find returns who watches the message in text.
func (w *watch) find(text []byte, nowMs int64) (x watched, ok bool) {
	if len(w.by) == 0 {
		return x, false
	}
	if nowMs-w.sweptMs > txIdleMs {
		w.sweep(nowMs)
	}
	m := &w.m
	if m.Parse(text) != parser.OK {
		return x, false
	}
	key, dialog, ok := keys(m)
	if !ok {
		return x, false
	}
	if x, ok = w.by[key]; !ok {
		key = dialog
		x, ok = w.by[key]
	}
	if !ok || !x.dialog && x.accepted && m.IsRequest && m.Method == parser.ACK {
		return x, false
	}
	if !m.IsRequest && m.Status >= 200 && m.Status < 300 {
		if cseq, _ := m.CSeq(); cseq.Method == parser.INVITE {
			x.accepted = true
		}
	}
	x.seenMs = nowMs
	w.by[key] = x
	return x, true
}

// watches tells whether m belongs to what is watched, so that a copy of it was sent when it came.
func (w *watch) watches(m *parser.Message) bool {
	key, dialog, _ := keys(m)
	_, tx := w.by[key]
	_, all := w.by[dialog]
	return tx || all
}

// sweep forgets what had no message for long.
func (w *watch) sweep(nowMs int64) {
	w.sweptMs = nowMs
	for key, x := range w.by {
		idle := int64(txIdleMs)
		if x.dialog {
			idle = dialogIdleMs
		}
		if nowMs-x.seenMs > idle {
			delete(w.by, key)
		}
	}
}

// nowMs is the time of the batch.
func nowMs(c *route.Ctx) int64 { return c.Now() / 1e6 }
