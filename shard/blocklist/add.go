package blocklist

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"viaduct/netio"
)

// Cause is why and for how long a destination is listed.
type Cause struct {
	Reasons Reason
	// the message's mask, blst_set_ignore or blst_rpl_set_ignore: reasons that do not list
	Ignore Reason
	TTL    time.Duration // 0 means dst_blacklist_expire
	Owner  string        // who says so, OwnerBytes at most
}

// Add lists addr, or extends the entry there is: flags are added, the expiry is now + TTL even if
// that is sooner. It never waits, so it is what shards call: Busy says that the lock was not free,
// and nothing was done.
func (t *Table) Add(proto netio.Proto, addr *netio.Addr, c Cause, nowMs int64) Verdict {
	if v, done := t.refuse(proto, addr, &c, c.Ignore|t.ignored(proto)); done {
		return v
	}
	if !t.lockNow() {
		return Busy
	}
	defer t.root.lock.Release()
	return t.add(proto, addr, &c, nowMs, sweepBuckets)
}

// AddWaiting is Add for operators: it waits for the lock, looks through the whole of a full table,
// and takes the operator at their word: of the masks only c.Ignore counts.
func (t *Table) AddWaiting(proto netio.Proto, addr *netio.Addr, c Cause, nowMs int64) Verdict {
	if v, done := t.refuse(proto, addr, &c, c.Ignore); done {
		return v
	}
	t.root.lock.Get()
	defer t.root.lock.Release()
	return t.add(proto, addr, &c, nowMs, int(t.root.Buckets))
}

// refuse decides what can be decided without looking at the table.
func (t *Table) refuse(proto netio.Proto, addr *netio.Addr, c *Cause, ignore Reason) (v Verdict,
	done bool) {
	if !t.use.Load() {
		return Off, true
	}
	if c.Reasons&^(ignore|IPv6) == 0 || addr.Family == 0 || !knownProto(proto) {
		t.counts.ignored.Add(1)
		return Ignored, true
	}
	return 0, false
}

// ignored are the reasons that do not list for this protocol.
func (t *Table) ignored(proto netio.Proto) (mask Reason) {
	if int(proto) < protos {
		mask = Reason(t.imask[proto].Load())
	}
	if !t.icmp.Load() {
		mask |= ICMP
	}
	return mask
}

// add is Add under the lock.
func (t *Table) add(proto netio.Proto, addr *netio.Addr, c *Cause, nowMs int64,
	budget int) Verdict {
	k := keyOf(codeOf(proto), addr)
	reasons, expires := t.terms(addr, c, nowMs)
	b := t.bucket(k.hash(&t.root.seed) & t.mask)
	t.sweepBucket(b, nowMs)
	n, length := t.exact(b, &k)
	if n != nil {
		t.renew(n, reasons, expires, ownerWord(c.Owner))
		t.counts.updated.Add(1)
		return Updated
	}
	if t.root.used >= t.cap() {
		t.counts.lru.Add(1)
		// Down to 7/8 of what is used, so that the next ones find room at once; live entries stay.
		t.sweep(nowMs, budget, uint32(uint64(t.root.used)*7/8))
	}
	if t.root.used >= t.cap() || length >= maxChain {
		t.counts.full.Add(1)
		return Full
	}
	t.link(b, &k, reasons, expires, nowMs, ownerWord(c.Owner))
	t.counts.added.Add(1)
	return Added
}

// terms are the flags of an entry and when it ends.
func (t *Table) terms(addr *netio.Addr, c *Cause, nowMs int64) (reasons Reason, expires int64) {
	reasons = c.Reasons &^ IPv6
	if addr.Family == 6 {
		reasons |= IPv6
	}
	ttl := c.TTL.Milliseconds()
	if c.TTL <= 0 {
		ttl = t.expireMs.Load()
	}
	return reasons, min(nowMs+max(ttl, 1), maxExpiry)
}

// exact finds the entry with k's own protocol, wildcard or not, and how many entries the chain has.
func (t *Table) exact(b *Bucket, k *key) (found *Node, length int) {
	for link := b.head; link != 0; length++ {
		n := t.node(link)
		if n.key == k.word && n.ip == k.ip {
			found = n
		}
		link = n.next
	}
	return found, length
}

// renew extends an entry: the owner into the half that does not count, then one store for all of
// it.
func (t *Table) renew(n *Node, r Reason, expires int64, owner uint64) {
	version := lifeVersion(n.life) + 1
	r |= lifeReasons(n.life)
	atomic.StoreUint64(&n.owner[version&1], owner)
	atomic.StoreUint64(&n.life, lifeOf(expires, version, r))
	t.ends(expires, r)
}

// link makes an entry of a free node; there must be one. See the package document for the order.
func (t *Table) link(b *Bucket, k *key, r Reason, expires, sinceMs int64, owner uint64) {
	link := t.root.free
	n := t.node(link)
	t.root.free = n.next
	// Atomics, for a reader may still stand on the node from its life before, and must only find it
	// changed, not torn words.
	atomic.StoreUint64(&n.ip[0], k.ip[0])
	atomic.StoreUint64(&n.ip[1], k.ip[1])
	atomic.StoreUint64(&n.key, k.word)
	atomic.StoreInt64(&n.since, sinceMs)
	atomic.StoreUint64(&n.owner[0], owner)
	atomic.StoreUint32(&n.next, b.head)
	atomic.StoreUint64(&n.life, lifeOf(expires, 0, r)) // from here on it outlives us
	atomic.StoreUint32(&b.head, link)
	atomic.StoreUint32(&t.root.used, t.root.used+1)
	t.ends(expires, r)
}

// unlink gives a node back; at is the word that links to it.
func (t *Table) unlink(b *Bucket, at *uint32, link uint32) {
	n := t.node(link)
	atomic.StoreUint64(&n.life, 0)
	atomic.StoreUint32(at, n.next)
	atomic.AddUint32(&b.gen, 1)
	atomic.StoreUint32(&n.next, t.root.free)
	t.root.free = link
	atomic.StoreUint32(&t.root.used, t.root.used-1)
}

func ownerWord(name string) uint64 {
	o := OwnerOf(name)
	return binary.LittleEndian.Uint64(o[:])
}

func ownerText(word uint64) (o Owner) {
	binary.LittleEndian.PutUint64(o[:], word)
	return o
}
