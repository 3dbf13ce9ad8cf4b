package dispatcher

import (
	"net/netip"
	"strings"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// Bits of ds_is_from_list's mode.
const (
	anyPort = 1 << iota
	anyProto
	onlyActive
)

// lists are the functions that look into the sets.
func lists(m *route.Module) {
	setID := m.Text("setid_pvname", "",
		"The variable to which ds_is_from_list writes the number of the set.")
	attrs := m.Text("attrs_pvname", "", "The variable for the attributes of the destination that "+
		"ds_is_from_list finds.")

	set := route.Optional(route.Int("set", -1, 1<<31-1, "the number of the set; -1 means all",
		route.AsIs), -1)
	mode := route.Optional(route.Int("mode", 0, 7,
		"1: any port. 2: any protocol. 4: active ones only", route.AsIs), anyProto)
	uri := route.Optional(route.Text("uri", "looked for instead of the source"), nil)
	m.Func(route.Func{Name: "ds_is_from_list", In: route.Anywhere,
		Args: []route.AnyArg{set, mode, uri},
		Doc:  "Tells whether the message comes from a destination of a set, or of any.",
		Build: func(b *route.Build) route.Call {
			set, ok1 := set.At(b, 0)
			mode, ok2 := mode.At(b, 1)
			uri, ok3 := uri.At(b, 2)
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			var toSet, toAttrs *route.Place
			if *setID != "" {
				if toSet = b.Variable(*setID, "setid_pvname"); toSet == nil {
					return nil
				}
			}
			if *attrs != "" {
				if toAttrs = b.Variable(*attrs, "attrs_pvname"); toAttrs == nil {
					return nil
				}
			}
			return func(c *route.Ctx) route.Result {
				s, _ := set.Get(c)
				how, _ := mode.Get(c)
				text, r := uri.Get(c)
				if r <= 0 {
					return r
				}
				t := sought(c, s, how, text)
				if t == nil {
					return -1
				}
				if toSet != nil {
					if r := toSet.Put(c, route.IntValue(int64(t.SetID))); r <= 0 {
						return r
					}
				}
				if toAttrs != nil && t.Attrs.Body != "" {
					return toAttrs.Put(c, route.TextValue([]byte(t.Attrs.Body)))
				}
				return 1
			}
		}})

	number := route.Int("set", 0, 1<<31-1, "the number of the set", route.AsIs)
	value := route.Any("set", "its value")
	exists := func(c *route.Ctx, set int) route.Result {
		table := c.Shard.Core.Targets()
		return route.Truth(table != nil && table.Set(set) != nil)
	}
	m.Func(route.Func{Name: "ds_list_exists", In: route.Anywhere, Args: []route.AnyArg{number},
		Doc: "Tells whether there is a set. A value that is no number gives -2.",
		Build: func(b *route.Build) route.Call {
			set, ok := number.At(b, 0)
			if !ok {
				return nil
			}
			if n, known := set.Known(); known {
				return func(c *route.Ctx) route.Result { return exists(c, n) }
			}
			in, ok := value.At(b, 0)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				v, r := in.Get(c)
				if r <= 0 {
					return r
				}
				if !v.IsInt() && !v.Counts() {
					return -2
				}
				return exists(c, int(v.Int()))
			}
		}})
	m.Alias("ds_list_exists", "ds_list_exist")
	one := route.Optional(route.Text("uri", "the destination to look at"), nil)
	route.Func2(m, "ds_is_active", route.Anywhere, number, one,
		"Tells whether a destination of a set takes calls.",
		func(c *route.Ctx, set int, uri []byte) route.Result {
			table := c.Shard.Core.Targets()
			if table == nil || table.Set(set) == nil {
				return -1
			}
			for _, t := range table.Set(set).Targets {
				if t.State().Usable() && (len(uri) == 0 || strings.EqualFold(t.URI, string(uri))) {
					return 1
				}
			}
			return -1
		})
}

// sought is the destination that the message comes from, or that a URI names; nil means none.
func sought(c *route.Ctx, set, mode int, uri []byte) *balance.Target {
	table := c.Shard.Core.Targets()
	if table == nil {
		return nil
	}
	from := *c.Source()
	if len(uri) > 0 {
		u := c.ParseURI(uri)
		if u == nil {
			return nil
		}
		ip, err := netip.ParseAddr(strings.Trim(string(u.HostBytes()), "[]"))
		if err != nil {
			return nil
		}
		proto := netio.Proto(route.TransportOf(u))
		port := u.Port
		if port == 0 {
			port = proto.DefaultPort()
		}
		from = netio.AddrFrom(netip.AddrPortFrom(ip, port))
		from.Proto = proto
	}
	all := table.Targets()
	if set >= 0 {
		s := table.Set(set)
		if s == nil {
			return nil
		}
		all = s.Targets
	}
	for _, t := range all {
		a := &t.Addr
		if a.SameIP(&from) && (mode&anyProto != 0 || a.Proto == from.Proto) &&
			(mode&onlyActive == 0 || t.State().Usable()) &&
			(mode&anyPort != 0 || a.Port == from.Port || writtenPort(c, t) == 0) {
			return t
		}
	}
	return nil
}

// writtenPort is the port that the list has for a destination; 0 means none, which any one fits.
func writtenPort(c *route.Ctx, t *balance.Target) uint16 {
	u := c.ParseURI([]byte(t.URI))
	if u == nil {
		return t.Port
	}
	return u.Port
}
