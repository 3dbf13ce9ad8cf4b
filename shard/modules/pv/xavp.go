package pv

import (
	"strings"

	"viaduct/shard/route"
)

// listKind is one of the variables that hold lists of lists.
type listKind struct {
	name    string
	list    route.Item
	anyCase bool
}

var (
	xavp = listKind{"xavp", route.XAVPs, false}
	xavu = listKind{"xavu", route.XAVUs, false}
	xavi = listKind{"xavi", route.XAVIs, true}
)

// lists declares $xavp, $xavi and $xavu.
func lists(m *route.Module) {
	const doc = "A field of the newest list of that name, kept with the transaction. Assigning " +
		"makes a new list, with an index behind the first name a new field of that one, with one " +
		"behind the second another value. $null removes. With [*] behind the second it reads as all " +
		"values, with a comma between them."
	m.Var(route.Var{Name: "xavp", Inner: "name[n]=>field[n]", Doc: doc, Compile: xavp.compile})
	m.Var(route.Var{Name: "xavi", Inner: "name[n]=>field[n]",
		Doc: "The same as $xavp, ignoring the case of names.", Compile: xavi.compile})
	m.Var(route.Var{Name: "xavu", Inner: "name=>name=>name",
		Doc: "The one value of a name, or of a name in a list.", Compile: compileXavu})
}

// part is a name with its index.
type part struct {
	key     route.Key
	at      route.Index
	indexed bool
}

// path is name[n]=>field[n].
type path struct {
	listKind
	root, field part
	deep        bool // there is a field
	shown       []byte
}

// parts takes name[n]=>name[n]=>… apart; nil after an error.
func parts(b *route.VarBuild, inner string) []part {
	var list []part
	for _, s := range splitArrows(inner) {
		name, index, ok := strings.Cut(s, "[")
		p := part{key: route.KeyOf([]byte(strings.TrimSpace(name))), indexed: ok}
		if strings.TrimSpace(name) == "" ||
			ok && !strings.HasSuffix(strings.TrimSpace(index), "]") {
			b.Errorf("%s is no name[index]=>name[index]", route.Quote(inner))
			return nil
		}
		if ok {
			index = strings.TrimSpace(index)
			if p.at, ok = b.Index(index[:len(index)-1]); !ok {
				return nil
			}
		}
		list = append(list, p)
	}
	return list
}

// splitArrows cuts at => outside of brackets.
func splitArrows(s string) (list []string) {
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '[' || s[i] == '(':
			depth++
		case s[i] == ']' || s[i] == ')':
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], "=>"):
			list = append(list, s[from:i])
			from, i = i+2, i+1
		}
	}
	return append(list, s[from:])
}

func (l listKind) compile(b *route.VarBuild, inner, _ string) route.Place {
	list := parts(b, inner)
	if list == nil {
		return route.Place{}
	}
	if len(list) > 2 {
		b.Warnf("$%s has two levels, as in Kamailio: what stands behind the second name is ignored",
			l.name)
	}
	p := &path{listKind: l, root: list[0], deep: len(list) > 1}
	if p.deep {
		p.field = list[1]
	}
	name, _, _ := strings.Cut(strings.TrimSpace(inner), "[")
	p.shown = []byte("<<" + l.name + ":" + name + ">>")
	return route.Place{Any: p.read, Set: p.set}
}

// find is the item at an index. It is 0 if there is none.
func (l *listKind) find(c *route.Ctx, in route.Item, p *part) route.Item {
	n, all := p.at.At(c)
	if all {
		n = 0
	}
	return c.Kept().Nth(in, &p.key, l.anyCase, n)
}

func (p *path) read(c *route.Ctx) route.Value {
	k := c.Kept()
	i := p.find(c, p.list, &p.root)
	if i != 0 && p.deep {
		if !k.IsList(i) {
			return route.Null
		}
		if _, all := p.field.at.At(c); all {
			return p.joined(c, i)
		}
		i = p.find(c, i, &p.field)
	}
	if i != 0 && k.IsList(i) {
		return route.TextValue(p.shown)
	}
	return valueOf(k, i)
}

// joined is the text of all values of a field, newest first, as of [*]. It is null if there is
// none.
func (p *path) joined(c *route.Ctx, in route.Item) route.Value {
	k, b := c.Kept(), c.Room()
	for n := 0; ; n++ {
		i := k.Nth(in, &p.field.key, p.anyCase, n)
		if i == 0 && n == 0 {
			return route.Null
		}
		if i == 0 {
			return c.Built(b)
		}
		if n > 0 {
			b = append(b, ", "...)
		}
		if k.IsList(i) {
			b = append(b, p.shown...)
		} else {
			b = valueOf(k, i).Append(b)
		}
	}
}

func (p *path) set(c *route.Ctx, v route.Value) route.SetResult {
	k := c.Kept()
	switch {
	case !p.deep:
		return p.setIn(c, p.list, &p.root, v)
	case !p.root.indexed && !v.IsNull():
		i := k.Push(p.list, &p.root.key, route.Null)
		return stored(i != 0 && k.Push(i, &p.field.key, v) != 0)
	}
	if _, all := p.root.at.At(c); all && !v.IsNull() {
		return route.SetRefused // [*] names no list to add to
	}
	i := p.find(c, p.list, &p.root)
	switch {
	case i != 0 && k.IsList(i):
		return p.setIn(c, i, &p.field, v)
	case v.IsNull():
		return route.SetDone
	}
	return route.SetRefused
}

// setIn adds to a list, replaces what an index names, or removes.
func (p *path) setIn(c *route.Ctx, in route.Item, at *part, v route.Value) route.SetResult {
	k := c.Kept()
	if _, all := at.at.At(c); all {
		k.RemoveAll(in, &at.key, p.anyCase)
		if v.IsNull() {
			return route.SetDone
		}
		return stored(k.Push(in, &at.key, v) != 0)
	}
	if !at.indexed && !v.IsNull() {
		return stored(k.Push(in, &at.key, v) != 0)
	}
	i := p.find(c, in, at)
	switch {
	case i == 0 && v.IsNull():
		return route.SetDone
	case i == 0:
		return route.SetRefused
	case v.IsNull():
		k.Remove(in, i)
		return route.SetDone
	}
	return stored(k.Replace(i, v))
}

// compileXavu is $xavu: a tree with one value under each name.
func compileXavu(b *route.VarBuild, inner, _ string) route.Place {
	list := parts(b, inner)
	if list == nil {
		return route.Place{}
	}
	last := len(list) - 1
	// above is the list that the last name stands in; 0 means there is none.
	above := func(k *route.Kept) route.Item {
		in := route.XAVUs
		for i := range list[:last] {
			if in = k.Nth(in, &list[i].key, false, 0); in == 0 || !k.IsList(in) {
				return 0
			}
		}
		return in
	}
	return route.Place{NoRoom: true,
		Any: func(c *route.Ctx) route.Value {
			k := c.Kept()
			if in := above(k); in != 0 {
				return valueOf(k, k.Nth(in, &list[last].key, false, 0))
			}
			return route.Null
		},
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			k := c.Kept()
			if v.IsNull() {
				if in := above(k); in != 0 {
					k.RemoveAll(in, &list[last].key, false)
				}
				return route.SetDone
			}
			in := route.XAVUs
			for i := range list[:last] {
				next := k.Nth(in, &list[i].key, false, 0)
				if next == 0 {
					if next = k.Push(in, &list[i].key, route.Null); next == 0 {
						return route.SetTooLong
					}
				}
				if in = next; !k.IsList(in) && !k.Replace(in, route.Null) { // a list in its place
					return route.SetTooLong
				}
			}
			return stored(setOne(k, in, &list[last].key, false, v))
		}}
}

// setOne gives the newest item of a name another value, or makes it.
func setOne(k *route.Kept, in route.Item, key *route.Key, anyCase bool, v route.Value) bool {
	if i := k.Nth(in, key, anyCase, 0); i != 0 {
		return k.Replace(i, v)
	}
	return k.Push(in, key, v) != 0
}
