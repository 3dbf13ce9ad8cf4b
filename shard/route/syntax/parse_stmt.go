package syntax

// block reads { statements } and appends each to *body as it is read, so that those before an error
// are kept.
func (p *parser) block(body *[]Stmt, what string) {
	open := p.t.pos
	p.expect("{", "before "+what)
	p.enter()
	defer p.leave()
	if p.op("}") {
		p.found.Theirs(open, "an empty block: write { ; }")
	}
	for !p.op("}") {
		if p.ended() {
			p.failAt(open, "block is not closed: } is missing")
		}
		if p.found.Full() {
			panic(bail{})
		}
		p.guarded(body)
		if p.nest == 1 {
			p.trail = append(p.trail[:0], p.t)
		}
	}
	p.advance()
}

// guarded reads a statement. After an error it skips the rest of the statement.
func (p *parser) guarded(body *[]Stmt) {
	start := len(p.trail) - 1
	if !p.guard(func() { p.statement(body) }) {
		p.skipStatement()
		*body = append(*body, p.salvage(start))
	}
}

// skipStatement skips the rest of a statement with an error: up to behind its semicolon or block,
// or up to the brace that ends the surrounding block.
func (p *parser) skipStatement() {
	braces, parens := 0, 0
	for !p.ended() {
		switch {
		case p.op("("):
			parens++
		case p.op(")"):
			parens = max(parens-1, 0)
		case p.op("{"):
			braces, parens = braces+1, 0
		case p.op("}"):
			if braces == 0 {
				return
			}
			parens = 0
			if braces--; braces == 0 {
				p.advance()
				return
			}
		case p.op(";") && braces == 0 && parens == 0:
			p.advance()
			return
		}
		p.advance()
	}
}

// skipToCase skips to the next case, the default or the end of a switch that has an error.
func (p *parser) skipToCase() {
	for !p.ended() && !p.op("}") && !p.word("case") && !p.word("default") {
		p.skipStatement()
	}
}

// body reads a block or one statement.
func (p *parser) body(what string) []Stmt {
	var list []Stmt
	if p.op("{") {
		p.block(&list, what)
		return list
	}
	p.enter()
	defer p.leave()
	p.statement(&list)
	return list
}

// statement reads one statement. A lone semicolon is not a statement.
func (p *parser) statement(list *[]Stmt) {
	if p.op(";") {
		p.advance()
		return
	}
	switch p.t.kind {
	case tokIdent:
		switch p.t.text {
		case "if":
			*list = append(*list, p.ifStatement())
			return
		case "while":
			pos := p.t.pos
			p.advance()
			cond := p.condition("while")
			if text(cond) {
				p.found.Theirs(cond.At(), "a string as the condition of while")
			}
			*list = append(*list, &While{Pos: pos, Cond: cond, Body: p.body("the body of while")})
			return
		case "switch":
			*list = append(*list, p.switchStatement())
			return
		case "return", "exit", "drop", "break":
			*list = append(*list, p.jump())
			return
		case "else":
			p.fail("else without if")
		case "case", "default":
			p.fail("%s outside of switch", p.t.text)
		case "for":
			p.fail("there is no for: use while")
		}
	case tokOp:
		if p.op("{") {
			// a bare block stands for its statements
			p.found.Theirs(p.t.pos, "a block that is not the body of a statement")
			p.block(list, "a block")
			return
		}
	}
	pos, bare := p.t.pos, p.t.kind == tokIdent
	x := p.expr()
	if p.op("=") {
		to, ok := x.(*Var)
		if !ok {
			p.failAt(pos, "only a variable can be assigned to")
		}
		p.advance()
		value := p.expr()
		p.theirName(value)
		p.endStatement()
		*list = append(*list, &Assign{Pos: pos, To: to, X: value})
		return
	}
	p.endStatement()
	switch x.(type) {
	case *Call, *Name:
	default:
		bare = false
	}
	if !bare {
		p.found.Theirs(pos, "an expression as a statement")
	}
	*list = append(*list, &ExprStmt{Pos: pos, X: x})
}

// endStatement reads the semicolon that ends a statement.
func (p *parser) endStatement() {
	if !p.op(";") {
		p.fail("expected \";\" behind the statement, found %s", p.t.describe())
	}
	p.advance()
}

// condition reads the condition of if, while or switch: any expression, usually in parentheses.
func (p *parser) condition(word string) Expr {
	p.enter()
	defer p.leave()
	if !p.op("(") {
		if p.op("{") || p.op(";") {
			p.fail("the condition of %s is missing", word)
		}
		return p.assigned(p.expr())
	}
	pos := p.t.pos
	p.advance()
	if p.op(")") {
		p.fail("the condition of %s is missing", word)
	}
	x := p.assigned(p.expr())
	p.expect(")", "behind the condition of "+word)
	x = p.assigned(p.binaryRest(p.cast(pos, x), 0))
	p.theirName(x)
	return x
}

// Assignment is the name of the call that stands for an assignment within an expression. It is true
// whatever is assigned (5.6.3), and so it is usually a mistake.
const Assignment = "="

// assigned reads what follows x, an operand in parentheses or a condition. If that is =, the result
// is an assignment to x.
func (p *parser) assigned(x Expr) Expr {
	if !p.op("=") {
		return x
	}
	pos := p.t.pos
	to, ok := x.(*Var)
	if !ok {
		p.fail("= assigns; the comparison is ==")
	}
	p.found.Warnf(pos, "= assigns, and is true whatever is assigned; the comparison is ==")
	p.advance()
	return &Call{Pos: pos, Name: Assignment, Args: []Expr{to, p.expr()}}
}

func (p *parser) ifStatement() Stmt {
	// Chains of else if are read in a loop, so that a long one does not count as deeply nested.
	root := &If{Pos: p.t.pos}
	for s := root; ; {
		p.advance()
		s.Cond = p.condition("if")
		s.Then = p.body("the body of if")
		if !p.word("else") {
			return root
		}
		s.HasElse = true
		p.advance()
		if !p.word("if") {
			s.Else = p.body("the body of else")
			return root
		}
		n := &If{Pos: p.t.pos}
		s.Else = []Stmt{n}
		s = n
	}
}

func (p *parser) switchStatement() Stmt {
	s := &Switch{Pos: p.t.pos}
	p.advance()
	s.X = p.condition("switch")
	p.expect("{", "behind switch")
	p.enter()
	defer p.leave()
	def := false
	for !p.op("}") {
		c := Case{Pos: p.t.pos}
		start := len(p.trail) - 1
		if !p.guard(func() { p.caseHead(&c, &def) }) {
			p.skipToCase()
			if p.ended() {
				panic(bail{})
			}
			s.Cases = append(s.Cases, Case{Pos: c.Pos, Body: []Stmt{p.salvage(start)}})
			continue
		}
		for !p.op("}") && !p.word("case") && !p.word("default") {
			if p.ended() {
				p.failAt(s.Pos, "switch is not closed: } is missing")
			}
			p.guarded(&c.Body)
		}
		s.Cases = append(s.Cases, c)
	}
	if len(s.Cases) > 0 && s.Cases[0].X == nil {
		p.found.Theirs(s.Cases[0].Pos, "a switch that begins with default")
	}
	p.advance()
	return s
}

// caseHead reads case x: or default:.
func (p *parser) caseHead(c *Case, def *bool) {
	switch {
	case p.word("case"):
		p.advance()
		if p.op("/") {
			// case /"pattern":
			c.Pattern = true
			p.advance()
			if p.t.kind != tokStr {
				p.fail("case with a pattern is written case /\"pattern\": found %s", p.t.describe())
			}
		}
		c.X = p.expr()
	case p.word("default"):
		t := p.t
		p.advance()
		if *def {
			p.failAt(t.pos, "second default in one switch")
		}
		*def = true
	default:
		p.fail("expected case or default, found %s", p.t.describe())
	}
	p.expect(":", "behind case")
}

// jump reads return, exit, drop or break. Kamailio accepts () and (n) behind all of them, and n
// behind all but break. Only the value of return counts. A word behind exit or drop is taken for
// the next statement, before which a semicolon is missing.
func (p *parser) jump() Stmt {
	s := &Jump{Pos: p.t.pos, Word: p.t.text}
	p.advance()
	if p.op("(") && s.Word != "return" {
		if s.Word == "break" {
			p.found.Theirs(p.t.pos, "parentheses behind break")
		}
		p.advance()
		if !p.op(")") {
			s.X = p.expr()
		}
		p.expect(")", "behind "+s.Word+"(")
		if s.X != nil && s.Word != "break" {
			p.found.Warnf(s.X.At(), "the value of %s has no effect", s.Word)
		}
		s.X = nil
	} else if (s.Word == "exit" || s.Word == "drop") && !p.op(";") && !p.op("}") &&
		p.t.kind != tokIdent {
		p.found.Warnf(p.expr().At(), "the value of %s has no effect", s.Word)
	} else if s.Word == "return" && !p.op(";") {
		if p.op("(") {
			// return() is the same as return
			pos := p.t.pos
			p.advance()
			if p.op(")") {
				p.advance()
				p.endStatement()
				return s
			}
			s.X = p.binaryRest(p.inParenthesis(pos), 0)
		} else {
			s.X = p.expr()
		}
		p.theirName(s.X)
	}
	p.endStatement()
	return s
}
