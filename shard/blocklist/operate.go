package blocklist

import (
	"sync/atomic"

	"viaduct/netio"
)

// View copies entries that have not ended, networks last, into out, beginning at cursor, and says
// how many, and where to go on; 0 begins, and 0 means that was all. What is added or deleted
// between two calls may be in the view or not.
func (t *Table) View(cursor uint32, nowMs int64, out []Entry) (n int, next uint32) {
	if t.root == nil {
		return 0, 0
	}
	for cursor < t.root.Slots && n < len(out) {
		n, cursor = t.viewSome(cursor, nowMs, out, n)
	}
	if cursor < t.root.Slots || n == len(out) {
		return n, cursor
	}
	n, cursor = t.viewNetworks(cursor-t.root.Slots, nowMs, out, n)
	if cursor >= MaxNetworks {
		return n, 0
	}
	return n, cursor + t.root.Slots
}

// viewSome is View for operatorBatch nodes at most.
func (t *Table) viewSome(cursor uint32, nowMs int64, out []Entry, n int) (int, uint32) {
	t.root.lock.Get()
	defer t.root.lock.Release()
	for end := min(cursor+operatorBatch, t.root.Slots); cursor < end && n < len(out); cursor++ {
		node := t.node(cursor + 1)
		if life := node.life; life != 0 && !lifeOver(life, nowMs) {
			node.copyTo(&out[n], life)
			n++
		}
	}
	return n, cursor
}

// Delete takes one entry out, a permanent one too: the one with exactly this protocol, AnyProto
// being one of its own. It returns false if there is none.
func (t *Table) Delete(proto netio.Proto, addr *netio.Addr) bool {
	if t.root == nil {
		return false
	}
	k := keyOf(codeOf(proto), addr)
	b := t.bucket(k.hash(&t.root.seed) & t.mask)
	t.root.lock.Get()
	defer t.root.lock.Release()
	at := &b.head
	for link := *at; link != 0; link = *at {
		n := t.node(link)
		if n.key == k.word && n.ip == k.ip {
			t.unlink(b, at, link)
			return true
		}
		at = &n.next
	}
	return false
}

// DeleteAll takes out every entry but the permanent ones, and says how many.
func (t *Table) DeleteAll() (deleted int) {
	if t.root == nil {
		return 0
	}
	for i := uint32(0); i < t.root.Buckets; i += operatorBatch {
		deleted += t.deleteSome(i, min(i+operatorBatch, t.root.Buckets))
	}
	t.root.lock.Get()
	defer t.root.lock.Release()
	return deleted + t.dropNetworks(func(n *Network) bool {
		return lifeReasons(n.life)&Permanent == 0
	})
}

func (t *Table) deleteSome(from, to uint32) (deleted int) {
	t.root.lock.Get()
	defer t.root.lock.Release()
	for i := from; i < to; i++ {
		b := t.bucket(i)
		at := &b.head
		for link := *at; link != 0; link = *at {
			n := t.node(link)
			if lifeReasons(n.life)&Permanent != 0 {
				at = &n.next
				continue
			}
			t.unlink(b, at, link)
			deleted++
		}
	}
	return deleted
}

// MemInfo is the bytes of the entries there are, ended ones included, and the most there may be.
func (t *Table) MemInfo() (usedBytes, maxBytes int) {
	if t.root == nil {
		return 0, 0
	}
	return int(atomic.LoadUint32(&t.root.used)) * EntryBytes, int(t.memBytes.Load())
}
