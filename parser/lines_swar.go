package parser

import "encoding/binary"

// lineEndsGo is lineEnds in Go, eight bytes at a time: what machines other than amd64 run, and the oracle of
// the assembly.
func lineEndsGo(b []byte, set *[lineBlocks]uint64, blocks int) {
	for k := range blocks {
		x := b[k*blockBytes:][:blockBytes]
		s := uint64(0)
		for i := 0; i < blockBytes; i += 8 {
			s |= lfs(binary.LittleEndian.Uint64(x[i:])) << i
		}
		set[k] = s
	}
}

// lfs is the set of LFs in the eight bytes of w: bit k for byte k. The addition marks each byte that is not LF in its
// top bit without carrying into the next; the multiplication gathers the top bits in one byte.
func lfs(w uint64) uint64 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	w ^= 0x0a0a0a0a0a0a0a0a
	w = ^((w&low7 + low7) | w | low7)
	return w >> 7 * 0x0102040810204080 >> 56
}
