// Package command is what a command for operators is: its name, what it takes, and its answer. It
// has types alone; package control calls the commands, and each module of the language declares its
// own.
package command

import (
	"fmt"
	"strconv"
	"strings"
)

// Method is one command.
type Method struct {
	Name   string // group.name
	Help   string // one sentence
	Params []Param
	// Call answers; a *Fault goes out as it is, any other error as fault 500. A nil answer goes out
	// as {}.
	Call func(Args) (any, error)
}

// Caller calls a command by its name, with its arguments as words, and gives the answer as JSON. It
// may take long, and be called from any goroutine.
type Caller func(method string, words []string) (json []byte, fault *Fault)

// Param is one argument; those that may be left out come last.
type Param struct {
	Name     string
	Kind     ParamKind
	Optional bool
	Repeated bool // the last one may: any number of them
	// Least and Most are the range of an Int; both 0: any.
	Least, Most int64
}

// ParamKind says what an argument must look like.
type ParamKind uint8

// Kinds of arguments.
const (
	Text ParamKind = iota
	Int            // decimal with a sign if any, or 0x and hexadecimal digits; 64 bits
)

// Args are the arguments of a call, checked against the method's Params.
type Args struct {
	words []string
	ints  []int64
}

// Len is how many were given.
func (a Args) Len() int { return len(a.words) }

// Text is argument i, "" if it was left out.
func (a Args) Text(i int) string {
	if i >= len(a.words) {
		return ""
	}
	return a.words[i]
}

// Int is argument i, a parameter of kind Int; otherwise if it was left out.
func (a Args) Int(i int, otherwise int64) int64 {
	if i >= len(a.ints) {
		return otherwise
	}
	return a.ints[i]
}

// Fault is a call that failed, with the codes Kamailio's RPC took from SIP: 400 the caller's, 404
// not there, 500 ours.
type Fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (f *Fault) Error() string { return fmt.Sprintf("%d - %s", f.Code, f.Message) }

// Faultf makes a Fault.
func Faultf(code int, format string, args ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, args...)}
}

// Words are parameters by name. One in brackets may be left out, one behind # is a number, of a range
// where one is written, and one before … may be repeated: Words("table", "#count:1..100", "[key…]").
func Words(names ...string) (all []Param) {
	for _, n := range names {
		var p Param
		if inner, ok := strings.CutPrefix(n, "["); ok {
			n, p.Optional = strings.TrimSuffix(inner, "]"), true
		}
		if word, ok := strings.CutPrefix(n, "#"); ok {
			n, p.Kind = word, Int
			if name, bounds, ok := strings.Cut(word, ":"); ok {
				n = name
				p.Least, p.Most = bound(bounds, 0), bound(bounds, 1)
			}
		}
		n, p.Repeated = strings.CutSuffix(n, "…")
		p.Name = n
		all = append(all, p)
	}
	return all
}

// bound is one of the two numbers of LEAST..MOST.
func bound(s string, i int) int64 {
	least, most, _ := strings.Cut(s, "..")
	n, err := ParseInt([]string{least, most}[i])
	if err != nil {
		panic(fmt.Sprintf("BUG: %q is no range: %v", s, err))
	}
	return n
}

// Usage is "name arg [optional]".
func (m *Method) Usage() string {
	var b strings.Builder
	b.WriteString(m.Name)
	for _, p := range m.Params {
		name := p.Name
		if p.Repeated {
			name += " …"
		}
		if p.Optional {
			name = "[" + name + "]"
		}
		b.WriteString(" " + name)
	}
	return b.String()
}

// Read reads words as the method's arguments.
func (m *Method) Read(words []string) (Args, error) {
	least := 0
	for _, p := range m.Params {
		if !p.Optional {
			least++
		}
	}
	switch {
	case len(words) < least:
		return Args{}, Faultf(400, "%s is missing; usage: %s", m.Params[len(words)].Name, m.Usage())
	case len(words) > len(m.Params) && !m.repeats():
		return Args{}, Faultf(400, "%s; usage: %s", tooMany(len(m.Params), len(words)), m.Usage())
	}
	a := Args{words: words, ints: make([]int64, len(words))}
	for i, w := range words {
		p := &m.Params[min(i, len(m.Params)-1)]
		if p.Kind != Int {
			continue
		}
		n, err := ParseInt(w)
		if err != nil {
			return Args{}, Faultf(400, "%s must be a whole number, not %q; usage: %s", p.Name, w,
				m.Usage())
		}
		if (p.Least != 0 || p.Most != 0) && (n < p.Least || n > p.Most) {
			return Args{}, Faultf(400, "%s must be a number from %d to %d, not %s; usage: %s", p.Name, p.Least,
				p.Most, w, m.Usage())
		}
		a.ints[i] = n
	}
	return a, nil
}

func tooMany(takes, given int) string {
	switch takes {
	case 0:
		return fmt.Sprintf("it takes no arguments, and has %d", given)
	case 1:
		return fmt.Sprintf("it takes one argument, and has %d", given)
	}
	return fmt.Sprintf("it takes %d arguments at most, and has %d", takes, given)
}

// repeats tells whether there may be more arguments than parameters.
func (m *Method) repeats() bool { return len(m.Params) > 0 && m.Params[len(m.Params)-1].Repeated }

// ParseInt reads a number as an argument of kind Int has it.
func ParseInt(w string) (int64, error) {
	if hex, ok := strings.CutPrefix(strings.ToLower(w), "0x"); ok && !strings.HasPrefix(hex, "-") &&
		!strings.HasPrefix(hex, "+") {
		return strconv.ParseInt(hex, 16, 64)
	}
	return strconv.ParseInt(w, 10, 64)
}
