package route

import (
	"fmt"
	"math"
	"strings"

	"viaduct/shard/route/suggest"
)

// AnyArg is an Arg of any type.
type AnyArg interface{ arg() argInfo }

// argInfo is what the generated documents say about an argument.
type argInfo struct {
	name, doc string
	optional  bool
	// for transformations: keep white space; take the rest, commas included
	verbatim, rest bool
}

// Arg describes an argument of a function: its name, its meaning, and how it is compiled at a call.
type Arg[T any] struct {
	info argInfo
	at   func(b *Build, i int) (Input[T], bool)
}

func (a Arg[T]) arg() argInfo { return a.info }

// At compiles argument i of a call. It returns false after it has reported an error.
func (a Arg[T]) At(b *Build, i int) (Input[T], bool) { return a.at(b, i) }

// Input is an argument of one call. Its value is either known at load or read by each run.
type Input[T any] struct {
	v    T
	read func(c *Ctx) (T, Result) // nil if the value is v
	// spent says that the answer function of a call that waits does not need the argument
	spent bool
}

// Known returns the argument and true if its value is known at load.
func (in *Input[T]) Known() (T, bool) { return in.v, in.read == nil }

// Get returns the value of the argument. If the result is not above 0 there is no value, and the
// function must return that result. The value is valid until the function returns.
func (in *Input[T]) Get(c *Ctx) (T, Result) {
	if in.read == nil {
		return in.v, 1
	}
	return in.read(c)
}

// KnownInput returns an argument with the value v, for an argument that the call does not give.
func KnownInput[T any](v T) Input[T] { return Input[T]{v: v} }

// newArg makes an argument that every call must give.
func newArg[T any](name, doc string, at func(b *Build, i int) (Input[T], bool)) Arg[T] {
	if doc == "" {
		panic("BUG: argument " + name + " has no doc")
	}
	return Arg[T]{info: argInfo{name: name, doc: doc}, at: at}
}

// Optional makes a an argument that may be left out. Its value is then def.
func Optional[T any](a Arg[T], def T) Arg[T] { return OptionalVar(a, &def) }

// OptionalVar is Optional with a default that is read at load, such as the value of a parameter.
func OptionalVar[T any](a Arg[T], def *T) Arg[T] {
	inner := a.at
	a.info.optional = true
	a.at = func(b *Build, i int) (Input[T], bool) {
		if i >= b.Args() {
			return Input[T]{v: *def}, true
		}
		return inner(b, i)
	}
	return a
}

// Lenient makes a an argument of which Kamailio takes any literal at load: one that is wrong is a
// warning, and the call has the result r. A start that is refused for one odd line, perhaps of a
// route that never runs, would keep a file from moving here.
func Lenient[T any](a Arg[T], r Result) Arg[T] {
	inner := a.at
	a.at = func(b *Build, i int) (Input[T], bool) {
		errs := &b.cc.ld.Findings.Errors
		n := len(*errs)
		in, ok := inner(b, i)
		if ok || i >= b.Args() || !b.literal(i) {
			return in, ok
		}
		for _, e := range (*errs)[n:] {
			b.cc.ld.warnf(e.Pos, "%s; Kamailio takes it, and the call is %d", e.Text, r)
		}
		*errs = (*errs)[:n]
		return Input[T]{read: func(*Ctx) (v T, _ Result) { return v, r }}, true
	}
	return a
}

// Checked makes a an argument whose values must pass a check. Another one is a warning if it is
// known at load, which says "FUNCTION: TEXT WRONG", and the call is -1.
func Checked(a Arg[string], wrong string, ok func(string) bool) Arg[string] {
	inner := a.at
	a.at = func(b *Build, i int) (Input[string], bool) {
		in, fine := inner(b, i)
		if s, known := in.Known(); !fine || known && ok(s) {
			return in, fine
		} else if known {
			b.Warnf(i, "%s: %s %s; the call is -1", b.Name(), Quote(s), wrong)
		}
		return Input[string]{read: func(c *Ctx) (string, Result) {
			s, r := in.Get(c)
			if r > 0 && !ok(s) {
				r = -1
			}
			return s, r
		}}, true
	}
	return a
}

// NonEmpty makes a a text that must have a byte: with an empty one the call is -1.
func NonEmpty(a Arg[[]byte]) Arg[[]byte] {
	inner := a.at
	a.at = func(b *Build, i int) (Input[[]byte], bool) {
		in, ok := inner(b, i)
		return Input[[]byte]{read: func(c *Ctx) ([]byte, Result) {
			s, r := in.Get(c)
			if r > 0 && len(s) == 0 {
				r = -1
			}
			return s, r
		}}, ok
	}
	return a
}

// Strict makes a an argument of which a number that is known at load and out of range is an error:
// one that Kamailio refuses too, or with which the call makes no sense.
func Strict[T any](a Arg[T]) Arg[T] {
	return switched(a, func(b *Build) *bool { return &b.strict })
}

// Digits makes a an argument that also takes the text of a variable: its number, 0 if it is none.
func Digits[T any](a Arg[T]) Arg[T] {
	return switched(a, func(b *Build) *bool { return &b.digits })
}

// switched compiles a with one of Build's switches on.
func switched[T any](a Arg[T], on func(b *Build) *bool) Arg[T] {
	inner := a.at
	a.at = func(b *Build, i int) (Input[T], bool) {
		p := on(b)
		was := *p
		*p = true
		in, ok := inner(b, i)
		*p = was
		return in, ok
	}
	return a
}

// literal reports whether an argument is a number, or a text without variables.
func (b *Build) literal(i int) bool {
	if s, ok := b.Literal(i); ok {
		return !hasVariable(s)
	}
	_, ok := constant(b.x.Args[i])
	return ok
}

// spoken returns what a message calls an argument. A name with an underscore comes from Kamailio's
// manual and is not a word, so it goes without an article.
func spoken(name string) string {
	if strings.Contains(name, "_") {
		return name
	}
	return "the " + name
}

// Beyond says what becomes of a number that is out of range at run time. Without a Beyond the
// function is false.
type Beyond func(n, min, max int) (int, Result)

// Clamped takes the nearest number within the range.
func Clamped(n, lo, hi int) (int, Result) { return min(max(n, lo), hi), 1 }

// AsIs takes the number as it is, for a function that checks the range itself.
func AsIs(n, _, _ int) (int, Result) { return n, 1 }

// Instead takes another number.
func Instead(other int) Beyond { return func(_, _, _ int) (int, Result) { return other, 1 } }

// Int is a number from min to max. It may stand in quotes. With a variable that holds a text, also
// one of digits, or nothing, the call is -1, as in Kamailio (but see Digits). A number that is
// known at load and out of range is a warning in a function, since Kamailio takes most of them, and
// Beyond says what becomes of it; in a transformation, and with Strict, it is an error.
func Int(name string, min, max int, doc string, beyond ...Beyond) Arg[int] {
	within := func(n int) (int, Result) {
		switch {
		case n >= min && n <= max:
			return n, 1
		case len(beyond) > 0:
			return beyond[0](n, min, max)
		}
		return n, -1
	}
	return newArg(name, doc, func(b *Build, i int) (Input[int], bool) {
		a, ok := intArg{}, b.emptyNumber(i, spoken(name))
		if !ok {
			a, ok = b.cc.intArg(b.x, i, spoken(name), math.MinInt64, math.MaxInt64)
		}
		if !ok {
			return Input[int]{}, false
		}
		if val := a.val; val != nil {
			if b.strict || b.digits {
				return Input[int]{read: func(c *Ctx) (int, Result) {
					v := val(c)
					return within(int(v.int()))
				}}, true
			}
			return Input[int]{read: func(c *Ctx) (int, Result) {
				v := val(c)
				if !v.isNumber() {
					return 0, -1
				}
				return within(int(v.int()))
			}}, true
		}
		if a.n >= min && a.n <= max {
			return Input[int]{v: a.n}, true
		}
		what := fmt.Sprintf("%s: %s is %d; the range is %d..%d", b.Name(), spoken(name), a.n, min, max)
		if b.strict {
			b.Errorf(i, "%s", what)
			return Input[int]{}, false
		}
		n, r := within(a.n)
		switch {
		case r <= 0:
			b.Warnf(i, "%s, and the call is %d", what, r)
			return Input[int]{read: func(*Ctx) (int, Result) { return n, r }}, true
		case n != a.n:
			b.Warnf(i, "%s, and %d is taken", what, n)
		} // else the function has its own words for it
		return Input[int]{v: n}, true
	})
}

// emptyNumber reports whether a number is given as "". Kamailio takes that for 0, and so does what
// calls this; a warning says so.
func (b *Build) emptyNumber(i int, what string) bool {
	if s, isText := b.Literal(i); b.strict || !isText || s != "" {
		return false
	}
	b.Warnf(i, "%s: %s is empty, and 0 is taken", b.Name(), what)
	return true
}

// Text is a text that may hold variables. The function gets a view, valid until it returns.
func Text(name, doc string) Arg[[]byte] {
	return newArg(name, doc, func(b *Build, i int) (Input[[]byte], bool) {
		f := b.cc.textArg(b.x, i)
		if f == nil {
			return Input[[]byte]{}, false
		}
		if f.plain {
			return Input[[]byte]{v: []byte(f.text)}, true
		}
		b.cc.scratch = true
		return Input[[]byte]{read: func(c *Ctx) ([]byte, Result) { return c.expand(f) }}, true
	})
}

// Phrase is a short text that may hold variables but takes few different values, such as the reason
// phrase of a response. Each value is made a string once.
func Phrase(name, doc string) Arg[string] {
	return newArg(name, doc, func(b *Build, i int) (Input[string], bool) {
		f := b.cc.textArg(b.x, i)
		if f == nil {
			return Input[string]{}, false
		}
		if f.plain {
			return Input[string]{v: f.text}, true
		}
		b.cc.scratch = true
		return Input[string]{read: func(c *Ctx) (string, Result) {
			start := len(c.buf)
			f.appendScratch(c, min(start+maxReasonBytes, cap(c.buf)))
			return c.reason(c.buf[start:]), 1
		}}, true
	})
}

// Name is a text known at load. wants completes the error message "FUNCTION wants …" about any
// other argument.
func Name(name, wants, doc string) Arg[string] {
	return newArg(name, doc, func(b *Build, i int) (Input[string], bool) {
		s, ok := b.Known(i, wants)
		return Input[string]{v: s}, ok
	})
}

// Parsed is a text known at load that parse turns into the value that the function gets. wants
// completes the error message "FUNCTION wants …", as in Name. wrong completes the message about a
// text that parse refuses: "FUNCTION: TEXT …".
func Parsed[T any](name, wants, wrong, doc string, parse func(s string) (T, bool)) Arg[T] {
	return newArg(name, doc, func(b *Build, i int) (Input[T], bool) {
		s, ok := b.Known(i, wants)
		if !ok {
			return Input[T]{}, false
		}
		v, ok := parse(s)
		if !ok {
			b.Errorf(i, "%s: %s %s", b.Name(), Quote(s), wrong)
		}
		return Input[T]{v: v}, ok
	})
}

// ParsedWarn is Parsed for a text that Kamailio takes in any case: what is said of one that makes
// no sense is a warning. It is "" for one that does.
func ParsedWarn[T any](name, wants, doc string, parse func(s string) (T, string)) Arg[T] {
	return newArg(name, doc, func(b *Build, i int) (Input[T], bool) {
		s, ok := b.Known(i, wants)
		if !ok {
			return Input[T]{}, false
		}
		v, odd := parse(s)
		if odd != "" {
			b.Warnf(i, "%s: %s %s", b.Name(), Quote(s), odd)
		}
		return Input[T]{v: v}, true
	})
}

// Word is one word of an Enum and the value it stands for.
type Word[T any] struct {
	Word  string
	Value T
}

// Enum is Parsed for one of a few words. The message about an unknown word suggests the nearest
// one.
func Enum[T any](name, wants, wrong, doc string, words ...Word[T]) Arg[T] {
	return newArg(name, doc, func(b *Build, i int) (Input[T], bool) {
		s, ok := b.Known(i, wants)
		if !ok {
			return Input[T]{}, false
		}
		names := make([]string, 0, len(words))
		for _, w := range words {
			if w.Word == s {
				return Input[T]{v: w.Value}, true
			}
			names = append(names, w.Word)
		}
		b.Errorf(i, "%s: %s %s%s", b.Name(), Quote(s), wrong, suggest.DidYouMean(s, names))
		return Input[T]{}, false
	})
}

// RouteNamed is the name of a route, known at load. The function gets the number that
// proxy.Request.Arm takes: 0 for "" and "0", which disarm.
func RouteNamed(kind RouteKind) Arg[int] {
	return newArg("name", "the name of the route", func(b *Build, i int) (Input[int], bool) {
		name, ok := b.Known(i, "the name of a route")
		if !ok || name == "" || name == "0" {
			return Input[int]{}, ok
		}
		n := b.cc.numbers[armKey{kind, name}]
		return Input[int]{v: n}, n != 0 || b.cc.noSuchRoute(b.at(i), kind, name)
	})
}

// Special is an argument that the function's own Build reads.
func Special(name, doc string) Arg[struct{}] {
	return newArg(name, doc, func(*Build, int) (Input[struct{}], bool) {
		panic("BUG: argument " + name + " is read by the function's Build")
	})
}
