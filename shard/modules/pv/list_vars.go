package pv

import "viaduct/shard/route"

// betweenVars declares the functions that copy $var into $xavp and back, by names that are texts.
func betweenVars(m *route.Module) {
	name := named("name", "the name of a $var of the file; *: all that are no empty text")
	route.Func2(m, "pv_var_to_xavp", route.Anywhere, name, rootArg,
		"Makes a list of a $var, or of all. It takes the place of all lists of that name. "+
			"False: there is no such $var, or a name is empty.",
		func(c *route.Ctx, name, root []byte) route.Result {
			if len(name) == 0 || len(root) == 0 {
				return -1
			}
			k, rk := c.Kept(), route.KeyOf(root)
			k.RemoveAll(route.XAVPs, &rk, false)
			if string(name) != "*" {
				v, there := c.VarNamed(name)
				fk := route.KeyOf(name)
				return route.Truth(there && pushField(k, &rk, &fk, v))
			}
			in := k.Push(route.XAVPs, &rk, route.Null)
			whole := in != 0
			c.VarsNamed(func(name string, v route.Value) bool {
				if v.IsText() && len(v.S) == 0 {
					return true
				}
				fk := route.KeyOf(append(c.Room(), name...))
				whole = whole && k.Push(in, &fk, v) != 0
				return whole
			})
			return route.Truth(whole)
		})
	route.Func1(m, "pv_xavp_to_var", route.Anywhere, rootArg,
		"Sets the $var of the file that have the names of a list's fields. If there are several "+
			"lists of that name, or several fields, the oldest one counts. False: there is no such "+
			"list.",
		func(c *route.Ctx, root []byte) route.Result {
			k, rk := c.Kept(), route.KeyOf(root)
			if in := k.Nth(route.XAVPs, &rk, false, 0); in == 0 || !k.IsList(in) {
				return -1
			}
			for n := 0; ; n++ {
				in := k.Nth(route.XAVPs, &rk, false, n)
				if in == 0 {
					return 1
				}
				if !k.IsList(in) {
					continue
				}
				for i := k.First(in); i != 0; i = k.Next(i) {
					if k.IsList(i) {
						continue
					}
					if c.SetVarNamed(k.Name(i), k.Value(i)) == route.SetTooLong {
						return -1
					}
				}
			}
		})
}

// pushField makes a new list with one field.
func pushField(k *route.Kept, root, field *route.Key, v route.Value) bool {
	in := k.Push(route.XAVPs, root, route.Null)
	return in != 0 && k.Push(in, field, v) != 0
}
