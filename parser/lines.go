package parser

import (
	"encoding/binary"
	"math/bits"
)

// blockBytes is how many bytes are looked at together: one bit of a word for each.
const blockBytes = 64

// plainBlocks is how many blocks have their plain bytes remembered: the first 4 KiB. Header sections of one datagram hardly
// ever are longer; fields behind are read byte by byte.
const plainBlocks = 64

// lineCap is the room in the list of line ends, lineStretch how many make findLines stop: the last block may bring 64
// more, and the assembly writes up to 3 entries behind the last.
const (
	lineCap     = 256
	lineStretch = 128
)

// lines is what one look at the bytes of a message leaves behind: where its lines end, and where words end.
//
//	b:     Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK77␍␊
//	stop:  ...11...1...1...1..........1....1......1.........11
//	end:                                                     ↑
//
// stop has a bit for each byte that is not of classHost, bit i&7 of byte i>>3. A bit may be set without
// need, as all are behind what was looked at; between two set bits every byte is plain. So a scan by stop may end early, and what
// comes behind its end has to be looked at; it never ends late.
type lines struct {
	n       int // line ends in the list
	next    int // the first of them that is not dealt with
	scanned int // offset behind the last block looked at
	end     [lineCap]uint32
	stop    [8 * (plainBlocks + 1)]byte
}

// first starts on a message and returns the offset of the first LF at or behind p; -1 if there is none.
func (l *lines) first(b []byte, p int) int {
	if p == 0 && l.findFirst(b) && l.n > 0 {
		l.next = 1
		return int(l.end[0])
	}
	// Slow path: line ends in front of the start line, or a very short message.
	return l.slowFirst(b, p)
}

func (l *lines) slowFirst(b []byte, p int) int {
	l.scanned = p &^ (blockBytes - 1)
	for {
		l.find(b)
		for ; l.next < l.n; l.next++ {
			if lf := int(l.end[l.next&(lineCap-1)]); lf >= p {
				l.next++
				return lf
			}
		}
		if l.scanned >= len(b) {
			return -1
		}
	}
}

// find lists the LFs of the next stretch of b. It ends behind the first block with an empty line, so that the list of
// a body is not made; there may be more behind it.
func (l *lines) find(b []byte) {
	from := l.scanned
	k := from / blockBytes
	l.next = 0
	switch {
	case len(b) < blockBytes:
		// Slow path: nothing that a proxy forwards is so short.
		var t [blockBytes]byte
		copy(t[:], b)
		l.n, l.scanned = findLines(t[:], 0, 1, &l.end, &l.stop[0])
	case k < plainBlocks:
		l.n, l.scanned = findLines(b[from:], from, plainBlocks-k, &l.end, &l.stop[8*k])
	default:
		// Slow path: more than 4 KiB of headers.
		var stop [len(l.stop)]byte
		l.n, l.scanned = findLines(b[from:], from, plainBlocks, &l.end, &stop[0])
	}
}

// plain is the end of a run of bytes of classHost that starts at i. It may give less than the whole run, never more.
func (l *lines) plain(i int) int {
	k := uint(i) >> 3
	if k > uint(len(l.stop)-8) {
		return i
	}
	// 57 bits are left of a word that is shifted by up to 7.
	return i + bits.TrailingZeros64(binary.LittleEndian.Uint64(l.stop[k:])>>(i&7)|1<<57)
}
