package txn

import (
	"encoding/binary"
	"hash/maphash"

	"viaduct/parser"
	"viaduct/shm"
)

// A 2xx to INVITE that was made here has nobody downstream who repeats it. So its transaction does,
// over any transport, from T1 on and doubling up to T2, until the ACK comes or 64·T1 have passed
// (RFC 3261 §13.3.1.4). That ACK has a branch of its own. It belongs to the 2xx by Call-ID, CSeq
// number and both tags (§13.2.2.4).
//
// Such a transaction has a second entry in the index, by a hash of those four. What it sent tells
// whether the entry is the one. While there is no such transaction an ACK costs a comparison.
//
// A peer may send any number of INVITEs that are one call and differ in their branches. No more
// than sameCall of them have the entry; the 2xx of any further one is sent once, and counted.

// Answer is Respond for a response that was made here: a 2xx to INVITE is repeated.
func (t *Table) Answer(tx *Tx, status int, segments [][]byte) bool {
	if !tx.Invite() || tx.state != Proceeding || status < 200 || status >= 300 ||
		tx.flags&txOurs != 0 || !t.keepAnswer(tx, segments) {
		return t.Respond(tx, status, segments)
	}
	if tx.flags&(txNoConnect|txCloseAfter) != 0 {
		t.setReplyOptions(tx, status)
	}
	t.send(tx.listener, &tx.replyTo, 0, tx.reply)
	tx.state, tx.status = Accepted, uint16(status)
	t.complete(tx, status)
	if tx.flags&txCloseAfter == 0 || !tx.replyTo.Proto.Reliable() {
		tx.intervalMs = t.t1(tx)
		tx.retransAt = after(t.now, tx.intervalMs, t.now)
	}
	t.rearmServer(tx, t.now+max(int64(t.timers.Wait), t.lifetime()))
	return true
}

// keepAnswer keeps the 2xx and waits for its ACK. It returns false if there is no room.
func (t *Table) keepAnswer(tx *Tx, segments [][]byte) bool {
	was := t.Reserve(true) // as for other responses to new calls, see keep
	off := t.join(tx, segments)
	t.Reserve(was)
	if off == 0 {
		t.count[CountUnstored]++
		return false
	}
	t.dropReply(tx)
	tx.reply = off
	if t.awaitAck(tx) {
		return true
	}
	t.count[CountIndexFull]++
	t.dropReply(tx)
	return false
}

// awaitAck makes the second entry of a transaction that keeps a 2xx of ours. It returns false if
// there is no room.
func (t *Table) awaitAck(tx *Tx) bool {
	tag, ok := t.answerTag(tx)
	if !ok || t.index.entries(tag, sameCall) >= sameCall ||
		!t.index.put(uint64(tag)<<32, t.offOf(&tx.node)) {
		return false
	}
	tx.flags |= txAwaitsAck
	t.answers++
	return true
}

// dropReply lets go of the last response of tx, and of the entry for its ACK.
func (t *Table) dropReply(tx *Tx) {
	if tx.flags&txAwaitsAck != 0 {
		tag, _ := t.answerTag(tx)
		if !t.index.remove(uint64(tag)<<32, t.offOf(&tx.node)) {
			panic("BUG: a transaction is not in the index by its answer")
		}
		tx.flags &^= txAwaitsAck
		t.answers--
	}
	t.drop(&tx.reply)
}

// AckAnswer handles an ACK. It reports whether the ACK is for a 2xx that was made here, which is
// then not repeated any more.
func (t *Table) AckAnswer(m *parser.Message) (found bool) {
	if t.answers == 0 {
		return false
	}
	tag, ok := t.dialogTag(m)
	if !ok {
		return false
	}
	x := &t.index
	for i := tag & x.mask; x.slots[i] != 0; i = (i + 1) & x.mask {
		if uint32(x.slots[i]>>32) != tag {
			continue
		}
		tx := t.tx(shm.Off(x.slots[i]))
		if tx.flags&txAwaitsAck == 0 || t.stored.Parse(t.storedBytes(tx.reply)) != parser.OK ||
			!sameDialog(m, &t.stored) {
			continue
		}
		found = true
		if tx.retransAt != 0 {
			tx.retransAt = 0
			t.rearmServer(tx, tx.endAt) // further copies of the ACK are taken in until then
		}
	}
	return found
}

// answerTag returns dialogTag of the response that tx keeps.
func (t *Table) answerTag(tx *Tx) (tag uint32, ok bool) {
	if t.stored.Parse(t.storedBytes(tx.reply)) != parser.OK {
		return 0, false
	}
	return t.dialogTag(&t.stored)
}

// dialogTag returns the hash of what a 2xx and its ACK have in common. It is false for a message
// that lacks one of those.
func (t *Table) dialogTag(m *parser.Message) (tag uint32, ok bool) {
	cseq, bad := m.CSeq()
	from, bad2 := m.From()
	to, bad3 := m.To()
	if bad != parser.OK || bad2 != parser.OK || bad3 != parser.OK {
		return 0, false
	}
	b := binary.LittleEndian.AppendUint32(t.callBuf[:0], cseq.Number)
	b = append(append(b, m.CallID()...), '\n')
	b = append(append(b, from.Tag.Of(m.Raw)...), '\n')
	b = append(b, to.Tag.Of(m.Raw)...)
	t.callBuf = b[:0]
	return uint32(maphash.Bytes(t.seed2, b)>>32) | 1, true
}

// sameDialog tells whether an ACK belongs to a response. Both have what dialogTag reads.
func sameDialog(ack, m *parser.Message) bool {
	a, _ := ack.CSeq()
	b, _ := m.CSeq()
	from, _ := ack.From()
	from2, _ := m.From()
	to, _ := ack.To()
	to2, _ := m.To()
	return a.Number == b.Number && string(ack.CallID()) == string(m.CallID()) &&
		string(from.Tag.Of(ack.Raw)) == string(from2.Tag.Of(m.Raw)) &&
		string(to.Tag.Of(ack.Raw)) == string(to2.Tag.Of(m.Raw))
}
