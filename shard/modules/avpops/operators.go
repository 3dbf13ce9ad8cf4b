package avpops

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"viaduct/shard/route"
)

// operation is what avp_check and avp_op take: OPERATOR/VALUE or OPERATOR/VALUE/FLAGS.
type operation struct {
	op    string
	flags string
	value func(c *route.Ctx) route.Value
	known bool // the value is that of the file
	text  string
}

// operationAt reads argument i.
func operationAt(b *route.Build, i int, operators []string, allowed string) (x operation, ok bool) {
	s, literal := b.Literal(i)
	op, rest, cut := strings.Cut(s, "/")
	if !literal || !cut || rest == "" {
		b.Errorf(i, "%s wants OPERATOR/VALUE or OPERATOR/VALUE/FLAGS, such as \"%s/i:5\"", b.Name(),
			operators[0])
		return x, false
	}
	for _, o := range operators {
		ok = ok || o == op
	}
	if !ok {
		b.Errorf(i, "%s: there is no operator %s%s", b.Name(), route.Quote(op),
			route.DidYouMean(op, operators))
		return x, false
	}
	x.op = op
	if at := strings.LastIndexByte(rest, '/'); at > 0 {
		if flags := strings.ToLower(rest[at+1:]); strings.Trim(flags, allowed) == "" {
			x.flags, rest = flags, rest[:at]
		}
	}
	x.text = rest
	if rest[0] == '$' {
		p := b.Place(i, rest)
		if p == nil {
			return x, false
		}
		x.value = p.Value
		return x, true
	}
	v := route.TextValue([]byte(rest))
	if text, isText := strings.CutPrefix(rest, "s:"); isText {
		x.text, v = text, route.TextValue([]byte(text))
	} else if number, isInt := strings.CutPrefix(rest, "i:"); isInt {
		n, err := strconv.ParseInt(number, 0, 64)
		if err != nil {
			b.Errorf(i, "%s: %s is no number", b.Name(), route.Quote(number))
			return x, false
		}
		v = route.IntValue(n)
	}
	x.known, x.value = true, func(*route.Ctx) route.Value { return v }
	return x, true
}

func (x *operation) has(flag string) bool { return strings.Contains(x.flags, flag) }

var comparisons = []string{"eq", "ne", "lt", "le", "gt", "ge", "re", "fm", "and", "or", "xor"}

// check is avp_check.
func check(b *route.Build) route.Call {
	s, _ := b.Literal(0)
	p := b.Place(0, s)
	x, ok := operationAt(b, 1, comparisons, "gi")
	if p == nil || !ok {
		return nil
	}
	how := route.PatternFlag(0) // case never counts, as in Kamailio
	var re *regexp.Regexp
	if x.known {
		isText := x.value(nil).IsText()
		switch {
		case (x.op == "re" || x.op == "fm") && !isText:
			b.Errorf(1, "avp_check: %s wants a text", x.op)
			return nil
		case x.op == "re":
			var err error
			if re, err = route.CompilePattern(x.text, how); err != nil {
				b.Errorf(1, "avp_check: %s", err)
				return nil
			}
		}
	}
	holds := func(c *route.Ctx, v, with route.Value) bool {
		switch {
		case v.IsNull() || v.IsInt() != with.IsInt():
			return false
		case v.IsInt():
			return compareInts(x.op, v.N, with.N)
		case x.op == "fm":
			return route.Fnmatch(with.S, v.S, false)
		case x.op != "re":
			return compareTexts(x.op, v.S, with.S, x.has("i"))
		}
		re := re
		if re == nil {
			re = c.CachedPattern(with.S, how)
		}
		return re != nil && re.Match(v.S)
	}
	return func(c *route.Ctx) route.Result {
		with := x.value(c)
		switch {
		case with.IsNull():
			return -1
		case p.AVP == nil || !x.has("g"):
			return route.Truth(holds(c, p.Value(c), with))
		}
		k, key := c.Kept(), p.AVP(c)
		for i := k.Nth(route.AVPs, &key, false, 0); i != 0; i = k.Named(k.Next(i), &key, false) {
			if holds(c, k.Value(i), with) {
				return 1
			}
		}
		return -1
	}
}

func compareInts(op string, a, b int64) bool {
	switch op {
	case "eq":
		return a == b
	case "ne":
		return a != b
	case "lt":
		return a < b
	case "le":
		return a <= b
	case "gt":
		return a > b
	case "ge":
		return a >= b
	case "and":
		return a&b != 0
	case "or":
		return a|b != 0
	case "xor":
		return a^b != 0
	}
	return false
}

func compareTexts(op string, a, b []byte, fold bool) bool {
	if fold && (op == "eq" || op == "ne") {
		return bytes.EqualFold(a, b) == (op == "eq")
	}
	order := bytes.Compare(a, b)
	switch op {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	}
	return false
}

var arithmetic = []string{"add", "sub", "mul", "div", "mod", "and", "or", "xor", "not"}

// calculate is avp_op: each number of the source gives one of the destination.
func calculate(b *route.Build) route.Call {
	from, to, _, ok1 := twoNames(b, 0, "")
	x, ok2 := operationAt(b, 1, arithmetic, "gd")
	if !ok1 || !ok2 {
		return nil
	}
	move := x.has("d")
	return func(c *route.Ctx) route.Result {
		with := x.value(c)
		if !with.IsInt() {
			return -1
		}
		k, old, key := c.Kept(), from.AVP(c), to.AVP(c)
		r := route.Result(-1)
		for i := k.Nth(route.AVPs, &old, false, 0); i != 0; {
			next := k.Named(k.Next(i), &old, false)
			if v := k.Value(i); v.IsInt() {
				if k.Push(route.AVPs, &key, route.IntValue(result(x.op, v.N, with.N))) == 0 {
					c.TooLong()
					return -1
				}
				if r = 1; move {
					k.Remove(route.AVPs, i)
				}
			}
			i = next
		}
		return r
	}
}

func result(op string, a, b int64) int64 {
	switch op {
	case "add":
		return a + b
	case "sub":
		return a - b
	case "mul":
		return a * b
	case "and":
		return a & b
	case "or":
		return a | b
	case "xor":
		return a ^ b
	case "not":
		return ^b
	}
	switch { // as in Kamailio: what cannot be divided is 0
	case b == 0:
		return 0
	case op == "div":
		return a / b
	}
	return a % b
}

// twoNames is argument i: SOURCE, SOURCE/DESTINATION or SOURCE/DESTINATION/FLAGS.
func twoNames(b *route.Build, i int, allowed string) (from, to *route.Place, flags string,
	ok bool) {
	s, _ := b.Literal(i)
	parts := strings.SplitN(s, "/", 3)
	places := [2]*route.Place{}
	for n := range min(len(parts), 2) {
		if places[n] = b.Place(i, parts[n]); places[n] == nil {
			return nil, nil, "", false
		}
		if places[n].AVP == nil {
			b.Errorf(i, "%s wants an AVP such as $avp(x), not %s", b.Name(), route.Quote(parts[n]))
			return nil, nil, "", false
		}
	}
	if from, to = places[0], places[1]; to == nil {
		to = from
	}
	if len(parts) == 3 {
		flags = strings.ToLower(parts[2])
	}
	if at := strings.Trim(flags, allowed); at != "" {
		b.Errorf(i, "%s: there is no flag %c here; there are %s", b.Name(), at[0], allowed)
		return nil, nil, "", false
	}
	return from, to, flags, true
}
