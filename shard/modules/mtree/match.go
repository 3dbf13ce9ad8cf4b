package mtree

import "viaduct/shard/route"

// writer writes what a match gives.
type writer struct{ value, values, dst, weight, count *route.Place }

// writer has the variables that the parameters name; nil after an error.
func (x *mtree) writer(b *route.Build) *writer {
	w := &writer{}
	for _, v := range []struct {
		place **route.Place
		text  *string
		param string
	}{
		{&w.value, x.value, "pv_value"}, {&w.values, x.values, "pv_values"}, {&w.dst, x.dst, "pv_dstid"},
		{&w.weight, x.weigh, "pv_weight"}, {&w.count, x.count, "pv_count"},
	} {
		if *v.place = b.Variable(*v.text, v.param); *v.place == nil {
			return nil
		}
	}
	return w
}

// forget takes away what an AVP has from a match before.
func forget(c *route.Ctx, p *route.Place) {
	if p.AVP != nil {
		key := p.AVP(c)
		c.Kept().RemoveAll(route.AVPs, &key, false)
	}
}

// match looks for key and writes what it finds.
func (w *writer) match(c *route.Ctx, t *tree, key []byte, mode int) route.Result {
	var found [maxPrefix][]value
	n := 0
	if !t.walk(key, func(_ int, values []value) {
		found[n] = values
		n++
	}) || n == 0 {
		return -1
	}
	switch {
	case t.kind == dw:
		return w.destinations(c, found[:n])
	case mode != 2:
		return w.value.Put(c, t.valueOf(found[n-1][0]))
	}
	forget(c, w.values)
	for _, values := range found[:n] { // the last that is put is the first that is read
		for i := len(values) - 1; i >= 0; i-- {
			if r := w.values.Put(c, t.valueOf(values[i])); r <= 0 {
				return r
			}
		}
	}
	return 1
}

func (t *tree) valueOf(v value) route.Value {
	if t.kind == numbers {
		return route.IntValue(v.n)
	}
	return route.TextValue(v.text)
}

// destinations writes those of all prefixes by weight, each once, with the weight of its longest
// prefix.
func (w *writer) destinations(c *route.Ctx, found [][]value) route.Result {
	var all [maxPrefix]value
	n := 0
next:
	for i := len(found) - 1; i >= 0; i-- {
		v := found[i][0]
		for _, had := range all[:n] {
			if had.n == v.n {
				continue next
			}
		}
		at := n // behind all of the same weight
		for at > 0 && all[at-1].weight > v.weight {
			all[at] = all[at-1]
			at--
		}
		all[at] = v
		n++
	}
	forget(c, w.dst)
	forget(c, w.weight)
	for i := n - 1; i >= 0; i-- {
		if r := min(w.dst.Put(c, route.IntValue(all[i].n)),
			w.weight.Put(c, route.IntValue(all[i].weight))); r <= 0 {
			return r
		}
	}
	return w.count.Put(c, route.IntValue(int64(n)))
}
