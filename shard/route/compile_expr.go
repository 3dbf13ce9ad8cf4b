package route

import (
	"regexp"
	"strings"

	"viaduct/shard/route/syntax"
)

// constant is the value of a literal.
func constant(x syntax.Expr) (Value, bool) {
	switch x := x.(type) {
	case *syntax.Int:
		return intOf(x.N), true
	case *syntax.Str:
		return Value{Kind: strValue, S: []byte(x.S)}, true
	case *syntax.IP:
		return Value{Kind: strValue, S: []byte(x.S)}, true
	case *syntax.Name:
		if b := syntax.BoolWord(x.Name); b >= 0 {
			return intOf(int64(b)), true
		}
	}
	return Value{}, false
}

// cond compiles a condition: the steps that lead to yes or to no. It returns where they are
// entered; a condition that is known has none.
func (cc *compiler) cond(x syntax.Expr, yes, no target) target {
	if v, ok := constant(x); ok {
		if v.truth() {
			return yes
		}
		return no
	}
	switch x := x.(type) {
	case *syntax.Call:
		if x.Name != "selval" {
			return cc.callTo(x, yes, no, true)
		}
	case *syntax.Unary:
		switch x.Op {
		case "!":
			return cc.cond(x.X, no, yes)
		case "defined":
			return cc.test(yes, no, func() testFn { return cc.defined1(x) })
		}
	case *syntax.Binary:
		more := cc.label()
		switch x.Op {
		case "&&":
			entry := cc.cond(x.L, more, no)
			cc.define(more, cc.cond(x.R, yes, no))
			return entry
		case "||":
			entry := cc.cond(x.L, yes, more)
			cc.define(more, cc.cond(x.R, yes, no))
			return entry
		}
		if compares[x.Op] {
			return cc.test(yes, no, func() testFn { return cc.comparison(x) })
		}
	case *syntax.Name:
		if n := coreValues[x.Name]; n == nil {
			cc.unknownName(x)
			return no
		}
	}
	return cc.test(yes, no, func() testFn {
		val := cc.value(x)
		return func(c *Ctx) Result {
			v := val(c)
			return answer(v.truth(), false)
		}
	})
}

// defined1 compiles "defined $x".
func (cc *compiler) defined1(x *syntax.Unary) testFn {
	val := cc.value(x.X)
	return func(c *Ctx) Result {
		v := val(c)
		return answer(v.Kind != nullValue, false)
	}
}

// fromTest is a test as the value 1 or 0.
func fromTest(f testFn) valFn {
	return func(c *Ctx) Value { return boolOf(f(c) > 0) }
}

// value compiles an expression whose value is wanted. It never gives nil.
func (cc *compiler) value(x syntax.Expr) valFn {
	if v, ok := constant(x); ok {
		return func(*Ctx) Value { return v }
	}
	none := func(*Ctx) Value { return Value{} }
	switch x := x.(type) {
	case *syntax.Var:
		pv := cc.pv(x)
		if pv == nil {
			return none
		}
		return pv.value()
	case *syntax.Select:
		cc.ld.errorf(x.Pos, "selects (@%s) are not supported yet; most have a pseudo-variable", clip(x.Text))
		return none
	case *syntax.Name:
		if d := coreValues[x.Name]; d != nil && d.value != nil {
			return d.value
		}
		cc.unknownName(x)
		return none
	case *syntax.Call:
		if x.Name == "selval" {
			return cc.selval(x)
		}
		return cc.callValue(x)
	case *syntax.Unary:
		return cc.unary(x)
	case *syntax.Binary:
		return cc.binary(x)
	}
	return none
}

// operand compiles an expression that another one goes on with: a call in there is 1 or 0, not its
// number. Measured on 5.6.3 with a route that returns 5: route(X) == 1 holds, route(X) + 1 is 2,
// while $var(x) = route(X) is 5.
func (cc *compiler) operand(x syntax.Expr) valFn {
	if call, ok := x.(*syntax.Call); ok && call.Name != "selval" {
		return cc.truthValue(x)
	}
	return cc.value(x)
}

func (cc *compiler) unary(x *syntax.Unary) valFn {
	switch x.Op {
	case "!":
		return cc.truthValue(x)
	case "defined":
		return fromTest(cc.defined1(x))
	}
	val := cc.operand(x.X)
	switch x.Op {
	case "-":
		cc.wantNumber(x.X, "-")
		return func(c *Ctx) Value { v := val(c); return intOf(-v.int()) }
	case "~":
		cc.wantNumber(x.X, "~")
		return func(c *Ctx) Value { v := val(c); return intOf(^v.int()) }
	case "(int)":
		return func(c *Ctx) Value { v := val(c); return intOf(v.int()) }
	case "strlen":
		return func(c *Ctx) Value {
			v := val(c)
			if v.Kind == intValue {
				var tmp [24]byte
				return intOf(int64(len(v.appendStr(tmp[:0]))))
			}
			return intOf(int64(len(v.S)))
		}
	case "strempty":
		return func(c *Ctx) Value { v := val(c); return boolOf(v.Kind != intValue && len(v.S) == 0) }
	}
	// (str): an empty string in front makes it one.
	return cc.concat(func(*Ctx) Value { return Value{Kind: strValue} }, val, x.Pos)
}

// wantNumber refuses a string literal where a number is needed, as Kamailio does at load.
func (cc *compiler) wantNumber(x syntax.Expr, op string) {
	if s, ok := x.(*syntax.Str); ok {
		cc.ld.errorf(s.Pos, "%s needs a number, not the string %s", op, quote(clip(s.S)))
	}
}

// isNumber tells whether x can only be a number.
func isNumber(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.Int:
		return true
	case *syntax.Unary:
		return x.Op != "(str)"
	case *syntax.Binary:
		return x.Op != "+" || isNumber(x.L)
	}
	return false
}

func (cc *compiler) binary(x *syntax.Binary) valFn {
	switch {
	case x.Op == "&&" || x.Op == "||":
		return cc.truthValue(x)
	case compares[x.Op]:
		return fromTest(cc.comparison(x))
	}
	if x.Op != "+" || isNumber(x.L) {
		cc.wantNumber(x.L, x.Op)
		cc.wantNumber(x.R, x.Op)
	}
	l, r := cc.operands(x.L, x.R)
	if x.Op == "+" {
		if isNumber(x.L) {
			return arith(l, r, func(a, b int64) int64 { return a + b })
		}
		// A chain a+b+c+d copies its left part again at each step; scripts join four things, not
		// forty.
		return cc.plus(l, r, x.Pos)
	}
	switch x.Op {
	case "-":
		return arith(l, r, func(a, b int64) int64 { return a - b })
	case "*":
		return arith(l, r, func(a, b int64) int64 { return a * b })
	case "|":
		return arith(l, r, func(a, b int64) int64 { return a | b })
	case "&":
		return arith(l, r, func(a, b int64) int64 { return a & b })
	case "^":
		return arith(l, r, func(a, b int64) int64 { return a ^ b })
	case "<<":
		return arith(l, r, func(a, b int64) int64 { return a << (uint64(b) & 63) })
	case ">>":
		return arith(l, r, func(a, b int64) int64 { return a >> (uint64(b) & 63) })
	}
	if n, ok := x.R.(*syntax.Int); ok && n.N == 0 {
		cc.ld.errorf(x.Pos, "division by zero")
	}
	if x.Op == "/" {
		return divide(l, r, x.Pos, func(a, b int64) int64 { return a / b })
	}
	return divide(l, r, x.Pos, func(a, b int64) int64 { return a % b })
}

func arith(l, r valFn, op func(a, b int64) int64) valFn {
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		return intOf(op(a.int(), b.int()))
	}
}

// divide gives undef for a zero divisor and logs it.
func divide(l, r valFn, pos Pos, op func(a, b int64) int64) valFn {
	zero := []byte("division by zero at " + pos.String())
	return func(c *Ctx) Value {
		a := l(c)
		n := a.int()
		b := r(c)
		d := b.int()
		if d == 0 {
			c.Shard.Log.Log(logErr, zero)
			return Value{}
		}
		if d == -1 {
			// The one quotient that overflows panics nowhere this way.
			return intOf(op(-n, 1))
		}
		return intOf(op(n, d))
	}
}

// plus adds or joins: the left operand decides, undef on the left takes the right one's type.
func (cc *compiler) plus(l, r valFn, pos Pos) valFn {
	cc.scratch, cc.faults = true, true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		if a.Kind == intValue || a.Kind == nullValue && b.Kind == intValue {
			return intOf(a.int() + b.int())
		}
		v, ok := c.concat(&a, &b)
		if !ok {
			c.failed(long)
		}
		return v
	}
}

// concat joins two values as strings.
func (cc *compiler) concat(l, r valFn, pos Pos) valFn {
	cc.scratch, cc.faults = true, true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		v, ok := c.concat(&a, &b)
		if !ok {
			c.failed(long)
		}
		return v
	}
}

// regex compiles the right side of =~: POSIX extended, case ignored (core cookbook, "if").
func (cc *compiler) regex(x syntax.Expr) *regexp.Regexp {
	s, ok := x.(*syntax.Str)
	if !ok {
		cc.ld.errorf(x.At(), "the pattern of =~ must be a string that is known at load; patterns from variables are not supported yet")
		return nil
	}
	re, err := regexp.Compile("(?is)" + s.S)
	if err != nil {
		cc.ld.errorf(s.Pos, "bad pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return re
}
