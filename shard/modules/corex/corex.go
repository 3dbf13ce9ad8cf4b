// Package corex adds branches, chooses sockets, sends copies and data, and has what else a script
// may want of the core: Kamailio's module corex.
package corex

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	m.Var(route.Var{Name: "cfg", Inner: "line, name or route", Compile: cfgVar,
		Doc: "The place of the variable in the file: the line, the file's name, the route's name."})
	m.Each("alias_subdomains", func(s string) error { return subdomains(m, s) },
		"A domain that is this server's, with all names below it: \"proto:domain:port\"; proto "+
			"and port may be left out.")
	m.IdleText("dns_hosts_file names a file of addresses that are not asked for", "dns_cache")
	m.IdleText("there are no scripts in other languages", "evcb_reply_out")
	const noIntercept = "no script sees messages before they are parsed or when they are written"
	m.IdleText(noIntercept, "nio_msg_avp")
	m.IdleInt(noIntercept, "nio_intercept", "nio_min_msg_len")
	sockets(m)
	sends(m)
	flags(m)
	files(m)
	lists(m)
	vias(m)
	route.Func0(m, "forward_reply", route.InCoreReply,
		"Passes the response on. Without a transaction that is done at once, and again at the end "+
			"of the route unless it drops the response; with one, at the end of the route, which "+
			"can then no longer drop it. False: no Via says where the response goes.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Reply.Forward()) })
	route.Func0(m, "is_faked_msg", route.Anywhere,
		"Tells whether the message is the made-up one on which event routes run if there is no "+
			"other.",
		func(c *route.Ctx) route.Result { return route.Truth(c.IsFaked()) })

	m.Func(route.Func{Name: "append_branch", In: route.InRequest | route.InFailure,
		Args: []route.AnyArg{uriArg, qArg},
		Doc:  "Adds one more target for the next t_relay.", Build: appendBranch})
	m.Func(route.Func{Name: "set_send_socket", In: route.Anywhere, Args: []route.AnyArg{socketArg},
		Doc: "Sends from a listener.", Build: func(b *route.Build) route.Call {
			socket, ok := socketArg.At(b, 0)
			if s, known := socket.Known(); ok && known {
				_, ok = b.HostPort(0, string(s))
			}
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				s, r := socket.Get(c)
				if r <= 0 {
					return r
				}
				if len(s) == 0 {
					return -1
				}
				return c.ForceSocket(s)
			}
		}})
	m.Func(route.Func{Name: "set_send_socket_name", In: route.Anywhere,
		Args: []route.AnyArg{nameArg},
		Doc:  "Sends from the listener with that name.", Build: func(b *route.Build) route.Call {
			name, ok := nameArg.At(b, 0)
			if !ok {
				return nil
			}
			if s, known := name.Known(); known {
				b.SocketNamed(0, string(s))
			}
			return func(c *route.Ctx) route.Result {
				s, r := name.Get(c)
				if r <= 0 {
					return r
				}
				return c.ForceSocketName(s)
			}
		}})
}

var (
	uriArg = route.Optional(route.Text("uri",
		"the target; empty: Request-URI and $du as they are"), nil)
	qArg      = route.Optional(route.Text("q", `its q, as in "0.7"`), nil)
	socketArg = route.Text("socket", `"proto:host:port"`)
	nameArg   = route.Text("name", "the name in a listen line")
)

// appendBranch is append_branch([uri[, q]]).
func appendBranch(b *route.Build) route.Call {
	uri, ok1 := uriArg.At(b, 0)
	if !ok1 {
		return nil
	}
	if v, known := uri.Known(); known && len(v) > 0 {
		var u parser.URI
		if _, quoted := b.Literal(0); quoted && parser.ParseURI(v, &u) != parser.OK {
			b.Warnf(0, "append_branch: %s is no URI, and the call is -1",
				route.Quote(string(v)))
		}
	}
	q, ok2 := qArg.At(b, 1)
	if !ok2 {
		return nil
	}
	if v, known := q.Known(); known && len(v) > 0 {
		if _, ok := thousandths(v); !ok {
			b.Warnf(1, "append_branch: q is %s; it is a number from 0 to 1, as in \"0.7\", and "+
				"the call is -1", route.Quote(string(v)))
		}
	}
	return func(c *route.Ctx) route.Result {
		uri, r := uri.Get(c)
		if r <= 0 {
			return r
		}
		q, r := q.Get(c)
		if r <= 0 {
			return r
		}
		prio := -1
		if len(q) > 0 {
			n, ok := thousandths(q)
			if !ok {
				return -1
			}
			prio = n
		}
		if len(uri) == 0 {
			uri = nil
		}
		return route.Truth(c.Request.AppendBranch(uri, prio))
	}
}

// thousandths reads a q value (RFC 3261 §25.1, qvalue); digits behind the third are cut, as in
// Kamailio.
func thousandths(b []byte) (int, bool) {
	whole, frac, _ := bytes.Cut(b, []byte{'.'})
	if len(whole) > 1 || len(b) == 0 || len(whole) == 1 && whole[0] != '0' && whole[0] != '1' {
		return 0, false
	}
	n := 0
	if len(whole) == 1 && whole[0] == '1' {
		n = 1000
	} else if len(whole)+len(frac) == 0 {
		return 0, false
	}
	for i, unit := 0, 100; i < len(frac); i, unit = i+1, unit/10 {
		if frac[i] < '0' || frac[i] > '9' || n >= 1000 && frac[i] != '0' {
			return 0, false
		}
		n += int(frac[i]-'0') * unit
	}
	return n, true
}
