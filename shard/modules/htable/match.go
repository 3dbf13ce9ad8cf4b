package htable

import (
	"bytes"
	"regexp"
	"strconv"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// aspect is what a condition looks at.
type aspect bool

const (
	onKeys   aspect = false
	onValues aspect = true
)

// test is a condition, readied for one look through a table.
type test struct {
	on  aspect
	how how
	re  *regexp.Regexp
	s   []byte
	n   int64
}

// how is an operator.
type how uint8

const (
	all how = iota
	matches
	equals
	differs
	begins
	isNumber
)

// holds tells whether an entry fulfils it. A number is no text: of values it fulfils only isNumber
// and all.
func (x *test) holds(e *table.Entry) bool {
	s := e.Key
	if x.on == onValues {
		if e.Kind == table.Int {
			return x.how == all || x.how == isNumber && e.Int == x.n
		}
		s = e.Text
	}
	switch x.how {
	case all:
		return true
	case matches:
		return x.re.Match(s)
	case equals:
		return bytes.Equal(s, x.s)
	case differs:
		return !bytes.Equal(s, x.s)
	case begins:
		return bytes.HasPrefix(s, x.s)
	}
	return false
}

// condition reads that of $shtcn and $shtcv: "~~pattern", "==text", "eqnumber", "**", or a pattern.
// It returns false if nothing fulfils it.
func condition(c *route.Ctx, cond []byte, on aspect) (test, bool) {
	x := test{on: on}
	op, rest := cond, []byte(nil)
	if len(cond) >= 2 {
		op, rest = cond[:2], cond[2:]
	}
	switch {
	case len(cond) == 0:
		return x, false
	case string(op) == "**":
		return x, true
	case string(op) == "==":
		x.how, x.s = equals, rest
		return x, true
	case string(op) == "eq" && on == onValues:
		n, err := strconv.ParseInt(string(rest), 10, 64)
		x.how, x.n = isNumber, n
		return x, err == nil
	case string(op) == "~~":
		cond = rest
	}
	x.how, x.re = matches, c.CachedPattern(cond, route.Cased)
	return x, x.re != nil
}

// operator is the word that sht_match_name() and its kin take.
func operator(c *route.Ctx, word string, arg []byte, on aspect) (test, bool) {
	x := test{on: on, s: arg}
	switch word {
	case "re":
		x.how, x.re = matches, c.CachedPattern(arg, route.Cased)
		return x, x.re != nil
	case "sw":
		x.how = begins
	case "eq":
		x.how = equals
	case "ne":
		x.how = differs
	default:
		return x, false
	}
	return x, true
}
