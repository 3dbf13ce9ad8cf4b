package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/valyala/bytebufferpool"

	"viaduct/shard/route/command"
)

// RPC is the set of methods that operators call: a line `method arg "quoted arg"` in, a line of
// JSON out. The zero RPC has no methods; NewRPC's has the methods about itself. Methods are
// registered at start-up, before the first call. Calls come from any goroutine, several at a time.
type RPC struct {
	methods map[string]*Method
	aliases map[string]bool // older spellings: answered, not listed
	more    func() []*Method
}

// The types of methods are those of package command.
type (
	Method    = command.Method
	Param     = command.Param
	ParamKind = command.ParamKind
	Args      = command.Args
	Fault     = command.Fault
)

// Kinds of arguments.
const (
	Text = command.Text
	Int  = command.Int
)

// Faultf returns a Fault with that text.
func Faultf(code int, format string, args ...any) *Fault {
	return command.Faultf(code, format, args...)
}

// NewRPC returns an RPC with the methods system.*.
func NewRPC() *RPC {
	r := &RPC{methods: map[string]*Method{}, aliases: map[string]bool{}}
	name := []Param{{Name: "method"}}
	r.Register(
		&Method{Name: "system.listMethods", Help: "Names every method.",
			Call: func(Args) (any, error) {
				return r.Names(), nil
			}},
		&Method{Name: "system.methodHelp", Help: "Tells what a method does and what it takes.",
			Params: name, Call: func(a Args) (any, error) {
				m, err := r.method(a.Text(0))
				if err != nil {
					return nil, err
				}
				return m.Help + " Usage: " + m.Usage(), nil
			}},
		&Method{Name: "system.methodSignature", Help: "Tells what a method takes.", Params: name,
			Call: func(a Args) (any, error) {
				m, err := r.method(a.Text(0))
				if err != nil {
					return nil, err
				}
				return m.Usage(), nil
			}},
	)
	return r
}

// Register adds methods. It panics if a name is taken already.
func (r *RPC) Register(all ...*Method) {
	for _, m := range all {
		if r.methods[m.Name] != nil || m.Call == nil || m.Help == "" {
			panic(fmt.Sprintf("BUG: rpc method %q is registered twice, or without Call or Help",
				m.Name))
		}
		m.Reads = m.Reads || reading[m.Name]
		r.methods[m.Name] = m
	}
}

// Alias makes old another name of a method, which is not listed.
func (r *RPC) Alias(old, name string) {
	m := *r.methods[name]
	m.Name, r.aliases[old] = old, true
	r.Register(&m)
}

// More adds methods that may change while the process runs: those of the current program, which now
// returns.
func (r *RPC) More(now func() []*Method) { r.more = now }

// Names returns the names of all methods, sorted, without aliases.
func (r *RPC) Names() []string {
	return slices.DeleteFunc(r.known(), func(n string) bool { return r.aliases[n] })
}

// known returns all names, sorted.
func (r *RPC) known() []string {
	names := slices.Collect(maps.Keys(r.methods))
	if r.more != nil {
		for _, m := range r.more() {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// method finds a method. If there is none its error tells which name is near.
func (r *RPC) method(name string) (*Method, error) {
	if m := r.methods[name]; m != nil {
		return m, nil
	}
	if r.more != nil {
		for _, m := range r.more() {
			if m.Name == name {
				return m, nil
			}
		}
	}
	return nil, Faultf(404, "method %q not found%s", name,
		didYouMean(name, r.known(), "system.listMethods lists them"))
}

// Answer runs one line and appends the answer to b, a line of JSON with its line end. It does not
// contain panics of methods: see StatusService.
func (r *RPC) Answer(b *bytebufferpool.ByteBuffer, line string) { writeJSON(b, r.run(line)) }

// run runs one line and returns what becomes JSON.
func (r *RPC) run(line string) any {
	words, err := splitWords(line)
	if err == nil && len(words) == 0 {
		err = Faultf(400, "no method given; system.listMethods lists them")
	}
	if err != nil {
		return faultOf(err)
	}
	v, err := r.call(words[0], words[1:])
	if err != nil {
		return faultOf(err)
	}
	return v
}

// call runs a method and returns what becomes its answer.
func (r *RPC) call(name string, words []string) (any, error) {
	m, err := r.method(name)
	if err != nil {
		return nil, err
	}
	args, err := m.Read(words)
	if err != nil {
		return nil, err
	}
	v, err := m.Call(args)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = struct{}{}
	}
	return v, nil
}

// CallJSON implements command.Caller: it calls a method from within the process.
func (r *RPC) CallJSON(name string, words []string) (json []byte, f *Fault) {
	v, err := r.call(name, words)
	if err != nil {
		return nil, fault(err)
	}
	b := bytebufferpool.Get()
	defer bytebufferpool.Put(b)
	writeJSON(b, v)
	return bytes.Clone(b.B), nil
}

func faultOf(err error) map[string]*Fault { return map[string]*Fault{"error": fault(err)} }

// fault returns err as a Fault: with code 500 if it is none.
func fault(err error) *Fault {
	var f *Fault
	if !errors.As(err, &f) {
		f = &Fault{Code: 500, Message: err.Error()}
	}
	return f
}

// writeJSON writes v as JSON. It leaves < > & as they are, since the answer is not put into HTML.
func writeJSON(b *bytebufferpool.ByteBuffer, v any) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("BUG: rpc answer %T is no JSON: %v", v, err))
	}
}
