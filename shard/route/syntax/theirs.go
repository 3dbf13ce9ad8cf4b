package syntax

import "strings"

// Kamailio 5.6.3 refuses a few things that are read here. Each has a warning, so that whoever goes
// back to Kamailio with the file knows. docs/conformance-differences.md lists them.

// Theirs warns of something that Kamailio refuses, at pos.
func (f *Findings) Theirs(pos Pos, what string) {
	f.Warnf(pos, "Kamailio 5.6 refuses a file with %s", what)
}

// theirOperands warns of an operator whose operands Kamailio refuses.
func (p *parser) theirOperands(b *Binary) {
	_, leftNumber := b.L.(*Int)
	_, rightNumber := b.R.(*Int)
	_, leftText := b.L.(*Str)
	_, rightText := b.R.(*Str)
	if n, ok := b.R.(*Name); ok && coreWords[n.Name] {
		if _, ok := b.L.(*Name); !ok {
			p.found.Theirs(n.Pos, n.Name+" on the right of "+b.Op)
		}
	}
	switch b.Op {
	case ">=", "<":
		if n, ok := b.R.(*Name); ok && n.Name == "max_len" {
			p.found.Theirs(b.Pos, b.Op+" max_len")
		}
	case "==", "!=":
		if v, ok := b.R.(*Var); ok && v.Text == "null" && leftNumber {
			p.found.Theirs(b.Pos, "a number compared with $null: write $null on the left")
		}
	case "&&", "||":
		p.theirName(b.L)
		p.theirName(b.R)
		if text(b.L) || text(b.R) {
			p.found.Theirs(b.Pos, "a string as an operand of "+b.Op)
		}
	case "=~", "!~":
		if leftNumber || rightNumber && b.Op == "!~" {
			p.found.Theirs(b.Pos, "a number as an operand of "+b.Op)
		}
	case "eq", "ne":
		if leftNumber {
			p.found.Theirs(b.Pos, "a number as the left operand of "+b.Op)
		}
	case "ieq", "ine":
		if leftText || rightText {
			p.found.Theirs(b.Pos, "a string as an operand of "+b.Op)
		}
	}
}

// theirMeasure warns of strlen, strempty or defined of something that is no variable.
func (p *parser) theirMeasure(pos Pos, op string, x Expr) {
	switch x.(type) {
	case *Int, *Call:
		p.found.Theirs(pos, op+" of a number or a call")
	}
}

// theirName warns of a keyword such as method that is not compared with anything.
func (p *parser) theirName(x Expr) {
	if n, ok := x.(*Name); ok && (coreWords[n.Name] || n.Name == "msg:len") {
		p.found.Theirs(n.Pos, n.Name+" without a comparison")
	}
}

// text tells whether x begins with a string in quotes.
func text(x Expr) bool {
	if b, ok := x.(*Binary); ok && b.Op == "+" {
		return text(b.L)
	}
	_, ok := x.(*Str)
	return ok
}

// namesClose has the variables whose name in parentheses must stand close to the opening one.
var namesClose = map[string]bool{"hdr": true, "hdrc": true, "sel": true, "shv": true,
	"T_req": true, "T_rpl": true, "TV": true, "time": true, "expires": true, "branch": true}

// oddBlank tells whether a variable, without its $, has a blank where Kamailio takes none. It takes
// them in texts.
func oddBlank(s string) bool {
	blank := func(s string) bool { return s != "" && strings.TrimLeft(s, " \t\r\n") != s }
	whole := strings.HasPrefix(s, "(")
	if whole {
		s = s[1:]
	}
	n := NameLen(s)
	name, s := s[:n], s[n:]
	if name == "" {
		return blank(s)
	}
	if strings.HasPrefix(s, "(") {
		depth, end := 0, len(s)
		for i := range len(s) {
			switch s[i] {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 && end == len(s) {
					end = i + 1
				}
			}
		}
		if blank(s[1:]) && namesClose[name] {
			return true
		}
		s = s[end:]
	}
	if !whole {
		return false
	}
	if end := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && end > 0 {
		if index := s[1:end]; strings.TrimSpace(index) != index {
			return true
		}
		s = s[end+1:]
	}
	return blank(s) || strings.HasPrefix(s, "{") && blank(s[1:])
}
