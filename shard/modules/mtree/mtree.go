// Package mtree finds values by the longest prefix of a text: Kamailio's module mtree. The trees
// are read from tables in the format of db_text into memory.
package mtree

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/route"
)

// mtree is the module of one load.
type mtree struct {
	url, table                *string
	tname, tprefix, tvalue    *string
	chars                     *string
	kind                      *int
	ignore, allow             *bool
	value, values, dst, weigh *string // the variables that are written
	count                     *string

	defs  []definition
	trees atomic.Pointer[map[string]*tree]
	mu    sync.Mutex // held by who reads tables
}

// definition is a parameter mtree.
type definition struct {
	name, table string
	cols        []string
	kind        int
	multi       bool
}

// Kinds of trees.
const (
	texts   = 0
	dw      = 1 // "destination:weight"
	numbers = 2
)

// Define is the module.
func Define(m *route.Module) {
	x := &mtree{}
	x.trees.Store(&map[string]*tree{})
	x.url = m.Text("db_url", "", "Where the tables are: \"text:///FOLDER\".")
	x.table = m.Text("db_table", "",
		"A table of many trees, told apart by tname_column. It is ignored if there is an mtree "+
			"parameter.")
	m.Each("mtree", x.define, "A tree, "+
		"\"name=NAME;dbtable=TABLE;type=TYPE;multi=0;cols='KEY,VALUE…'\": type 0 has texts, 1 "+
		"\"destination:weight\", 2 numbers. With multi 1 the tree takes the rows that have its "+
		"name.")
	x.tname = m.Text("tname_column", "tname", "The column with the name of a tree.")
	x.tprefix = m.Text("tprefix_column", "tprefix", "The column with the prefix.")
	x.tvalue = m.Text("tvalue_column", "tvalue", "The column with the value.")
	x.chars = m.Text("char_list", "0123456789", "The characters that prefixes may have.")
	x.kind = m.Int("mt_tree_type", texts, texts, numbers, "The type of the trees of db_table.")
	x.ignore = m.Bool("mt_ignore_duplicates", false,
		"Whether, of several rows with the same prefix, only the first counts.")
	x.allow = m.Bool("mt_allow_duplicates", false,
		"Whether several rows may have the same prefix; the last one comes first.")
	x.value = m.Text("pv_value", "$avp(s:tvalue)", "The variable for the value.")
	x.values = m.Text("pv_values", "$avp(s:tvalues)",
		"The AVP for the values of all prefixes, that of the longest first.")
	x.dst = m.Text("pv_dstid", "$avp(s:tdstid)",
		"The AVP for destinations, that with the smallest weight first.")
	x.weigh = m.Text("pv_weight", "$avp(s:tweight)", "The AVP for their weights.")
	x.count = m.Text("pv_count", "$avp(s:tcount)", "The variable for the number of values.")
	m.IdleInt("a table is read at once", "fetch_rows")
	m.Ready(func() error {
		if *x.url == "" {
			_, err := dbtext.Path("", *x.table)
			return err
		}
		all, err := x.read("")
		if err == nil {
			x.trees.Store(&all)
		}
		return err
	})

	name := route.Text("mtree", "the name of the tree")
	key := route.Text("pv", "the text whose prefixes are looked up")
	mode := route.Int("mode", 0, 2, "2: the values of all prefixes", route.AsIs)
	m.Func(route.Func{Name: "mt_match", In: route.Anywhere, Args: []route.AnyArg{name, key, mode},
		Doc: "Finds the value of the longest prefix of a text. False: there is none, there is no " +
			"such tree, or the text has a character that no prefix may have where the tree goes on.",
		Build: func(b *route.Build) route.Call {
			name, ok1 := name.At(b, 0)
			key, ok2 := key.At(b, 1)
			mode, ok3 := mode.At(b, 2)
			w := x.writer(b)
			if !ok1 || !ok2 || !ok3 || w == nil {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				name, r1 := name.Get(c)
				key, r2 := key.Get(c)
				mode, r3 := mode.Get(c)
				if r := min(r1, r2, r3); r <= 0 {
					return r
				}
				t := (*x.trees.Load())[string(name)]
				if t == nil {
					return -1
				}
				return w.match(c, t, key, mode)
			}
		}})
	x.commands(m)
}

// define reads a parameter mtree.
func (x *mtree) define(s string) error {
	d := definition{}
	for _, part := range strings.Split(s, ";") {
		name, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		v = strings.Trim(strings.TrimSpace(v), `"'`)
		switch {
		case name == "" && !ok:
			continue
		case name == "name" && ok:
			d.name = v
		case name == "dbtable" && ok:
			d.table = v
		case name == "type" && ok && len(v) == 1 && v[0] >= '0' && v[0] <= '2':
			d.kind = int(v[0] - '0')
		case name == "multi" && ok && (v == "0" || v == "1"):
			d.multi = v == "1"
		case name == "cols" && ok:
			for _, c := range strings.Split(v, ",") {
				d.cols = append(d.cols, strings.TrimSpace(c))
			}
		default:
			return fmt.Errorf("mtree %q: %q is not possible: write name=NAME;dbtable=TABLE, and "+
				"perhaps type=0, 1 or 2, multi=0 or 1, cols='KEY,VALUE'", s, part)
		}
	}
	switch {
	case d.name == "" || d.table == "":
		return fmt.Errorf("mtree %q: write name=NAME;dbtable=TABLE", s)
	case len(d.cols) == 1:
		return fmt.Errorf("mtree %q: cols has the prefix's column and one more at least", s)
	case len(d.cols) > 0 && (d.kind != texts || d.multi):
		return fmt.Errorf("mtree %q: cols goes with type=0 and multi=0", s)
	}
	x.defs = append(x.defs, d)
	return nil
}
