package tlsdomains

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the configuration, or one thing worth a warning.
type Problem struct {
	File         string // "" if it came from a module parameter
	Line, Column int    // from 1; 0 if the whole file is meant
	Text         string // what is wrong and what to write
}

func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Error returns String.
func (p Problem) Error() string { return p.String() }

// Problems are all mistakes of one reading, in the file's order.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems one by one, each once.
func (ps Problems) Unwrap() (all []error) {
	for i, p := range ps {
		if !slices.Contains(ps[:i], p) {
			all = append(all, p)
		}
	}
	return all
}

// place is where in the configuration something was written.
type place struct {
	file         string
	line, column int
}

// report collects what one reading finds.
type report struct {
	problems, warnings Problems
}

func (r *report) problem(at place, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems,
			Problem{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
	}
}

func (r *report) warn(at place, format string, args ...any) {
	if len(r.warnings) < maxProblems {
		r.warnings = append(r.warnings,
			Problem{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
	}
}

// err returns the problems sorted by line, nil if there are none.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return r.problems
}
