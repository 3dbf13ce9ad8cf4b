package route

import (
	"strings"

	"viaduct/shard/route/suggest"
)

// syntax reads tokens into the syntax tree. An error is recorded and the parser goes on behind the statement or item it
// stands in, so that one run finds all of them.
type syntax struct {
	ld    *loader
	lx    *lexer
	t     token // current
	nest  int
	read  int // tokens so far, to see that an error makes progress
	items []item
}

// bail unwinds one statement or item after an error.
type bail struct{}

func (p *syntax) advance() {
	p.t = p.lx.next()
	p.read++
}

// fail records an error at the current token and unwinds.
func (p *syntax) fail(format string, args ...any) {
	p.failAt(p.t.pos, format, args...)
}

func (p *syntax) failAt(pos Pos, format string, args ...any) {
	p.ld.errorf(pos, format, args...)
	panic(bail{})
}

// guard runs f and tells whether it came through without an error.
func (p *syntax) guard(f func()) (ok bool) {
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
func (p *syntax) enter() {
	p.nest++
	if p.nest > maxNesting {
		p.fail("blocks or parentheses nest deeper than %d", maxNesting)
	}
}

func (p *syntax) leave() { p.nest-- }

// expect passes the operator op.
func (p *syntax) expect(op, where string) token {
	if p.t.kind != tokOp || p.t.text != op {
		p.fail("expected %q %s, found %s", op, where, p.t.describe())
	}
	t := p.t
	p.advance()
	return t
}

func (p *syntax) op(s string) bool { return p.t.kind == tokOp && p.t.text == s }

func (p *syntax) word(s string) bool { return p.t.kind == tokIdent && p.t.text == s }

// file reads all items.
func (p *syntax) file() []item {
	p.advance()
	for p.t.kind != tokEOF && !p.ld.full() {
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
	"request_route": true, "route": true, "failure_route": true, "branch_route": true, "onreply_route": true,
	"reply_route": true, "onsend_route": true, "event_route": true, "error_route": true,
}

// resync goes to the next line that starts like an item: a word in the first column, or one that opens a route.
func (p *syntax) resync() {
	for p.t.kind != tokEOF {
		if p.t.bol && p.t.kind == tokIdent && (p.t.pos.Col == 1 || routeWords[p.t.text] && p.t.text != "route") {
			return
		}
		p.advance()
	}
}

// item reads one top-level item.
func (p *syntax) item() {
	if p.t.kind != tokIdent {
		p.fail("expected a setting, loadmodule, modparam or a route, found %s", p.t.describe())
	}
	t := p.t
	switch {
	case routeWords[t.text]:
		p.route()
	case t.text == "loadmodule", t.text == "loadpath", t.text == "mpath":
		p.load(t)
	case t.text == "modparam":
		p.modparam(t)
	case t.text == "listen":
		p.advance()
		p.expect("=", "behind listen")
		p.listen(t)
	case t.text == "alias":
		p.advance()
		p.expect("=", "behind alias")
		p.alias(t)
	case unsupportedItems[t.text] != "":
		p.fail("%s is not supported yet: %s", t.text, unsupportedItems[t.text])
	default:
		p.global(t)
	}
}

// unsupportedItems are top-level words Kamailio has and Viaduct has not yet.
var unsupportedItems = map[string]string{
	"flags": "named flags; use #!define", "avpflags": "AVP flags", "loadmodulex": "use loadmodule", "modparamx": "use modparam",
	"cfgengine": "the routes of this file are always the native ones", "route_locks_size": "",
}

func (p *syntax) load(t token) {
	p.advance()
	if t.text != "loadmodule" && p.op("=") {
		p.advance()
	}
	if p.t.kind != tokStr || p.t.text == "" {
		p.fail("%s needs a name in quotes, found %s", t.text, p.t.describe())
	}
	it := item{kind: itemLoadModule, pos: p.t.pos, name: p.t.text}
	if t.text != "loadmodule" {
		it.kind = itemLoadPath
	} else {
		p.lx.defs["MOD_"+moduleName(it.name)] = ""
	}
	p.advance()
	p.items = append(p.items, it)
}

// modparam reads ("module", "name", value).
func (p *syntax) modparam(t token) {
	p.advance()
	p.expect("(", "behind modparam")
	it := item{kind: itemModParam, pos: p.t.pos}
	it.name = p.stringOrFail("the module's name")
	p.expect(",", "between the arguments of modparam")
	it.paramPos = p.t.pos
	it.param = p.stringOrFail("the parameter's name")
	p.expect(",", "between the arguments of modparam")
	it.val = p.literal("a number or a string")
	p.expect(")", "behind modparam's arguments")
	p.items = append(p.items, it)
}

func (p *syntax) stringOrFail(what string) string {
	if p.t.kind != tokStr {
		p.fail("expected %s in quotes, found %s", what, p.t.describe())
	}
	s := p.t.text
	p.advance()
	return s
}

// literal reads a number, a string (adjacent ones are joined) or a bare word.
func (p *syntax) literal(what string) valueLit {
	v := valueLit{pos: p.t.pos}
	switch {
	case p.t.kind == tokStr:
		v.kind = litStr
		for p.t.kind == tokStr {
			v.str += p.t.text
			p.advance()
		}
	case p.t.kind == tokInt:
		v.kind, v.num = litInt, p.t.num
		p.advance()
	case p.op("-"):
		p.advance()
		if p.t.kind != tokInt {
			p.fail("expected a number behind \"-\", found %s", p.t.describe())
		}
		v.kind, v.num = litInt, -p.t.num
		p.advance()
	case p.t.kind == tokIdent && boolWord(p.t.text) >= 0:
		v.kind, v.num, v.str = litInt, int64(boolWord(p.t.text)), p.t.text
		p.advance()
	case p.t.kind == tokIdent || p.t.kind == tokIP:
		v.kind, v.str = litWord, p.t.text
		p.advance()
	default:
		p.fail("expected %s, found %s", what, p.t.describe())
	}
	return v
}

// boolWord is 1 or 0 for the words that mean true or false, else -1.
func boolWord(s string) int {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "enable":
		return 1
	case "no", "false", "off", "disable":
		return 0
	}
	return -1
}

// global reads name=value and group.name=value desc "…".
func (p *syntax) global(t token) {
	p.advance()
	if p.op(".") {
		p.custom(t)
		return
	}
	if !p.op("=") {
		p.unknownItem(t)
	}
	p.advance()
	it := item{kind: itemGlobal, pos: t.pos, name: t.text}
	if globalTakesPath[t.text] && p.t.kind != tokStr {
		it.val = valueLit{pos: p.t.pos, kind: litStr}
		it.val.str = p.joined("a path")
	} else {
		it.val = p.literal("a value")
	}
	p.items = append(p.items, it)
}

// unknownItem explains a word that begins nothing known.
func (p *syntax) unknownItem(t token) {
	names := []string{"loadmodule", "loadpath", "mpath", "modparam", "listen", "alias"}
	for w := range routeWords {
		names = append(names, w)
	}
	if globals[t.text] == nil {
		p.failAt(t.pos, "unknown word %s%s", t.text, suggest.DidYouMean(t.text, append(names, globalNames()...)))
	}
	p.fail("expected \"=\" behind %s, found %s", t.text, p.t.describe())
}

func (p *syntax) custom(group token) {
	p.advance()
	if p.t.kind != tokIdent {
		p.fail("expected a name behind %q, found %s", group.text+".", p.t.describe())
	}
	it := item{kind: itemCustom, pos: group.pos, name: group.text + "." + p.t.text}
	p.advance()
	p.expect("=", "behind "+it.name)
	it.val = p.literal("a number or a string")
	if p.word("desc") || p.word("descr") || p.word("description") {
		p.advance()
		it.param = p.stringOrFail("the description")
	}
	p.items = append(p.items, it)
}

// joined reads the tokens that follow each other without white space as one word: a host name, a path, an address.
func (p *syntax) joined(what string, stop ...string) string {
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
func (p *syntax) route() {
	it := item{kind: itemRoute, pos: p.t.pos, kindName: p.t.text}
	p.advance()
	if p.op("[") {
		p.advance()
		it.pos = p.t.pos
		it.name, it.named = p.routeName("]"), true
		p.expect("]", "behind the route's name")
	}
	p.block(&it.body, "the route's body")
	p.items = append(p.items, it)
}

// routeName reads the name of a route up to the bracket that ends it: a word, a number, a string, or core:event.
func (p *syntax) routeName(end string) string {
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
