//go:build !amd64

package parser

// hasPlain tells whether lines.stop is written: plain can be asked.
const hasPlain = false

// findLines lists line ends; see lines_amd64.go.
func findLines(b []byte, base, blocks int, end *[lineCap]uint32, _ *byte) (n, next int) {
	return findLinesGo(b, base, blocks, end)
}

// findFirst is for machines that have a shorter way; see lines_amd64.go.
func (l *lines) findFirst([]byte) bool { return false }

// knownRows is knownRowsGo.
func (m *Message) knownRows(rows []Header, n, p int) (int, int) {
	return m.knownRowsGo(rows, n, p)
}
