package blocklist

import (
	"sync/atomic"

	"viaduct/netio"
)

// Entry is a copy of what the table says of a destination.
type Entry struct {
	Proto     netio.Proto // or AnyProto
	Addr      netio.Addr
	Network   bool  // it is for all addresses of Addr with Bits, and with a port of 0 for all ports
	Bits      uint8 // of a network's prefix
	Reasons   Reason
	ExpiresMs int64 // of the caller's clock; means nothing with Permanent
	SinceMs   int64 // when it was listed first
	Owner     Owner // who listed it last
}

// Listed tells whether nothing should be sent to addr over proto. On the packet's path of every
// shard: no lock is waited for, nothing is allocated. A hit is counted. An ended entry it meets is
// given back if the lock is free.
//
// Switched off or empty 2 ns; with 3000 entries 16 ns for a miss and 18 ns for a hit:
// BenchmarkListed, Xeon, loaded, Linux 6.18, 2026-11.
func (t *Table) Listed(proto netio.Proto, addr *netio.Addr, nowMs int64) bool {
	if !t.use.Load() || t.empty() {
		return false
	}
	if !t.find(proto, addr, nowMs, nil) {
		return false
	}
	t.counts.hits.Add(1)
	return true
}

// Holds is Listed for who only weighs where to send: no hit is counted.
func (t *Table) Holds(proto netio.Proto, addr *netio.Addr, nowMs int64) bool {
	return t.use.Load() && !t.empty() && t.find(proto, addr, nowMs, nil)
}

// Look is Listed that also tells what is known.
func (t *Table) Look(proto netio.Proto, addr *netio.Addr, nowMs int64) (e Entry, ok bool) {
	if !t.use.Load() || t.empty() {
		return Entry{}, false
	}
	if ok = t.find(proto, addr, nowMs, &e); ok {
		t.counts.hits.Add(1)
	}
	return e, ok
}

// find walks the chain of addr until nobody changed it meanwhile.
func (t *Table) find(proto netio.Proto, addr *netio.Addr, nowMs int64, e *Entry) bool {
	k := keyOf(codeOf(proto), addr)
	b := t.bucket(k.hash(&t.root.seed) & t.mask)
	for range lookTries {
		gen := atomic.LoadUint32(&b.gen)
		found, ended, whole := t.walk(b, &k, nowMs, e)
		if !whole || atomic.LoadUint32(&b.gen) != gen {
			continue
		}
		if ended {
			t.sweepNow(b, nowMs)
		}
		return found || atomic.LoadUint32(&t.root.networksUsed) != 0 && t.within(&k, nowMs, e)
	}
	// Slow path: lookTries nodes left this bucket while we looked.
	t.counts.torn.Add(1)
	return false
}

// walk follows a chain once. What it says holds only if the bucket's gen is the same before and
// after. whole is false if the chain had no end or an entry was listed anew while it was copied.
func (t *Table) walk(b *Bucket, k *key, nowMs int64, e *Entry) (found, ended, whole bool) {
	link := atomic.LoadUint32(&b.head)
	for range maxChain + 1 { // one more, to see the end
		if link == 0 {
			return false, ended, true
		}
		n := t.node(link)
		link = atomic.LoadUint32(&n.next)
		life := atomic.LoadUint64(&n.life)
		if life == 0 {
			continue // being deleted
		}
		if lifeOver(life, nowMs) {
			ended = true
			continue
		}
		word := atomic.LoadUint64(&n.key)
		if (word^k.word)>>8 != 0 || atomic.LoadUint64(&n.ip[0]) != k.ip[0] ||
			atomic.LoadUint64(&n.ip[1]) != k.ip[1] {
			continue
		}
		if have, want := uint8(word), uint8(k.word); have != want && have != 0 && want != 0 {
			continue
		}
		return true, ended, e == nil || n.copyTo(e, life)
	}
	return false, ended, false
}

// copyTo copies a node whose life word was life. It returns false if it is another by now, and the
// copy worth nothing.
func (n *Node) copyTo(e *Entry, life uint64) bool {
	k := key{
		ip:   [2]uint64{atomic.LoadUint64(&n.ip[0]), atomic.LoadUint64(&n.ip[1])},
		word: atomic.LoadUint64(&n.key),
	}
	owner := atomic.LoadUint64(&n.owner[lifeVersion(life)&1])
	*e = Entry{
		Proto: netio.Proto(uint8(k.word)) - 1, Addr: k.addr(), Reasons: lifeReasons(life),
		ExpiresMs: lifeExpires(life),
		SinceMs:   atomic.LoadInt64(&n.since), Owner: ownerText(owner),
	}
	return atomic.LoadUint64(&n.life) == life
}
