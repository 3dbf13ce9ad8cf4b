package shard

import (
	"log/slog"
	"strings"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// overload decides which share of new calls a shard refuses while more arrives than it can handle.
// Without it the socket's queue stays full, what is lost there is sent again, and soon most of the
// work is for calls that fail. A refusal costs a fifth of a call.
//
// In a small buffer a batch is a good part of it, and only what the kernel drops tells of overload.
//
// A long queue alone is no overload: after a pause of the machine it is worked off, late but whole.
// So only one that has not been short for standingAfter counts. Then the share follows the queue:
// none while it is half full, all new calls when it is nearly full. In between it finds the length
// at which as much comes in as goes out, and nothing is lost in the socket. It falls slowly, or
// each pause in the refusing would let the queue fill up again.
//
// It belongs to the shard: each has sockets of its own.
type overload struct {
	off     bool
	now     int64
	shortAt int64   // when the queue was short last, ns
	lostAt  int64   // when the kernel dropped something last, ns; 0: never
	drops   uint64  // dropped by then
	share   float64 // of new calls to refuse, 0 to 1
	due     float64 // of the next one to refuse: at 1 it is

	// Of this round: how full the fullest buffer is, 0 to 1, and whether one is, or was before it
	// was read.
	fill float64
	full bool
	read uint64 // datagrams, from the sockets seen
}

// see takes in one socket of a round: what it holds now, and how many datagrams of how many bytes
// were read from it before.
func (o *overload) see(q netio.RecvQueue, read, readBytes int) {
	o.read += uint64(read)
	if q.BufferBytes >= smallBuffer {
		o.fill = max(o.fill, q.Fill())
	}
	o.full = o.full || q.Fill() > queueHalf || float64(readBytes) > queueHalf*float64(q.BufferBytes)
}

// look draws the conclusions from a round: drops is how many datagrams the kernel has dropped in
// all.
func (o *overload) look(now int64, drops uint64) {
	fill, lost, read := o.fill, uint64(0), o.read
	if o.full { // else what was dropped had a wrong checksum, which anybody can send
		lost = drops - o.drops
	}
	o.fill, o.full, o.read, o.drops = 0, false, 0, drops
	elapsed := now - o.now
	o.now = now
	if elapsed >= int64(standingAfter) {
		o.shortAt = now // the shard slept, for nothing had come
	}
	if lost > 0 {
		o.lostAt = now
	}
	if fill <= queueHalf && !o.losing() {
		o.shortAt = now
	}
	if o.share == 0 && now-o.shortAt < int64(standingAfter) {
		return
	}
	share := max(o.share-float64(elapsed)/float64(shareFalls), 0)
	if lost > 0 {
		share = max(share+shareOfLoss, float64(lost)/float64(lost+read))
	}
	o.share = min(max(share, (fill-queueHalf)/(queueFull-queueHalf)), 1)
}

// losing tells whether the kernel has dropped something lately.
func (o *overload) losing() bool { return o.lostAt != 0 && o.now-o.lostAt < int64(lossQuiet) }

// calm is look for a round that had little: true if that is all there is to say.
func (o *overload) calm(now int64) bool {
	if o.share > 0 {
		return false
	}
	o.now = now
	if !o.losing() {
		o.shortAt = now
	}
	return true
}

// refuses decides about one new call.
func (o *overload) refuses() bool {
	o.due += o.share
	if o.due < 1 {
		return false
	}
	o.due--
	return true
}

// longRead is a batch from a socket whose queue is worth a look. The bytes are in the kernel's
// count, about.
type longRead struct {
	listener  uint16
	read      int
	readBytes int
}

// watchQueues looks at the queues of the sockets that had much in this round; the others' are
// short.
func (w *worker) watchQueues() {
	o := &w.overload
	if o.off {
		return
	}
	now := w.batchAt
	if len(w.long) == 0 && o.calm(now) {
		return
	}
	for _, l := range w.long {
		o.see(w.queueOf(l.listener), l.read, l.readBytes)
	}
	o.look(now, w.count[CountKernelDrops])
}

// queueOf asks for a socket's queue and counts what the kernel has dropped there since.
func (w *worker) queueOf(listener uint16) netio.RecvQueue {
	q := w.port.RecvQueue(int(listener))
	w.count[CountKernelDrops] += q.Drops - w.dropsOf[listener]
	w.dropsOf[listener] = q.Drops
	return q
}

// overloaded refuses a request that would begin something new, if their share says so. Requests of
// a dialog and CANCELs are handled to the last, and so are urgent ones; OPTIONS as well, by which
// peers see whether we live.
func (w *worker) overloaded() bool {
	if w.overload.share == 0 {
		return false
	}
	m, r := &w.m, &w.core.Request
	if m.Method == parser.ACK || m.Method == parser.CANCEL || m.Method == parser.OPTIONS || r.HasToTag() || urgent(m) || !w.overload.refuses() {
		return false
	}
	w.refuse(Overloaded, proxy.InOverload, "", "")
	return true
}

// urgent tells an emergency call (urn:service:sos and below, RFC 5031 §4.2) or one that claims
// priority (RFC 4412 §3.1) from the rest. Who may claim it is for those to decide who know their
// peers.
func urgent(m *parser.Message) bool {
	if m.HeaderByName("Resource-Priority", 0) >= 0 {
		return true
	}
	u, reason := m.RequestURI()
	if reason != parser.OK || u.Scheme != parser.URN {
		return false
	}
	const sos = "service:sos"
	name := u.Opaque.Of(u.Raw)
	return len(name) >= len(sos) && strings.EqualFold(string(name[:len(sos)]), sos) && (len(name) == len(sos) || name[len(sos)] == '.')
}

// watchLoad tells the log when requests begin to be refused since more arrives than can be handled,
// and when that is over.
func (w *worker) watchLoad(now int64) {
	switch began, ended, n := w.tooMuch.look(now, w.count[refuseBase+int(Overloaded)]); {
	case began:
		w.shared.queue(logLine{slog.LevelWarn, "overload: more arrives than this shard can handle; part of the new calls gets 503", []any{"shard", w.number,
			"kernel_drops", w.count[CountKernelDrops]}})
	case ended:
		w.shared.queue(logLine{slog.LevelWarn, "the overload is over", []any{"shard", w.number, "refused", n}})
	}
}
