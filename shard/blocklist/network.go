package blocklist

import (
	"math/bits"
	"net/netip"
	"sync/atomic"

	"viaduct/netio"
)

// Network is an entry for every address of a prefix, at one port or all: what an operator lists.
// There are few and they are looked through one by one, after the table proper has said no. Words
// are atomics for readers; writers hold the lock.
//
// It counts while its life word is not 0, which is stored last by add and first by delete. Each use
// of a record has another version in that word, so a reader that finds it as it was has read one
// network.
type Network struct {
	ip      [2]uint64 // masked
	key     uint64    // zone 32 | port 16 (0 for any) | family 8 | protocol 8
	life    uint64    // as a Node's
	since   int64     // ms, when it was listed first
	owner   [2]uint64 // as a Node's
	bits    uint32    // of the prefix
	version uint32    // of the last use
}

// prefixMask has the first n bits of an address set, in the words of a key.
func prefixMask(n uint32) (mask [2]uint64) {
	hi, lo := min(n, 64), max(n, 64)-64
	return [2]uint64{bits.ReverseBytes64(^(^uint64(0) >> hi)),
		bits.ReverseBytes64(^(^uint64(0) >> lo))}
}

// networkKey is how a network stands in its record. Zone and port 0 are any.
func networkKey(proto netio.Proto, p netip.Prefix, port uint16) (k key, length uint32) {
	addr := netio.AddrFrom(netip.AddrPortFrom(p.Addr(), port))
	k, length = keyOf(codeOf(proto), &addr), uint32(p.Bits())
	mask := prefixMask(length)
	k.ip[0] &= mask[0]
	k.ip[1] &= mask[1]
	return k, length
}

// within finds a network that holds k. On the packet's path, where there are networks.
func (t *Table) within(k *key, nowMs int64, e *Entry) bool {
	for i := range atomic.LoadUint32(&t.root.networksUsed) {
		n := &t.root.networks[i%MaxNetworks]
		for range lookTries {
			life := atomic.LoadUint64(&n.life)
			if life == 0 || lifeOver(life, nowMs) {
				break
			}
			hit, whole := n.holds(k), true
			if hit && e != nil {
				whole = n.copyTo(e, life)
			}
			if whole && atomic.LoadUint64(&n.life) == life {
				if hit {
					return true
				}
				break
			}
			// Slow path: it was listed anew, or taken out, while we looked.
		}
	}
	return false
}

// holds tells whether an address, port and protocol are of the network.
func (n *Network) holds(k *key) bool {
	word := atomic.LoadUint64(&n.key)
	const family, port, zone = 0xff << 8, 0xffff << 16, 0xffffffff << 32
	differ := word ^ k.word
	if word&port == 0 {
		differ &^= port
	}
	if word&zone == 0 {
		differ &^= zone
	}
	if differ&(family|port|zone) != 0 {
		return false
	}
	if have, want := uint8(word), uint8(k.word); have != want && have != 0 && want != 0 {
		return false
	}
	mask := prefixMask(atomic.LoadUint32(&n.bits))
	high, low := atomic.LoadUint64(&n.ip[0])^k.ip[0], atomic.LoadUint64(&n.ip[1])^k.ip[1]
	return high&mask[0]|low&mask[1] == 0
}

// copyTo copies a network whose life word was life. It returns false if it is another by now.
func (n *Network) copyTo(e *Entry, life uint64) bool {
	k := key{
		ip:   [2]uint64{atomic.LoadUint64(&n.ip[0]), atomic.LoadUint64(&n.ip[1])},
		word: atomic.LoadUint64(&n.key),
	}
	*e = Entry{
		Proto: netio.Proto(uint8(k.word)) - 1, Addr: k.addr(), Network: true,
		Bits: uint8(atomic.LoadUint32(&n.bits)), Reasons: lifeReasons(life),
		ExpiresMs: lifeExpires(life), SinceMs: atomic.LoadInt64(&n.since),
		Owner: ownerText(atomic.LoadUint64(&n.owner[lifeVersion(life)&1])),
	}
	return atomic.LoadUint64(&n.life) == life
}

// sane tells whether we could have written the record.
func (n *Network) sane() bool {
	k := key{n.ip, n.key}
	mask := prefixMask(n.bits)
	longest := map[uint8]uint32{4: 32, 6: 128}[uint8(n.key>>8)]
	return k.sane() && n.bits <= longest && n.ip[0]&^mask[0]|n.ip[1]&^mask[1] == 0
}

// AddNetwork lists every address of p, at one port or, if port is 0, all of them, or extends the
// entry there is. It is AddWaiting otherwise. Full: there are MaxNetworks.
func (t *Table) AddNetwork(proto netio.Proto, p netip.Prefix, port uint16, c Cause,
	nowMs int64) Verdict {
	k, length := networkKey(proto, p, port)
	addr := k.addr()
	if v, done := t.refuse(proto, &addr, &c, c.Ignore); done {
		return v
	}
	reasons, expires := t.terms(&addr, &c, nowMs)
	t.root.lock.Get()
	defer t.root.lock.Release()
	t.sweepNetworks(nowMs)
	if n := t.network(&k, length); n != nil {
		t.renewNetwork(n, reasons|lifeReasons(n.life), expires, ownerWord(c.Owner))
		t.counts.updated.Add(1)
		return Updated
	}
	if !t.linkNetwork(&k, length, reasons, expires, nowMs, ownerWord(c.Owner)) {
		t.counts.full.Add(1)
		return Full
	}
	t.counts.added.Add(1)
	return Added
}

// network finds a record by exactly what it lists. Under the lock.
func (t *Table) network(k *key, length uint32) *Network {
	for i := range t.root.networks {
		if n := &t.root.networks[i]; n.life != 0 && n.key == k.word && n.ip == k.ip &&
			n.bits == length {
			return n
		}
	}
	return nil
}

// linkNetwork makes an entry of a free record. It returns false if there is none. Under the lock.
func (t *Table) linkNetwork(k *key, length uint32, r Reason, expires, sinceMs int64,
	owner uint64) bool {
	for i := range t.root.networks {
		n := &t.root.networks[i]
		if n.life != 0 {
			continue
		}
		atomic.StoreUint64(&n.ip[0], k.ip[0])
		atomic.StoreUint64(&n.ip[1], k.ip[1])
		atomic.StoreUint64(&n.key, k.word)
		atomic.StoreUint32(&n.bits, length)
		atomic.StoreInt64(&n.since, sinceMs)
		t.renewNetwork(n, r, expires, owner) // from here on it outlives us
		t.boundNetworks()
		return true
	}
	return false
}

// renewNetwork gives a record its next version: the owner into the half that does not count, then
// one store for all of it.
func (t *Table) renewNetwork(n *Network, r Reason, expires int64, owner uint64) {
	n.version++
	atomic.StoreUint64(&n.owner[n.version&1], owner)
	atomic.StoreUint64(&n.life, lifeOf(expires, uint8(n.version), r))
}

// boundNetworks tells readers how many records to look at.
func (t *Table) boundNetworks() {
	used := uint32(0)
	for i := range t.root.networks {
		if t.root.networks[i].life != 0 {
			used = uint32(i) + 1
		}
	}
	atomic.StoreUint32(&t.root.networksUsed, used)
}

// sweepNetworks gives ended records back. Under the lock.
func (t *Table) sweepNetworks(nowMs int64) (freed int) {
	freed = t.dropNetworks(func(n *Network) bool { return lifeOver(n.life, nowMs) })
	t.counts.expired.Add(uint64(freed))
	return freed
}

// dropNetworks takes out the networks that which says. Under the lock.
func (t *Table) dropNetworks(which func(*Network) bool) (dropped int) {
	for i := range t.root.networksUsed {
		if n := &t.root.networks[i]; n.life != 0 && which(n) {
			atomic.StoreUint64(&n.life, 0)
			dropped++
		}
	}
	if dropped > 0 {
		t.boundNetworks()
	}
	return dropped
}

// DeleteNetwork takes one network out, a permanent one too: the one with exactly this protocol,
// prefix and port. It returns false if there is none.
func (t *Table) DeleteNetwork(proto netio.Proto, p netip.Prefix, port uint16) bool {
	if t.root == nil {
		return false
	}
	k, length := networkKey(proto, p, port)
	t.root.lock.Get()
	defer t.root.lock.Release()
	found := t.network(&k, length)
	return found != nil && t.dropNetworks(func(n *Network) bool { return n == found }) == 1
}

// takeNetworks moves in the networks of another table, as far as there is room; one that both have
// keeps its flags and the later end.
func (t *Table) takeNetworks(from *Table) {
	for i := range from.root.networks {
		n := &from.root.networks[i]
		if n.life == 0 || !n.sane() {
			continue
		}
		k, r, owner := key{n.ip, n.key}, lifeReasons(n.life), n.owner[lifeVersion(n.life)&1]
		if mine := t.network(&k, n.bits); mine != nil {
			t.renewNetwork(mine, r|lifeReasons(mine.life),
				max(lifeExpires(n.life), lifeExpires(mine.life)), owner)
		} else {
			t.linkNetwork(&k, n.bits, r, lifeExpires(n.life), n.since, owner)
		}
	}
}

// viewNetworks is View for the networks: cursor counts them.
func (t *Table) viewNetworks(cursor uint32, nowMs int64, out []Entry, n int) (int, uint32) {
	t.root.lock.Get()
	defer t.root.lock.Release()
	for ; cursor < MaxNetworks && n < len(out); cursor++ {
		if r := &t.root.networks[cursor]; r.life != 0 && !lifeOver(r.life, nowMs) {
			r.copyTo(&out[n], r.life)
			n++
		}
	}
	return n, cursor
}

// Prefix is a network's.
func (e *Entry) Prefix() netip.Prefix {
	return netip.PrefixFrom(e.Addr.AddrPort().Addr(), int(e.Bits))
}
