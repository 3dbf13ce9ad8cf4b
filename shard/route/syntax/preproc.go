package syntax

import (
	"os"
	"path/filepath"
	"strings"
)

// condition is one open #!ifdef or #!ifndef.
type condition struct {
	pos  Pos
	els  bool // #!else was seen
	fram int  // len(stack) when it was opened, since a file closes what it opens
}

// directives has the names of all directives. include_file and import_file also work without a
// prefix.
var directives = map[string]bool{
	"define": true, "def": true, "ifdef": true, "ifndef": true, "ifexp": true, "else": true,
	"endif":  true,
	"defexp": true, "defexps": true, "trydef": true, "trydefine": true, "redefine": true,
	"redef": true,
	"subst": true, "substdef": true, "substdefs": true,
	"defenv": true, "defenvs": true, "trydefenv": true, "trydefenvs": true, "include_file": true,
	"import_file": true,
	"KAMAILIO":    true, "kamailio": true, "SER": true, "ser": true, "OPENSER": true,
	"openser": true,
	"ALL":     true, "all": true,
	"MAXCOMPAT": true, "maxcompat": true, "VIADUCT": true,
}

// isDirective tells whether s starts with "#!" or "!!" and the name of a directive. "#!" with
// anything else is a comment.
func isDirective(s string) bool {
	return len(s) > 2 && s[1] == '!' && (s[0] == '#' || s[0] == '!') &&
		directives[s[2:2+NameLen(s[2:])]]
}

// directive runs the directive at the current offset. It returns false if there is none.
func (lx *lexer) directive() bool {
	f := lx.top()
	s := f.src[f.off:]
	at := f.pos(f.off)
	var name string
	switch {
	case isDirective(s):
		name = s[2 : 2+NameLen(s[2:])]
		f.off += 2 + len(name)
	case strings.HasPrefix(s, "include_file") || strings.HasPrefix(s, "import_file"):
		name = s[:NameLen(s)]
		if name != "include_file" && name != "import_file" {
			return false
		}
		f.off += len(name)
	default:
		return false
	}
	if name == "include_file" || name == "import_file" {
		lx.include(at, name == "import_file")
		return true
	}
	arg := lx.argument(f)
	switch name {
	case "define", "def":
		lx.define(at, arg, func(n string) bool {
			if _, dup := lx.defs[n]; dup {
				lx.found.Errorf(at, "%s is defined already; #!redefine changes it, #!trydef "+
					"keeps it", n)
				return false
			}
			return true
		})
	case "trydef", "trydefine":
		lx.define(at, arg, func(n string) bool { _, dup := lx.defs[n]; return !dup })
	case "redefine", "redef":
		lx.define(at, arg, func(string) bool { return true })
	case "ifdef", "ifndef":
		lx.ifdef(at, arg, name == "ifdef")
	case "ifexp":
		v, _ := lx.evaluate(at, name, arg)
		lx.open(at, v.true())
	case "defexp", "defexps":
		lx.defexp(at, name, arg)
	case "else":
		lx.els(at)
	case "endif":
		if n := len(lx.conds); n == 0 {
			lx.found.Errorf(at, "#!endif without #!ifdef")
		} else {
			lx.theirEndif(at, arg)
			lx.conds = lx.conds[:n-1]
		}
	case "subst", "substdef", "substdefs":
		lx.subst(at, name, arg)
	case "defenv", "defenvs", "trydefenv", "trydefenvs":
		lx.defenv(at, name, arg)
	}
	return true
}

// argument returns the rest of the line, trimmed. A backslash at the end of a line joins the next
// line to it.
func (lx *lexer) argument(f *frame) string {
	var b strings.Builder
	for f.off < len(f.src) {
		c := f.src[f.off]
		if c == '\\' {
			rest := strings.TrimPrefix(f.src[f.off+1:], "\r")
			if strings.HasPrefix(rest, "\n") {
				f.off = len(f.src) - len(rest)
				f.newline(f.off)
				f.off++
				b.WriteByte(' ')
				continue
			}
		}
		if c == '\n' {
			break
		}
		b.WriteByte(c)
		f.off++
	}
	return strings.TrimSpace(b.String())
}

// define reads "NAME" or "NAME VALUE" and defines the name if allow agrees.
func (lx *lexer) define(at Pos, arg string, allow func(string) bool) {
	n := NameLen(arg)
	if n == 0 || !isNameStart(arg[0]) {
		lx.found.Errorf(at, "#!define needs a name")
		return
	}
	name := arg[:n]
	if lx.cutName(at, "define", arg) {
		return
	}
	if n < len(arg) && arg[n] != ' ' && arg[n] != '\t' {
		// Kamailio does the same without a warning
		lx.found.Warnf(at, "#!define: the name is %s, and what follows its value: %s. Is a blank "+
			"missing, or is %s meant as the name?",
			Clip(name), Clip(arg[n:]), Clip(strings.Fields(arg)[0]))
	}
	if allow(name) {
		lx.defs[name] = strings.TrimSpace(arg[n:])
	}
}

// cutName reports a name that is cut at a hyphen, and returns false if arg has none. Kamailio
// refuses such a name in #!define and #!ifdef, and never finds one of #!defenv.
func (lx *lexer) cutName(at Pos, directive, arg string) bool {
	n := NameLen(arg)
	if n == 0 || n == len(arg) || arg[n] != '-' {
		return false
	}
	word := strings.Fields(arg)[0]
	lx.found.Errorf(at, "#!%s: - is not allowed in a name: write %s", directive,
		strings.ReplaceAll(Clip(word), "-", "_"))
	return true
}

// ifdef opens a region, and skips it if its condition does not hold.
func (lx *lexer) ifdef(at Pos, arg string, want bool) {
	name := arg[:NameLen(arg)]
	if name == "" {
		lx.found.Errorf(at, "#!ifdef needs a name")
	}
	lx.cutName(at, "ifdef", arg)
	_, defined := lx.defs[name]
	lx.open(at, defined == want)
}

// open opens a region, and skips it unless holds is set.
func (lx *lexer) open(at Pos, holds bool) {
	lx.conds = append(lx.conds, condition{pos: at, fram: len(lx.stack)})
	if !holds {
		lx.skipRegion(true)
	}
}

// defexp reads "NAME EXPRESSION" and defines the name as the value, with defexps in quotes.
func (lx *lexer) defexp(at Pos, name, arg string) {
	n := NameLen(arg)
	if n == 0 || !isNameStart(arg[0]) {
		lx.found.Errorf(at, "#!%s needs a name", name)
		return
	}
	v, ok := lx.evaluate(at, name, arg[n:])
	if !ok {
		return
	}
	lx.defs[arg[:n]] = v.text()
	if name == "defexps" {
		lx.defs[arg[:n]] = Quote(v.text())
	}
}

// els runs #!else at the end of an active first part: it skips the second part.
func (lx *lexer) els(at Pos) {
	n := len(lx.conds)
	if n == 0 {
		lx.found.Errorf(at, "#!else without #!ifdef")
		return
	}
	if lx.conds[n-1].els {
		lx.found.Errorf(at, "second #!else of the #!ifdef at %s", lx.conds[n-1].pos)
	}
	lx.conds[n-1].els = true
	lx.skipRegion(false)
}

// theirEndif warns of text behind #!endif. Kamailio takes the line for a comment.
func (lx *lexer) theirEndif(at Pos, arg string) {
	if strings.TrimSpace(arg) != "" {
		lx.found.Theirs(at, "text behind #!endif")
	}
}

// skipRegion skips lines up to the #!endif of the innermost condition, or with stopAtElse up to its
// #!else.
func (lx *lexer) skipRegion(stopAtElse bool) {
	f := lx.top()
	depth := 0
	for f.off < len(f.src) {
		line := f.src[f.off:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		at := f.pos(f.off)
		s := strings.TrimLeft(line, " \t\r")
		word := ""
		if isDirective(s) {
			word = s[2 : 2+NameLen(s[2:])]
		}
		f.off += len(line)
		if f.off < len(f.src) {
			f.newline(f.off)
			f.off++
		}
		lx.bol = true
		switch word {
		case "ifdef", "ifndef", "ifexp":
			depth++
		case "endif":
			lx.theirEndif(at, s[len("#!endif"):])
			if depth == 0 {
				lx.conds = lx.conds[:len(lx.conds)-1]
				return
			}
			depth--
		case "else":
			if depth > 0 {
				break
			}
			c := &lx.conds[len(lx.conds)-1]
			if c.els {
				lx.found.Errorf(at, "second #!else of the #!ifdef at %s", c.pos)
			}
			c.els = true
			if stopAtElse {
				return
			}
		}
	}
}

// defenv reads ID=ENVVAR or ENVVAR and defines ID, or ENVVAR, as the value of the environment
// variable.
func (lx *lexer) defenv(at Pos, name, arg string) {
	id, env, two := strings.Cut(arg, "=")
	if !two {
		env = id
	}
	v, ok := os.LookupEnv(env)
	if !ok {
		if !strings.HasPrefix(name, "try") {
			lx.found.Errorf(at, "environment variable %s is not set; #!trydefenv tolerates that",
				Clip(env))
		}
		return
	}
	if strings.HasSuffix(name, "envs") {
		v = Quote(v)
	}
	lx.define(at, id+" "+v, func(string) bool { return true })
}

// include reads the string behind include_file and starts reading that file. It looks in the
// current directory first, then in that of the including file (as Kamailio 5.6 does).
func (lx *lexer) include(at Pos, optional bool) {
	lx.skipBlank()
	t := token{kind: tokEOF, pos: at}
	f := lx.top()
	if quoted := f.off < len(f.src) && (f.src[f.off] == '"' || f.src[f.off] == '\''); quoted {
		t = lx.token()
	}
	if t.text == "" {
		write := "FILE"
		if f.line == at.Line && f.off < len(f.src) && t.kind != tokStr {
			start := f.off
			f.skipLine() // or the name would be read as part of the previous line
			if words := strings.Fields(strings.TrimRight(f.src[start:f.off],
				"; \t\r")); len(words) > 0 {
				write = words[0]
			}
		}
		directive := "include_file"
		if optional {
			directive = "import_file"
		}
		lx.found.Errorf(at, "%s needs a file name in quotes: write %s %s", directive, directive,
			Quote(write))
		return
	}
	depth := 0
	dir := ""
	for i := range lx.stack {
		if lx.stack[i].def == "" {
			depth++
			dir = filepath.Dir(lx.stack[i].file)
		}
	}
	if depth > maxIncludeDepth {
		lx.found.Errorf(at, "include_file nests deeper than %d", maxIncludeDepth)
		return
	}
	path := t.text
	src, err := lx.opt.ReadFile(path)
	if err != nil && !filepath.IsAbs(path) {
		beside := filepath.Join(dir, path)
		if b, err2 := lx.opt.ReadFile(beside); err2 == nil {
			src, err, path = b, nil, beside
		}
	}
	if err != nil {
		if !optional {
			lx.found.Errorf(at, "cannot include %s: %v", Quote(t.text), err)
		}
		return
	}
	lx.found.read(path)
	if IsUTF16(string(src)) {
		lx.found.Errorf(Pos{File: path, Line: 1, Col: 1}, SaveAsUTF8)
		return
	}
	if lx.push(frame{file: path, src: string(src), at: at}) {
		lx.bol = true
	}
}

// finish reports the conditions that are still open at the end of the file.
func (lx *lexer) finish() {
	for _, c := range lx.conds {
		lx.found.Errorf(c.pos, "#!ifdef is not closed: #!endif is missing")
	}
}
