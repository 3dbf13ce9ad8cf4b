package txn

import (
	"encoding/binary"
	"hash/maphash"

	"viaduct/parser"
	"viaduct/shm"
)

// Transactions by Call-ID and CSeq number, for programs that name one so (t_cancel_callid,
// t_reply_callid). The index is made when the settings first ask for it, and stays. A program that
// never asks pays a comparison for each transaction.
//
// A record has 32 bits of a hash of both, keyed by the process: they say where its entry is. What
// is stored of its messages then says whether it is the one. One Call-ID and CSeq number may belong
// to many transactions, since a peer may send any number of them with different branches. No more
// than sameCall are in the index, so that none of them makes a long chain; those behind are not
// found.

// beginCalls makes the index, and fills it with the transactions there are. Without memory it stays
// empty, and no call is found.
func (t *Table) beginCalls() {
	x, err := newIndex(t.arena.TotalBytes(), t.arena.Shards())
	if err != nil {
		t.count[CountIndexFull]++
		return
	}
	t.calls = x
	t.indexCalls()
}

// indexCalls fills the index, if there is one, with the transactions that are in the arena. Slow
// path: it reads a message of each.
func (t *Table) indexCalls() {
	if t.calls.slots == nil {
		return
	}
	for _, e := range t.index.slots {
		if e == 0 {
			continue
		}
		if tx := t.tx(shm.Off(e)); tx.call == 0 && tx.flags&txOurs == 0 && t.readCall(tx) {
			t.NoteCall(tx, &t.stored)
		}
	}
}

// NoteCall puts a transaction that was just made for m into the index.
func (t *Table) NoteCall(tx *Tx, m *parser.Message) {
	if t.calls.slots == nil {
		return
	}
	cseq, reason := m.CSeq()
	if reason != parser.OK {
		return
	}
	tag := t.callTag(m.CallID(), cseq.Number)
	if t.calls.entries(tag, sameCall) < sameCall && t.calls.put(uint64(tag)<<32, t.offOf(&tx.node)) {
		tx.call = tag
		return
	}
	t.count[CountIndexFull]++
}

// dropCall takes tx out of the index.
func (t *Table) dropCall(tx *Tx) {
	if tx.call == 0 {
		return
	}
	if !t.calls.remove(uint64(tx.call)<<32, t.offOf(&tx.node)) {
		panic("BUG: a transaction is not in the index of calls")
	}
	tx.call = 0
}

// FindCall returns a transaction of the request with that Call-ID and CSeq number, nil if there is
// none. If there are several it returns the INVITE's.
func (t *Table) FindCall(callID []byte, cseq uint32) (found *Tx) {
	x := &t.calls
	if x.slots == nil {
		return nil
	}
	tag := t.callTag(callID, cseq)
	for i := tag & x.mask; x.slots[i] != 0; i = (i + 1) & x.mask {
		if uint32(x.slots[i]>>32) != tag {
			continue
		}
		tx := t.tx(shm.Off(x.slots[i]))
		if found != nil && !tx.Invite() || !t.readCall(tx) {
			continue
		}
		n, reason := t.stored.CSeq()
		if reason != parser.OK || n.Number != cseq || string(t.stored.CallID()) != string(callID) {
			continue
		}
		if found = tx; tx.Invite() {
			break
		}
	}
	if found != nil {
		t.hand = t.offOf(&found.node)
	}
	return found
}

// callTag returns the hash of a Call-ID and a CSeq number. It is not 0.
func (t *Table) callTag(callID []byte, cseq uint32) uint32 {
	b := binary.LittleEndian.AppendUint32(t.callBuf[:0], cseq)
	b = append(b, callID...)
	t.callBuf = b[:0]
	return uint32(maphash.Bytes(t.seed, b)>>32) | 1
}

// Keeper is a User that keeps requests as they came.
type Keeper interface {
	// Received returns the request of tx as it came, nil if it is not kept.
	Received(tx *Tx) []byte
}

// readCall reads into t.stored whichever message of tx is there that has its Call-ID and its CSeq
// number. What was sent may have another number, so it is read last. It returns false if there is
// none.
func (t *Table) readCall(tx *Tx) bool {
	if tx.reply != 0 && t.stored.Parse(t.storedBytes(tx.reply)) == parser.OK {
		return true
	}
	if k, ok := t.user.(Keeper); ok && tx.saved != 0 && t.stored.Parse(k.Received(tx)) == parser.OK {
		return true
	}
	for off := tx.first; off != 0; off = t.branch(off).nextBranch {
		if br := t.branch(off); br.request != 0 &&
			t.stored.Parse(t.storedBytes(br.request)) == parser.OK {
			return true
		}
	}
	return false
}

// entries counts the entries with that tag, up to most.
func (x *index) entries(tag uint32, most int) (n int) {
	for i := tag & x.mask; x.slots[i] != 0 && n < most; i = (i + 1) & x.mask {
		if uint32(x.slots[i]>>32) == tag {
			n++
		}
	}
	return n
}
