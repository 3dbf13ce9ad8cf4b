package syntax

import (
	"os"
	"slices"
	"strings"

	"viaduct/file"
	"viaduct/shard/route/suggest"
)

// Source says how Parse finds what a file names. The zero value reads the file system.
type Source struct {
	// ReadFile reads an include; nil means ReadFile.
	ReadFile func(path string) ([]byte, error)
	// Defines are -A NAME or NAME=VALUE.
	Defines []string
	// Settings gives the names that a setting may have, for the message about a word that begins
	// nothing; nil means none.
	Settings func() []string
}

// ReadFile reads a file of the configuration, as far as one may be.
func ReadFile(path string) ([]byte, error) { return file.Read(path, maxFileBytes) }

// Parse reads src, called name in messages, and what it includes. What is wrong with the text is
// among the findings, and the tree is what could be read all the same.
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

// fileParser reads tokens into the syntax tree. An error is recorded and the parser goes on behind
// the statement or item it stands in, so that one run finds all of them.
type parser struct {
	opt   Source
	found *Findings
	lx    *lexer
	t     token // current
	nest  int
	read  int // tokens so far, to see that an error makes progress
	items []Item
}

// bail unwinds one statement or item after an error.
type bail struct{}

func (p *parser) advance() {
	p.t = p.lx.next()
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

// guard runs f and tells whether it came through without an error.
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

// enter counts nesting; leave undoes it.
func (p *parser) enter() {
	p.nest++
	if p.nest > maxNesting {
		p.fail("blocks or parentheses nest deeper than %d", maxNesting)
	}
}

func (p *parser) leave() { p.nest-- }

// expect passes the operator op.
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

// routeWords are the words that begin a routing block.
var routeWords = map[string]bool{
	"request_route": true, "route": true, "failure_route": true, "branch_route": true,
	"onreply_route": true,
	"reply_route":   true, "onsend_route": true, "event_route": true, "error_route": true,
}

// resync goes to the next line that starts like an item: a word in the first column, or one that
// opens a route.
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

// flags reads names of flags: flags NAME:5, OTHER. A name without number takes the first that is
// free.
func (p *parser) flags(key token) {
	p.advance()
	kind := FlagItem
	if key.text == "avpflags" {
		kind = AVPFlagItem
	}
	for {
		if p.t.kind != tokIdent && p.t.kind != tokStr {
			p.fail("expected the name of a flag, found %s", p.t.describe())
		}
		it := Item{Kind: kind, Pos: p.t.pos, Name: p.t.text}
		p.advance()
		if p.op(":") {
			p.advance()
			it.Val = p.literal("the number of the flag")
		}
		p.items = append(p.items, it)
		if !p.op(",") {
			return
		}
		p.advance()
	}
}

// engine reads cfgengine "native": the routes of the file are always those.
func (p *parser) engine(key token) {
	p.advance()
	if p.op("=") {
		p.advance()
	}
	pos := p.t.pos
	switch name := p.stringOrFail("the engine's name"); name {
	case "native", "default":
	default:
		p.failAt(pos, "%s %s: routes in other languages are not run", key.text, Quote(Clip(name)))
	}
}

func (p *parser) load(t token) {
	p.advance()
	path := t.text == "loadpath" || t.text == "mpath"
	if path && p.op("=") {
		p.advance()
	}
	if p.t.kind != tokStr || p.t.text == "" {
		p.fail("%s needs a name in quotes, found %s", t.text, p.t.describe())
	}
	it := Item{Kind: LoadModuleItem, Pos: p.t.pos, Name: p.t.text}
	if t.text == "loadmodulex" {
		it.Name = p.filled(p.t.pos, it.Name)
	}
	if path {
		it.Kind = LoadPathItem
	} else {
		p.lx.defs["MOD_"+ModuleName(it.Name)] = ""
	}
	p.advance()
	p.items = append(p.items, it)
}

// ModuleName takes the path and ".so" off a loadmodule argument.
func ModuleName(arg string) string {
	return strings.TrimSuffix(arg[strings.LastIndexByte(arg, '/')+1:], ".so")
}

// modparam reads ("module", "name", value).
func (p *parser) modparam(t token) {
	p.advance()
	p.expect("(", "behind modparam")
	it := Item{Kind: ModParamItem, Pos: p.t.pos}
	it.Name = p.stringOrFail("the module's name")
	p.expect(",", "between the arguments of modparam")
	it.ParamPos = p.t.pos
	it.Param = p.stringOrFail("the parameter's name")
	p.expect(",", "between the arguments of modparam")
	it.Val = p.literal("a number or a string")
	if t.text == "modparamx" && it.Val.Kind == StrLiteral {
		it.Val.Str = p.filled(it.Val.Pos, it.Val.Str)
	}
	p.expect(")", "behind modparam's arguments")
	p.items = append(p.items, it)
}

// filled is a text of loadmodulex or modparamx with what is known at load in the place of
// $def(NAME), $defn(NAME) and $env(NAME).
func (p *parser) filled(pos Pos, s string) string {
	var b strings.Builder
	made := 0
	for {
		if p.lx.read(pos, b.Len()-made); p.found.ended {
			return ""
		}
		made = b.Len()
		i := strings.IndexByte(s, '$')
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i])
		s = s[i:]
		n := VarLen(s)
		word, name, ok := strings.Cut(strings.TrimSuffix(s[1:max(n, 1)], ")"), "(")
		if n < 2 || !ok {
			p.failAt(pos, "only $def(NAME), $defn(NAME) and $env(NAME) are known at load: %s",
				Quote(Clip(s)))
		}
		switch word {
		case "def":
			b.WriteString(p.lx.defs[name])
		case "defn":
			v := p.lx.defs[name]
			if v == "" {
				v = "0"
			}
			b.WriteString(v)
		case "env":
			b.WriteString(os.Getenv(name))
		default:
			p.failAt(pos, "only $def(NAME), $defn(NAME) and $env(NAME) are known at load, not $%s",
				word)
		}
		s = s[n:]
	}
}

func (p *parser) stringOrFail(what string) string {
	if p.t.kind != tokStr {
		p.fail("expected %s in quotes, found %s", what, p.t.describe())
	}
	s := p.t.text
	p.advance()
	return s
}

// literal reads a number, a string (adjacent ones are joined) or a bare word.
func (p *parser) literal(what string) Literal {
	v := Literal{Pos: p.t.pos}
	switch {
	case p.t.kind == tokStr:
		v.Kind = StrLiteral
		for p.t.kind == tokStr {
			v.Str += p.t.text
			p.advance()
		}
	case p.t.kind == tokInt:
		v.Kind, v.Num = IntLiteral, p.t.num
		p.advance()
	case p.op("-"):
		p.advance()
		if p.t.kind != tokInt {
			p.fail("expected a number behind \"-\", found %s", p.t.describe())
		}
		v.Kind, v.Num = IntLiteral, -p.t.num
		p.advance()
	case p.t.kind == tokIdent && BoolWord(p.t.text) >= 0:
		v.Kind, v.Num, v.Str = IntLiteral, int64(BoolWord(p.t.text)), p.t.text
		p.advance()
	case p.t.kind == tokIdent || p.t.kind == tokIP:
		v.Kind, v.Str = WordLiteral, p.t.text
		p.advance()
	default:
		p.fail("expected %s, found %s", what, p.t.describe())
	}
	return v
}

// BoolWord is 1 or 0 for the words that mean true or false, else -1.
func BoolWord(s string) int {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "enable":
		return 1
	case "no", "false", "off", "disable":
		return 0
	}
	return -1
}

// takesPath are the settings whose value may be a path, a host or an address without quotes.
var takesPath = map[string]bool{"chroot": true, "workdir": true, "wdir": true, "rundir": true,
	"run_dir": true,
	"user":    true, "uid": true, "group": true, "gid": true, "advertised_address": true,
	"tcp_source_ipv4": true, "tcp_source_ipv6": true}

// global reads name=value and group.name=value desc "…".
func (p *parser) global(t token) {
	p.advance()
	if p.op(".") {
		p.custom(t)
		return
	}
	if !p.op("=") {
		p.unknownItem(t)
	}
	p.advance()
	it := Item{Kind: SettingItem, Pos: t.pos, Name: t.text}
	if takesPath[t.text] && p.t.kind != tokStr {
		it.Val = Literal{Pos: p.t.pos, Kind: StrLiteral}
		it.Val.Str = p.joined("a path")
	} else {
		it.Val = p.literal("a value")
	}
	p.items = append(p.items, it)
}

// unknownItem explains a word that begins nothing known.
func (p *parser) unknownItem(t token) {
	names := []string{"loadmodule", "loadpath", "mpath", "modparam", "listen", "alias"}
	for w := range routeWords {
		names = append(names, w)
	}
	var settings []string
	if p.opt.Settings != nil {
		settings = p.opt.Settings()
	}
	if !slices.Contains(settings, t.text) {
		p.failAt(t.pos, "unknown word %s%s", t.text,
			suggest.DidYouMean(t.text, append(names, settings...)))
	}
	p.fail("expected \"=\" behind %s, found %s", t.text, p.t.describe())
}

func (p *parser) custom(group token) {
	p.advance()
	if p.t.kind != tokIdent {
		p.fail("expected a name behind %q, found %s", group.text+".", p.t.describe())
	}
	it := Item{Kind: CustomItem, Pos: group.pos, Name: group.text + "." + p.t.text}
	p.advance()
	p.expect("=", "behind "+it.Name)
	it.Val = p.literal("a number or a string")
	if p.word("desc") || p.word("descr") || p.word("description") {
		p.advance()
		it.Param = p.stringOrFail("the description")
	}
	p.items = append(p.items, it)
}

// joined reads the tokens that follow each other without white space as one word: a host name, a
// path, an address.
func (p *parser) joined(what string, stop ...string) string {
	s := ""
	for first := true; p.t.kind != tokEOF; first = false {
		if !first && (!p.t.glued || p.op(";")) {
			break
		}
		if p.t.kind == tokStr {
			s += p.t.text
		} else {
			for _, x := range stop {
				if p.op(x) {
					return s
				}
			}
			s += p.t.raw
		}
		p.advance()
	}
	if s == "" {
		p.fail("expected %s, found %s", what, p.t.describe())
	}
	return s
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
	p.block(&it.Body, "the route's body")
	p.items = append(p.items, it)
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
