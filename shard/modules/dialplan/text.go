package dialplan

import (
	"fmt"
	"strings"

	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
)

// text is a text of the table in pieces.
type text []piece

// piece is a text as it stands, a variable, or what a group has matched.
type piece struct {
	text  []byte
	v     *variable
	group int // -1: it is none; for a text and a variable
}

// variable is a variable that the table names. Its place is compiled with the routes, so that a
// reload of the table alone knows those that were there, and no others.
type variable struct {
	name  string
	place *route.Place
}

// variables are those of the table, by what stands there.
type variables map[string]*variable

// appendTo writes the text. m has the groups, which are pieces of in.
func (t text) appendTo(c *route.Ctx, dst []byte, m *pcre.Matcher, in []byte) []byte {
	for i := range t {
		switch p := &t[i]; {
		case p.v != nil:
			// What a variable builds stands behind what is written so far, and a null is nothing.
			kept := c.Built(dst)
			var b []byte
			if v := p.v.place.Value(c); !v.IsNull() {
				b = c.TextOf(v)
			}
			dst = append(append(c.Room(), kept.S...), b...)
		case p.group >= 0 && p.text == nil:
			dst = append(dst, m.Group(in, p.group)...)
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst
}

func (t text) hasVariable() bool {
	for _, p := range t {
		if p.v != nil {
			return true
		}
	}
	return false
}

// add adds a byte to the text at the end.
func (t text) add(c byte) text {
	if n := len(t); n > 0 && t[n-1].text != nil {
		t[n-1].text = append(t[n-1].text, c)
		return t
	}
	return append(t, piece{text: []byte{c}, group: -1})
}

// replacement reads repl_exp: \0 to \9 are what the groups of subst_exp matched, $name a variable,
// and a backslash before another character takes its meaning.
func replacement(s string, vars variables) (t text, err error) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch c := s[i]; {
			case c >= '0' && c <= '9':
				t = append(t, piece{group: int(c - '0')})
			default:
				if at := strings.IndexByte("nrt", c); at >= 0 {
					c = "\n\r\t"[at]
				}
				t = t.add(c)
			}
		case s[i] == '$' && strings.HasPrefix(s[i+1:], "$"):
			i++
			t = t.add('$')
		case s[i] == '$':
			n := route.VariableLen(s[i:])
			if n == 0 {
				return nil, fmt.Errorf("repl_exp is %q, and there is no variable at %q: write \\$ "+
					"for the character", s, s[i:])
			}
			t = append(t, piece{v: vars.named(s[i : i+n]), group: -1})
			i += n - 1
		default:
			t = t.add(s[i])
		}
	}
	return t, nil
}

// dynamic reads an expression with variables. A $ that begins none is that of the expression.
func dynamic(s string, vars variables) (t text) {
	for i := 0; i < len(s); i++ {
		if n := 0; s[i] == '$' {
			if n = route.VariableLen(s[i:]); n > 0 {
				t = append(t, piece{v: vars.named(s[i : i+n]), group: -1})
				i += n - 1
				continue
			}
		}
		t = t.add(s[i])
	}
	return t
}

// within tells whether the groups are those of an expression.
func (t text) within(repl string, x *expression) error {
	most := 0
	for _, p := range t {
		if p.text == nil {
			most = max(most, p.group)
		}
	}
	if x.known != nil && most > x.known.Groups() {
		return fmt.Errorf("repl_exp %q has \\%d, and subst_exp %q has %d groups", repl, most,
			x.source, x.known.Groups())
	}
	return nil
}

// named is a variable by its name. It is a new one where the routes do not know it.
func (vars variables) named(name string) *variable {
	if v := vars[name]; v != nil {
		return v
	}
	return &variable{name: name}
}

// each calls f with each place of a table that has a variable.
func (p *plans) each(f func(r *rule, at *piece) error) error {
	for _, plan := range *p {
		for _, r := range plan.all() {
			for _, t := range [...]text{r.exp.text, r.subst.text, r.repl} {
				for i := range t {
					if t[i].v == nil {
						continue
					}
					if err := f(r, &t[i]); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// collect makes the variables of the first table those that the routes will know.
func (vars variables) collect(p *plans) {
	p.each(func(_ *rule, at *piece) error {
		if vars[at.v.name] == nil {
			vars[at.v.name] = at.v
		}
		at.v = vars[at.v.name]
		return nil
	})
}

// compile compiles the variables, once, with the first call of a function. It returns false after
// an error.
func (vars variables) compile(b *route.Build) bool {
	for name, v := range vars {
		if v.place != nil {
			continue
		}
		if v.place = b.Place(route.WholeCall, name); v.place == nil {
			return false
		}
	}
	return true
}

// all wants the routes to know each variable of a table.
func (vars variables) all(p *plans) error {
	return p.each(func(r *rule, at *piece) error {
		if at.v.place == nil {
			return fmt.Errorf("%s:%d: %s was not in the table when the configuration was loaded: "+
				"reload that", r.file, r.line, at.v.name)
		}
		return nil
	})
}
