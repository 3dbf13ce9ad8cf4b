package parser

import (
	"encoding/binary"
	"math/bits"
)

// blockBytes is how many bytes are looked at together: one bit of a word for each.
const blockBytes = 64

// plainBlocks is how many blocks have their plain bytes remembered: the first 4 KiB. Header
// sections of one datagram hardly ever are longer; fields behind are read byte by byte.
const plainBlocks = 64

// lineCap is the room in the list of line ends, lineStretch how many make findLines stop: the last
// block may bring 32 more, and the assembly writes up to 3 entries behind the last.
const (
	lineCap     = 256
	lineStretch = 128
)

// lines is what one look at the bytes of a message leaves behind: where its lines end, and where
// words end.
//
//	b:     Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK77␍␊
//	stop:  ...11...1...1...1..........1....1......1.........11
//	end:                                                    ↑
//
// A control character is a byte below 0x20, or 0x7f. end has each that has none in front of it. So
// in a message as RFC 3261 §7 has it these are the CRs of its line ends, and whatever else there is
// shows as an entry that is no CRLF, or as a line that begins with a control character: odd lines
// are found without a question asked for any other.
//
// stop has a bit for each byte that is not of classHost, bit i&7 of byte i>>3. A bit may be set
// without need, as all are behind what was looked at; between two set bits every byte is plain. So
// a scan by stop may end early, and what comes behind its end has to be looked at; it never ends
// late.
type lines struct {
	n       int // entries of end
	next    int // the first of them that is not dealt with
	scanned int // offset behind the last block looked at
	end     [lineCap]uint32
	stop    [8 * (plainBlocks + 1)]byte
}

// first starts on a message and finds the end of its first line, which starts at p. See lineEnd.
func (l *lines) first(b []byte, p int) (lf int, odd bool) {
	if p == 0 && l.findFirst(b) && l.n > 0 {
		if cr := int(l.end[0]); isCRLF(b, cr) {
			l.next = 1
			return cr + 1, false
		}
		return l.lineEnd(b, p)
	}
	// Slow path: line ends in front of the start line, or a very short message.
	l.n, l.next = 0, 0
	l.scanned = p &^ (blockBytes - 1)
	return l.lineEnd(b, p)
}

// lineEnd is the offset of the LF that ends the line which starts at p. It returns -1 if there is
// none. odd tells whether the line may have a control character besides HTAB and its CRLF.
func (l *lines) lineEnd(b []byte, p int) (lf int, odd bool) {
	// A run of control characters at the start of the line began in the line above, so that end
	// does not have it.
	odd = !onlyTabs(b, p)
	for i := p; i < len(b) && isControl(b[i]); i++ {
		if b[i] == '\n' {
			return i, odd
		}
	}
	for {
		for ; l.next < l.n; l.next++ {
			e := int(l.end[l.next&(lineCap-1)])
			if e < p {
				continue
			}
			if isCRLF(b, e) {
				l.next++
				return e + 1, odd
			}
			// Slow path: an HTAB, or something that has no business here.
			odd = odd || !onlyTabs(b, e)
			for ; e < len(b) && isControl(b[e]); e++ {
				if b[e] == '\n' {
					l.next++
					return e, odd
				}
			}
		}
		if l.scanned >= len(b) {
			break
		}
		l.find(b)
	}
	if n := len(b) - 1; p <= n && b[n] == '\n' {
		return n, true // keepInside has dropped it
	}
	return -1, true
}

// find lists the line ends of the next stretch of b. It ends behind the first block with an empty
// line, so that the list of a body is not made; there may be more behind it.
func (l *lines) find(b []byte) {
	from := l.scanned
	k := from / blockBytes
	l.next = 0
	switch {
	case len(b) < blockBytes:
		// Slow path: nothing that a proxy forwards is so short.
		var t [blockBytes]byte
		for i := copy(t[:], b); i < blockBytes; i++ {
			t[i] = ' '
		}
		l.n, l.scanned = findLines(t[:], 0, 1, &l.end, &l.stop[0])
	case k < plainBlocks:
		l.n, l.scanned = findLines(b[from:], from, plainBlocks-k, &l.end, &l.stop[8*k])
	default:
		// Slow path: more than 4 KiB of headers.
		var stop [len(l.stop)]byte
		l.n, l.scanned = findLines(b[from:], from, plainBlocks, &l.end, &stop[0])
	}
	l.keepInside(len(b))
	if l.n > 0 && int(l.end[0]) == from && from > 0 && isControl(b[from-1]) {
		l.next = 1 // its run began in the stretch before
	}
}

// keepInside drops an entry that is the last byte of the message: two bytes are read at each.
func (l *lines) keepInside(length int) {
	if l.n > 0 && int(l.end[(l.n-1)&(lineCap-1)]) >= length-1 {
		l.n--
	}
}

// isControl tells whether c is a control character: below 0x20, or 0x7f.
func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// isCRLF tells whether b[i:] starts with CRLF.
func isCRLF(b []byte, i int) bool {
	return i >= 0 && i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n'
}

// onlyTabs tells whether the control characters from i on are HTABs, with perhaps CRLF behind them.
func onlyTabs(b []byte, i int) bool {
	for i < len(b) && b[i] == '\t' {
		i++
	}
	return i == len(b) || !isControl(b[i]) || isCRLF(b, i)
}

// strayControl tells whether b, the start line and the headers of a message, has a control
// character that RFC 3261 §25.1 has no place for: a CR or LF that is not part of a CRLF, or any
// other but HTAB where it is not the second half of a quoted-pair in a quoted-string of a header.
func strayControl(b []byte) bool {
	line, quoted := 0, false // number of the line; within a quoted-string
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\r':
			if !isCRLF(b, i) {
				return true
			}
			i++
			line++
			if i+1 < len(b) && b[i+1] != ' ' && b[i+1] != '\t' {
				quoted = false // the next row
			}
		case c == '"' && line > 0:
			quoted = !quoted
		case c == '\\' && quoted:
			if i+1 < len(b) && b[i+1] != '\r' && b[i+1] != '\n' {
				i++
			}
		case c != '\t' && isControl(c):
			return true
		}
	}
	return false
}

// plain is the end of a run of bytes of classHost that starts at i. It may give less than the whole
// run, never more.
func (l *lines) plain(i int) int {
	k := uint(i) >> 3
	if k > uint(len(l.stop)-8) {
		return i
	}
	// 57 bits are left of a word that is shifted by up to 7.
	return i + bits.TrailingZeros64(binary.LittleEndian.Uint64(l.stop[k:])>>(i&7)|1<<57)
}
