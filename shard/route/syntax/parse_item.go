package syntax

import (
	"os"
	"slices"
	"strings"

	"viaduct/shard/route/suggest"
)

// flags reads names of flags, as in flags NAME:5, OTHER. A name without number gets the first free
// one.
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

// engine reads cfgengine "native". The routes of a file are always in that language.
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

// ModuleName returns the argument of loadmodule without its path and ".so".
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

// filled returns a text of loadmodulex or modparamx with $def(NAME), $defn(NAME) and $env(NAME),
// which are known at load, filled in.
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
		p.octal()
		v.Kind, v.Num = IntLiteral, p.t.num
		p.advance()
	case p.op("-"):
		p.advance()
		if p.t.kind != tokInt {
			p.fail("expected a number behind \"-\", found %s", p.t.describe())
		}
		p.octal()
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

// BoolWord returns 1 or 0 for a word that means true or false, and -1 for any other.
func BoolWord(s string) int {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "enable":
		return 1
	case "no", "false", "off", "disable":
		return 0
	}
	return -1
}

// takesPath has the settings whose value may be a path, a host or an address without quotes.
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

// unknownItem reports a word that begins no item.
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

// joined reads tokens without white space between them as one word: a host name, a path, an
// address.
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
