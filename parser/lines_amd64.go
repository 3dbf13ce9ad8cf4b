package parser

import "golang.org/x/sys/cpu"

// hasPlain tells whether lines.stop is written: plain can be asked. AVX2 and BMI have come with the
// same processors since 2013; older ones run the Go code. A variable so that a test can take it
// away.
var hasPlain = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT

// findLines lists the control characters in b that have none in front of them in end, each
// increased by base, the offset of b in the message. It looks at no more than blocks blocks of 64
// bytes, ends early behind one with an empty line or when the list is half full, and returns the
// length of the list and the offset behind the last block. What is in front of b is taken for no
// control character. stop gets a word for each block and one of set bits; see type lines. Where b
// is not the whole message, 64 bytes of that are in front of it; else it has 64 bytes.
func findLines(b []byte, base, blocks int, end *[lineCap]uint32, stop *byte) (n, next int) {
	if hasPlain {
		return findLinesAVX2(b, base, blocks, end, stop)
	}
	return findLinesGo(b, base, blocks, end)
}

// Receipt: BenchmarkLines, the eight blocks of inviteSDP's headers: 61 ns, findLinesGo 256 ns and
// without the words. An SSE2 version that found only the LFs took 44 ns; the words it did not find
// cost BenchmarkFields/TopVia 79 ns instead of 33 ns, and BenchmarkCallMessages/check 3572 ns
// instead of 1942 ns (Xeon 2.5 GHz, 2 vCPU guest, Linux 6.18, go1.26.8, 2026-11-22). Control
// characters in place of LFs: 45 ns beside 48 ns, BenchmarkIndex 145.7 beside 145.4 ns,
// BenchmarkCallMessages/check 1526 beside 1554 ns, the best of 375 short alternating runs (same
// machine, faster that day, 2026-11-30). That took three entries of the list without asking instead
// of four, since an empty line is no entry any more, and the last block apart: else BenchmarkLines
// was 56 ns.
//
//go:noescape
func findLinesAVX2(b []byte, base, blocks int, end *[lineCap]uint32, stop *byte) (n, next int)

// findFirst is find at the start of a message, without its questions. It returns false if they have
// to be asked.
func (l *lines) findFirst(b []byte) bool {
	if !hasPlain || len(b) < blockBytes {
		return false
	}
	l.next = 0
	l.n, l.scanned = findLinesAVX2(b, 0, plainBlocks, &l.end, &l.stop[0])
	l.keepInside(len(b))
	return true
}

// knownRows is knownRowsGo.
func (m *Message) knownRows(rows []Header, n, p int) (rowsNow, lineStart int) {
	if hasPlain {
		return knownRowsAVX2(m, n, p)
	}
	return m.knownRowsGo(rows, n, p)
}

//go:noescape
func knownRowsAVX2(m *Message, n, p int) (rowsNow, lineStart int)
