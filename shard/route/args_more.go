package route

import (
	"bytes"
	"math"
	"regexp"
	"strings"

	"viaduct/shard/route/syntax"
)

// The arguments that are more than a plain number or text: patterns, variables to write to, flags,
// addresses, and values of either kind.

// Any is a number or a text. A text is a view, valid until the function returns.
func Any(name, doc string) Arg[Value] {
	return newArg(name, doc, func(b *Build, i int) (Input[Value], bool) {
		e := b.x.Args[i]
		if s, quoted := e.(*syntax.Str); quoted {
			return b.anyText(s)
		}
		if v, ok := constant(e); ok {
			return Input[Value]{v: v}, true
		}
		val := b.cc.argument(b.x, i)
		return Input[Value]{read: func(c *Ctx) (Value, Result) { return val(c), 1 }}, true
	})
}

// anyText compiles a text in quotes. If the text is nothing but a variable, its value is that of
// the variable, which may be a number.
func (b *Build) anyText(s *syntax.Str) (Input[Value], bool) {
	t := b.cc.template(s.Pos, s.S)
	if t == nil {
		return Input[Value]{}, false
	}
	if t.f.plain {
		return Input[Value]{v: TextValue(t.text)}, true
	}
	if pv := t.f.only(); pv != nil {
		val := pv.value()
		return Input[Value]{read: func(c *Ctx) (Value, Result) { return val(c), 1 }}, true
	}
	return Input[Value]{read: func(c *Ctx) (Value, Result) {
		text, r := c.expand(t.f)
		return TextValue(text), r
	}}, true
}

// only returns the variable that a text consists of. It returns nil if there is anything else in
// it.
func (f *format) only() *pvCode {
	if len(f.parts) == 2 && len(f.parts[0].text)+len(f.parts[1].text) == 0 {
		return f.parts[0].pv
	}
	return nil
}

// Writable is a variable that the function writes to. It may stand in quotes.
func Writable(name, doc string) Arg[*Place] {
	return newArg(name, doc, func(b *Build, i int) (Input[*Place], bool) {
		defer b.cc.touch()()
		var pv *pvCode
		var text string
		switch e := b.x.Args[i].(type) {
		case *syntax.Var:
			if pv, text = b.cc.pv(e), "$"+e.Text; pv == nil {
				return Input[*Place]{}, false
			}
		case *syntax.Str:
			f := b.cc.format(e.Pos, e.S)
			if f == nil {
				return Input[*Place]{}, false
			}
			pv, text = f.only(), e.S
		}
		switch {
		case pv == nil:
			b.Errorf(i, "%s wants a variable for %s, such as \"$var(x)\"", b.Name(), spoken(name))
			return Input[*Place]{}, false
		case pv.set == nil:
			b.Errorf(i, "%s writes to %s, and %s cannot be assigned to", b.Name(), spoken(name),
				clip(text))
			return Input[*Place]{}, false
		}
		b.cc.scratch = true
		return Input[*Place]{v: pv.place()}, true
	})
}

// Variable returns the variable that text, the value of module parameter param, names, for a
// function that writes to it. It returns nil after an error, which is reported at the call.
func (b *Build) Variable(text, param string) *Place {
	defer b.cc.touch()()
	f := b.cc.format(b.x.Pos, text)
	if f == nil {
		return nil
	}
	pv := f.only()
	if pv == nil || pv.set == nil {
		b.Errorf(WholeCall, "%s is %s, which %s cannot write to: name a variable, such as "+
			"\"$avp(x)\"",
			param, Quote(text), b.Name())
		return nil
	}
	b.cc.scratch = true
	return pv.place()
}

// Put writes v and returns 1. It returns -1 if the variable refuses the value. A value that is too
// long ends the run; Put then returns the result that the function must return.
func (p *Place) Put(c *Ctx, v Value) Result {
	switch p.Set(c, v) {
	case SetRefused:
		return -1
	case SetTooLong:
		return c.failed(&noRoom)
	}
	return 1
}

// Flag is the number of a flag, 0 to 31, or a name that the file gives it with flags NAME:NUMBER. A
// number out of range is a warning, and the call is -1.
func Flag(name, doc string) Arg[int] {
	return newArg(name, doc, func(b *Build, i int) (Input[int], bool) {
		if n, named := b.cc.flagNamed(b.x.Args[i]); named {
			return Input[int]{v: n}, true
		}
		const what = "the number of a flag"
		if b.emptyNumber(i, what) {
			return Input[int]{}, true
		}
		a, ok := b.cc.intArg(b.x, i, what, math.MinInt64, math.MaxInt64)
		if !ok || a.val == nil && a.n >= 0 && a.n <= 31 {
			return Input[int]{v: a.n}, ok
		}
		if a.val == nil {
			b.Warnf(i, "%s: %s is %d; the range is 0..31, and the call is -1", b.Name(), what, a.n)
			return Input[int]{read: func(*Ctx) (int, Result) { return 0, -1 }}, true
		}
		val := a.val
		return Input[int]{read: func(c *Ctx) (int, Result) {
			v := val(c)
			n := v.int()
			return int(n & 31), truth(v.isNumber() && n >= 0 && n <= 31)
		}}, true
	})
}

// HostPort is "proto:host:port", where proto and port may be left out. An IPv6 address with a port
// stands in brackets.
func HostPort(name, doc string) Arg[RelayDst] {
	return newArg(name, doc, func(b *Build, i int) (Input[RelayDst], bool) {
		f := b.cc.textArg(b.x, i)
		switch {
		case f == nil:
			return Input[RelayDst]{}, false
		case f.plain:
			dst, ok := b.HostPort(i, f.text)
			return Input[RelayDst]{v: dst}, ok
		}
		b.cc.scratch = true
		return Input[RelayDst]{read: func(c *Ctx) (RelayDst, Result) {
			text, r := c.expand(f)
			if r <= 0 {
				return RelayDst{}, r
			}
			dst, ok := ReadHostPort(text)
			return dst, truth(ok)
		}}, true
	})
}

// ReadHostPort reads "proto:host:port", where proto and port may be left out. The Host it returns
// is a view of b. It returns false if there is no valid host or port.
func ReadHostPort(b []byte) (RelayDst, bool) {
	dst := RelayDst{Set: true, Proto: AnyTransport, Host: b}
	if word, rest, found := bytes.Cut(b, []byte{':'}); found && len(word) <= len("sctp") {
		if t, ok := transportWord(string(word)); ok {
			dst.Proto, dst.Host = t, rest
		}
	}
	if i := bytes.LastIndexByte(dst.Host, ':'); i >= 0 && !bytes.HasSuffix(dst.Host, []byte{']'}) {
		n := atoi(dst.Host[i+1:])
		if n < 1 || n > 65535 {
			return RelayDst{}, false
		}
		dst.Host, dst.Port = dst.Host[:i], int(n)
	}
	return dst, isHost(dst.Host)
}

// isHost tells whether b may be the host of a URI (RFC 3261 §25.1, host).
func isHost(b []byte) bool {
	more := ".-"
	if n := len(b); n > 2 && b[0] == '[' && b[n-1] == ']' {
		b, more = b[1:n-1], ".:"
	}
	for _, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// Pattern is a POSIX extended regular expression (regcomp(3)). It ignores case unless Cased is
// given. A shard compiles a pattern with variables when it first meets its text, and keeps
// maxPatterns of them.
func Pattern(name, doc string, how ...PatternFlag) Arg[*regexp.Regexp] {
	var flags PatternFlag
	for _, f := range how {
		flags |= f
	}
	return newArg(name, doc, func(b *Build, i int) (Input[*regexp.Regexp], bool) {
		s, quoted := b.Literal(i)
		if quoted && !hasVariable(s) {
			re, err := CompilePattern(s, flags)
			if err != nil {
				b.Errorf(i, "%s: %s", b.Name(), err)
			}
			return Input[*regexp.Regexp]{v: re}, err == nil
		}
		f := b.cc.textArg(b.x, i)
		if f == nil {
			return Input[*regexp.Regexp]{}, false
		}
		b.cc.scratch = true
		return Input[*regexp.Regexp]{read: func(c *Ctx) (*regexp.Regexp, Result) {
			text, r := c.expand(f)
			if r <= 0 {
				return nil, r
			}
			re := c.CachedPattern(text, flags)
			return re, truth(re != nil)
		}}, true
	})
}

// VarOrText is a text that is a variable alone, or else taken as it stands. Where the variable has
// no value the function gets *null.
func VarOrText(name, doc string, null *string) Arg[string] {
	return newArg(name, doc, func(b *Build, i int) (Input[string], bool) {
		s, isText := b.Literal(i)
		if isText && (s == "" || s[0] != '$') {
			if hasVariable(s) {
				b.Warnf(i, "%s takes %s as it stands, so that no variable in it is filled in; "+
					"send_reply fills them in", b.Name(), Quote(s))
			}
			return Input[string]{v: s}, true
		}
		f := b.cc.textArg(b.x, i)
		switch {
		case f == nil:
			return Input[string]{}, false
		case f.plain:
			return Input[string]{v: f.text}, true
		case len(f.parts) > 2 || len(f.parts[1].text) > 0:
			b.Warnf(i, "%s takes the variable that %s begins with, and drops what follows; "+
				"send_reply takes all of it", b.Name(), Quote(s))
		}
		b.cc.scratch = true
		read, value := &format{parts: []formatPart{f.parts[0], {}}}, f.parts[0].pv.value()
		return Input[string]{read: func(c *Ctx) (string, Result) {
			if v := value(c); v.IsNull() {
				return *null, 1
			}
			start := len(c.buf)
			read.appendScratch(c, min(start+maxReasonBytes, cap(c.buf)))
			return c.reason(c.buf[start:]), 1
		}}, true
	})
}
