package syntax

import (
	"strings"
)

// frame is one text being read: the file, an included file, or the value of a define.
type frame struct {
	file string
	src  string
	off  int
	line int
	bol  int    // offset of the first byte of the current line
	def  string // name of the define whose value this is, empty for a file
	at   Pos    // where the define's name stands, or the include
}

// lexer turns text into tokens. It also runs the preprocessor (preproc.go), because directives
// change the text that follows them.
type lexer struct {
	opt    Source
	found  *Findings
	stack  []frame
	defs   map[string]string
	substs []subst
	conds  []condition // open #!ifdef, innermost last
	bytes  int         // read so far, against maxFileBytes
	work   int         // by #!subst so far, against maxSubstWork
	prev   int         // where the last token ended, for token.glued; -1 after a change of frame
	bol    bool
}

func newLexer(opt Source, found *Findings) *lexer {
	return &lexer{opt: opt, found: found, defs: map[string]string{}, prev: -1}
}

// top returns the text being read.
func (lx *lexer) top() *frame { return &lx.stack[len(lx.stack)-1] }

// pos returns the place of offset off in f.
func (f *frame) pos(off int) Pos {
	if f.def != "" {
		return f.at
	}
	return Pos{File: f.file, Line: f.line, Col: off - f.bol + 1}
}

func (lx *lexer) here() Pos { return lx.top().pos(lx.top().off) }

// byteOrderMark is U+FEFF (Unicode 15.0 §23.8).
const byteOrderMark = "\uFEFF"

// noBreakSpace is U+00A0, which is white space in Kamailio too.
const noBreakSpace = "\u00A0"

// SaveAsUTF8 is the error about a file that is UTF-16.
const SaveAsUTF8 = "the file is UTF-16: save it as UTF-8"

// IsUTF16 tells whether src is UTF-16, by its byte order mark or by the zero bytes of ASCII
// characters.
func IsUTF16(src string) bool {
	if strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff") {
		return true
	}
	return len(src) >= 4 && (src[0] == 0) != (src[1] == 0) && (src[0] == 0) == (src[2] == 0) &&
		(src[1] == 0) == (src[3] == 0)
}

// push starts reading f. It returns false if a limit forbids that.
func (lx *lexer) push(f frame) bool {
	if !lx.read(f.at, len(f.src)+1) { // one more, since a define without value is work too
		return false
	}
	f.line = 1
	if f.def == "" {
		// some editors begin UTF-8 with a byte order mark, which Kamailio ignores too
		f.src = strings.TrimPrefix(f.src, byteOrderMark)
	}
	lx.stack = append(lx.stack, f)
	lx.prev = -1
	return true
}

// read counts n bytes that are read or made. It returns false if there are too many.
func (lx *lexer) read(at Pos, n int) bool {
	if lx.bytes += n; lx.bytes > maxFileBytes {
		lx.found.endf(at, "configuration is larger than %d MiB with includes, defines and what "+
			"#!subst makes", maxFileBytes>>20)
	}
	return !lx.found.ended
}

// newline counts the line feed at offset off.
func (f *frame) newline(off int) {
	f.line++
	f.bol = off + 1
}

// next returns the next token after preprocessing.
func (lx *lexer) next() token {
	for {
		if lx.found.ended {
			return token{kind: tokEOF, pos: lx.here(), bol: true}
		}
		lx.skipBlank()
		f := lx.top()
		if f.off >= len(f.src) {
			if len(lx.stack) == 1 {
				return token{kind: tokEOF, pos: lx.here(), bol: true}
			}
			lx.stack = lx.stack[:len(lx.stack)-1]
			lx.prev = -1
			if f.def == "" {
				lx.bol = true
			} else {
				lx.prev = lx.top().off // what follows the macro's name is glued to its value
			}
			continue
		}
		if lx.directive() {
			continue
		}
		t := lx.token()
		if t.kind == tokIdent && lx.expand(&t) {
			continue
		}
		return t
	}
}

// expand starts reading the value of the define that t names. It returns false if t names no
// define. A define without value disappears.
func (lx *lexer) expand(t *token) bool {
	v, ok := lx.defs[t.text]
	if !ok {
		return false
	}
	depth := 0
	for i := range lx.stack {
		if lx.stack[i].def == t.text {
			return false
		}
		if lx.stack[i].def != "" {
			depth++
		}
	}
	if depth >= maxMacroDepth {
		lx.found.Errorf(t.pos, "defines nest deeper than %d at %s", maxMacroDepth, t.text)
		return false
	}
	if lx.push(frame{file: t.pos.File, src: v, def: t.text, at: t.pos}) {
		lx.bol = t.bol
		if t.glued {
			lx.prev = 0
		}
	}
	return true
}

// skipBlank skips white space and comments.
func (lx *lexer) skipBlank() {
	f := lx.top()
	for f.off < len(f.src) {
		switch c := f.src[f.off]; {
		case c == '\n':
			f.newline(f.off)
			f.off++
			lx.bol = true
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			f.off++
		case c == '\\' && f.off+1 < len(f.src) && f.src[f.off+1] == '\n':
			f.off++
		case c == '#' && !isDirective(f.src[f.off:]):
			f.skipLine()
		case c == byteOrderMark[0] && strings.HasPrefix(f.src[f.off:], byteOrderMark):
			// where files were joined
			f.off += len(byteOrderMark)
		case c == noBreakSpace[0] && strings.HasPrefix(f.src[f.off:], noBreakSpace):
			// pasted from a web page
			f.off += len(noBreakSpace)
		case strings.HasPrefix(f.src[f.off:], "//"):
			f.skipLine()
		case strings.HasPrefix(f.src[f.off:], "/*"):
			lx.skipComment(f)
		default:
			return
		}
	}
}

// skipLine goes to the end of the line, before its line feed.
func (f *frame) skipLine() {
	if i := strings.IndexByte(f.src[f.off:], '\n'); i >= 0 {
		f.off += i
	} else {
		f.off = len(f.src)
	}
}

func (lx *lexer) skipComment(f *frame) {
	start := f.pos(f.off)
	depth := 0
	for f.off < len(f.src) {
		switch s := f.src[f.off:]; {
		case strings.HasPrefix(s, "/*"):
			depth++ // Kamailio's comments nest
			f.off += 2
		case strings.HasPrefix(s, "*/"):
			f.off += 2
			if depth--; depth == 0 {
				return
			}
		case s[0] == '\n':
			f.newline(f.off)
			lx.bol = true
			f.off++
		default:
			f.off++
		}
	}
	lx.found.Errorf(start, "comment is not closed: */ is missing")
}

// operators has the longest operators with the same first byte first.
var operators = []string{
	"==", "=~", "=>", "=", "!=", "!~", "!", "<=", "<<", "<", ">=", ">>", ">", "&&", "&", "||", "|",
	"+=", "+", "-", "*", "/", "%", "^", "~", "(", ")", "{", "}", "[", "]", ";", ",", ":", ".", "?",
}

// token reads one token. The current byte must not be blank or in a comment.
func (lx *lexer) token() token {
	f := lx.top()
	start := f.off
	t := token{pos: f.pos(start), glued: start == lx.prev && !lx.bol, bol: lx.bol}
	lx.bol = false
	c := f.src[start]
	n := ipLen(f.src[start:])
	switch {
	case n > 0:
		t.kind = tokIP
		f.off += n
		t.text = f.src[start:f.off]
	case isNameStart(c):
		t.kind = tokIdent
		f.off += NameLen(f.src[start:])
		t.text = f.src[start:f.off]
	case c >= '0' && c <= '9':
		lx.number(f, &t)
	case c == '"' || c == '\'':
		lx.str(f, &t)
	case c == '$':
		lx.pv(f, &t)
	case c == '@' && start+1 < len(f.src) && isNameStart(f.src[start+1]):
		t.kind = tokSel
		f.off += 1 + selectLen(f.src[start+1:])
		t.text = f.src[start+1 : f.off]
	default:
		t.kind = tokOp
		for _, op := range operators {
			if strings.HasPrefix(f.src[start:], op) {
				t.text = op
				break
			}
		}
		if t.text == "" {
			// An unknown byte becomes an operator of its own, so that the parser says what it
			// expected instead.
			t.text = f.src[start : start+runeLen(f.src[start:])]
		}
		f.off += len(t.text)
	}
	t.raw = f.src[start:f.off]
	lx.prev = f.off
	return t
}

// str reads a quoted string. Double quotes have escapes and single quotes do not (Kamailio 5.6:
// 'a\tb' keeps its backslash).
func (lx *lexer) str(f *frame, t *token) {
	q := f.src[f.off]
	i := f.off + 1
	var b strings.Builder
	for i < len(f.src) && f.src[i] != q {
		c := f.src[i]
		switch {
		case c == '\n':
			f.newline(i)
			b.WriteByte(c)
			i++
		case c == '\\' && q == '"' && i+1 < len(f.src):
			i += unescape(f, i, &b)
		default:
			b.WriteByte(c)
			i++
		}
	}
	if i >= len(f.src) {
		lx.found.Errorf(t.pos, "string is not closed: %c is missing", q)
		f.off = i
	} else {
		f.off = i + 1
	}
	t.kind = tokStr
	t.text = lx.substitute(t.pos, b.String())
}

// unescape writes what the escape at f.src[i] stands for and returns its length.
func unescape(f *frame, i int, b *strings.Builder) int {
	c := f.src[i+1]
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'a':
		b.WriteByte('\a')
	case '\\', '"':
		b.WriteByte(c)
	case '\n':
		// A backslash at the end of a line joins the lines.
		f.newline(i + 1)
	case 'x':
		n, v := 2, 0
		for n < 4 && i+n < len(f.src) && hexVal(f.src[i+n]) >= 0 {
			v = v<<4 | hexVal(f.src[i+n])
			n++
		}
		if n == 2 {
			b.WriteString("\\x")
			return 2
		}
		b.WriteByte(byte(v))
		return n
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, v := 1, 0
		for n < 4 && i+n < len(f.src) && f.src[i+n] >= '0' && f.src[i+n] <= '7' {
			v = v<<3 | int(f.src[i+n]-'0')
			n++
		}
		if n == 2 { // \1 of a pattern
			b.WriteByte('\\')
			b.WriteByte(c)
			return 2
		}
		b.WriteByte(byte(v))
		return n
	default:
		b.WriteByte('\\')
		b.WriteByte(c)
	}
	return 2
}

// pv reads a pseudo-variable: $name, $name(inner), $(name{transformation}[index]).
func (lx *lexer) pv(f *frame, t *token) {
	n := VarLen(f.src[f.off:])
	if n < 0 {
		lx.found.Errorf(t.pos, "variable is not closed: ) is missing")
		n = -n
	}
	t.kind = tokPV
	t.text = f.src[f.off+1 : f.off+n]
	for i := f.off; i < f.off+n; i++ {
		if f.src[i] == '\n' {
			f.newline(i)
		}
	}
	f.off += n
	if t.text == "" {
		lx.found.Errorf(t.pos, "a variable name is missing behind $")
	}
}

// selectLen returns the length of the select that s starts with: name.name[0].name["text"].name.
func selectLen(s string) int {
	n := NameLen(s)
	for n < len(s) {
		switch {
		case s[n] == '.' && n+1 < len(s) && isNameStart(s[n+1]):
			n += 1 + NameLen(s[n+1:])
		case s[n] == '[':
			end := n + 1
			if end < len(s) && (s[end] == '"' || s[end] == '\'') {
				if i := strings.IndexByte(s[end+1:], s[end]); i >= 0 {
					end += i + 2
				}
			} else {
				for end < len(s) && (IsNameByte(s[end]) || s[end] == '-' || s[end] == '%' ||
					s[end] == '*') {
					end++
				}
			}
			if end >= len(s) || s[end] != ']' {
				return n
			}
			n = end + 1
		default:
			return n
		}
	}
	return n
}

// VarLen returns the length of the variable that s starts with, including the dollar sign. It
// returns a negative number if the parenthesis is not closed.
func VarLen(s string) int {
	i := 1
	if i < len(s) && s[i] == '?' {
		return 2
	}
	i += VarNameLen(s[i:])
	if i >= len(s) || s[i] != '(' {
		return i
	}
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -len(s)
}
