package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a token. Keywords are ordinary identifiers, because the parser knows
// where a name may stand. So a host called "forward" needs no quotes here, as it does in Kamailio.
type tokenKind uint8

const (
	tokEOF   tokenKind = iota
	tokIdent           // [A-Za-z_][A-Za-z0-9_]*
	tokInt             // decimal, 0x hex, 0 octal, 0b binary; value in num
	tokStr             // quoted, decoded in text
	tokIP              // dotted quad, or IPv6 without brackets
	tokPV              // $…, text is what follows the dollar sign
	tokSel             // @…
	tokOp              // punctuation; text is the operator
)

// token is one lexical unit and its place. The place of a token from a define is where the define's
// name stands.
type token struct {
	kind  tokenKind
	text  string // decoded string, name, operator
	raw   string // as written, for joined host names and paths
	num   int64
	pos   Pos
	glued bool // no white space between the token before and this one
	bol   bool // first token of its line
}

// describe returns t as an error message names it.
func (t *token) describe() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokStr:
		return "string " + Quote(Clip(t.text))
	case tokPV:
		return "$" + Printable(Clip(t.text))
	}
	return "\"" + Clip(t.raw) + "\""
}

// Clip shortens a text that an error message quotes, so that the message stays on one line.
func Clip(s string) string {
	n := 40
	if len(s) <= n {
		return s
	}
	for n > 37 && !utf8.RuneStart(s[n]) {
		n-- // a character is not cut
	}
	return s[:n] + "…"
}

// Printable returns s with \xNN in place of each byte that is no part of a printable character. A
// file may be anything, and what is told about it goes to terminals and into documents.
func Printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || unprintable(r) {
			for _, c := range []byte(s[:n]) {
				fmt.Fprintf(&b, "\\x%02x", c)
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// plain tells whether c needs no escape in a double-quoted string.
func plain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c < 0x7f || c >= 0x80 }

// Quote returns s as a double-quoted string of the language, which the lexer reads as s again.
func Quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case plain(c):
			b = append(b, c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return string(append(b, '"'))
}
