// Package dialplan translates numbers, and other texts, by rules of a table: Kamailio's module
// dialplan. The table is a text file in the format of db_text (package dbtext), and its expressions
// are those of PCRE (package pcre).
package dialplan

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
)

// noPlan is what the functions are where no rule has the number of the dialplan.
const noPlan = -2

// dialplan is the module of one load.
type dialplan struct {
	url, table *string
	columns    [len(columnNames)]*string
	attrs      *string // the variable that takes the attributes of a rule
	dynamic    *bool
	delta      *time.Duration

	plans    atomic.Pointer[plans]
	vars     variables
	matchers *route.PerShard[pcre.Matcher]

	mu   sync.Mutex
	next time.Time // the table is not read again before
}

// columnNames are the columns of the table, by what the parameters call them.
var columnNames = [...]string{"dpid", "pr", "match_op", "match_exp", "match_len", "subst_exp",
	"repl_exp", "attrs"}

// Define is the module.
func Define(m *route.Module) { define(m) }

func define(m *route.Module) *dialplan {
	d := &dialplan{vars: variables{}}
	d.plans.Store(&plans{})
	d.url = m.Text("db_url", "", "Where the table is: \"text:///FOLDER\".")
	d.table = m.Text("table_name", "dialplan", "The table, a file in the folder of db_url.")
	for i, name := range columnNames {
		d.columns[i] = m.Text(name+"_col", name, "The name of the column "+name+".")
	}
	d.attrs = m.Text("attrs_pvar", "",
		"The variable for the attributes of the rule that matched.")
	d.dynamic = m.Bool("match_dynamic", false,
		"Whether the expressions of the table may hold variables.")
	d.delta = m.Duration("reload_delta", time.Second, 5, 0, route.MaxSeconds,
		"The minimum number of seconds between two reloads of the table.")
	m.IdleInt("the table is read at once", "fetch_rows")
	m.IdleInt("a Request-URI that a failure route changes is a branch in any case",
		"append_branch")
	d.matchers = route.NewPerShard[pcre.Matcher](m, nil)
	m.Ready(func() error {
		if *d.url == "" {
			_, err := dbtext.Path("", *d.table)
			return err
		}
		p, err := d.read()
		if err == nil {
			d.plans.Store(p)
			d.vars.collect(p)
		}
		return err
	})
	d.functions(m)
	d.commands(m)
	return d
}

// reload reads the table again. One with a mistake changes nothing.
func (d *dialplan) reload() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Before(d.next) {
		return errors.New("ongoing reload")
	}
	d.next = now.Add(*d.delta)
	p, err := d.read()
	if err == nil {
		err = d.vars.all(p)
	}
	if err == nil {
		d.plans.Store(p)
	}
	return err
}

func (d *dialplan) functions(m *route.Module) {
	id := route.Int("dpid", -1<<31, 1<<31-1, "the number of the dialplan", route.AsIs)
	input := route.Text("inval", "the text to translate")
	out := route.Writable("outvar", "the variable for the result")
	m.Func(route.Func{Name: "dp_translate", In: route.Anywhere,
		Args: []route.AnyArg{id, route.Optional(route.Special("src/dest",
			"the variables to read and to write, $rU/$rU by default; without the second one "+
				"nothing is written"), struct{}{})},
		Doc: "Translates a variable by the first rule that matches, and stores the attributes of " +
			"that rule. False: no rule matches, or its second expression does not; -2: there is " +
			"no such dialplan.",
		Build: func(b *route.Build) route.Call {
			id, ok := id.At(b, 0)
			src, dst := d.sourceAndDest(b)
			return d.call(b, ok && src != nil, &id, func(c *route.Ctx) ([]byte, route.Result) {
				v := src.Value(c)
				if v.IsNull() {
					return nil, -1
				}
				return c.TextOf(v), 1
			}, dst)
		}})
	m.Func(route.Func{Name: "dp_match", In: route.Anywhere, Args: []route.AnyArg{id, input},
		Doc: "Finds the first rule that matches, for its attributes. False: none does; -2: there " +
			"is no such dialplan.",
		Build: func(b *route.Build) route.Call {
			id, ok1 := id.At(b, 0)
			input, ok2 := input.At(b, 1)
			return d.call(b, ok1 && ok2, &id, input.Get, nil)
		}})
	m.Func(route.Func{Name: "dp_replace", In: route.Anywhere, Args: []route.AnyArg{id, input, out},
		Doc: "The same as dp_translate, for a text.",
		Build: func(b *route.Build) route.Call {
			id, ok1 := id.At(b, 0)
			input, ok2 := input.At(b, 1)
			out, ok3 := out.At(b, 2)
			dst, _ := out.Known()
			return d.call(b, ok1 && ok2 && ok3, &id, input.Get, dst)
		}})
	route.Func0(m, "dp_reload", route.Anywhere,
		"Reads the table again, beside the shards. Mistakes in it are logged. False: it was just "+
			"read.",
		d.reloadBeside)
}

// reloadBeside has the table read by a goroutine.
func (d *dialplan) reloadBeside(c *route.Ctx) route.Result {
	if !d.mu.TryLock() {
		return -1
	}
	soon := time.Now().Before(d.next)
	d.mu.Unlock()
	if soon {
		return -1
	}
	log := c.Shard.Log
	go func() {
		if err := d.reload(); err != nil {
			log.Log(-1, []byte("dialplan: "+err.Error()))
		}
	}()
	return 1
}

// sourceAndDest are the variables of dp_translate. The first is nil after an error.
func (d *dialplan) sourceAndDest(b *route.Build) (src, dst *route.Place) {
	text := "$rU/$rU"
	at := route.WholeCall
	if b.Args() > 1 {
		var ok bool
		if text, ok = b.Literal(1); !ok {
			b.Errorf(1, "dp_translate wants two variables in quotes, such as \"$var(x)/$var(y)\"")
			return nil, nil
		}
		at = 1
	}
	from, to, both := strings.Cut(text, "/")
	if src = b.Place(at, from); src == nil || !both {
		return src, nil
	}
	if dst = b.Place(at, to); dst == nil {
		return nil, nil
	}
	if dst.Set == nil {
		b.Errorf(at, "dp_translate cannot write to %s", route.Quote(to))
		return nil, nil
	}
	return src, dst
}

// call is a call of one of the functions: dst takes the result, if it is not nil.
func (d *dialplan) call(b *route.Build, ok bool, id *route.Input[int],
	input func(c *route.Ctx) ([]byte, route.Result), dst *route.Place) route.Call {
	ok = d.vars.compile(b) && ok
	var attrs *route.Place
	if *d.attrs != "" {
		if attrs = b.Variable(*d.attrs, "attrs_pvar"); attrs == nil {
			return nil
		}
	}
	if !ok {
		return nil
	}
	return func(c *route.Ctx) route.Result {
		n, r := id.Get(c)
		if r <= 0 {
			return r
		}
		in, r := input(c)
		if r <= 0 {
			return r
		}
		p := (*d.plans.Load())[n]
		switch {
		case p == nil:
			return noPlan
		case len(in) == 0:
			return -1
		}
		m := d.matchers.Of(c)
		rule := p.match(c, m, in)
		if rule == nil {
			return -1
		}
		if dst != nil {
			v, ok := rule.translate(c, m, in)
			if !ok {
				return -1
			}
			// Without a replacement the text stays what it is.
			if v.IsText() && len(v.S) > 0 {
				if r := dst.Put(c, v); r <= 0 {
					return r
				}
			}
		}
		if attrs != nil {
			return attrs.Put(c, route.TextValue(rule.attrs))
		}
		return 1
	}
}
