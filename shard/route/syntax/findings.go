package syntax

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a configuration file: 1-based line and column (in bytes).
type Pos struct {
	File      string
	Line, Col int
}

// String returns file:line:col.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Diagnostic is one finding: an error, or a warning.
type Diagnostic struct {
	Pos  Pos
	Text string
}

// Error returns file:line:col: text.
func (d *Diagnostic) Error() string { return d.Pos.String() + ": " + d.Text }

// Warnings are findings that do not stop a start: settings without effect, deviations from
// Kamailio.
type Warnings []Diagnostic

// ErrorList has all errors that were found, in file order.
type ErrorList []Diagnostic

// Error returns one line per error.
func (l ErrorList) Error() string {
	var s string
	for i := range l {
		if i > 0 {
			s += "\n"
		}
		s += l[i].Error()
	}
	return s
}

// Findings are the errors and warnings about a file and its includes. Whoever works on the tree
// afterwards adds to them.
type Findings struct {
	Errors   ErrorList
	Warnings Warnings
	files    map[string]int // in order of reading, by name
	ended    bool           // a limit was reached, and the rest was not read
	tally    int
}

// Errorf adds an error. The same error at the same place counts once. After the hundredth, a line
// says that the rest is not listed, and the rest is dropped.
func (f *Findings) Errorf(pos Pos, format string, args ...any) {
	f.tally++
	if f.Full() {
		return
	}
	d := diagnostic(pos, format, args)
	if slices.Contains(f.Errors, d) {
		return // a macro used twice, or an expression compiled twice
	}
	f.Errors = append(f.Errors, d)
	if len(f.Errors) == maxErrors {
		f.Errors = append(f.Errors,
			Diagnostic{pos, fmt.Sprintf("more than %d errors; the rest is not listed", maxErrors)})
	}
}

// endf adds an error after which nothing more is read. So no further error complains about what was
// not read.
func (f *Findings) endf(pos Pos, format string, args ...any) {
	f.Errorf(pos, format, args...)
	f.ended = true
}

// Warnf adds a warning. The same warning at the same place counts once. After the thousandth, a
// line says that the rest is not listed, and the rest is dropped.
func (f *Findings) Warnf(pos Pos, format string, args ...any) {
	switch {
	case len(f.Warnings) > maxWarnings:
		return
	case len(f.Warnings) == maxWarnings:
		format, args = "more than %d warnings; the rest is not listed", []any{maxWarnings}
	}
	if d := diagnostic(pos, format, args); !slices.Contains(f.Warnings, d) {
		f.Warnings = append(f.Warnings, d)
	}
}

// diagnostic makes a finding. Its text has printable characters only, and line feeds.
func diagnostic(pos Pos, format string, args []any) Diagnostic {
	lines := strings.Split(fmt.Sprintf(format, args...), "\n")
	for i := range lines {
		lines[i] = Printable(lines[i])
	}
	return Diagnostic{pos, strings.Join(lines, "\n")}
}

// Tally returns how often Errorf was called. It also counts the errors that are not listed.
func (f *Findings) Tally() int { return f.tally }

// Full tells whether further errors are not listed any more.
func (f *Findings) Full() bool { return f.ended || len(f.Errors) >= maxErrors }

// read records that a file was read.
func (f *Findings) read(file string) {
	if _, again := f.files[file]; !again {
		f.files[file] = len(f.files)
	}
}

// Sort orders errors and warnings by file (in order of reading), line and column. Findings at the
// same place keep their order.
func (f *Findings) Sort() {
	f.sort(f.Errors)
	f.sort(f.Warnings)
}

func (f *Findings) sort(list []Diagnostic) {
	slices.SortStableFunc(list, func(a, b Diagnostic) int {
		byFile := cmp.Compare(f.files[a.Pos.File], f.files[b.Pos.File])
		return cmp.Or(byFile, cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}
