package parser

import "math/bits"

// blockBytes is how much one word of line ends covers: one bit per byte.
const blockBytes = 64

// lineBlocks is how many blocks one call of lineEnds looks at: 512 bytes are the headers of most messages,
// so the body is hardly looked at; longer header sections take another call.
const lineBlocks = 8

// lines is the list of line ends of one stretch of a message.
type lines struct {
	set [lineBlocks]uint64
	end [lineBlocks * blockBytes]uint32 // offsets of the LFs
}

// find lists the LFs of the next stretch of b from offset i on and returns their number and where the
// stretch ends. It stops behind the first block with an empty line, so that the list of
// a body is not made.
func (l *lines) find(b []byte, i int) (n, next int) {
	x := b[i:]
	blocks := len(x) / blockBytes
	if blocks == 0 {
		// The last bytes of a message, padded.
		var t [blockBytes]byte
		copy(t[:], x)
		lineEnds(t[:], &l.set, 1)
		return l.list(0, l.set[0], uint32(i)), len(b)
	}
	blocks = min(blocks, lineBlocks)
	lineEnds(x, &l.set, blocks)
	before := uint64(0)
	for _, set := range l.set[:blocks] {
		n = l.list(n, set, uint32(i))
		i += blockBytes
		// An LF one or two bytes behind another: an empty line, or a line of one byte, which does no harm.
		if set&(set<<1|set<<2|before>>63|before>>62) != 0 {
			break
		}
		before = set
	}
	return n, i
}

// list appends the members of set.
func (l *lines) list(n int, set uint64, base uint32) int {
	for ; set != 0; set &= set - 1 {
		l.end[n&(len(l.end)-1)] = base + uint32(bits.TrailingZeros64(set))
		n++
	}
	return n
}
