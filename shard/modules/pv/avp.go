package pv

import (
	"fmt"
	"strings"

	"viaduct/shard/route"
)

// avpNames are further names of AVPs, which the parameter avp_aliases gives.
type avpNames map[string]string

// take reads "name=avp;name=avp".
func (a avpNames) take(s string) error {
	for _, one := range strings.Split(s, ";") {
		name, avp, ok := strings.Cut(one, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return fmt.Errorf("is %s; it is written name=avp;name=avp, as in "+
				"\"email=s:mail;id=i:5\"",
				route.Quote(s))
		}
		a[name] = strings.TrimSpace(avp)
	}
	return nil
}

// define declares $avp.
func (a avpNames) define(m *route.Module) {
	m.Var(route.Var{Name: "avp", Inner: "name", Index: "a number, a variable or *",
		Doc: "The newest value kept under the name with the transaction; [n] is the one n " +
			"before it, [-1] the oldest, [*] are all. (In Kamailio 5.6.3 [-1] of several values is " +
			"null; its cookbook has the oldest.) Assigning adds one, and replaces all of them with [*].",
		Compile: func(b *route.VarBuild, inner, index string) route.Place {
			if full, ok := a[inner]; ok {
				inner = full
			}
			key := avpKey(b, inner)
			at, ok := b.Index(index)
			if !ok || key == nil {
				return route.Place{}
			}
			return route.Place{
				AVP: key,
				Any: func(c *route.Ctx) route.Value {
					k, k1 := c.Kept(), key(c)
					n, all := at.At(c)
					if all {
						return allOf(c, k, &k1)
					}
					return valueOf(k, k.Nth(route.AVPs, &k1, false, n))
				},
				Set: func(c *route.Ctx, v route.Value) route.SetResult {
					_, all := at.At(c)
					k1 := key(c)
					return setAVP(c.Kept(), &k1, all, v)
				},
			}
		}})
}

// avpKey compiles the name of an AVP: a text, s:text, i:number, or one variable.
func avpKey(b *route.VarBuild, inner string) func(c *route.Ctx) route.Key {
	if strings.HasPrefix(inner, "$") {
		val := b.Variable(inner)
		if val == nil {
			return nil
		}
		return func(c *route.Ctx) route.Key {
			v := val(c)
			if v.IsInt() {
				return route.KeyOf(c.Built(v.Append(append(c.Room(), numbered...))).S)
			}
			return route.KeyOf(v.S)
		}
	}
	name := []byte(strings.TrimPrefix(inner, "s:"))
	if n, ok := strings.CutPrefix(inner, "i:"); ok {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			b.Errorf("$avp(%s): i: is followed by a number", inner)
			return nil
		}
		name = append([]byte(numbered), n...)
	}
	key := route.KeyOf(name)
	return func(*route.Ctx) route.Key { return key }
}

// numbered is what the key of an AVP begins with whose name is a number: 5 and "5" are two names.
const numbered = "\x00"

// valueOf is the value of an item, null if there is none.
func valueOf(k *route.Kept, i route.Item) route.Value {
	if i == 0 {
		return route.Null
	}
	return k.Value(i)
}

// allOf joins all values, newest first.
func allOf(c *route.Ctx, k *route.Kept, key *route.Key) route.Value {
	i := k.Named(k.First(route.AVPs), key, false)
	if i == 0 {
		return route.Null
	}
	b := k.Value(i).Append(c.Room())
	for i = k.Named(k.Next(i), key, false); i != 0; i = k.Named(k.Next(i), key, false) {
		b = k.Value(i).Append(append(b, ", "...))
	}
	return c.Built(b)
}

// setAVP adds a value, or takes the newest one away.
func setAVP(k *route.Kept, key *route.Key, all bool, v route.Value) route.SetResult {
	if all {
		k.RemoveAll(route.AVPs, key, false)
	}
	if v.IsNull() {
		if i := k.Nth(route.AVPs, key, false, 0); i != 0 {
			k.Remove(route.AVPs, i)
		}
		return route.SetDone
	}
	return stored(k.Push(route.AVPs, key, v) != 0)
}

// stored is what an assignment says of the room for it.
func stored(ok bool) route.SetResult {
	if !ok {
		return route.SetTooLong
	}
	return route.SetDone
}
