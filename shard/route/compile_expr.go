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

// cond compiles a condition.
func (cc *compiler) cond(x syntax.Expr) condFn {
	if v, ok := constant(x); ok {
		r := 0
		if v.truth() {
			r = 1
		}
		return func(*Ctx) int { return r }
	}
	switch x := x.(type) {
	case *syntax.Call:
		return cc.callCond(x)
	case *syntax.Unary:
		switch x.Op {
		case "!":
			f := cc.cond(x.X)
			return func(c *Ctx) int {
				r := f(c)
				if r < 0 {
					return r
				}
				return r ^ 1
			}
		case "defined":
			return cc.defined1(x)
		}
	case *syntax.Binary:
		switch x.Op {
		case "&&":
			l, r := cc.cond(x.L), cc.cond(x.R)
			return func(c *Ctx) int {
				if k := l(c); k != 1 {
					return k
				}
				return r(c)
			}
		case "||":
			l, r := cc.cond(x.L), cc.cond(x.R)
			return func(c *Ctx) int {
				if k := l(c); k != 0 {
					return k
				}
				return r(c)
			}
		}
		if f := cc.comparison(x); f != nil {
			return f
		}
	case *syntax.Name:
		if n := coreValues[x.Name]; n == nil {
			cc.unknownName(x)
			return func(*Ctx) int { return 0 }
		}
	}
	val := cc.value(x)
	if val == nil {
		return func(*Ctx) int { return 0 }
	}
	return func(c *Ctx) int {
		v := val(c)
		if c.stop != next {
			return -1
		}
		if v.truth() {
			return 1
		}
		return 0
	}
}

// callCond compiles f(…) as a condition.
func (cc *compiler) callCond(x *syntax.Call) condFn {
	if rt := cc.routeConst(x, true); rt != nil {
		return func(c *Ctx) int {
			if k := c.route(rt); k != next {
				c.stop = k
				return -1
			}
			if c.Return > 0 {
				return 1
			}
			return 0
		}
	}
	call := cc.call(x)
	if call == nil {
		return func(*Ctx) int { return 0 }
	}
	if x.Name == "is_method" {
		if mask, simple := cc.methodMask(x); simple {
			return func(c *Ctx) int {
				if m := c.msg; m.IsRequest && mask>>m.Method&1 != 0 || !m.IsRequest && call(c) > 0 {
					c.Return = 1
					return 1
				}
				c.Return = -1
				return 0
			}
		}
	}
	return func(c *Ctx) int {
		r := call(c)
		c.Return = r
		if r > 0 {
			return 1
		}
		if r < 0 {
			return 0
		}
		c.zero()
		return -1
	}
}

// defined1 compiles "defined $x".
func (cc *compiler) defined1(x *syntax.Unary) condFn {
	val := cc.value(x.X)
	return func(c *Ctx) int {
		if v := val(c); v.Kind != nullValue {
			return 1
		}
		if c.stop != next {
			return -1
		}
		return 0
	}
}

// fromCond is a condition as the value 1 or 0.
func fromCond(f condFn) valFn {
	return func(c *Ctx) Value { return boolOf(f(c) == 1) }
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
		return cc.callValue(x)
	case *syntax.Unary:
		return cc.unary(x)
	case *syntax.Binary:
		return cc.binary(x)
	}
	return none
}

// callValue compiles a call whose number is wanted.
func (cc *compiler) callValue(x *syntax.Call) valFn {
	if x.Name == "selval" {
		return cc.selval(x)
	}
	var call callFn
	if rt := cc.routeConst(x, true); rt != nil {
		call = routeCall(rt)
	} else if call = cc.call(x); call == nil {
		return func(*Ctx) Value { return Value{} }
	}
	return func(c *Ctx) Value {
		r := call(c)
		c.Return = r
		if r == 0 {
			c.zero()
		}
		return intOf(int64(r))
	}
}

// operand compiles an expression that another one goes on with: a call in there is 1 or 0, not its number. Measured on 5.6.3 with a
// route that returns 5: route(X) == 1 holds, route(X) + 1 is 2, while $var(x) = route(X) is 5.
func (cc *compiler) operand(x syntax.Expr) valFn {
	if call, ok := x.(*syntax.Call); ok && call.Name != "selval" {
		return fromCond(cc.cond(x))
	}
	return cc.value(x)
}

// selval compiles selval(condition, a, b).
func (cc *compiler) selval(x *syntax.Call) valFn {
	if len(x.Args) != 3 {
		cc.ld.errorf(x.Pos, "selval takes 3 arguments, not %d", len(x.Args))
		return func(*Ctx) Value { return Value{} }
	}
	cond, a, b := cc.cond(x.Args[0]), cc.value(x.Args[1]), cc.value(x.Args[2])
	return func(c *Ctx) Value {
		switch cond(c) {
		case 1:
			return a(c)
		case 0:
			return b(c)
		}
		return Value{}
	}
}

func (cc *compiler) unary(x *syntax.Unary) valFn {
	switch x.Op {
	case "!", "defined":
		return fromCond(cc.cond(x))
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
	switch x.Op {
	case "&&", "||", "==", "!=", "eq", "ne", "ieq", "ine", "=~", "!~", "<", ">", "<=", ">=":
		return fromCond(cc.cond(x))
	}
	if x.Op != "+" || isNumber(x.L) {
		cc.wantNumber(x.L, x.Op)
		cc.wantNumber(x.R, x.Op)
	}
	l, r := cc.operand(x.L), cc.operand(x.R)
	if x.Op == "+" {
		if isNumber(x.L) {
			return arith(l, r, func(a, b int64) int64 { return a + b })
		}
		// A chain a+b+c+d copies its left part again at each step; scripts join four things, not forty.
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
		if c.stop != next {
			return Value{}
		}
		n := a.int() // before r runs: the string behind a may be a $var that r sets
		b := r(c)
		return intOf(op(n, b.int()))
	}
}

// divide gives undef for a zero divisor and logs it.
func divide(l, r valFn, pos Pos, op func(a, b int64) int64) valFn {
	zero := []byte("division by zero at " + pos.String())
	return func(c *Ctx) Value {
		a := l(c)
		if c.stop != next {
			return Value{}
		}
		n := a.int()
		b := r(c)
		d := b.int()
		if d == 0 {
			c.Host.Log(logErr, zero)
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
	cc.scratch = true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		if c.stop != next {
			return Value{}
		}
		b := r(c)
		if c.stop != next {
			return Value{}
		}
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
	cc.scratch = true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		if c.stop != next {
			return Value{}
		}
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
