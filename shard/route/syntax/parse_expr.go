package syntax

import (
	"math"
	"strings"
)

// binaryPrec says how tightly an operator binds; a higher number binds tighter. Measured on
// Kamailio 5.6.3: 1|2==2 is 1|(2==2), 4>>1==2 is 4>>(1==2), 3^1&1 is (3^1)&1, 2==1<2 is 2==(1<2).
var binaryPrec = map[string]int{
	"||": 1, "or": 1,
	"&&": 2, "and": 2,
	"|":  3,
	"&":  4,
	"^":  5,
	"<<": 6, ">>": 6,
	"==": 7, "!=": 7, "=~": 7, "!~": 7, "eq": 7, "ne": 7, "ieq": 7, "ine": 7,
	"<": 8, ">": 8, "<=": 8, ">=": 8,
	"+": 9, "-": 9,
	"*": 10, "/": 10, "%": 10, "mod": 10,
}

// canonicalOp returns the spelling of an operator that the compiler knows.
func canonicalOp(s string) string {
	switch s {
	case "or":
		return "||"
	case "and":
		return "&&"
	case "mod":
		return "%"
	}
	return s
}

// expr reads an expression.
func (p *parser) expr() Expr { return p.binary(0) }

func (p *parser) binary(min int) Expr {
	p.enter()
	defer p.leave()
	return p.binaryRest(p.unary(), min)
}

// binaryRest reads what follows a first operand, by precedence climbing. All operators associate to
// the left.
func (p *parser) binaryRest(l Expr, min int) Expr {
	for n := 0; ; n++ {
		if p.t.kind != tokOp && p.t.kind != tokIdent {
			return l
		}
		prec, ok := binaryPrec[p.t.text]
		if !ok || prec <= min {
			return l
		}
		if n > maxNesting*10 {
			p.fail("expression has too many operators")
		}
		op, pos := canonicalOp(p.t.text), p.t.pos
		if p.op("%") {
			p.found.Theirs(pos, "%: write mod")
		}
		p.advance()
		r := p.hostName(l, op)
		if r == nil {
			r = p.binary(prec)
		}
		b := &Binary{Pos: pos, Op: op, L: l, R: r}
		p.theirOperands(b)
		l = b
	}
}

// attributeClasses has what may stand in front of the name of an AVP: $f.name is $avp(f.name).
var attributeClasses = map[string]bool{"f": true, "t": true, "fr": true, "tr": true, "fu": true,
	"tu": true, "fd": true, "td": true, "g": true}

// addressWords has the keywords that are compared with addresses, and so with host names.
var addressWords = map[string]bool{"src_ip": true, "dst_ip": true, "to_ip": true, "snd_ip": true}

// hostName reads a host name without quotes, as in src_ip == sip.example.com. It returns nil if
// there is none.
func (p *parser) hostName(l Expr, op string) Expr {
	n, ok := l.(*Name)
	if !ok || !addressWords[n.Name] || op != "==" && op != "!=" || p.t.kind != tokIdent ||
		p.t.text == "myself" || addressWords[p.t.text] {
		return nil
	}
	pos := p.t.pos
	return &Str{pos, p.joined("a host", ")", "&&", "||", "{")}
}

// coreWords has the words that begin a comparison that is one operand: !uri == myself is !(uri ==
// myself), whereas !$var(x) == 1 is (!$var(x)) == 1 (5.6.3).
var coreWords = map[string]bool{"method": true, "uri": true, "from_uri": true, "to_uri": true,
	"src_ip": true, "dst_ip": true,
	"src_port": true, "dst_port": true, "proto": true, "af": true, "status": true, "msg": true,
	"snd_ip": true, "snd_port": true,
	"snd_proto": true, "snd_af": true, "to_ip": true, "to_port": true}

// unary reads an operand with its prefix operators.
func (p *parser) unary() Expr {
	pos := p.t.pos
	op := ""
	switch {
	case p.op("!") || p.op("-") || p.op("~"):
		op = p.t.text
	case p.word("not"):
		op = "!"
	case p.word("defined"):
		op = "defined"
	}
	if op == "" {
		return p.primary()
	}
	p.enter()
	defer p.leave()
	p.advance()
	var x Expr
	if op == "!" && p.t.kind == tokIdent && coreWords[p.t.text] {
		x = p.binary(binaryPrec["=="] - 1)
	} else {
		x = p.unary()
	}
	switch op {
	case "!":
		p.theirName(x)
	case "defined":
		p.theirMeasure(pos, op, x)
	}
	if op == "!" && text(x) {
		p.found.Theirs(pos, "a string as an operand of !")
	}
	if n, ok := x.(*Int); ok && op == "-" {
		return &Int{Pos: pos, N: -n.N}
	}
	return &Unary{Pos: pos, Op: op, X: x}
}

// primary reads an operand.
func (p *parser) primary() Expr {
	t := p.t
	switch t.kind {
	case tokInt:
		p.octal()
		p.advance()
		if t.num > math.MaxInt32 {
			p.found.Warnf(t.pos, "%s is %d in Kamailio 5.6, whose numbers have 32 bits",
				Clip(t.text), int32(t.num))
		}
		return &Int{t.pos, t.num}
	case tokStr:
		// Adjacent strings are one.
		s := ""
		for p.t.kind == tokStr {
			if p.t.raw[0] != t.raw[0] {
				p.found.Theirs(p.t.pos, "strings beside each other in different quotes")
			}
			s += p.t.text
			p.advance()
		}
		return &Str{t.pos, s}
	case tokIP:
		return &IP{t.pos, p.ipLiteral()}
	case tokPV:
		p.advance()
		if oddBlank(t.text) {
			p.found.Theirs(t.pos, "a blank there in $"+Printable(Clip(t.text)))
		}
		if attributeClasses[t.text] && p.op(".") && p.t.glued {
			p.advance()
			if p.t.kind != tokIdent {
				p.fail("expected the name of an AVP behind $%s., found %s", t.text, p.t.describe())
			}
			name := p.t.text
			p.advance()
			return &Var{t.pos, "avp(" + t.text + "." + name + ")"}
		}
		return &Var{t.pos, t.text}
	case tokSel:
		p.advance()
		return &Select{t.pos, t.text}
	case tokIdent:
		return p.name()
	case tokOp:
		switch {
		case p.op("("):
			return p.parenthesis()
		case p.op("["):
			return &IP{t.pos, p.ipLiteral()}
		}
	}
	p.fail("expected a value, found %s", t.describe())
	return nil
}

// ipLiteral reads an address or network as one word: "[2001:db8::1]", "::1", "10.0.0.0/8",
// "10.0.0.0/255.0.0.0".
func (p *parser) ipLiteral() string {
	s := ""
	bracket := p.op("[")
	if bracket {
		p.advance()
	}
	if p.t.kind != tokIP {
		p.fail("expected an address, found %s", p.t.describe())
	}
	s = p.t.text
	p.advance()
	if bracket {
		p.expect("]", "behind the address")
		s = "[" + s + "]"
	}
	if p.op("/") && p.t.glued {
		p.advance()
		if p.t.kind != tokInt && p.t.kind != tokIP {
			p.fail("expected the length of a network or its mask behind \"/\", found %s",
				p.t.describe())
		}
		s += "/" + p.t.text
		p.advance()
	}
	return s
}

// parenthesis reads (expr), or the casts (int) and (str) with their operand.
func (p *parser) parenthesis() Expr {
	pos := p.t.pos
	p.advance()
	return p.inParenthesis(pos)
}

// inParenthesis reads what follows the opening parenthesis.
func (p *parser) inParenthesis(pos Pos) Expr {
	p.enter()
	defer p.leave()
	x := p.assigned(p.expr())
	p.expect(")", "behind the expression")
	return p.cast(pos, x)
}

// cast reads what follows (x). If x is int or str, (x) is a cast of what follows.
func (p *parser) cast(pos Pos, x Expr) Expr {
	if n, ok := x.(*Name); ok && (n.Name == "int" || n.Name == "str") {
		return &Unary{Pos: pos, Op: "(" + n.Name + ")", X: p.unary()}
	}
	return x
}

// name reads a call or a bare word.
func (p *parser) name() Expr {
	t := p.t
	p.advance()
	if p.op("(") {
		return p.call(t)
	}
	name := t.text
	if p.op(":") && p.t.glued && name == "msg" {
		p.advance()
		if !p.word("len") {
			p.fail("expected len behind msg:, found %s", p.t.describe())
		}
		p.advance()
		name = "msg:len"
	}
	if bareCalls[name] {
		return &Call{Pos: t.pos, Name: name}
	}
	return &Name{Pos: t.pos, Name: name}
}

// octal refuses the current token if it is a number such as 08.
func (p *parser) octal() {
	s := p.t.text
	if len(s) > 1 && s[0] == '0' && strings.ContainsAny(s, "89") && strings.Trim(s, digits) == "" {
		p.fail("%s is no octal number: write %s", Clip(s), strings.TrimLeft(s, "0"))
	}
	if strings.HasPrefix(s, "0b") {
		p.found.Theirs(p.t.pos, Clip(s)+": write "+Clip(s[2:])+"b")
	}
}

const digits = "0123456789"

// bareCalls has the functions that may be called without parentheses (5.6.3).
var bareCalls = map[string]bool{"revert_uri": true, "force_rport": true, "add_rport": true,
	"add_local_rport": true, "set_forward_close": true, "set_forward_no_connect": true,
	"set_reply_close": true, "set_reply_no_connect": true, "force_tcp_alias": true,
	"add_tcp_alias": true}

// bareArgs has the core functions whose first argument may be a host or a socket without quotes.
var bareArgs = map[string]bool{"force_send_socket": true, "set_advertised_address": true,
	"forward":     true,
	"forward_udp": true, "forward_tcp": true, "forward_tls": true, "forward_sctp": true}

func (p *parser) call(t token) Expr {
	p.advance()
	p.enter()
	defer p.leave()
	if t.text == "route" {
		pos := p.t.pos
		var arg Expr
		if p.t.kind == tokIdent || p.t.kind == tokInt {
			arg = &Str{pos, p.routeName(")")}
		} else {
			arg = p.expr()
		}
		p.expect(")", "behind route(")
		return &Call{Pos: t.pos, Name: "route", Args: []Expr{arg}}
	}
	c := &Call{Pos: t.pos, Name: t.text}
	for !p.op(")") {
		if len(c.Args) > 0 {
			p.expect(",", "between the arguments of "+t.text)
		}
		if bareArgs[t.text] && (p.t.kind == tokIdent || p.t.kind == tokIP || p.op("[")) {
			// a host, a socket, uri:host or uri:port, which the core accepts without quotes
			pos := p.t.pos
			c.Args = append(c.Args, &Str{pos, p.joined("a host", ",", ")")})
			continue
		}
		c.Args = append(c.Args, p.expr())
	}
	p.advance()
	if n := strings.ToLower(t.text); (n == "strlen" || n == "strempty") && len(c.Args) == 1 {
		p.theirMeasure(t.pos, n, c.Args[0])
		return &Unary{Pos: t.pos, Op: n, X: c.Args[0]}
	}
	return c
}
