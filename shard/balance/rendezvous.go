package balance

import "math"

// mix is the finalizer of MurmurHash3 (Appleby, public domain): a bijection, so that different
// seeds never tie on one key.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// rendezvous orders the targets by their score for the key, which depends on nothing else than key,
// seed and weight, so that no target's place moves another's. Highest random weight (Thaler,
// Ravishankar 1998); with weights the score is -ln(u)/w, lowest first, by which a target comes
// first with probability w/Σw.
//
// Scores are computed a chunk at a time, so that the multiplications of one target overlap with the
// next one's, and sorted without branches, since nothing could predict them: min and max compile to
// conditional moves.
//
// Receipt: BenchmarkRendezvous, whole list of 8 targets 41 ns (plain 115), weighted 97 ns (216), of
// 16 229 ns (266), of 100 as the plain one within a tenth; Xeon 2.5 GHz, 2026-11-21.
func (pl *shares) rendezvous(key uint64, limit int, p *Picks) {
	var chunk [chunkTargets]uint64
	n := min(limit, len(pl.seeds))
	if n == 1 {
		first := uint64(0)
		for from := 0; from < len(pl.seeds); from += chunkTargets {
			for _, x := range pl.scores(key, from, &chunk) {
				first = max(first, x)
			}
		}
		p.add(uint16(first))
		p.addFrom(pl.spare, 0, limit)
		return
	}
	if len(pl.seeds) <= 8 {
		pl.scores(key, 0, &chunk)
		sort8(&chunk)
		for i, x := range chunk[:n] {
			p.UID[i] = uint16(x)
		}
		p.N = uint8(n)
		p.addFrom(pl.spare, 0, limit)
		return
	}
	var best [MaxPicks]uint64 // descending
	long := len(pl.seeds) > 2*n
	for from := 0; from < len(pl.seeds); from += chunkTargets {
		for i, x := range pl.scores(key, from, &chunk) {
			if long && x < best[n-1] { // in a short list this branch is wrong as often as right
				continue
			}
			for j := range best[:min(from+i+1, n)] {
				y := best[j]
				best[j] = max(x, y)
				x = min(x, y)
			}
		}
	}
	for i, x := range best[:n] {
		p.UID[i] = uint16(x)
	}
	p.N = uint8(n)
	p.addFrom(pl.spare, 0, limit)
}

// chunkTargets is how many scores are computed before they are looked at.
const chunkTargets = 16

// scores fills chunk for the targets from from on: score, highest first, in the high 48 bits, UID
// in the low 16. So one word moves in sorting instead of two; 48 bits tie once in 10¹⁴.
func (pl *shares) scores(key uint64, from int, chunk *[chunkTargets]uint64) []uint64 {
	seeds := pl.seeds[from:min(from+chunkTargets, len(pl.seeds))]
	uids := pl.uids[from:][:len(seeds)]
	out := chunk[:len(seeds)]
	if pl.equal {
		for i, seed := range seeds {
			out[i] = mix(key^seed)&^0xffff | uint64(uids[i])
		}
		return out
	}
	inv := pl.inv[from:][:len(seeds)]
	for i, seed := range seeds {
		// A positive float's bits order as it does; the complement puts the lowest first.
		out[i] = ^math.Float64bits(negLog(mix(key^seed))*inv[i])&^0xffff | uint64(uids[i])
	}
	return out
}

// sort8 sorts the first eight by Batcher's kind of network: 19 exchanges, descending.
func sort8(c *[chunkTargets]uint64) {
	a, b, d, e, f, g, h, i := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
	a, d = max(a, d), min(a, d)
	b, e = max(b, e), min(b, e)
	f, h = max(f, h), min(f, h)
	g, i = max(g, i), min(g, i)

	a, f = max(a, f), min(a, f)
	b, g = max(b, g), min(b, g)
	d, h = max(d, h), min(d, h)
	e, i = max(e, i), min(e, i)

	a, b = max(a, b), min(a, b)
	d, e = max(d, e), min(d, e)
	f, g = max(f, g), min(f, g)
	h, i = max(h, i), min(h, i)

	d, f = max(d, f), min(d, f)
	e, g = max(e, g), min(e, g)

	b, f = max(b, f), min(b, f)
	e, h = max(e, h), min(e, h)

	b, d = max(b, d), min(b, d)
	e, f = max(e, f), min(e, f)
	g, h = max(g, h), min(g, h)
	c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7] = a, b, d, e, f, g, h, i
}
