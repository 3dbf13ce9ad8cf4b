package resolve

import (
	"math/bits"
	"sync/atomic"

	"viaduct/netio"
	"viaduct/shard/proxy"
)

// planKey is everything in a query that changes its answer, except the seed.
type planKey struct {
	host string // lower case, without trailing dot
	bits uint64 // packBits
}

// packBits folds the rest of a query into one word:
//
//	63      48 47     32 31   24 23     16 15     8 7    3   2      1      0
//	+---------+---------+-------+---------+--------+------+------+------+--------+
//	| 0       | Port    | Proto | Protos  |Families| 0    |Rooted|Secure|HasProto|
//	+---------+---------+-------+---------+--------+------+------+------+--------+
func packBits(q *proxy.NameQuery, rooted bool) uint64 {
	b := uint64(q.Port)<<32 | uint64(q.Protos&31)<<16 | uint64(q.Families&3)<<8
	if q.HasProto {
		b |= uint64(q.Proto)<<24 | 1
	}
	if q.Secure {
		b |= 2
	}
	if rooted {
		b |= 4
	}
	return b
}

func (k *planKey) port() uint16       { return uint16(k.bits >> 32) }
func (k *planKey) proto() netio.Proto { return netio.Proto(k.bits >> 24 & 0xff) }
func (k *planKey) protos() uint8      { return uint8(k.bits >> 16) }
func (k *planKey) families() uint8    { return uint8(k.bits >> 8) }
func (k *planKey) rooted() bool       { return k.bits&4 != 0 }
func (k *planKey) secure() bool       { return k.bits&2 != 0 }
func (k *planKey) hasProto() bool     { return k.bits&1 != 0 }

// can reports whether a listener of ours can send by p.
func (k *planKey) can(p netio.Proto) bool { return k.protos()>>p&1 != 0 }

// plan is the finished answer to one query: immutable once published, but for the three atomics.
// Times are nanoseconds of the resolver's clock.
type plan struct {
	next atomic.Pointer[plan] // of the bucket's chain; the writer holds Resolver.mu
	used atomic.Int64         // when Lookup last returned it, for eviction

	// wanted is 1 while the plan is on the list of renewals, which is chained by wantedNext. Its
	// partner is Resolver.wanted.
	wanted     atomic.Uint32
	wantedNext *plan

	planKey
	hash    uint64
	epoch   uint64
	answer  proxy.Answer
	renewAt int64 // from here on a Lookup asks for a renewal
	deadAt  int64 // from here on it is no answer any more
	goodTo  int64 // until then it may stay in use while the servers fail
	bytes   int
	spread  bool // draw by weight and rotate addresses
	first   bool // give one endpoint only
	groups  []group
}

// group is the targets of one SRV priority, or the one target of a name without SRV.
type group struct {
	// targets are at most recordsMax, those of weight 0 in front (RFC 2782), else in an order that
	// is the same for the same records.
	targets []target
	zeros   int    // how many of them have weight 0
	sum     uint32 // of all weights
}

// target is one host with its addresses: those of the family to try first, and the others.
type target struct {
	weight        uint16
	first, second []proxy.Endpoint
}

// pick fills out in the order of the query's draw, and returns how many it filled.
func (p *plan) pick(seed uint64, out []proxy.Endpoint) int {
	if p.first && len(out) > 1 {
		out = out[:1]
	}
	n := 0
	draw := mixer(seed)
	for i := range p.groups {
		g := &p.groups[i]
		if !p.spread {
			for t := len(g.targets) - 1; t >= 0 && n < len(out); t-- { // the heaviest first
				n += g.targets[t].put(0, out[n:])
			}
			continue
		}
		left, zeros, sum := ^uint64(0)>>(64-len(g.targets)), g.zeros, g.sum
		for left != 0 && n < len(out) {
			t := g.draw(left, zeros, sum, &draw)
			left &^= 1 << t
			if w := g.targets[t].weight; w == 0 {
				zeros--
			} else {
				sum -= uint32(w)
			}
			n += g.targets[t].put(draw.next(), out[n:])
		}
	}
	return n
}

// draw chooses one of the targets left: the first whose running sum of weights reaches a random
// number (RFC 2782, "Weight"). The number starts at 0 while targets of weight 0 are left, which is
// their small chance; without them it starts at 1, for else the first target would have one too
// much. Which of several of weight 0 comes first is open there ("any order"), so it is drawn too.
func (g *group) draw(left uint64, zeros int, sum uint32, draw *mixer) int {
	if zeros > 0 {
		if draw.below(sum+1) == 0 {
			return nth(left, int(draw.below(uint32(zeros))))
		}
	}
	if sum == 0 {
		return bits.TrailingZeros64(left)
	}
	number, running := draw.below(sum)+1, uint32(0)
	for rest := left; rest != 0; rest &= rest - 1 {
		t := bits.TrailingZeros64(rest)
		if running += uint32(g.targets[t].weight); running >= number {
			return t
		}
	}
	return bits.TrailingZeros64(left)
}

// nth returns the position of the n-th bit that is set.
func nth(set uint64, n int) int {
	for ; n > 0; n-- {
		set &= set - 1
	}
	return bits.TrailingZeros64(set)
}

// put writes the target's endpoints: the families alternate (RFC 8305 §4), each beginning at a
// random place of the draw.
func (t *target) put(draw uint64, out []proxy.Endpoint) int {
	a, b := t.first, t.second
	if len(a) == 0 {
		a, b = b, nil
	}
	if len(a) == 0 {
		return 0
	}
	ia, ib := int(draw>>32)%len(a), 0
	if len(b) > 0 {
		ib = int(draw>>32) % len(b)
	}
	n := 0
	for i := 0; (i < len(a) || i < len(b)) && n < len(out); i++ {
		if i < len(a) {
			out[n] = a[(ia+i)%len(a)]
			n++
		}
		if i < len(b) && n < len(out) {
			out[n] = b[(ib+i)%len(b)]
			n++
		}
	}
	return n
}

// mixer is splitmix64: a sequence of well-mixed numbers from one seed, so that a retransmission
// with the same seed goes the same way.
type mixer uint64

func (m *mixer) next() uint64 {
	*m += 0x9e3779b97f4a7c15
	z := uint64(*m)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1; n may not be 0. The bias is below 2^-32 · n.
func (m *mixer) below(n uint32) uint32 { return uint32((m.next() >> 32) * uint64(n) >> 32) }
