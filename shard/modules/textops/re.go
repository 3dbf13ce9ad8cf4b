package textops

import (
	"regexp"
	"strings"

	"viaduct/shard/route"
)

// defineSubst declares {re.subst}.
func defineSubst(m *route.Module) {
	m.Transform(route.Transform{Name: "re.subst",
		Args: []route.AnyArg{route.Rest(route.Verbatim(route.Special("expression",
			"such as /pattern/replacement/ or, for each match, /pattern/replacement/g; i: case is "+
				"ignored, s: a dot matches a line feed; any character in place of the slash")))},
		Doc: "The text with the first match of a POSIX extended regular expression replaced; " +
			"\\1 is what the first parentheses matched. An empty match makes it null.",
		Build: buildSubst})
}

// substitution is what {re.subst}, or a function, does at one place in the file.
type substitution struct {
	re     *regexp.Regexp
	pieces []piece
	all    bool
}

// maxPieces is how many pieces a replacement may have: groups, and texts between them. Beyond: load
// error.
const maxPieces = 32

// piece is a part of a replacement: text with variables, or what a group matched.
type piece struct {
	text  *route.Template // nil means the group
	group int
}

func buildSubst(b *route.Build) func(*route.Ctx, route.Value) route.Value {
	if x := substAt(b, 0, "re.subst"); x != nil {
		return x.apply
	}
	return nil
}

// substAt is argument arg as a substitution, nil after an error. who wants it.
func substAt(b *route.Build, arg int, who string) *substitution {
	form := who + " wants /pattern/replacement/ and flags, not %s"
	s, _ := b.Literal(arg)
	if s == "" || isWord(s[0]) && !strings.Contains(s[1:], s[:1]) {
		b.Errorf(arg, form, route.Quote(s))
		return nil
	}
	sep := s[0]
	pattern, rest, ok1 := cutAt(s[1:], sep)
	with, flags, ok2 := cutAt(rest, sep)
	if !ok1 || !ok2 {
		b.Errorf(arg, form, route.Quote(s))
		return nil
	}
	x := &substitution{}
	how := route.Cased | route.Lines
	for _, f := range flags {
		switch f {
		case 'g':
			x.all = true
		case 'i':
			how &^= route.Cased
		case 's':
			how &^= route.Lines
		default:
			b.Errorf(arg, "%s: there is no flag %c; there are g, i and s", who, f)
			return nil
		}
	}
	if strings.Contains(pattern, `\d`) {
		b.Warnf(arg, `\d is a digit here and the letter d in Kamailio's patterns: write [0-9]`)
	}
	re, err := route.CompilePattern(pattern, how)
	if err != nil {
		b.Errorf(arg, "%s: %s", who, err)
		return nil
	}
	x.re = re
	if x.pieces, ok1 = replacement(b, arg, with); !ok1 {
		return nil
	}
	if len(x.pieces) > maxPieces {
		b.Errorf(arg, "%s: %d pieces are possible in a replacement", who, maxPieces)
		return nil
	}
	return x
}

func isWord(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

// cutAt cuts s at the first sep that no backslash stands before. In the piece, a backslash before a
// sep is left out.
func cutAt(s string, sep byte) (piece, rest string, ok bool) {
	var text []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == sep:
			return string(text), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			if i++; s[i] != sep {
				text = append(text, '\\')
			}
		}
		text = append(text, s[i])
	}
	return "", "", false
}

// replacement takes what is put in place of a match apart. A backslash that means nothing is left
// out.
func replacement(b *route.Build, arg int, s string) (pieces []piece, ok bool) {
	var text []byte
	flush := func() bool {
		if len(text) == 0 {
			return true
		}
		t := b.Template(arg, string(text))
		pieces = append(pieces, piece{text: t})
		text = text[:0]
		return t != nil
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			text = append(text, c)
			continue
		}
		i++
		switch c = s[i]; c {
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if !flush() {
				return nil, false
			}
			pieces = append(pieces, piece{group: int(c - '0')})
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		default:
			text = append(text, c)
		}
	}
	return pieces, flush()
}

// apply replaces. A text without a match is given as it is.
func (x *substitution) apply(c *route.Ctx, v route.Value) route.Value {
	b := c.TextOf(v)
	if len(b) == 0 {
		return route.Null
	}
	s := c.Scan(x.re, b)
	if !s.Next() {
		return route.TextValue(b)
	}
	var with [maxPieces][]byte
	for i := range x.pieces {
		if t := x.pieces[i].text; t != nil {
			with[i] = t.Expand(c)
		}
	}
	out, from := c.Room(), int32(0)
	for more := true; more; more = x.all && s.Next() {
		at := &s.At
		if at[0] == at[1] {
			return route.Null
		}
		out = append(out, b[from:at[0]]...)
		from = at[1]
		for i, p := range x.pieces {
			piece := []byte(nil)
			switch g := 2 * p.group; {
			case p.text == nil && g < len(at) && at[g] >= 0:
				piece = b[at[g]:at[g+1]]
			case p.text != nil:
				piece = with[i]
			}
			if len(out)+len(piece)+len(b) > cap(out) {
				return c.TooLong()
			}
			out = append(out, piece...)
		}
	}
	if len(out)+len(b)-int(from) > cap(out) {
		return c.TooLong()
	}
	return c.Built(append(out, b[from:]...))
}
