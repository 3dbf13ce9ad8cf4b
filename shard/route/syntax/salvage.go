package syntax

import "strings"

// A syntax error hides the statement that it is in. What the statement uses is salvaged from its
// tokens.

// ended tells whether the file ends, or the next route begins although a block is still open. Only
// a route that begins in the first column counts, for no statement begins as it does.
func (p *parser) ended() bool {
	if p.t.kind == tokEOF {
		return true
	}
	if !p.t.bol || p.t.pos.Col != 1 || p.t.kind != tokIdent || !routeWords[p.t.text] {
		return false
	}
	return p.t.text != "route" || p.lx.follows('[')
}

// follows tells whether the next byte that is not white space is c.
func (lx *lexer) follows(c byte) bool {
	f := lx.top()
	return strings.HasPrefix(strings.TrimLeft(f.src[f.off:], " \t\r\n"), string(c))
}

// notCalled has the words that a parenthesis may follow and that call nothing.
var notCalled = map[string]bool{"if": true, "else": true, "for": true, "while": true,
	"switch": true,
	"case":   true, "return": true, "exit": true, "drop": true, "break": true, "not": true,
	"defined": true, "and": true, "or": true, "mod": true, "eq": true, "ne": true, "ieq": true,
	"ine": true, "strlen": true, "strempty": true, "selval": true}

// salvage returns the names in the tokens from start on, up to the current one.
func (p *parser) salvage(start int) *Broken {
	list := p.trail[start : len(p.trail)-1]
	b := &Broken{Pos: p.trail[start].pos}
	is := func(i int, ops ...string) bool {
		for _, op := range ops {
			if i >= 0 && i < len(list) && list[i].kind == tokOp && list[i].text == op {
				return true
			}
		}
		return false
	}
	for i := range list {
		switch t := &list[i]; {
		case t.kind == tokPV && t.text != "" && !is(i+1, "."):
			b.Names = append(b.Names, &Var{t.pos, t.text})
		case t.kind == tokStr && is(i-1, "(", ",") && is(i+1, ")", ","):
			b.Names = append(b.Names, &Str{t.pos, t.text})
		case t.kind != tokIdent || !is(i+1, "(") || notCalled[t.text]:
		case t.text != "route":
			b.Names = append(b.Names, &Call{Pos: t.pos, Name: t.text})
		case is(i+3, ")") && (list[i+2].kind == tokIdent || list[i+2].kind == tokInt):
			name := &Str{list[i+2].pos, list[i+2].raw}
			b.Names = append(b.Names, &Call{Pos: t.pos, Name: t.text, Args: []Expr{name}})
		}
	}
	return b
}
