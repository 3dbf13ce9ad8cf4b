package syntax

import (
	"strconv"
	"strings"
)

// printer writes the syntax tree as text of the language. The text is canonical: every operator in
// parentheses, one statement per line, macros and includes expanded. Parsing it gives the same
// tree, which the fuzz test holds the parser to.
type printer struct {
	b      strings.Builder
	indent int
}

func printItems(items []Item) string {
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

func (p *printer) item(it *Item) {
	switch it.Kind {
	case SettingItem:
		p.line(it.Name, "=", it.Val.String(), ";")
	case ListenItem:
		p.line("listen=", it.Socket.String(), ";")
	case AliasItem:
		p.line("alias=", it.Socket.String(), ";")
	case CustomItem:
		s := it.Name + " = " + it.Val.String()
		if it.Param != "" {
			s += " desc " + Quote(it.Param)
		}
		p.line(s, ";")
	case LoadModuleItem:
		p.line("loadmodule ", Quote(it.Name))
	case FlagItem, AVPFlagItem:
		word := map[ItemKind]string{FlagItem: "flags ", AVPFlagItem: "avpflags "}[it.Kind]
		if it.Val.Kind == NoLiteral {
			p.line(word, Quote(it.Name))
		} else {
			p.line(word, Quote(it.Name), ":", it.Val.String())
		}
	case LoadPathItem:
		p.line("loadpath ", Quote(it.Name))
	case ModParamItem:
		p.line("modparam(", Quote(it.Name), ", ", Quote(it.Param), ", ", it.Val.String(), ")")
	case RouteItem:
		head := it.Word
		if it.Named {
			head += "[" + Quote(it.Name) + "]"
		}
		p.line(head, " {")
		p.block(it.Body)
		p.line("}")
	}
}

// String is the value as the language writes it.
func (v Literal) String() string {
	switch v.Kind {
	case IntLiteral:
		if v.Str != "" {
			return v.Str
		}
		return strconv.FormatInt(v.Num, 10)
	case StrLiteral:
		return Quote(v.Str)
	}
	return v.Str
}

// String is the socket as a listen line writes it.
func (l *Socket) String() string {
	s := ""
	if l.Proto != "" {
		s = l.Proto + ":"
	}
	s += hostPort(l.Host, l.Port)
	if l.AdvertiseHost != "" {
		s += " advertise " + hostPort(strings.Trim(l.AdvertiseHost, "[]"), l.AdvertisePort)
	}
	if l.Name != "" {
		s += " name " + Quote(l.Name)
	}
	return s
}

// hostPort quotes the host, which may hold words and signs that mean something else.
func hostPort(host string, port uint16) string {
	s := Quote(host)
	if strings.Contains(host, ":") {
		s = Quote("[" + host + "]")
	}
	if port != 0 {
		s += ":" + strconv.FormatInt(int64(port), 10)
	}
	return s
}

func (p *printer) block(list []Stmt) {
	p.indent++
	for _, s := range list {
		p.stmt(s)
	}
	p.indent--
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *If:
		p.line("if (", exprText(s.Cond), ") {")
		p.block(s.Then)
		if s.HasElse {
			p.line("} else {")
			p.block(s.Else)
		}
		p.line("}")
	case *While:
		p.line("while (", exprText(s.Cond), ") {")
		p.block(s.Body)
		p.line("}")
	case *Switch:
		p.line("switch (", exprText(s.X), ") {")
		for _, c := range s.Cases {
			if c.X == nil {
				p.line("default:")
			} else {
				pattern := ""
				if c.Pattern {
					pattern = "/"
				}
				p.line("case ", pattern, exprText(c.X), ":")
			}
			p.block(c.Body)
		}
		p.line("}")
	case *Assign:
		p.line("$", s.To.Text, " = ", exprText(s.X), ";")
	case *ExprStmt:
		p.line(exprText(s.X), ";")
	case *Jump:
		if s.X != nil {
			p.line(s.Word, " ", exprText(s.X), ";")
		} else {
			p.line(s.Word, ";")
		}
	}
}

// exprText is an expression in canonical form.
func exprText(x Expr) string {
	switch x := x.(type) {
	case *Int:
		return strconv.FormatInt(x.N, 10)
	case *Str:
		return Quote(x.S)
	case *IP:
		return x.S
	case *Var:
		return "$" + x.Text
	case *Select:
		return "@" + x.Text
	case *Name:
		return x.Name
	case *Unary:
		switch x.Op {
		case "strlen", "strempty":
			return x.Op + "(" + exprText(x.X) + ")"
		case "defined":
			return "(defined " + exprText(x.X) + ")"
		}
		return "(" + x.Op + exprText(x.X) + ")"
	case *Binary:
		return "(" + exprText(x.L) + " " + x.Op + " " + exprText(x.R) + ")"
	case *Call:
		if x.Name == Assignment {
			return "(" + exprText(x.Args[0]) + " = " + exprText(x.Args[1]) + ")"
		}
		args := make([]string, len(x.Args))
		for i, a := range x.Args {
			args[i] = exprText(a)
		}
		return x.Name + "(" + strings.Join(args, ", ") + ")"
	}
	return ""
}
