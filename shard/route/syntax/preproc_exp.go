package syntax

import (
	"strconv"
	"strings"
)

// The expressions of #!ifexp and #!defexp, which Kamailio has since 5.7: names of defines, numbers
// and strings, with the operators of the language. A name that is not defined is 0, and one without
// value is 1.

// expValue is a number or a text.
type expValue struct {
	n      int64
	s      string
	isText bool
}

func (v expValue) true() bool {
	if v.isText {
		return v.s != ""
	}
	return v.n != 0
}

func (v expValue) text() string {
	if v.isText {
		return v.s
	}
	return strconv.FormatInt(v.n, 10)
}

func expBool(b bool) expValue {
	if b {
		return expValue{n: 1}
	}
	return expValue{}
}

// exp evaluates the expression of a directive while reading it.
type exp struct {
	lx    *lexer
	src   string
	from  Pos // where the directive stands
	at    int
	depth int
	bad   string // what is wrong with the expression
}

// evaluate returns the value of arg. It returns false after an error, which it has reported.
func (lx *lexer) evaluate(at Pos, name, arg string) (expValue, bool) {
	e := &exp{lx: lx, src: arg, from: at}
	v := e.binary(0)
	e.blank()
	if e.bad == "" && e.at < len(e.src) {
		e.bad = "unexpected " + Quote(Clip(e.src[e.at:]))
	}
	if e.bad != "" {
		lx.found.Errorf(at, "#!%s: %s", name, e.bad)
		return v, false
	}
	return v, true
}

func (e *exp) blank() {
	for e.at < len(e.src) && (e.src[e.at] == ' ' || e.src[e.at] == '\t' || e.src[e.at] == '\r') {
		e.at++
	}
}

// expOperators has the operators with how tightly they bind. A longer one stands before any shorter
// one that it begins with.
var expOperators = []struct {
	op   string
	prec int
}{{"||", 1}, {"&&", 2}, {"==", 3}, {"!=", 3}, {"<=", 4}, {">=", 4}, {"<", 4}, {">", 4}, {"+", 5},
	{"-", 5}, {"*", 6}, {"/", 6}, {"%", 6}}

func (e *exp) binary(min int) expValue {
	if e.depth++; e.depth > maxNesting {
		e.bad = "parentheses nest too deep"
		return expValue{}
	}
	defer func() { e.depth-- }()
	l := e.unary()
next:
	for e.bad == "" {
		e.blank()
		for _, o := range expOperators {
			if strings.HasPrefix(e.src[e.at:], o.op) {
				if o.prec <= min {
					return l
				}
				e.at += len(o.op)
				l = e.apply(o.op, l, e.binary(o.prec))
				continue next
			}
		}
		return l
	}
	return l
}

func (e *exp) apply(op string, l, r expValue) expValue {
	if l.isText || r.isText {
		switch op {
		case "+":
			text := l.text() + r.text()
			if !e.lx.read(e.from, len(text)) {
				return expValue{isText: true}
			}
			return expValue{s: text, isText: true}
		case "==":
			return expBool(l.text() == r.text())
		case "!=":
			return expBool(l.text() != r.text())
		}
	}
	switch op {
	case "||":
		return expBool(l.true() || r.true())
	case "&&":
		return expBool(l.true() && r.true())
	case "==":
		return expBool(l.n == r.n)
	case "!=":
		return expBool(l.n != r.n)
	case "<=":
		return expBool(l.n <= r.n)
	case ">=":
		return expBool(l.n >= r.n)
	case "<":
		return expBool(l.n < r.n)
	case ">":
		return expBool(l.n > r.n)
	case "+":
		return expValue{n: l.n + r.n}
	case "-":
		return expValue{n: l.n - r.n}
	case "*":
		return expValue{n: l.n * r.n}
	}
	if r.n == 0 {
		e.bad = "division by zero"
		return expValue{}
	}
	if op == "/" {
		return expValue{n: l.n / r.n}
	}
	return expValue{n: l.n % r.n}
}

func (e *exp) unary() expValue {
	e.blank()
	rest := e.src[e.at:]
	switch {
	case rest == "":
		e.bad = "the expression ends too early"
	case rest[0] == '!' || rest[0] == '-':
		e.at++
		if e.depth++; e.depth > maxNesting {
			e.bad = "operators nest too deep"
			return expValue{}
		}
		v := e.unary()
		e.depth--
		if rest[0] == '!' {
			return expBool(!v.true())
		}
		return expValue{n: -v.n}
	case rest[0] == '(':
		e.at++
		v := e.binary(0)
		e.blank()
		if e.at >= len(e.src) || e.src[e.at] != ')' {
			if e.bad == "" {
				e.bad = ") is missing"
			}
			return v
		}
		e.at++
		return v
	case rest[0] == '"' || rest[0] == '\'':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			e.bad = "the string is not closed"
			return expValue{}
		}
		e.at += end + 2
		return expValue{s: rest[1 : 1+end], isText: true}
	case isNameStart(rest[0]):
		name := rest[:NameLen(rest)]
		e.at += len(name)
		return e.named(name)
	case rest[0] >= '0' && rest[0] <= '9':
		n := NameLen(rest)
		v, err := strconv.ParseInt(rest[:n], 0, 64)
		if err != nil {
			e.bad = Quote(Clip(rest[:n])) + " is no number"
		}
		e.at += n
		return expValue{n: v}
	default:
		e.bad = "unexpected " + Quote(Clip(rest))
	}
	return expValue{}
}

// kamailioVersion is the version of the language, 5.6.3.
const kamailioVersion = 5006003

// named returns the value of a define.
func (e *exp) named(name string) expValue {
	v, there := e.lx.defs[name]
	switch {
	case !there && name == "KAMAILIO_VERSION":
		return expValue{n: kamailioVersion}
	case !there:
		return expValue{}
	}
	if v == "" {
		return expValue{n: 1}
	}
	if n, err := strconv.ParseInt(v, 0, 64); err == nil {
		return expValue{n: n}
	}
	if n := len(v); n > 1 && (v[0] == '"' || v[0] == '\'') && v[n-1] == v[0] {
		v = v[1 : n-1]
	}
	return expValue{s: v, isText: true}
}
