package route

import "strconv"

// valueKind is the type of a Value.
type valueKind uint8

const (
	nullValue valueKind = iota // undefined: $null, a missing header
	intValue
	strValue
)

// Value is the result of an expression. Integers have 64 bits (Kamailio 5.6: 32, wrapping). S is a
// view of the message, of the program's constants, of a $var's buffer or of the run's scratch room.
// It is valid until the statement ends.
type Value struct {
	N    int64
	S    []byte
	Kind valueKind

	blank  bool // of a number: its text is empty
	counts bool // of a text: N is its number, as with $rm
}

// Null is the value of anything undefined.
var Null Value

// NoNumber is 0 as a number and empty as a text, as {uri.port} of a URI without one.
var NoNumber = Value{Kind: intValue, blank: true}

// IntValue returns a number as a Value.
func IntValue(n int64) Value { return intOf(n) }

// TextValue returns a text as a Value, without a copy.
func TextValue(b []byte) Value { return Value{Kind: strValue, S: b} }

// CountingText returns a text that is n where a number is wanted. What is stored is the text alone.
func CountingText(b []byte, n int64) Value {
	return Value{Kind: strValue, S: b, N: n, counts: true}
}

// Counts tells whether v is a text that has a number: see CountingText.
func (v Value) Counts() bool { return v.counts }

// Int returns v as a number. It returns 0 for null, and for a text that is not a number.
func (v Value) Int() int64 { return v.int() }

// Append appends v as a text. It appends nothing for null.
func (v Value) Append(dst []byte) []byte { return v.appendStr(dst) }

// IsNull tells whether there is no value, IsInt whether v is a number, and IsText whether it is a
// text, which is then S.
func (v Value) IsNull() bool { return v.Kind == nullValue }
func (v Value) IsInt() bool  { return v.Kind == intValue }
func (v Value) IsText() bool { return v.Kind == strValue }

// TextOf returns v as a text. A number is written into the scratch room.
func (c *Ctx) TextOf(v Value) []byte { return c.text(&v) }

func intOf(n int64) Value { return Value{Kind: intValue, N: n} }

func boolOf(b bool) Value {
	if b {
		return Value{Kind: intValue, N: 1}
	}
	return Value{Kind: intValue}
}

// strOf returns b as a text, or null if ok is false.
func strOf(b []byte, ok bool) Value {
	if !ok {
		return Value{}
	}
	return Value{Kind: strValue, S: b}
}

// isNumber reports whether v is a number, or a text that has one besides, such as $rm.
func (v *Value) isNumber() bool { return v.Kind == intValue || v.counts }

// int is the integer reading of v: int(undef)=0, int("")=0, int("123")=123, int("abc")=0 (core
// cookbook, "Operators").
func (v *Value) int() int64 {
	switch v.Kind {
	case intValue:
		return v.N
	case strValue:
		if v.counts {
			return v.N
		}
		return atoi(v.S)
	}
	return 0
}

// atoi reads the whole of b as a decimal number that may have a sign, or as a hexadecimal one
// behind 0x (5.6.3: "010" is 10, "0x10" 16). It returns 0 for anything else, and for what does not
// fit.
func atoi(b []byte) int64 {
	i, neg := 0, false
	if len(b) > 1 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		i = 1
	}
	if len(b)-i > 2 && b[i] == '0' && b[i+1]|0x20 == 'x' {
		return hexNumber(b[i+2:], neg)
	}
	if i == len(b) || len(b)-i > 18 {
		return 0
	}
	var n int64
	for ; i < len(b); i++ {
		if b[i] < '0' || b[i] > '9' {
			return 0
		}
		n = n*10 + int64(b[i]-'0')
	}
	if neg {
		return -n
	}
	return n
}

// hexNumber reads the hexadecimal digits behind 0x, as atoi does.
func hexNumber(digits []byte, neg bool) int64 {
	if len(digits) > 15 {
		return 0
	}
	var n int64
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0
		}
		n = n<<4 | int64(c)
	}
	if neg {
		return -n
	}
	return n
}

// appendStr appends the string reading of v: str(undef)="", str(123)="123".
func (v *Value) appendStr(dst []byte) []byte {
	switch v.Kind {
	case intValue:
		if v.blank {
			return dst
		}
		return strconv.AppendInt(dst, v.N, 10)
	case strValue:
		return append(dst, v.S...)
	}
	return dst
}

// sameStr tells whether the string reading of v is b.
func (v *Value) sameStr(b []byte) bool {
	switch v.Kind {
	case intValue:
		if v.blank {
			return len(b) == 0
		}
		var tmp [24]byte
		return string(strconv.AppendInt(tmp[:0], v.N, 10)) == string(b)
	case strValue:
		return string(v.S) == string(b)
	}
	return len(b) == 0
}

// equal is ==. The left operand decides the type. If the left one is undefined, it takes the type
// of the right one. If the right one is undefined, it equals only undefined (5.6.3: 0 == $null and
// "" == $null are false, $null == 0 and $null == "" are true).
func (v *Value) equal(r *Value) bool {
	switch {
	case v.Kind == nullValue && r.Kind == intValue:
		return r.N == 0
	case v.Kind == nullValue:
		return len(r.S) == 0
	case r.Kind == nullValue:
		return false
	case v.blank && r.Kind == strValue:
		return len(r.S) == 0
	case v.Kind == intValue:
		return v.N == r.int()
	}
	return r.sameStr(v.S)
}

// equalStr is eq, which compares both as strings.
func (v *Value) equalStr(r *Value) bool {
	if v.Kind == strValue {
		return r.sameStr(v.S)
	}
	if r.Kind == strValue || v.Kind == nullValue {
		return v.sameStr(r.S) && r.Kind != intValue
	}
	return r.Kind == intValue && v.N == r.N
}
