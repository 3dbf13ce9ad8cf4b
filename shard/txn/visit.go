package txn

import (
	"viaduct/parser"
	"viaduct/shm"
)

// Visit calls f with the server transactions in n places of the index, from place from on, until f
// returns false. It returns the place behind, which is 0 behind the last. A transaction that is
// made or ends between two calls may be missed; none is met twice, unless those in front of it end
// meanwhile. f may end the transaction it is given.
func (t *Table) Visit(from, n int, f func(tx *Tx) bool) (next int) {
	for i := from; i < min(from+n, len(t.index.slots)); i++ {
		for {
			e := t.index.slots[i]
			if e == 0 {
				break
			}
			if !f(t.tx(shm.Off(e))) {
				return i + 1
			}
			if t.index.slots[i] == e {
				break
			}
			// it ended, and one behind it has closed the gap
		}
	}
	if from+n >= len(t.index.slots) {
		return 0
	}
	return from + n
}

// Described returns a message of tx that tells what its request is, and whether that is the request
// itself and not a response to it. It is nil if none is left. It is valid until the next call.
func (t *Table) Described(tx *Tx) (m *parser.Message, request bool) {
	if k, ok := t.user.(Keeper); ok && tx.saved != 0 && t.stored.Parse(k.Received(tx)) == parser.OK {
		return &t.stored, true
	}
	for off := tx.first; off != 0; off = t.branch(off).nextBranch {
		if b := t.Request(t.branch(off)); b != nil && t.stored.Parse(b) == parser.OK {
			return &t.stored, true
		}
	}
	if tx.reply != 0 && t.stored.Parse(t.storedBytes(tx.reply)) == parser.OK {
		return &t.stored, false
	}
	return nil, false
}

// Now returns the time last set, in ns of the shard's clock.
func (t *Table) Now() int64 { return t.now }
