package route

import (
	"strings"
)

// printer writes the syntax tree as text of the language. The text is canonical: every operator in parentheses, one statement per
// line, macros and includes expanded. Parsing it gives the same tree, which the fuzz test holds the parser to.
type printer struct {
	b      strings.Builder
	indent int
}

func printItems(items []item) string {
	var p printer
	for i := range items {
		p.item(&items[i])
	}
	return p.b.String()
}

func (p *printer) line(parts ...string) {
	for range p.indent {
		p.b.WriteByte('\t')
	}
	for _, s := range parts {
		p.b.WriteString(s)
	}
	p.b.WriteByte('\n')
}

func (p *printer) item(it *item) {
	switch it.kind {
	case itemGlobal:
		p.line(it.name, "=", it.val.String(), ";")
	case itemListen:
		p.line("listen=", it.listen.String(), ";")
	case itemAlias:
		p.line("alias=", it.listen.String(), ";")
	case itemCustom:
		s := it.name + " = " + it.val.String()
		if it.param != "" {
			s += " desc " + quote(it.param)
		}
		p.line(s, ";")
	case itemLoadModule:
		p.line("loadmodule ", quote(it.name))
	case itemLoadPath:
		p.line("loadpath ", quote(it.name))
	case itemModParam:
		p.line("modparam(", quote(it.name), ", ", quote(it.param), ", ", it.val.String(), ")")
	case itemRoute:
		head := it.kindName
		if it.named {
			head += "[" + quote(it.name) + "]"
		}
		p.line(head, " {")
		p.block(it.body)
		p.line("}")
	}
}

// String is the value as the language writes it.
func (v valueLit) String() string {
	switch v.kind {
	case litInt:
		if v.str != "" {
			return v.str
		}
		return itoa(v.num)
	case litStr:
		return quote(v.str)
	}
	return v.str
}

// String is the socket as a listen line writes it.
func (l *Listen) String() string {
	s := ""
	if n, ok := transportName(l.Transport); ok {
		s = string(n) + ":"
	}
	s += hostPort(l.Host, l.Port)
	if l.AdvertiseHost != "" {
		s += " advertise " + hostPort(strings.Trim(l.AdvertiseHost, "[]"), l.AdvertisePort)
	}
	if l.Name != "" {
		s += " name " + quote(l.Name)
	}
	return s
}

// hostPort quotes the host, which may hold words and signs that mean something else.
func hostPort(host string, port uint16) string {
	s := quote(host)
	if strings.Contains(host, ":") {
		s = quote("[" + host + "]")
	}
	if port != 0 {
		s += ":" + itoa(int64(port))
	}
	return s
}

func (p *printer) block(list []stmt) {
	p.indent++
	for _, s := range list {
		p.stmt(s)
	}
	p.indent--
}

func (p *printer) stmt(s stmt) {
	switch s := s.(type) {
	case *ifStmt:
		p.line("if (", exprText(s.cond), ") {")
		p.block(s.then)
		if s.hasElse {
			p.line("} else {")
			p.block(s.els)
		}
		p.line("}")
	case *whileStmt:
		p.line("while (", exprText(s.cond), ") {")
		p.block(s.body)
		p.line("}")
	case *switchStmt:
		p.line("switch (", exprText(s.x), ") {")
		for _, c := range s.cases {
			if c.x == nil {
				p.line("default:")
			} else {
				p.line("case ", exprText(c.x), ":")
			}
			p.block(c.body)
		}
		p.line("}")
	case *assignStmt:
		p.line("$", s.to.text, " = ", exprText(s.x), ";")
	case *exprStmt:
		p.line(exprText(s.x), ";")
	case *jumpStmt:
		if s.x != nil {
			p.line(s.word, " ", exprText(s.x), ";")
		} else {
			p.line(s.word, ";")
		}
	}
}

// exprText is an expression in canonical form.
func exprText(x expr) string {
	switch x := x.(type) {
	case *intLit:
		return itoa(x.n)
	case *strLit:
		return quote(x.s)
	case *ipLit:
		return x.s
	case *pvExpr:
		return "$" + x.text
	case *selExpr:
		return "@" + x.text
	case *nameExpr:
		return x.name
	case *unaryExpr:
		switch x.op {
		case "strlen", "strempty":
			return x.op + "(" + exprText(x.x) + ")"
		case "defined":
			return "(defined " + exprText(x.x) + ")"
		}
		return "(" + x.op + exprText(x.x) + ")"
	case *binaryExpr:
		return "(" + exprText(x.l) + " " + x.op + " " + exprText(x.r) + ")"
	case *callExpr:
		args := make([]string, len(x.args))
		for i, a := range x.args {
			args[i] = exprText(a)
		}
		return x.name + "(" + strings.Join(args, ", ") + ")"
	}
	return ""
}
