package dialplan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
)

// plans are the dialplans of a table, by number. They do not change; a reload makes others.
type plans map[int]*plan

// plan is one dialplan.
type plan struct {
	// rules are those of texts of any length, by priority and then as in the table.
	rules []*rule
	// long are those of texts of one length, which come first.
	long map[int][]*rule
}

// rule is a row of the table.
type rule struct {
	file       string
	line       int
	pr, op, n  int64
	exp, subst expression
	repl       text
	source     string // of repl
	attrs      []byte
}

// The operators of match_op.
const (
	equal = iota
	matches
	fnmatch
)

// expression is a pattern, or one with variables that is compiled when it is met.
type expression struct {
	source string
	known  *pcre.Pattern
	text   text
}

// pattern is the compiled expression, nil if it is none.
func (x *expression) pattern(c *route.Ctx, m *pcre.Matcher) *pcre.Pattern {
	if x.known != nil || x.source == "" {
		return x.known
	}
	return m.Cached(x.text.appendTo(c, c.Room(), m, nil), 0)
}

// match is the first rule that matches, nil if there is none.
func (p *plan) match(c *route.Ctx, m *pcre.Matcher, in []byte) *rule {
	for _, rules := range [...][]*rule{p.long[len(in)], p.rules} {
		for _, r := range rules {
			if r.matches(c, m, in) {
				return r
			}
		}
	}
	return nil
}

func (r *rule) matches(c *route.Ctx, m *pcre.Matcher, in []byte) bool {
	switch r.op {
	case equal:
		return string(in) == r.exp.source
	case fnmatch:
		return route.Fnmatch([]byte(r.exp.source), in, false)
	}
	if r.exp.source == "" {
		return true
	}
	p := r.exp.pattern(c, m)
	return p != nil && m.Match(p, in)
}

// translate is what the rule makes of a text that it matches: null where it has no replacement. It
// returns false if the second expression does not match.
func (r *rule) translate(c *route.Ctx, m *pcre.Matcher, in []byte) (route.Value, bool) {
	switch {
	case len(r.repl) == 0:
		return route.Null, true
	case r.subst.source == "": // as it stands
		return route.TextValue(r.repl[0].text), true
	}
	p := r.subst.pattern(c, m)
	if p == nil || !m.Find(p, in) {
		return route.Null, false
	}
	return c.Built(r.repl.appendTo(c, c.Room(), m, in)), true
}

// read reads the table.
func (d *dialplan) read() (*plans, error) {
	t, err := dbtext.Read(*d.url, *d.table)
	if err != nil {
		return nil, err
	}
	var names [len(columnNames)]string
	for i := range names {
		names[i] = *d.columns[i]
	}
	at, err := t.Columns(names[:]...)
	if err != nil {
		return nil, err
	}
	all := plans{}
	for i := range t.Rows {
		row := &t.Rows[i]
		r, err := d.rule(row, at)
		if err != nil {
			return nil, t.Errorf(row, "%w", err)
		}
		r.file, r.line = t.File, row.Line
		id := int(row.Int(at[0]))
		p := all[id]
		if p == nil {
			p = &plan{long: map[int][]*rule{}}
			all[id] = p
		}
		if r.n == 0 {
			p.rules = append(p.rules, r)
		} else {
			p.long[int(r.n)] = append(p.long[int(r.n)], r)
		}
	}
	for _, p := range all {
		p.sort()
	}
	return &all, nil
}

// all are the rules in the order in which they are tried: those of the shortest length first.
func (p *plan) all() (all []*rule) {
	for _, n := range slices.Sorted(maps.Keys(p.long)) {
		all = append(all, p.long[n]...)
	}
	return append(all, p.rules...)
}

// sort brings the rules of each length into the order in which they are tried.
func (p *plan) sort() {
	order := func(a, b *rule) int { return cmp.Compare(a.pr, b.pr) }
	slices.SortStableFunc(p.rules, order)
	for _, rules := range p.long {
		slices.SortStableFunc(rules, order)
	}
}

// rule reads a row whose columns are at these places.
func (d *dialplan) rule(row *dbtext.Row, at []int) (*rule, error) {
	r := &rule{pr: row.Int(at[1]), op: row.Int(at[2]), n: row.Int(at[4]),
		attrs: []byte(row.Text(at[7]))}
	var err error
	switch r.op {
	case equal, fnmatch:
		r.exp.source = row.Text(at[3])
	case matches:
		if r.exp, err = d.expression(columnNames[3], row.Text(at[3])); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("match_op is %d: write 0 for equal, 1 for a regular expression, 2 "+
			"for fnmatch", r.op)
	}
	if r.subst, err = d.expression(columnNames[5], row.Text(at[5])); err != nil {
		return nil, err
	}
	r.source = row.Text(at[6])
	repl := r.source
	switch {
	case repl == "":
	case r.subst.source == "":
		r.repl = text{{text: []byte(repl)}}
	default:
		if r.repl, err = replacement(repl, d.vars); err != nil {
			return nil, err
		}
		err = r.repl.within(repl, &r.subst)
	}
	return r, err
}

// expression compiles an expression of a column.
func (d *dialplan) expression(column, s string) (x expression, err error) {
	x.source = s
	switch {
	case s == "":
		return x, nil
	case *d.dynamic:
		if x.text = dynamic(s, d.vars); x.text.hasVariable() {
			return x, nil
		}
	}
	if x.known, err = pcre.Compile(s, 0); err != nil {
		return x, fmt.Errorf("%s: %w", column, err)
	}
	return x, nil
}
