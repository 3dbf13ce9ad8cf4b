// Package command describes a command for operators: its name, its parameters and its answer. It
// has only types. Package control calls the commands, and each module of the language declares its
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
	// Reads says that the command changes nothing, so that who may only look may call it.
	Reads bool
	// Call runs the command and returns its answer. A *Fault is sent as it is, and any other error
	// as fault 500. A nil answer is sent as {}.
	Call func(Args) (any, error)
}

// Caller calls a command by its name, with its arguments as words, and returns the answer as JSON.
// It may take long, and may be called from any goroutine.
type Caller func(method string, words []string) (json []byte, fault *Fault)

// Param is one parameter. Optional ones come last.
type Param struct {
	Name     string
	Kind     ParamKind
	Optional bool
	Repeated bool // only the last one: it may be given any number of times
	// Least and Most are the range of an Int. If both are 0, it may have any value.
	Least, Most int64
}

// ParamKind says what an argument looks like.
type ParamKind uint8

// The kinds of arguments.
const (
	Text ParamKind = iota
	Int            // 64 bits, decimal with an optional sign, or hexadecimal behind 0x
)

// Args are the arguments of a call, checked against the Params of the method.
type Args struct {
	words []string
	ints  []int64
}

// Len returns how many arguments were given.
func (a Args) Len() int { return len(a.words) }

// Text returns argument i. It returns "" if it was left out.
func (a Args) Text(i int) string {
	if i >= len(a.words) {
		return ""
	}
	return a.words[i]
}

// Rest returns the arguments from i on.
func (a Args) Rest(i int) []string {
	if i >= len(a.words) {
		return nil
	}
	return a.words[i:]
}

// Int returns argument i, whose parameter must be of kind Int. It returns otherwise if it was left
// out.
func (a Args) Int(i int, otherwise int64) int64 {
	if i >= len(a.ints) {
		return otherwise
	}
	return a.ints[i]
}

// Fault is a call that failed. The codes are those that Kamailio's RPC took from SIP: 400 for a
// mistake of the caller, 404 for something that is not there, 500 for an error of the server.
type Fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (f *Fault) Error() string { return fmt.Sprintf("%d - %s", f.Code, f.Message) }

// Faultf makes a Fault.
func Faultf(code int, format string, args ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, args...)}
}

// Words returns parameters by their names, as in Words("table", "#count:1..100", "[key…]"). One in
// brackets is optional, one behind # is a number, with a range if one is written, and one before …
// may be repeated.
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

// bound returns number i of LEAST..MOST, 0 or 1.
func bound(s string, i int) int64 {
	least, most, _ := strings.Cut(s, "..")
	n, err := ParseInt([]string{least, most}[i])
	if err != nil {
		panic(fmt.Sprintf("BUG: %q is no range: %v", s, err))
	}
	return n
}

// Usage returns "name arg [optional]".
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

// Read reads words as the arguments of the method. Its error is a *Fault.
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
			return Args{}, Faultf(400, "%s must be a number from %d to %d, not %s; usage: %s", p.Name,
				p.Least,
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

// repeats tells whether a call may have more arguments than there are parameters.
func (m *Method) repeats() bool { return len(m.Params) > 0 && m.Params[len(m.Params)-1].Repeated }

// ParseInt reads a number as it is written in an argument of kind Int.
func ParseInt(w string) (int64, error) {
	if hex, ok := strings.CutPrefix(strings.ToLower(w), "0x"); ok && !strings.HasPrefix(hex, "-") &&
		!strings.HasPrefix(hex, "+") {
		return strconv.ParseInt(hex, 16, 64)
	}
	return strconv.ParseInt(w, 10, 64)
}
