package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RPC is the set of methods that operators call at the control doors: a line `method arg "quoted
// arg"` in, a line of JSON out. The zero RPC has no methods; NewRPC has those about itself. Methods
// are registered at start-up, before the first call; calls come from any goroutine, several at a
// time.
type RPC struct {
	methods map[string]*Method
}

// Method is one entry of an RPC.
type Method struct {
	Name   string // group.name
	Help   string // one sentence
	Params []Param
	// Call answers; a *Fault goes out as it is, any other error as fault 500. A nil answer goes out
	// as {}.
	Call func(Args) (any, error)

	alias bool // an older spelling: answered, not listed
}

// Param is one argument; those that may be left out come last.
type Param struct {
	Name     string
	Kind     ParamKind
	Optional bool
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

// NewRPC has the methods system.*.
func NewRPC() *RPC {
	r := &RPC{methods: map[string]*Method{}}
	name := []Param{{Name: "method"}}
	r.Register(
		&Method{Name: "system.listMethods", Help: "Names every method.", Call: func(Args) (any, error) { return r.Names(), nil }},
		&Method{Name: "system.methodHelp", Help: "Tells what a method does and what it takes.", Params: name, Call: func(a Args) (any, error) {
			m, err := r.method(a.Text(0))
			if err != nil {
				return nil, err
			}
			return m.Help + " Usage: " + m.Usage(), nil
		}},
		&Method{Name: "system.methodSignature", Help: "Tells what a method takes.", Params: name, Call: func(a Args) (any, error) {
			m, err := r.method(a.Text(0))
			if err != nil {
				return nil, err
			}
			return m.Usage(), nil
		}},
	)
	return r
}

// Register adds methods; a name there is already is a bug.
func (r *RPC) Register(all ...*Method) {
	for _, m := range all {
		if r.methods[m.Name] != nil || m.Call == nil || m.Help == "" {
			panic(fmt.Sprintf("BUG: rpc method %q is registered twice, or without Call or Help", m.Name))
		}
		r.methods[m.Name] = m
	}
}

// Alias makes old another name of a method, one that is not listed.
func (r *RPC) Alias(old, name string) {
	m := *r.methods[name]
	m.Name, m.alias = old, true
	r.Register(&m)
}

// Names of all methods, sorted, without aliases.
func (r *RPC) Names() []string {
	names := slices.Sorted(maps.Keys(r.methods))
	return slices.DeleteFunc(names, func(n string) bool { return r.methods[n].alias })
}

// method finds a method, or tells which name is near.
func (r *RPC) method(name string) (*Method, error) {
	if m := r.methods[name]; m != nil {
		return m, nil
	}
	return nil, Faultf(404, "method %q not found%s", name, didYouMean(name, slices.Sorted(maps.Keys(r.methods)), "system.listMethods lists them"))
}

// Usage is "name arg [optional]".
func (m *Method) Usage() string {
	var b strings.Builder
	b.WriteString(m.Name)
	for _, p := range m.Params {
		if p.Optional {
			fmt.Fprintf(&b, " [%s]", p.Name)
		} else {
			b.WriteString(" " + p.Name)
		}
	}
	return b.String()
}

// check reads words as the method's arguments.
func (m *Method) check(words []string) (Args, error) {
	least := 0
	for _, p := range m.Params {
		if !p.Optional {
			least++
		}
	}
	switch {
	case len(words) < least:
		return Args{}, Faultf(400, "%s is missing; usage: %s", m.Params[len(words)].Name, m.Usage())
	case len(words) > len(m.Params):
		return Args{}, Faultf(400, "%d arguments are too many; usage: %s", len(words), m.Usage())
	}
	a := Args{words: words, ints: make([]int64, len(words))}
	for i, w := range words {
		if m.Params[i].Kind != Int {
			continue
		}
		n, err := parseInt(w)
		if err != nil {
			return Args{}, Faultf(400, "%s must be a whole number, not %q; usage: %s", m.Params[i].Name, w, m.Usage())
		}
		a.ints[i] = n
	}
	return a, nil
}

func parseInt(w string) (int64, error) {
	if hex, ok := strings.CutPrefix(strings.ToLower(w), "0x"); ok && !strings.HasPrefix(hex, "-") && !strings.HasPrefix(hex, "+") {
		return strconv.ParseInt(hex, 16, 64)
	}
	return strconv.ParseInt(w, 10, 64)
}

// Call runs one line and gives the line of JSON to answer, with its line end. It does not contain
// panics of methods: see StatusService.
func (r *RPC) Call(line string) []byte {
	words, err := splitWords(line)
	if err == nil && len(words) == 0 {
		err = Faultf(400, "no method given; system.listMethods lists them")
	}
	if err != nil {
		return faultLine(err)
	}
	m, err := r.method(words[0])
	if err != nil {
		return faultLine(err)
	}
	args, err := m.check(words[1:])
	if err != nil {
		return faultLine(err)
	}
	v, err := m.Call(args)
	if err != nil {
		return faultLine(err)
	}
	if v == nil {
		v = struct{}{}
	}
	return jsonLine(v)
}

func faultLine(err error) []byte {
	var f *Fault
	if !errors.As(err, &f) {
		f = &Fault{500, err.Error()}
	}
	return jsonLine(map[string]*Fault{"error": f})
}

// jsonLine leaves < > & as they are: nobody puts the answer into HTML.
func jsonLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("BUG: rpc answer %T is no JSON: %v", v, err))
	}
	return b.Bytes()
}
