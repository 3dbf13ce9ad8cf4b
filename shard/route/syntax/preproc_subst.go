package syntax

import (
	"fmt"
	"regexp"
	resyntax "regexp/syntax"
	"strings"

	"viaduct/shard/route/ere"
)

// subst is one #!subst. It applies to all strings read after it.
type subst struct {
	re     *regexp.Regexp
	repl   string // in which \1 stands for what the first group has matched
	cost   int    // instructions of re
	global bool
}

// subst reads #!subst "/re/repl/flags", whose first byte is the delimiter. substdef also defines
// the name, and substdefs defines it as a string.
func (lx *lexer) subst(at Pos, name, arg string) {
	if arg != "" && arg[0] != '"' && arg[0] != '\'' {
		lx.found.Theirs(at, "a #!"+name+" without quotes: write #!"+name+" "+Quote(Clip(arg)))
	}
	arg = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(arg, "\""),
		"\""), "'"), "'")
	if arg == "" {
		lx.found.Errorf(at, "#!%s needs \"/pattern/replacement/flags\"", name)
		return
	}
	parts := splitSubst(arg[1:], arg[0])
	if len(parts) != 3 || parts[0] == "" {
		lx.found.Errorf(at, "#!%s needs \"/pattern/replacement/flags\"", name)
		return
	}
	flags := ere.Flags(0)
	s := subst{repl: parts[1]}
	for _, f := range strings.TrimSpace(parts[2]) {
		switch f {
		case 'g':
			s.global = true
		case 'i':
			flags = ere.IgnoreCase
		default:
			lx.found.Errorf(at, "#!%s knows the flags g and i, not %q", name, f)
			return
		}
	}
	re, err := ere.Compile(parts[0], flags)
	if err != nil {
		lx.found.Errorf(at, "#!%s: %v", name, err)
		return
	}
	if re.NumSubexp() > maxSubstGroups {
		lx.found.Errorf(at, "#!%s: %d groups are too many; the most is %d", name, re.NumSubexp(),
			maxSubstGroups)
		return
	}
	s.re, s.cost = re, instructions(re)
	lx.substs = append(lx.substs, s)
	if NameLen(parts[0]) != len(parts[0]) {
		return // not a name, and so it only applies to strings
	}
	switch name {
	case "substdef":
		lx.define(at, parts[0]+" "+parts[1], func(string) bool { return true })
	case "substdefs":
		lx.define(at, parts[0]+" "+Quote(parts[1]), func(string) bool { return true })
	}
}

// splitSubst splits pattern, replacement and flags. A delimiter behind a backslash does not count.
func splitSubst(s string, delimiter byte) []string {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == delimiter:
			i++
			part.WriteByte(s[i])
		case s[i] == delimiter:
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(s[i])
		}
	}
	return append(parts, part.String())
}

// instructions returns how many steps a pattern takes for a byte at most.
func instructions(re *regexp.Regexp) int {
	parsed, err := resyntax.Parse(re.String(), resyntax.Perl)
	if err != nil {
		panic(fmt.Sprintf("BUG: %s was compiled, and is refused: %v", re, err))
	}
	p, err := resyntax.Compile(parsed.Simplify())
	if err != nil {
		panic(fmt.Sprintf("BUG: %s was compiled, and is refused: %v", re, err))
	}
	return len(p.Inst)
}

// substitute applies all #!subst to a string, each to the result of those before it. Each in a
// chain may double the string, so both what they read and what they make is bounded.
func (lx *lexer) substitute(at Pos, s string) string {
	for i := range lx.substs {
		if lx.found.ended {
			break
		}
		s = lx.apply(&lx.substs[i], at, s)
	}
	return s
}

func (lx *lexer) apply(x *subst, at Pos, s string) string {
	if lx.work += (len(s) + 1) * x.cost; lx.work > maxSubstWork {
		lx.found.endf(at, "#!subst has more to look through than is allowed: there are %d of them, "+
			"and each acts on every string behind it", len(lx.substs))
		return s
	}
	n := 1
	if x.global {
		n = maxSubstMatches + 1
	}
	matches := x.re.FindAllStringSubmatchIndex(s, n)
	if matches == nil {
		return s
	}
	if len(matches) > maxSubstMatches {
		lx.found.Errorf(at, "#!subst %s matches more than %d times in this string",
			Quote(Clip(x.re.String())), maxSubstMatches)
		return s
	}
	var b strings.Builder
	end := 0
	for _, m := range matches {
		b.WriteString(s[end:m[0]])
		if x.replacement(&b, s, m, maxFileBytes-lx.bytes); b.Len() > maxFileBytes-lx.bytes {
			break
		}
		end = m[1]
	}
	if !lx.read(at, b.Len()) {
		return s
	}
	return b.String() + s[end:]
}

// replacement writes the replacement of one match. It ends early if b gets longer than most.
func (x *subst) replacement(b *strings.Builder, s string, groups []int, most int) {
	for i := 0; i < len(x.repl) && b.Len() <= most; i++ {
		c := x.repl[i]
		if c != '\\' || i+1 == len(x.repl) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c = x.repl[i]; {
		case c >= '0' && c <= '9':
			if g := int(c-'0') * 2; g < len(groups) && groups[g] >= 0 {
				b.WriteString(s[groups[g]:groups[g+1]])
			}
		case c == 'n':
			b.WriteByte('\n')
		case c == 'r':
			b.WriteByte('\r')
		case c == 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(c)
		}
	}
}
