package balance

import (
	"math/rand/v2"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Algorithm is the number in ds_select_dst's second argument.
type Algorithm int

// The algorithms available. Numbers are Kamailio's.
const (
	// CallIDHash is weighted rendezvous hashing of the Call-ID. A target that goes away loses only
	// its own calls, evenly to the others; one that comes back takes back only those. Kamailio
	// takes the hash modulo the number of targets instead, gives a lost target's whole share to one
	// neighbour, and ignores weights here.
	CallIDHash Algorithm = 0

	// FromHash, ToHash, URIHash, UserHash and VariableHash are CallIDHash for another text of the
	// request, whose hash is the Key. If there is no user name UserHash takes turns.
	FromHash     Algorithm = 1
	ToHash       Algorithm = 2
	URIHash      Algorithm = 3
	UserHash     Algorithm = 5
	VariableHash Algorithm = 7

	// Random draws a target for each call, by weight.
	Random Algorithm = 6

	// RoundRobin takes the usable targets in turn. The counter is shared by all shards: with one
	// per shard, eight calls to eight targets would not reach each once, and the difference shows
	// in tests and at low load. One atomic add per call on a line that at most a few hundred
	// thousand calls a second touch costs less than the argument about it.
	RoundRobin Algorithm = 4

	// Priority takes the first usable target in set order.
	Priority Algorithm = 8

	// Weights gives, in every window of as many calls as the weights sum up to (their common
	// divisor removed), each target exactly its weight, whatever their number and sum, as long as
	// no state changes. An inactive target's share goes to the others in proportion, exactly; what
	// it fails is drawn likewise. Kamailio fills a table of 100 slots once: weights beyond 100 in
	// sum are cut, what lacks to 100 goes to the last target, and an inactive target's slots to its
	// next neighbour.
	Weights Algorithm = 9

	// RelativeWeights is Weights by the attribute rweight.
	RelativeWeights Algorithm = 11

	// Parallel gives all usable targets: the call goes to each at once.
	Parallel Algorithm = 12

	// ByLatency takes turns among the targets of the highest priority. The latency that probes
	// estimate lowers a priority: by a point for each time that it is as high as the priority.
	ByLatency Algorithm = 13
)

// Hashes reports whether the algorithm hashes a text of the request.
func (a Algorithm) Hashes() bool {
	switch a {
	case CallIDHash, FromHash, ToHash, URIHash, UserHash, VariableHash:
		return true
	}
	return false
}

// Key is what a hashing algorithm hashes. Build it once per request.
type Key struct {
	Hash uint64 // XXH64 with seed 0 of the Call-ID's bytes: the hash that already chose the shard
}

// KeyOf hashes a Call-ID. Where the hash is at hand already, set Hash instead.
func KeyOf(callID []byte) Key { return Key{Hash: xxhash.Sum64(callID)} }

// Picks is an ordered failover list: 48 bytes without pointers, made to live in the transaction
// record. Select fills it; NextTarget hands out every entry, the first choice included. The zero
// value is an empty list.
type Picks struct {
	Set   uint32           // set id it was picked from
	N     uint8            // entries in UID
	Next  uint8            // index of the entry to look at next
	Flags uint8            // pickDefault
	_     uint8            // explicit: the record is read by other processes
	UID   [MaxPicks]uint16 // in the order to try
}

// Has reports whether a target is in the list, tried or not.
func (p *Picks) Has(uid uint16) bool { return slices.Contains(p.UID[:p.N], uid) }

// pickDefault marks the last entry as the set's default, which is tried even when it is inactive.
const pickDefault = 1

// Select chooses from a set by an algorithm and writes the targets to try, best first, into p.
// limit caps the list, first choice included; 0 means MaxPicks, 1 no failover (what the dispatcher
// module does unless its flags have 2). It returns false if the set does not exist, the algorithm
// is not available (Validate says so at start-up) or nothing in the set may be used. It does not
// allocate, and may be called from any shard.
func (tb *Table) Select(set int, a Algorithm, key Key, limit int, p *Picks) bool {
	*p = Picks{Set: uint32(set)}
	s := tb.sets[set]
	if s == nil {
		return false
	}
	pl := s.current()
	if limit <= 0 || limit > MaxPicks {
		limit = MaxPicks
	}
	if len(pl.usable) > 0 {
		switch a {
		case CallIDHash, FromHash, ToHash, URIHash, UserHash, VariableHash:
			pl.rendezvous(key.Hash, limit, p)
		case Random:
			pl.rendezvous(rand.Uint64(), limit, p)
		case RoundRobin:
			n := uint64(len(pl.usable))
			p.addFrom(pl.usable, int((s.turns.rr.Add(1)-1)%n), limit)
		case Priority, Parallel:
			p.addFrom(pl.usable, 0, limit)
		case Weights:
			pl.turn(s.turns.wrr.Add(1)-1, limit, p)
		case CallLoad:
			pl.leastLoaded(tb, limit, p)
		case RelativeWeights:
			pl.relative.turn(s.turns.wrr.Add(1)-1, limit, p)
		case ByLatency:
			pl.byLatency(tb, s.turns.rr.Add(1)-1, limit, p)
		default:
			return false
		}
	}
	if pl.fallback != 0 && int(p.N) < limit && a.Available() {
		p.add(pl.fallback)
		p.Flags |= pickDefault
	}
	return p.N > 0
}

// NextTarget returns the next target to try and moves on, or nil when the list is used up. The
// state is looked at again, so a target that went down since Select, or left the table, is passed
// over. The set's default is returned even when inactive: there is nothing left to lose.
func (p *Picks) NextTarget(tb *Table) *Target {
	for p.Next < p.N {
		i := p.Next
		p.Next++
		t := tb.Target(p.UID[i])
		if t == nil {
			continue
		}
		s := t.State()
		isDefault := p.Flags&pickDefault != 0 && p.Next == p.N
		if s.Usable() || isDefault && s&Disabled == 0 {
			return t
		}
	}
	return nil
}

// Remaining returns how many entries NextTarget has not looked at yet.
func (p *Picks) Remaining() int { return int(p.N) - int(p.Next) }

// Cut shortens the list to limit entries, counted from the one that NextTarget returned last; with
// 0 the list stays as it is.
func (p *Picks) Cut(limit int) {
	if most := int(p.Next) - 1 + limit; limit > 0 && most < int(p.N) {
		p.N = uint8(most)
		p.Flags &^= pickDefault
	}
}

// Append puts the entries of another list behind those of p, as many as there is room for.
func (p *Picks) Append(list *Picks) {
	if p.N == 0 {
		*p = *list
		return
	}
	p.Flags &^= pickDefault // it is not the last any more
	for _, uid := range list.UID[:list.N] {
		if int(p.N) < len(p.UID) && !p.Has(uid) {
			p.add(uid)
		}
	}
}

func (p *Picks) add(uid uint16) {
	p.UID[p.N] = uid
	p.N++
}

// addFrom adds uids from start on, cyclically, while there is room.
func (p *Picks) addFrom(uids []uint16, start, limit int) {
	n := min(len(uids), limit-int(p.N))
	for i := range n {
		at := start + i
		if at >= len(uids) {
			at -= len(uids)
		}
		p.add(uids[at])
	}
}

// turn is algorithm 9: the k-th call takes position k·step of the running sum. The targets to try
// after it are in rendezvous order for k, so that a target that fails passes its calls on in
// proportion too.
func (pl *shares) turn(k uint64, limit int, p *Picks) {
	sum := pl.ends[len(pl.ends)-1]
	first := pl.uids[pl.find(k%sum*pl.step%sum)]
	if limit == 1 {
		p.add(first)
		return
	}
	pl.rendezvous(mix(k), limit, p)
	// Put it in front. The entries before its old place move back by one; if the list was cut
	// before that place, the last entry is dropped.
	carry := first
	for i, uid := range p.UID[:p.N] {
		p.UID[i] = carry
		if uid == first {
			break
		}
		carry = uid
	}
}

// find returns the target whose stretch of the running sum holds pos.
func (pl *shares) find(pos uint64) int {
	low, high := 0, len(pl.ends)-1
	for low < high {
		if mid := int(uint(low+high) >> 1); pl.ends[mid] <= pos {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
