package pike

// hits are what an address has sent, a number of the table:
//
//	 62             40 39             20 19              0
//	+-----------------+-----------------+-----------------+
//	| window          | in the one      | in it           |
//	|                 | before          |                 |
//	+-----------------+-----------------+-----------------+
//
// so that one more is an addition.
type hits struct {
	window     uint32 // number of the unit, modulo 2^23
	prev, curr uint32
}

const (
	windowBits = 23
	windowMask = 1<<windowBits - 1
	hitBits    = 20
	hitMask    = 1<<hitBits - 1
)

func hitsOf(n int64) hits {
	return hits{
		window: uint32(n >> (2 * hitBits)), prev: uint32(n>>hitBits) & hitMask,
		curr: uint32(n) & hitMask,
	}
}

func (h hits) number() int64 {
	return int64(h.window)<<(2*hitBits) | int64(h.prev)<<hitBits | int64(h.curr)
}

// before tells whether the window is one before this. A shard whose clock is a little behind may
// meet hits of the window after its own. One further ahead was counted with a shorter unit, before
// a reload: its hits are of the past too.
func (h hits) before(this uint32) bool {
	ahead := (h.window - this) & windowMask
	return ahead > 1
}

// turned are the hits as they are seen from a later window, nothing in it yet.
func (h hits) turned(this uint32) hits {
	if (this-h.window)&windowMask == 1 {
		return hits{window: this, prev: h.curr}
	}
	return hits{window: this}
}
