package corex

import (
	"bytes"
	"strconv"

	"viaduct/shard/route"
)

// vias declares the functions that write fields of an $xavp into our Via.
func vias(m *route.Module) {
	core := &m.Settings().Core
	on := route.Int("on", 0, 1, "0: off, all else: on", route.AsIs)
	whole := func(name, param string, of *string, doc string,
		f func(c *route.Ctx, k *route.Kept, in route.Item) bool, off func(c *route.Ctx)) {
		m.Func(route.Func{Name: name, In: route.Anywhere, Args: []route.AnyArg{on}, Doc: doc,
			Build: func(b *route.Build) route.Call {
				on, ok := on.At(b, 0)
				if !ok {
					return nil
				}
				if *of == "" {
					b.Warnf(route.WholeCall, "%s has no effect without %s=\"NAME\", the $xavp "+
						"that it reads", name, param)
				}
				key := route.KeyOf([]byte(*of))
				return func(c *route.Ctx) route.Result {
					n, r := on.Get(c)
					if r <= 0 || *of == "" || c.Request == nil {
						return r
					}
					if n == 0 {
						off(c)
						return 1
					}
					k := c.Kept()
					in := k.Nth(route.XAVPs, &key, false, 0)
					if in != 0 && !k.IsList(in) {
						in = 0
					}
					return route.Truth(in == 0 || f(c, k, in))
				}
			}})
	}
	whole("via_add_xavp_params", "xavp_via_params", &core.XavpViaParams,
		"Makes the fields of the newest $xavp that xavp_via_params names parameters of our Via, "+
			"newest first, as they are when it is called. (Kamailio reads them when the request "+
			"leaves.) False: a field cannot be a parameter (RFC 3261 §25.1, generic-param), or all "+
			"are longer than 512 bytes; the Via then stays as it was.",
		func(c *route.Ctx, k *route.Kept, in route.Item) bool {
			b := c.Room()
			for i := k.First(in); i != 0; i = k.Next(i) {
				name, v := k.Name(i), k.Value(i)
				if k.IsList(i) || !isToken(name) || taken(name) {
					return false
				}
				b = append(append(b, ';'), name...)
				if v.IsText() && len(v.S) == 0 {
					continue
				}
				if v.IsText() && !isToken(v.S) && !isQuoted(v.S) {
					return false
				}
				b = v.Append(append(b, '='))
			}
			return c.Request.ViaParams(b)
		},
		func(c *route.Ctx) { c.Request.ViaParams(nil) })
	whole("via_use_xavp_fields", "xavp_via_fields", &core.XavpViaFields,
		"Shows the fields address and port of the newest $xavp that xavp_via_fields names in our "+
			"Via, in place of the listener's, as they are when it is called. False: they are no "+
			"address and no port, or too many were shown before. (In 5.6.3 it has no effect, since "+
			"xavp_via_fields has none.)",
		func(c *route.Ctx, k *route.Kept, in route.Item) bool {
			var host []byte
			port := 0
			if i := k.Named(k.First(in), &addressKey, false); i != 0 {
				v := k.Value(i)
				if host = c.TextOf(v); k.IsList(i) || !isHost(host) {
					return false
				}
			}
			if i := k.Named(k.First(in), &portKey, false); i != 0 {
				n, err := strconv.ParseUint(string(c.TextOf(k.Value(i))), 10, 16)
				if port = int(n); k.IsList(i) || err != nil || n == 0 {
					return false
				}
			}
			return c.Request.Advertise(host, port)
		},
		func(c *route.Ctx) { c.Request.Unadvertise() })
}

var addressKey, portKey = route.KeyOf([]byte("address")), route.KeyOf([]byte("port"))

// taken tells whether a parameter of a Via has a meaning that no script may give it.
func taken(name []byte) bool {
	for _, own := range [...]string{"branch", "received", "rport"} {
		if bytes.EqualFold(name, []byte(own)) {
			return true
		}
	}
	return false
}

// isToken tells whether b is a token or a host, as values of parameters are.
func isToken(b []byte) bool {
	for _, x := range b {
		if (x|0x20 < 'a' || x|0x20 > 'z') && (x < '0' || x > '9') &&
			bytes.IndexByte([]byte("-.!%*_+`'~[]:"), x) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isHost tells whether b is a name, an IPv4 address, or an IPv6 address in brackets.
func isHost(b []byte) bool {
	inner := bytes.TrimSuffix(bytes.TrimPrefix(b, []byte{'['}), []byte{']'})
	six := len(inner) == len(b)-2
	for _, x := range inner {
		if (x|0x20 < 'a' || x|0x20 > 'z') && (x < '0' || x > '9') && x != '.' &&
			(x != '-' || six) && (x != ':' || !six) {
			return false
		}
	}
	return len(inner) > 0 && (six || len(inner) == len(b))
}

// isQuoted tells whether b is a quoted string.
func isQuoted(b []byte) bool {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return false
	}
	for i := 1; i < len(b)-1; i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b)-1 && b[i+1] >= 0x20:
			i++
		case b[i] == '"' || b[i] == '\\' || b[i] < 0x20 || b[i] == 0x7f:
			return false
		}
	}
	return true
}
