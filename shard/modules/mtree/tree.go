package mtree

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/modules/dbtext"
)

// maxPrefix is the longest prefix, as in Kamailio. Beyond: the table is refused.
const maxPrefix = 63

// tree is a tree. It does not change; a reload makes another one.
type tree struct {
	name string
	kind int
	// next is the node that a character leads to, 0 is none: that of node n and the character of
	// index i is next[n*width+i].
	next   []int32
	values [][]value // of each node
	index  *[256]uint8
	width  int

	items int
	read  time.Time
	times int
}

// value is what a prefix has. Of several of one prefix the last one of the table stands first.
type value struct {
	text   []byte
	n      int64 // a number, or a destination
	weight int64
}

// noIndex is that of a character that is in no prefix.
const noIndex = 255

// read reads the trees of all tables, or one.
func (x *mtree) read(only string) (map[string]*tree, error) {
	var index [256]uint8
	for i := range index {
		index[i] = noIndex
	}
	if len(*x.chars) == 0 || len(*x.chars) >= noIndex {
		return nil, fmt.Errorf("char_list has 1 to %d characters", noIndex-1)
	}
	for i := range len(*x.chars) {
		index[(*x.chars)[i]] = uint8(i)
	}
	was := *x.trees.Load()
	all := map[string]*tree{}
	treeOf := func(name string, kind int) *tree {
		t := all[name]
		if t == nil {
			t = &tree{name: name, kind: kind, index: &index, width: len(*x.chars), times: 1,
				read: time.Now()}
			if old := was[name]; old != nil {
				t.times = old.times + 1
			}
			t.node()
			all[name] = t
		}
		return t
	}
	defs := x.defs
	if len(defs) == 0 && *x.table != "" {
		defs = []definition{{table: *x.table, kind: *x.kind, multi: true}}
	}
	for _, d := range defs {
		if only != "" && d.name != only && d.name != "" {
			continue
		}
		if err := x.readTable(d, treeOf); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readTable reads the table of a definition into the trees that treeOf gives; one without a name
// has a tree for each name in its rows.
func (x *mtree) readTable(d definition, treeOf func(name string, kind int) *tree) error {
	t, err := dbtext.Read(*x.url, d.table)
	if err != nil {
		return err
	}
	cols := d.cols
	if len(cols) == 0 {
		if cols = []string{*x.tprefix, *x.tvalue}; d.multi {
			cols = append(cols, *x.tname)
		}
	}
	at, err := t.Columns(cols...)
	if err != nil {
		return err
	}
	if d.name != "" {
		treeOf(d.name, d.kind)
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		name := d.name
		text := r.Text(at[1])
		switch {
		case len(d.cols) > 0:
			var parts []string
			for _, c := range at[1:] {
				parts = append(parts, r.Text(c))
			}
			text = strings.Join(parts, ",")
		case d.multi:
			if name = r.Text(at[2]); d.name != "" && name != d.name {
				continue
			}
		}
		v, err := valueOf(text, d.kind)
		if err == nil {
			err = treeOf(name, d.kind).add(r.Text(at[0]), v, *x.ignore, *x.allow)
		}
		if err != nil {
			return t.Errorf(r, "%w", err)
		}
	}
	return nil
}

// valueOf reads a value.
func valueOf(s string, kind int) (v value, err error) {
	v.text = []byte(s)
	number := func(s string) int64 {
		n, e := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("%q is no number", s)
		}
		return n
	}
	switch {
	case s == "":
		return v, fmt.Errorf("there is no value")
	case kind == numbers:
		v.n = number(s)
	case kind == dw:
		d, w, ok := strings.Cut(s, ":")
		if !ok {
			return v, fmt.Errorf("the value is %q; write DESTINATION\\:WEIGHT", s)
		}
		v.n, v.weight = number(d), number(w)
	}
	return v, err
}

// node adds a node and gives its number.
func (t *tree) node() int32 {
	t.next = append(t.next, make([]int32, t.width)...)
	t.values = append(t.values, nil)
	return int32(len(t.values) - 1)
}

// add adds a row.
func (t *tree) add(prefix string, v value, ignore, allow bool) error {
	if prefix == "" || len(prefix) > maxPrefix {
		return fmt.Errorf("the prefix %q has not 1 to %d characters", prefix, maxPrefix)
	}
	at := int32(0)
	for i := range len(prefix) {
		c := t.index[prefix[i]]
		if c == noIndex {
			return fmt.Errorf("the prefix %q has a %q, which is not in char_list", prefix, prefix[i:i+1])
		}
		slot := int(at)*t.width + int(c)
		if t.next[slot] == 0 {
			n := t.node()
			t.next[slot] = n
		}
		at = t.next[slot]
	}
	switch {
	case len(t.values[at]) == 0 || allow:
		t.values[at] = slices.Insert(t.values[at], 0, v)
		t.items++
	case !ignore:
		return fmt.Errorf("the prefix %q is there already: set mt_ignore_duplicates or "+
			"mt_allow_duplicates", prefix)
	}
	return nil
}

// walk calls f with the values of each prefix of key, the shortest first. It returns false for a
// character that is in no prefix, where the tree goes on.
func (t *tree) walk(key []byte, f func(n int, values []value)) bool {
	at := int32(0)
	for i, c := range key {
		x := t.index[c]
		if x == noIndex {
			return at != 0 && !t.goesOn(at)
		}
		if at = t.next[int(at)*t.width+int(x)]; at == 0 {
			break
		}
		if v := t.values[at]; len(v) > 0 {
			f(i+1, v)
		}
	}
	return true
}

// goesOn tells whether a node has further ones.
func (t *tree) goesOn(at int32) bool {
	for _, next := range t.next[int(at)*t.width : int(at+1)*t.width] {
		if next != 0 {
			return true
		}
	}
	return false
}

// each calls f with all prefixes, in order.
func (t *tree) each(chars string, f func(prefix string, values []value)) {
	var walk func(at int32, prefix []byte)
	walk = func(at int32, prefix []byte) {
		if v := t.values[at]; len(v) > 0 {
			f(string(prefix), v)
		}
		for i := range t.width {
			if n := t.next[int(at)*t.width+i]; n != 0 {
				walk(n, append(prefix, chars[i]))
			}
		}
	}
	walk(0, nil)
}
