package syntax

import (
	"strings"

	"viaduct/file"
)

// Source tells Parse how to find what a file names. The zero value reads the file system.
type Source struct {
	// ReadFile reads an include. If it is nil, the function ReadFile is used.
	ReadFile func(path string) ([]byte, error)
	// Defines are the values of -A: NAME or NAME=VALUE.
	Defines []string
	// Settings returns the names of all settings, to suggest one for an unknown word. It may be
	// nil.
	Settings func() []string
}

// ReadFile reads a file of the configuration, which must not be larger than the limit.
func ReadFile(path string) ([]byte, error) { return file.Read(path, maxFileBytes) }

// Parse reads src, which messages call name, and its includes. Errors in the text are among the
// findings, and the tree then has what could be read.
func Parse(name, src string, opt Source) (*File, *Findings) {
	if opt.ReadFile == nil {
		opt.ReadFile = ReadFile
	}
	tree, found := &File{Name: name}, &Findings{files: map[string]int{name: 0}}
	lx := newLexer(opt, found)
	for _, d := range opt.Defines {
		name, value, _ := strings.Cut(d, "=")
		lx.defs[name] = value
	}
	for _, d := range []string{"KAMAILIO_5", "KAMAILIO_5_6", "KAMAILIO_5_6_3", "VIADUCT"} {
		lx.defs[d] = ""
	}
	lx.bol = true
	if lx.push(frame{file: name, src: src, at: Pos{name, 1, 1}}) {
		p := &parser{opt: opt, found: found, lx: lx}
		tree.Items = p.file()
	}
	tree.Defines = lx.defs
	return tree, found
}

// parser turns tokens into the syntax tree. After an error it goes on behind the statement or item
// that contains it, so that one run finds all errors.
type parser struct {
	opt   Source
	found *Findings
	lx    *lexer
	t     token // the current token
	nest  int
	read  int // tokens so far, to check for progress after an error
	items []Item
	trail []token // what has been read of the item, and in a route of the statement; see salvage.go
}

// bail unwinds one statement or item after an error.
type bail struct{}

func (p *parser) advance() {
	p.t = p.lx.next()
	p.trail = append(p.trail, p.t)
	p.read++
}

// fail records an error at the current token and unwinds.
func (p *parser) fail(format string, args ...any) {
	p.failAt(p.t.pos, format, args...)
}

func (p *parser) failAt(pos Pos, format string, args ...any) {
	p.found.Errorf(pos, format, args...)
	panic(bail{})
}

// guard runs f and tells whether f ended without an error.
func (p *parser) guard(f func()) (ok bool) {
	nest := p.nest
	defer func() {
		if r := recover(); r != nil {
			if _, mine := r.(bail); !mine {
				panic(r)
			}
			p.nest = nest
		}
	}()
	f()
	return true
}

// enter counts one more level of nesting, and leave one less.
func (p *parser) enter() {
	p.nest++
	if p.nest > maxNesting {
		p.fail("blocks or parentheses nest deeper than %d", maxNesting)
	}
}

func (p *parser) leave() { p.nest-- }

// expect reads the operator op. where is for the error message.
func (p *parser) expect(op, where string) token {
	if p.t.kind != tokOp || p.t.text != op {
		p.fail("expected %q %s, found %s", op, where, p.t.describe())
	}
	t := p.t
	p.advance()
	return t
}

func (p *parser) op(s string) bool { return p.t.kind == tokOp && p.t.text == s }

func (p *parser) word(s string) bool { return p.t.kind == tokIdent && p.t.text == s }

// file reads all items.
func (p *parser) file() []Item {
	p.advance()
	for p.t.kind != tokEOF && !p.found.Full() {
		if p.op(";") {
			p.advance()
			continue
		}
		before := p.read
		p.trail = append(p.trail[:0], p.t)
		if !p.guard(p.item) {
			if p.read == before {
				p.advance()
			}
			p.resync()
		}
	}
	p.lx.finish()
	return p.items
}

// routeWords has the words that begin a routing block.
var routeWords = map[string]bool{
	"request_route": true, "route": true, "failure_route": true, "branch_route": true,
	"onreply_route": true,
	"reply_route":   true, "onsend_route": true, "event_route": true, "error_route": true,
}

// resync skips to the next line that looks like the start of an item: one with a word in the first
// column, or with a word that opens a route.
func (p *parser) resync() {
	for p.t.kind != tokEOF {
		if p.t.bol && p.t.kind == tokIdent &&
			(p.t.pos.Col == 1 || routeWords[p.t.text] && p.t.text != "route") {
			return
		}
		p.advance()
	}
}

// item reads one top-level item.
func (p *parser) item() {
	if p.t.kind != tokIdent {
		p.fail("expected a setting, loadmodule, modparam or a route, found %s", p.t.describe())
	}
	t := p.t
	switch {
	case routeWords[t.text]:
		p.route()
	case t.text == "loadmodule", t.text == "loadmodulex", t.text == "loadpath", t.text == "mpath":
		p.load(t)
	case t.text == "modparam", t.text == "modparamx":
		p.modparam(t)
	case t.text == "flags", t.text == "avpflags":
		p.flags(t)
	case t.text == "cfgengine":
		p.engine(t)
	case t.text == "listen":
		p.advance()
		p.expect("=", "behind listen")
		p.listen(t)
	case t.text == "alias":
		p.advance()
		p.expect("=", "behind alias")
		p.alias(t)
	default:
		p.global(t)
	}
}

// route reads a routing block.
func (p *parser) route() {
	it := Item{Kind: RouteItem, Pos: p.t.pos, Word: p.t.text}
	p.advance()
	if p.op("[") {
		p.advance()
		it.Pos = p.t.pos
		it.Name, it.Named = p.routeName("]"), true
		p.expect("]", "behind the route's name")
	}
	whole := p.guard(func() { p.block(&it.Body, "the route's body") })
	p.items = append(p.items, it) // what could be read is worth checking
	if !whole {
		panic(bail{})
	}
}

// routeName reads the name of a route up to the bracket that ends it: a word, a number, a string,
// or core:event.
func (p *parser) routeName(end string) string {
	if p.t.kind == tokStr {
		s := p.t.text
		p.advance()
		return s
	}
	s := ""
	for p.t.kind == tokIdent || p.t.kind == tokInt || p.op(":") || p.op("-") {
		s += p.t.raw
		p.advance()
	}
	if s == "" {
		p.fail("expected the name of a route before %q, found %s", end, p.t.describe())
	}
	return s
}
