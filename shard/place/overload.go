package place

import "viaduct/netio"

// Overload decides which share of new calls a shard refuses while more arrives than it can handle.
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
type Overload struct {
	off     bool
	now     int64
	shortAt int64   // when the queue was short last, ns
	lostAt  int64   // when the kernel dropped something last, ns; 0 means never
	drops   uint64  // dropped by then
	share   float64 // of new calls to refuse, 0 to 1
	due     float64 // of the next one to refuse: at 1 it is

	// Of this round: how full the fullest buffer is, 0 to 1, and whether one is, or was before it
	// was read.
	fill float64
	full bool
	read uint64 // datagrams, from the sockets seen
}

// NewOverload is that of a shard that begins now, ns. With off nothing is ever refused.
func NewOverload(off bool, now int64) Overload { return Overload{off: off, shortAt: now} }

// Off tells whether queues are not worth a look, since nothing is to be refused.
func (o *Overload) Off() bool { return o.off }

// See takes in one socket of a round: what it holds now, and how many datagrams of how many bytes
// were read from it before.
func (o *Overload) See(q netio.RecvQueue, read, readBytes int) {
	o.read += uint64(read)
	readBytes += read * datagramOverhead // as the kernel counts, about
	if q.BufferBytes >= smallBuffer {
		o.fill = max(o.fill, q.Fill())
	}
	o.full = o.full || q.Fill() > queueHalf || float64(readBytes) > queueHalf*float64(q.BufferBytes)
}

// Look draws the conclusions from a round: drops is how many datagrams the kernel has dropped in
// all.
func (o *Overload) Look(now int64, drops uint64) {
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
func (o *Overload) losing() bool { return o.lostAt != 0 && o.now-o.lostAt < int64(lossQuiet) }

// Calm is Look for a round that had little. It returns true if that is all there is to say.
func (o *Overload) Calm(now int64) bool {
	if o.share > 0 {
		return false
	}
	o.now = now
	if !o.losing() {
		o.shortAt = now
	}
	return true
}

// Refusing tells whether part of the new calls is refused at present.
func (o *Overload) Refusing() bool { return o.share > 0 }

// Refuses decides about one new call.
func (o *Overload) Refuses() bool {
	o.due += o.share
	if o.due < 1 {
		return false
	}
	o.due--
	return true
}
