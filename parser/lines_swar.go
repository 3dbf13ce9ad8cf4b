package parser

import (
	"encoding/binary"
	"math/bits"
)

// findLinesGo is findLines in Go, eight bytes at a time: what machines without AVX2 run, and the
// oracle of the assembly. It does not look for words: it runs where hasPlain is false.
func findLinesGo(b []byte, base, blocks int, end *[lineCap]uint32) (n, next int) {
	// control characters of the block before, and which of them are in end
	before, starts := uint64(0), uint64(0)
	for range blocks {
		var set uint64
		if len(b) >= blockBytes {
			set = controlsOf(b[:blockBytes])
			b = b[blockBytes:]
		} else {
			set = controlsOf(b)
			b = nil
		}
		first := set &^ (set<<1 | before>>63)
		for s := first; s != 0; s &= s - 1 {
			end[n&(lineCap-1)] = uint32(base + bits.TrailingZeros64(s))
			n++
		}
		base += blockBytes
		// A control character two bytes behind the first of a run: an empty line, or a fold with an
		// HTAB, which does no harm.
		if set&(first<<2|starts>>62) != 0 || len(b) == 0 || n >= lineStretch {
			break
		}
		before, starts = set, first
	}
	return n, base
}

// controlsOf is the set of control characters in b, up to 64 bytes: bit j for byte j.
func controlsOf(b []byte) (set uint64) {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		set |= controls(binary.LittleEndian.Uint64(b[i:])) << i
	}
	for ; i < len(b); i++ {
		if isControl(b[i]) {
			set |= 1 << i
		}
	}
	return set
}

// controls is the set of control characters in the eight bytes of w: bit k for byte k. The
// additions mark each byte from 0x20 on, and 0x7f, in its top bit without carrying into the next;
// the multiplication gathers the top bits in one byte.
func controls(w uint64) uint64 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	low := w & low7
	w = (low + ones | ^(low + (0x80-0x20)*ones)) &^ w & tops
	return w >> 7 * 0x0102040810204080 >> 56
}
