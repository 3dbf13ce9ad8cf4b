package parser

import (
	"encoding/binary"
	"math/bits"
)

// findLinesGo is findLines in Go, eight bytes at a time: what machines without AVX2 run, and the oracle of the
// assembly. It does not look for words: it runs where hasPlain is false.
func findLinesGo(b []byte, base, blocks int, end *[lineCap]uint32) (n, next int) {
	before := uint64(0)
	for range blocks {
		var set uint64
		if len(b) >= blockBytes {
			set = lfsOf(b[:blockBytes])
			b = b[blockBytes:]
		} else {
			// The last bytes of a message, padded.
			var t [blockBytes]byte
			copy(t[:], b)
			set = lfsOf(t[:])
			b = nil
		}
		for s := set; s != 0; s &= s - 1 {
			end[n&(lineCap-1)] = uint32(base + bits.TrailingZeros64(s))
			n++
		}
		base += blockBytes
		// An LF two bytes behind another: an empty line, or a line of one byte, which does no harm.
		if set&(set<<2|before>>62) != 0 || len(b) == 0 || n >= lineStretch {
			break
		}
		before = set
	}
	return n, base
}

// lfsOf is the set of LFs in the 64 bytes of b: bit j for byte j.
func lfsOf(b []byte) (set uint64) {
	for i := 0; i+8 <= len(b); i += 8 {
		set |= lfs(binary.LittleEndian.Uint64(b[i:])) << i
	}
	return set
}

// lfs is the set of LFs in the eight bytes of w: bit k for byte k. The addition marks each byte that is not LF in its
// top bit without carrying into the next; the multiplication gathers the top bits in one byte.
func lfs(w uint64) uint64 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	w ^= 0x0a0a0a0a0a0a0a0a
	w = ^((w&low7 + low7) | w | low7)
	return w >> 7 * 0x0102040810204080 >> 56
}
