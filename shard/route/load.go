package route

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// Pos is a place in a configuration file: 1-based line and column (in bytes).
type Pos struct {
	File      string
	Line, Col int
}

// String gives file:line:col.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Diagnostic is one finding of Load: an error, or a warning.
type Diagnostic struct {
	Pos  Pos
	Text string
}

// Error gives file:line:col: text.
func (d *Diagnostic) Error() string { return d.Pos.String() + ": " + d.Text }

// Warnings are findings that do not stop a start: settings without effect, deviations from Kamailio.
type Warnings []Diagnostic

// ErrorList is every error Load found, in file order.
type ErrorList []Diagnostic

// Error gives one line per error.
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

// Options say how Load finds what the file names. The zero value reads the file system.
type Options struct {
	// ReadFile reads an include; nil: os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// Defines are -A NAME or NAME=VALUE.
	Defines []string
}

// Load compiles the configuration file src, called file in messages. A nil src is read from file. The error is an ErrorList
// that names all errors at once; Program and Settings are nil then. Warnings are given in both cases, in file order.
func Load(file string, src []byte, opt Options) (*Program, *Settings, Warnings, error) {
	ld := &loader{opt: opt}
	if src == nil {
		b, err := ld.readFile(file)
		if err != nil {
			return nil, nil, nil, ErrorList{{Pos{file, 1, 1}, "cannot read the configuration: " + err.Error()}}
		}
		src = b
	}
	items := ld.parse(file, string(src))
	prog, set := ld.compile(file, items)
	ld.sort(ld.warns)
	if len(ld.errs) > 0 {
		ld.sort(ld.errs)
		return nil, nil, ld.warns, ErrorList(ld.errs)
	}
	return prog, set, ld.warns, nil
}

// loader is one run of Load: it collects what is found.
type loader struct {
	opt   Options
	errs  []Diagnostic
	warns Warnings
	seen  map[string]int // file name to order of reading, for sorting
}

func (ld *loader) errorf(pos Pos, format string, args ...any) {
	if ld.full() {
		return
	}
	for i := range ld.errs {
		if ld.errs[i].Pos == pos && ld.errs[i].Text == fmt.Sprintf(format, args...) {
			return // a macro used twice, or an expression compiled twice
		}
	}
	ld.errs = append(ld.errs, Diagnostic{pos, fmt.Sprintf(format, args...)})
	if ld.full() {
		ld.errs = append(ld.errs, Diagnostic{pos, fmt.Sprintf("more than %d errors; the rest is not listed", maxErrors)})
	}
}

func (ld *loader) warnf(pos Pos, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for i := range ld.warns {
		if ld.warns[i].Pos == pos && ld.warns[i].Text == text {
			return
		}
	}
	ld.warns = append(ld.warns, Diagnostic{pos, text})
}

// full tells whether more errors would help nobody.
func (ld *loader) full() bool { return len(ld.errs) >= maxErrors }

func (ld *loader) readFile(path string) ([]byte, error) {
	if ld.opt.ReadFile != nil {
		return ld.opt.ReadFile(path)
	}
	return os.ReadFile(path)
}

// sort orders findings by file (in order of reading), line and column; equal places keep their order.
func (ld *loader) sort(list []Diagnostic) {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i].Pos, list[j].Pos
		if a.File != b.File {
			return ld.seen[a.File] < ld.seen[b.File]
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
}

// parse gives the items of the file and its includes.
func (ld *loader) parse(file, src string) []item {
	ld.seen = map[string]int{file: 0}
	lx := newLexer(ld)
	for _, d := range ld.opt.Defines {
		name, value, _ := strings.Cut(d, "=")
		lx.defs[name] = value
	}
	for _, d := range []string{"KAMAILIO_5", "KAMAILIO_5_6", "VIADUCT"} {
		lx.defs[d] = ""
	}
	lx.bol = true
	if !lx.push(frame{file: file, src: src, at: Pos{file, 1, 1}}) {
		return nil
	}
	p := &syntax{ld: ld, lx: lx}
	return p.file()
}
