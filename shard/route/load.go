package route

import (
	"os"

	"viaduct/shard/route/syntax"
)

// What Load finds has its types in package syntax.
type (
	Pos        = syntax.Pos
	Diagnostic = syntax.Diagnostic
	ErrorList  = syntax.ErrorList
	Warnings   = syntax.Warnings
)

// Options say how Load finds what the file names. The zero value reads the file system.
type Options struct {
	// ReadFile reads an include; nil: os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// Defines are -A NAME or NAME=VALUE.
	Defines []string
	// Modules are those that the file may load, in order.
	Modules []Declared
}

// Load compiles the configuration file src, called file in messages. A nil src is read from file.
// The error is an ErrorList that names all errors at once; Program and Settings are nil then.
// Warnings are given in both cases, in file order.
func Load(file string, src []byte, opt Options) (*Program, *Settings, Warnings, error) {
	if opt.ReadFile == nil {
		opt.ReadFile = os.ReadFile
	}
	if src == nil {
		b, err := opt.ReadFile(file)
		if err != nil {
			return nil, nil, nil, ErrorList{{Pos: Pos{File: file, Line: 1, Col: 1}, Text: "cannot read the configuration: " + err.Error()}}
		}
		src = b
	}
	if syntax.IsUTF16(string(src)) {
		return nil, nil, nil, ErrorList{{Pos: Pos{File: file, Line: 1, Col: 1}, Text: syntax.SaveAsUTF8}}
	}
	tree, found := syntax.Parse(file, string(src), syntax.Source{ReadFile: opt.ReadFile, Defines: opt.Defines, Settings: globalNames})
	ld := &loader{found}
	prog, set := ld.compile(tree, opt.Modules)
	found.Sort()
	if len(found.Errors) > 0 {
		return nil, nil, found.Warnings, found.Errors
	}
	return prog, set, found.Warnings, nil
}

// loader is one run of Load: it collects what is found.
type loader struct{ *syntax.Findings }

func (ld *loader) errorf(pos Pos, format string, args ...any) { ld.Errorf(pos, format, args...) }

func (ld *loader) warnf(pos Pos, format string, args ...any) { ld.Warnf(pos, format, args...) }

// quote and clip are what messages say of a text from the file.
func quote(s string) string { return syntax.Quote(s) }

func clip(s string) string { return syntax.Clip(s) }
