// Package exposition writes metrics in the text format that Prometheus reads (version 0.0.4).
package exposition

import (
	"math"
	"strconv"
)

// Kind is the type of a family.
type Kind string

// The types.
const (
	Counter Kind = "counter" // it only grows; its name ends in _total
	Gauge   Kind = "gauge"
	Untyped Kind = "untyped"
	// Histogram is a family of Histogram values.
	Histogram Kind = "histogram"
)

// Writer collects metrics. Each family is begun once, and followed by its values. The zero Writer
// is ready.
type Writer struct {
	b    []byte
	name string
}

// Family begins a family. help is one line of text.
func (w *Writer) Family(name string, kind Kind, help string) {
	w.name = name
	w.b = append(append(append(w.b, "# HELP "...), name...), ' ')
	w.b = escape(w.b, help, false)
	w.b = append(append(append(append(w.b, "\n# TYPE "...), name...), ' '), kind...)
	w.b = append(w.b, '\n')
}

// Value adds a value of the family begun last. labels are names and values in turn.
func (w *Writer) Value(v float64, labels ...string) {
	w.b = append(w.b, w.name...)
	for i := 0; i+1 < len(labels); i += 2 {
		between := byte(',')
		if i == 0 {
			between = '{'
		}
		w.b = append(append(append(w.b, between), labels[i]...), `="`...)
		w.b = append(escape(w.b, labels[i+1], true), '"')
	}
	if len(labels) > 1 {
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ' ')
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	} else {
		w.b = strconv.AppendFloat(w.b, v, 'g', -1, 64)
	}
	w.b = append(w.b, '\n')
}

// Histogram adds a histogram to the family begun last: how many values did not exceed each bound
// and exceeded the one before, in counts, whose last has those above all bounds, and the sum of
// all.
func (w *Writer) Histogram(bounds []float64, counts []uint64, sum float64, labels ...string) {
	family := w.name
	defer func() { w.name = family }()
	w.name = family + "_bucket"
	all := uint64(0)
	with := append(labels[:len(labels):len(labels)], "le", "")
	for i, n := range counts {
		all += n
		with[len(with)-1] = "+Inf"
		if i < len(bounds) {
			with[len(with)-1] = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		w.Value(float64(all), with...)
	}
	w.name = family + "_sum"
	w.Value(sum, labels...)
	w.name = family + "_count"
	w.Value(float64(all), labels...)
}

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Reset begins anew, with the memory it has.
func (w *Writer) Reset() { w.b, w.name = w.b[:0], "" }

// escape appends s with what the format gives a meaning escaped: a backslash, the end of a line,
// and within a label a quotation mark.
func escape(b []byte, s string, label bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '"' && label:
			b = append(b, `\"`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// Name makes a name of a metric of words: what may not stand in one becomes _.
func Name(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= '0' && c <= '9' && i > 0:
		default:
			b[i] = '_'
		}
	}
	return string(b)
}
