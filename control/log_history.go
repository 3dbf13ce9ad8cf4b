package control

import (
	"bytes"
	"sync"
)

// history keeps the last lines that were warnings or errors, so that an operator sees them without
// the place that the log goes to. Lines that the log lost are not in it.
type history struct {
	mu    sync.Mutex
	lines [historyLines]string
	n     int // lines ever kept
}

// keep adds a line.
func (h *history) keep(line []byte) {
	text := string(bytes.TrimRight(line[:min(len(line), historyLineBytes)], "\n"))
	h.mu.Lock()
	h.lines[h.n%historyLines] = text
	h.n++
	h.mu.Unlock()
}

// last returns the last n lines, oldest first.
func (h *history) last(n int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	n = min(n, h.n, historyLines)
	out := make([]string, 0, n)
	for i := h.n - n; i < h.n; i++ {
		out = append(out, h.lines[i%historyLines])
	}
	return out
}

// History returns the last n warnings and errors, oldest first, historyLines of them at most.
func (l *Log) History(n int) []string { return l.sink.history.last(n) }
