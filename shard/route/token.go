package route

// tokenKind classes a token. Keywords are plain identifiers: the parser knows where a name may stand, so a host called
// "forward" needs no quotes here (Kamailio wants them).
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

// token is one lexical unit with the place it was read from. Inside a macro that is the place of the macro's name.
type token struct {
	kind  tokenKind
	text  string // decoded string, name, operator
	raw   string // as written; what joined host names and paths are made of
	num   int64
	pos   Pos
	glued bool // no white space between the token before and this one
	bol   bool // first token of its line
}

// describe names t in an error message.
func (t *token) describe() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokStr:
		return "string " + quote(clip(t.text))
	case tokPV:
		return "$" + clip(t.text)
	}
	return "\"" + clip(t.raw) + "\""
}

// clip keeps error messages to one line.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
