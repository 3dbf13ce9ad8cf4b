package route

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"viaduct/shard/route/syntax"
)

// The types of what Load finds are those of package syntax.
type (
	Pos        = syntax.Pos
	Diagnostic = syntax.Diagnostic
	ErrorList  = syntax.ErrorList
	Warnings   = syntax.Warnings
)

// Options tell Load how to find what the file names. The zero value reads the file system.
type Options struct {
	// ReadFile reads the file and its includes. If it is nil, syntax.ReadFile is used.
	ReadFile func(path string) ([]byte, error)
	// Defines are the values of -A: NAME or NAME=VALUE.
	Defines []string
	// Modules are the modules that the file may load, in order.
	Modules []Declared
	// Survey, unless it is nil, is filled with what the file uses. The file is then only examined:
	// a missing data file is a warning.
	Survey *Survey

	noCopies bool // routes are called, and not copied to where they are called
}

// Load compiles the configuration file src, which messages call file. If src is nil, Load reads
// file. The error is an ErrorList with all errors at once; Program and Settings are then nil.
// Warnings are returned in both cases, in file order.
func Load(file string, src []byte, opt Options) (*Program, *Settings, Warnings, error) {
	if opt.ReadFile == nil {
		opt.ReadFile = syntax.ReadFile
	}
	if src == nil {
		b, err := opt.ReadFile(file)
		if err != nil {
			return nil, nil, nil, ErrorList{{Pos: Pos{File: file, Line: 1, Col: 1},
				Text: "cannot read the configuration: " + err.Error()}}
		}
		src = b
	}
	if syntax.IsUTF16(string(src)) {
		return nil, nil, nil, ErrorList{{Pos: Pos{File: file, Line: 1, Col: 1},
			Text: syntax.SaveAsUTF8}}
	}
	seen := newSourceHash(file, src, opt.Defines)
	read := func(path string) ([]byte, error) {
		b, err := opt.ReadFile(path)
		if seen.file(path, b); err != nil {
			seen.texts = seen.texts[:len(seen.texts)-1]
		}
		return b, err
	}
	tree, found := syntax.Parse(file, string(src),
		syntax.Source{ReadFile: read, Defines: opt.Defines, Settings: coreNames})
	ld := &loader{found, opt.Survey, opt.noCopies}
	prog, set := ld.compile(tree, opt.Modules)
	prog.hash, prog.sources = seen.of(prog), seen.texts
	prog.steps = nil
	found.Sort()
	if opt.Survey != nil {
		opt.Survey.Errors, opt.Survey.Warnings = found.Errors, found.Warnings
	}
	if len(found.Errors) > 0 {
		return nil, nil, found.Warnings, found.Errors
	}
	return prog, set, found.Warnings, nil
}

// sourceHash computes the hash of a program while its files are read.
type sourceHash struct {
	xxhash.Digest
	texts []SourceText
}

// SourceText is a file of a configuration, as it was read.
type SourceText struct{ Name, Text string }

func newSourceHash(file string, src []byte, defines []string) *sourceHash {
	h := &sourceHash{}
	h.Reset()
	h.file(file, src)
	for _, d := range defines {
		h.add("-A", []byte(d))
	}
	return h
}

// file adds a file that was read.
func (h *sourceHash) file(name string, text []byte) {
	h.add(name, text)
	h.texts = append(h.texts, SourceText{name, string(text)})
}

// add hashes a text and its name, each with its length, so that no two lists of texts give the same
// input.
func (h *sourceHash) add(name string, text []byte) {
	var n [16]byte
	binary.LittleEndian.PutUint64(n[:8], uint64(len(name)))
	binary.LittleEndian.PutUint64(n[8:], uint64(len(text)))
	_, _ = h.Write(n[:])
	_, _ = h.WriteString(name)
	_, _ = h.Write(text)
}

// of returns the hash, with the compiled program included: another build of Viaduct may number
// steps and routes differently.
func (h *sourceHash) of(p *Program) uint64 {
	var n [16]byte
	number := func(a, b uint64) {
		binary.LittleEndian.PutUint64(n[:8], a)
		binary.LittleEndian.PutUint64(n[8:], b)
		_, _ = h.Write(n[:])
	}
	number(p.hashNames(), uint64(len(p.steps)))
	for i := range p.steps {
		number(uint64(p.steps[i].yes), uint64(p.steps[i].no))
	}
	number(uint64(p.nvars)<<32|uint64(p.maxTemps), heldFormat)
	return max(h.Sum64(), 1)
}

// loader is one run of Load. It collects the findings.
type loader struct {
	*syntax.Findings
	survey   *Survey // nil unless Options asks for one
	noCopies bool
}

func (ld *loader) errorf(pos Pos, format string, args ...any) { ld.Errorf(pos, format, args...) }

func (ld *loader) warnf(pos Pos, format string, args ...any) { ld.Warnf(pos, format, args...) }

// quote and clip show a text of the file in messages.
func quote(s string) string { return syntax.Quote(s) }

func clip(s string) string { return syntax.Clip(s) }
