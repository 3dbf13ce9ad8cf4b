package balance

import (
	"fmt"
	"math/bits"
	"strings"
	"sync/atomic"
)

// Set is one destination set of a Table.
type Set struct {
	ID int
	// Targets are in the order of selection: priority descending, equal priorities in reverse file
	// order. They must not be changed.
	Targets []*Target

	useDefault bool
	turns      *turns

	// equalWeights says that all weights above 0 are the same. It belongs to the set and not to the
	// plan, since scores with and without weights may differ in the order of near ties, and a
	// target that goes down must not move another's calls.
	equalWeights bool

	plan atomic.Pointer[plan] // partner: turns.gen
}

// plan is what selection needs of the usable targets, computed when their usability changes rather
// than at each call. It is immutable. A selection may use a plan that a state change has just
// outdated; NextTarget looks at the state again.
type plan struct {
	gen      uint32
	fallback uint16 // UID of the default target; 0 means none

	usable []uint16 // UIDs in set order, the default aside

	shares          // by weight
	relative shares // by rweight, for algorithm 11
}

// shares are the usable targets with a weight (all with weight 1 if none has one).
type shares struct {
	// equal says that all weights are the same, those of unusable targets included: see
	// Set.equalWeights.
	equal bool
	uids  []uint16
	seeds []uint64
	inv   []float64 // 1/weight
	ends  []uint64  // running sum of the weights, divided by their greatest common divisor
	step  uint64    // stride of algorithm 9 through the sum
	spare []uint16  // weight 0 while others have one: only after all others
}

// current returns a plan that knows all state changes completed before the call.
func (s *Set) current() *plan {
	pl := s.plan.Load()
	if pl.gen == s.turns.gen.Load() {
		return pl
	}
	return s.rebuild()
}

// rebuild makes a new plan. Slow path: after a target went up or down. Several shards may do it at
// once; their plans are equal, or the generation of the older one no longer matches.
//
//	shard A (target goes down)          shard B (selects)
//	word = I
//	                                    gen g
//	                                    reads words: sees I
//	gen = g+1                           stores plan g, without the target
//	                                    next call: g ≠ g+1, rebuilds the same plan
//
// The generation is read before the words, and bumped after the change: a plan can be built once
// too often, never too rarely.
func (s *Set) rebuild() *plan {
	pl := &plan{gen: s.turns.gen.Load()}
	targets := s.Targets
	if s.useDefault && len(targets) > 0 {
		last := targets[len(targets)-1]
		if last.State()&Disabled == 0 {
			pl.fallback = last.UID
		}
		targets = targets[:len(targets)-1]
	}
	var usable []*Target
	for _, t := range targets {
		if !t.State().Usable() {
			continue
		}
		usable = append(usable, t)
		pl.usable = append(pl.usable, t.UID)
	}
	pl.share(usable, s.equalWeights, func(t *Target) uint64 { return uint64(t.Attrs.Weight) })
	pl.relative.share(usable, false, func(t *Target) uint64 { return uint64(t.Attrs.RWeight) })
	s.plan.Store(pl)
	return pl
}

// share computes the shares of the usable targets.
func (pl *shares) share(usable []*Target, equal bool, weight func(t *Target) uint64) {
	pl.equal = equal
	var weighted []*Target
	for _, t := range usable {
		if weight(t) > 0 {
			weighted = append(weighted, t)
		} else {
			pl.spare = append(pl.spare, t.UID)
		}
	}
	if len(weighted) == 0 {
		weighted, pl.spare, pl.equal = usable, nil, true
		weight = func(*Target) uint64 { return 1 }
	}
	var common, sum uint64
	for _, t := range weighted {
		common = gcd(weight(t), common)
	}
	for _, t := range weighted {
		sum += weight(t) / common
		pl.uids = append(pl.uids, t.UID)
		pl.seeds = append(pl.seeds, t.seed)
		pl.inv = append(pl.inv, 1/float64(weight(t)))
		pl.ends = append(pl.ends, sum)
	}
	pl.step = stride(sum)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// stride picks a step with no divisor in common with sum, so that k·step mod sum visits every
// position once in sum turns (exact), and near the golden section of it, so that it visits every
// stretch evenly (smooth). How evenly depends on the continued fraction of step/sum: the smaller
// its largest term the better (Kuipers and Niederreiter 1974, chapter 2), hence the best of the
// steps around the golden section is taken.
func stride(sum uint64) uint64 {
	if sum < 3 {
		return 1
	}
	hi, _ := bits.Mul64(sum, 0x9e3779b97f4a7c15) // 2⁶⁴ over the golden ratio
	best, bestTerm := uint64(1), sum
	for d := range uint64(64) {
		for _, step := range [2]uint64{hi - d, hi + d} {
			if step == 0 || step >= sum { // also after hi-d wrapped
				continue
			}
			if term := largestTerm(step, sum); term < bestTerm {
				best, bestTerm = step, term
			}
		}
	}
	return best
}

// largestTerm returns the largest term of the continued fraction of a/b, or b if they have a common
// divisor.
func largestTerm(a, b uint64) uint64 {
	whole := b
	largest := uint64(0)
	for a != 0 {
		largest = max(largest, b/a)
		a, b = b%a, a
	}
	if b != 1 {
		return whole
	}
	return largest
}

// haveEqualWeights computes equalWeights.
func (s *Set) haveEqualWeights() bool {
	first := 0
	for _, t := range s.Targets {
		switch w := t.Attrs.Weight; {
		case first == 0:
			first = w
		case w != 0 && w != first:
			return false
		}
	}
	return true
}

// mixedWeights warns when only some targets have a weight: Kamailio counts the others as 0, and
// gives what lacks to 100 to the last.
func (s *Set) mixedWeights() string {
	with, without := -1, -1
	for i, t := range s.Targets {
		if t.Attrs.HasWeight {
			with = i
		} else {
			without = i
		}
	}
	if with < 0 || without < 0 {
		return ""
	}
	return fmt.Sprintf("set %d: %s has no weight= and counts as 1, while %s has weight=%d; write "+
		"a weight for each",
		s.ID, s.Targets[without].URI, s.Targets[with].URI, s.Targets[with].Attrs.Weight)
}

// Validate returns at start-up why Select cannot do what the routing program asks for, nil if it
// can. Set -1 means a set not known before the call. The message is for the operator, without
// position.
func (tb *Table) Validate(set int, a Algorithm) error {
	if !a.Available() {
		return &UnavailableError{a}
	}
	if set == -1 {
		return nil
	}
	s := tb.sets[set]
	if s == nil {
		known := make([]string, 0, len(tb.order))
		for _, s := range tb.order {
			known = append(known, fmt.Sprint(s.ID))
		}
		if len(known) == 0 {
			return fmt.Errorf("set %d does not exist: the destination list is empty", set)
		}
		const most = 20
		if len(known) > most {
			known = append(known[:most], "…")
		}
		return fmt.Errorf("set %d does not exist: the destination list has %s", set,
			strings.Join(known, ", "))
	}
	if a == Weights {
		if w := s.mixedWeights(); w != "" {
			return fmt.Errorf("algorithm 9 (weights): %s", w)
		}
	}
	return nil
}

// UnavailableError says that an algorithm is not there.
type UnavailableError struct{ Algorithm Algorithm }

// Error names the algorithm and the ones there are.
func (e *UnavailableError) Error() string {
	name, known := algorithmNames[e.Algorithm]
	if !known {
		return fmt.Sprintf("algorithm %d does not exist; available: %s", int(e.Algorithm),
			available)
	}
	return fmt.Sprintf("algorithm %d (%s) is not implemented; available: %s%s", int(e.Algorithm),
		name, available, nearest[e.Algorithm])
}

// nearest is what to write in the place of algorithms that are not there.
var nearest = map[Algorithm]string{
	14: "; nearest: 4, round robin, or 8, priority",
	15: "; nearest: a set for each priority, each chosen by weights, as in " +
		"ds_select_routes(\"1=9;2=9\", \"0\")",
	64: "; nearest: 13, latency, which spares the destinations that have become slow",
}

const available = "0 to 13"

var algorithmNames = map[Algorithm]string{
	0: "hash of Call-ID", 1: "hash of From URI", 2: "hash of To URI", 3: "hash of Request-URI",
	4: "round robin",
	5: "hash of the user name", 6: "random", 7: "hash of a variable", 8: "priority", 9: "weights",
	10: "call load",
	11: "relative weights", 12: "parallel", 13: "latency", 14: "round robin or priority",
	15: "priority and weight",
	64: "overload control",
}

// Available reports whether Select knows the algorithm.
func (a Algorithm) Available() bool {
	return a >= CallIDHash && a <= ByLatency
}
