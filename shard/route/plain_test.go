package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// A program of random statements is made twice from the same bytes: as the text of a file, and as a
// tree of closures that says plainly what each statement does. The compiled program must log what
// the tree logs, with copies of routes and without.

// errExit ends a script, errReturn a route, errBreak a loop or a switch.
var errExit, errReturn, errBreak = errors.New("exit"), errors.New("return"), errors.New("break")

// plain makes a program, and is what it runs on.
type plain struct {
	data  []byte
	text  strings.Builder
	vars  [4]int32
	route int   // whose statements are being made; its loops have counters of their own
	value int32 // of the route that has returned
	log   []string
	lines int // logs that are in the text
	// routes are the routes made so far; those that follow may call them
	routes []func() error
}

// pick takes a number below n from the data.
func (p *plain) pick(n int) int {
	if len(p.data) == 0 {
		return 0
	}
	b := p.data[0]
	p.data = p.data[1:]
	return int(b) % n
}

func (p *plain) printf(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// number makes an expression.
func (p *plain) number(depth int) func() int32 {
	switch k := p.pick(8); {
	case k < 3 || depth > 2:
		i := p.pick(len(p.vars))
		p.printf("$var(v%d)", i)
		return func() int32 { return p.vars[i] }
	case k < 5:
		n := int32(p.pick(9)) - 3
		p.printf("%d", n)
		return func() int32 { return n }
	default:
		p.printf("(")
		l := p.number(depth + 1)
		op := "+-*&|"[p.pick(5)]
		p.printf(" %c ", op)
		r := p.number(depth + 1)
		p.printf(")")
		return func() int32 {
			switch x, y := l(), r(); op {
			case '+':
				return x + y
			case '-':
				return x - y
			case '*':
				return x * y
			case '&':
				return x & y
			default:
				return x | y
			}
		}
	}
}

// call makes the call of a route. false: there is none yet.
func (p *plain) call() (func() error, bool) {
	if len(p.routes) == 0 {
		return nil, false
	}
	i := p.pick(len(p.routes))
	p.printf("route(R%d)", i)
	return p.routes[i], true
}

// condition makes a condition. A variable alone is true above zero, and within an operator if it
// is not zero; a call is true above zero everywhere.
func (p *plain) condition(depth int) func() (bool, error) {
	switch k := p.pick(8); {
	case k == 0 && depth < 3:
		p.printf("!(")
		x := p.condition(depth + 1)
		p.printf(")")
		return func() (bool, error) { b, err := x(); return !b, err }
	case k < 4 && depth < 3:
		p.printf("(")
		l := p.condition(depth + 1)
		and := p.pick(2) == 0
		p.printf("%s", map[bool]string{true: " && ", false: " || "}[and])
		r := p.condition(depth + 1)
		p.printf(")")
		return func() (bool, error) {
			if b, err := l(); err != nil || b != and {
				return b, err
			}
			return r()
		}
	case k == 4:
		if call, ok := p.call(); ok {
			return func() (bool, error) { err := call(); return p.value > 0, err }
		}
	case k == 5:
		i := p.pick(len(p.vars))
		p.printf("$var(v%d)", i)
		return func() (bool, error) {
			if depth == 0 {
				return p.vars[i] > 0, nil
			}
			return p.vars[i] != 0, nil
		}
	}
	l := p.pick(len(p.vars))
	op := []string{"==", "!=", "<", ">=", ">"}[p.pick(5)]
	p.printf("$var(v%d) %s ", l, op)
	r := p.number(1)
	return func() (bool, error) {
		x, y := p.vars[l], r()
		return map[string]bool{"==": x == y, "!=": x != y, "<": x < y, ">=": x >= y, ">": x > y}[op], nil
	}
}

// block makes statements.
func (p *plain) block(depth, loops int) func() error {
	var list []func() error
	for range 1 + p.pick(4) {
		list = append(list, p.statement(depth, loops))
	}
	return func() error {
		for _, s := range list {
			if err := s(); err != nil {
				return err
			}
		}
		return nil
	}
}

// breaks ends at a break.
func breaks(err error) error {
	if err == errBreak {
		return nil
	}
	return err
}

// statement makes one.
func (p *plain) statement(depth, loops int) func() error {
	switch k := p.pick(14); {
	case k < 4 || depth > 3:
		i := p.pick(len(p.vars))
		p.printf("$var(v%d) = ", i)
		if k == 3 && depth <= 3 {
			if call, ok := p.call(); ok {
				p.printf(";\n")
				return func() error {
					err := call()
					if err == nil {
						p.vars[i] = p.value
					}
					return err
				}
			}
		}
		x := p.number(0)
		p.printf(";\n")
		return func() error { p.vars[i] = x(); return nil }
	case k < 6:
		p.lines++
		n := p.lines
		p.printf("xlog(\"%d $var(v0) $var(v1) $var(v2) $var(v3)\");\n", n)
		return func() error {
			p.log = append(p.log, fmt.Sprint(n, p.vars[0], p.vars[1], p.vars[2], p.vars[3]))
			return nil
		}
	case k < 8:
		p.printf("if (")
		cond := p.condition(0)
		p.printf(") {\n")
		yes, no := p.block(depth+1, loops), func() error { return nil }
		if p.pick(2) == 0 {
			p.printf("} else {\n")
			no = p.block(depth+1, loops)
		}
		p.printf("}\n")
		return func() error {
			b, err := cond()
			switch {
			case err != nil:
				return err
			case b:
				return yes()
			}
			return no()
		}
	case k == 8 && loops < 2:
		n := int32(1 + p.pick(3))
		w := fmt.Sprintf("$var(w%d%d)", p.route, loops)
		p.printf("%s = 0;\nwhile (%[1]s < %d) {\n%[1]s = %[1]s + 1;\n", w, n)
		body := p.block(depth+1, loops+1)
		p.printf("}\n")
		return func() error {
			for range n {
				if err := body(); err != nil {
					return breaks(err)
				}
			}
			return nil
		}
	case k == 9:
		return p.choice(depth, loops)
	case k == 10:
		if call, ok := p.call(); ok {
			p.printf(";\n")
			return call
		}
	case k == 11 && depth > 0:
		n := []int32{1, 2, -1, -3}[p.pick(4)]
		p.printf("return %d;\n", n)
		return func() error { p.value = n; return errReturn }
	case k == 12 && depth > 0:
		p.printf("break;\n")
		return func() error { return errBreak }
	case k == 13 && depth > 1 && p.pick(4) == 0:
		p.printf("exit;\n")
		return func() error { return errExit }
	}
	p.printf("$var(v0) = $var(v0) + 1;\n")
	return func() error { p.vars[0]++; return nil }
}

// choice makes a switch. Without a break a case falls on.
func (p *plain) choice(depth, loops int) func() error {
	i := p.pick(len(p.vars))
	p.printf("switch ($var(v%d)) {\n", i)
	var bodies []func() error
	at := map[int32]int{}
	for n := range int32(1 + p.pick(3)) {
		p.printf("case %d:\n", n-1)
		at[n-1] = len(bodies)
		bodies = append(bodies, p.block(depth+1, loops))
	}
	otherwise := len(bodies)
	if p.pick(2) == 0 {
		p.printf("default:\n")
		bodies = append(bodies, p.block(depth+1, loops))
	}
	p.printf("}\n")
	return func() error {
		first, ok := at[p.vars[i]]
		if !ok {
			first = otherwise
		}
		for _, b := range bodies[min(first, len(bodies)):] {
			if err := b(); err != nil {
				return breaks(err)
			}
		}
		return nil
	}
}

// program makes some routes and a request_route, and returns what that does. What is called stands
// behind its callers. Routes end with return, since a route's value is otherwise that of its last statement.
func (p *plain) program() func() {
	var behind string
	for i := range p.pick(4) {
		p.route = i
		p.printf("route[R%d] {\n", i)
		body := p.block(0, 0)
		n := int32(p.pick(5)) - 2
		if n == 0 {
			n = 7
		}
		p.printf("return %d;\n}\n", n)
		behind = p.text.String() + behind
		p.text.Reset()
		p.routes = append(p.routes, func() error {
			switch err := body(); err {
			case nil:
				p.value = n
			case errBreak:
				p.value = 0
			case errExit:
				return err
			}
			return nil
		})
	}
	p.route = len(p.routes)
	p.printf("request_route {\n$var(v0) = 0; $var(v1) = 1; $var(v2) = -1; $var(v3) = 5;\n")
	body := p.block(0, 0)
	p.printf("xlog(\"end $var(v0) $var(v1) $var(v2) $var(v3)\");\n}\n%s", behind)
	return func() {
		p.vars = [4]int32{0, 1, -1, 5}
		if body() == nil {
			p.log = append(p.log, fmt.Sprint("end ", p.vars[0], p.vars[1], p.vars[2], p.vars[3]))
		}
	}
}

// FuzzPrograms holds compiled programs to what they plainly say.
func FuzzPrograms(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		seed := make([]byte, 400)
		for i := range seed {
			seed[i] = byte(rng.Uint32())
		}
		f.Add(seed)
	}
	h := newBench(f, request("INVITE sip:bob@127.0.0.1:5060", ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &plain{data: data}
		p.program()()
		want := strings.Join(p.log, "\n")
		src := allModules + `modparam("xlog", "prefix", "")` + "\n" + p.text.String()
		for _, noCopies := range []bool{false, true} {
			q, _, _, err := Load("x.cfg", []byte(src), Options{Modules: testModules, noCopies: noCopies})
			if err != nil {
				t.Fatalf("%s\nis refused: %v", p.text.String(), err)
			}
			q.onOneShard()
			h.t, h.calls = t, nil
			h.request(q)
			if got := strings.ReplaceAll(strings.Join(h.calls, "\n"), "log -1 ", ""); got != want {
				t.Fatalf("%s\nlogs\n%s\nwant\n%s\n(copies: %v)", p.text.String(), got, want, !noCopies)
			}
		}
	})
}
