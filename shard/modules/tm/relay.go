package tm

import (
	"strconv"

	"viaduct/shard/route"
)

// relays declares the functions that forward a request.
func relays(m *route.Module) {
	const in = route.InRequest | route.InFailure
	host := route.Optional(route.Special("host", "the destination, known at load"), struct{}{})
	port := route.Optional(route.Special("port", "its port"), struct{}{})
	m.Func(route.Func{Name: "t_relay", In: in, Args: []route.AnyArg{host, port}, Build: relay,
		Doc: "Forwards the request statefully: to host and port, or else to $du, or else to the " +
			"Request-URI. Below 0: -6, the branch routes dropped every branch; -7, no listener has the " +
			"transport; -478, the destination cannot be resolved; -1, anything else."})
	to := route.Optional(route.Special("destination",
		`"proto:host:port", known at load`), struct{}{})
	flags := route.Optional(route.Special("flags",
		"1: no 100. 2: no response if that fails. 4: no other address of the name"), struct{}{})
	m.Func(route.Func{Name: "t_relay_to", In: in, Args: []route.AnyArg{to, flags}, Build: relayTo,
		Doc: "Forwards the request statefully. A single number is the flags."})
	both := []route.AnyArg{route.Special("host", "the destination, known at load"),
		route.Special("port", "its port")}
	m.Func(route.Func{Name: "t_forward_nonack", In: route.InRequest, Args: both,
		Build: forwardNonack(relay),
		Doc:   "Is t_relay(host, port) in a transaction that is there. False: there is none."})
	for name, proto := range map[string]route.Transport{
		"t_forward_nonack_udp": route.UDP, "t_forward_nonack_tcp": route.TCP,
		"t_forward_nonack_tls": route.TLS, "t_forward_nonack_sctp": route.SCTP,
	} {
		m.Func(route.Func{Name: name, In: route.InRequest, Args: both,
			Build: forwardNonack(relayOver(proto)),
			Doc: "Is t_relay(host, port) over the protocol that the name says, in a transaction " +
				"that is there. False: there is none."})
	}
	for name, proto := range map[string]route.Transport{
		"t_relay_to_udp": route.UDP, "t_relay_to_tcp": route.TCP, "t_relay_to_tls": route.TLS,
		"t_relay_to_sctp": route.SCTP,
	} {
		m.Func(route.Func{Name: name, In: in, Args: []route.AnyArg{host, port},
			Build: relayOver(proto),
			Doc:   "Forwards the request statefully over the protocol in the function's name."})
	}
	route.Func0(m, "t_forward_nonack_uri", route.InRequest,
		"Is t_relay() in a transaction that is there. False: there is none.",
		func(c *route.Ctx) route.Result {
			if c.Request.Tx == nil {
				return -1
			}
			return c.Relay()
		})
	byProto := []route.AnyArg{route.Special("proto", "udp, tcp, tls or sctp"),
		route.Special("hostport", "host:port, known at load")}
	m.Func(route.Func{Name: "t_relay_to_avp", In: route.InRequest, Args: byProto, Build: relayByProto,
		Doc: "Is t_relay_to with the protocol apart. (Kamailio 5.6.3 finds no host in a variable.)"})
	m.Func(route.Func{Name: "t_forward_nonack_to", In: route.InRequest, Args: byProto,
		Build: forwardNonack(relayByProto),
		Doc:   "Is t_relay_to_avp in a transaction that is there. False: there is none."})
	replicates(m, host, port, byProto)
}

// forwardNonack makes a relay false if there is no transaction.
func forwardNonack(build func(b *route.Build) route.Call) func(b *route.Build) route.Call {
	return func(b *route.Build) route.Call {
		call := build(b)
		if call == nil {
			return nil
		}
		return func(c *route.Ctx) int {
			if c.Request.Tx == nil {
				return -1
			}
			return call(c)
		}
	}
}

// relayByProto compiles t_relay_to_avp(proto, hostport).
func relayByProto(b *route.Build) route.Call {
	dst, ok := protoHostPort(b)
	if !ok {
		return nil
	}
	return func(c *route.Ctx) int { return c.RelayTo(&dst, 0) }
}

// protoHostPort reads the arguments proto and hostport.
func protoHostPort(b *route.Build) (route.RelayDst, bool) {
	proto, ok := b.Known(0, "udp, tcp, tls or sctp")
	at, ok2 := b.Known(1, "host:port")
	if !ok || !ok2 {
		return route.RelayDst{}, false
	}
	switch proto {
	case "udp", "tcp", "tls", "sctp":
		return b.HostPort(1, proto+":"+at)
	}
	b.Errorf(0, "%s: %s is none of udp, tcp, tls and sctp", b.Name(), route.Quote(proto))
	return route.RelayDst{}, false
}

// relay compiles t_relay() and t_relay(host, port). The latter leaves by the protocol that the
// request came by.
func relay(b *route.Build) route.Call {
	switch b.Args() {
	case 0:
		return func(c *route.Ctx) int { return c.Relay() }
	case 1:
		b.Errorf(route.WholeCall,
			"t_relay takes no arguments, or host and port; t_relay_to takes \"proto:host:port\" "+
				"and flags")
		return nil
	}
	dst, ok := hostPort(b)
	if !ok {
		return nil
	}
	return func(c *route.Ctx) int {
		to := dst
		to.Proto = c.Transport()
		return c.RelayTo(&to, 0)
	}
}

// relayOver compiles t_relay_to_udp([host, port]) and its kin.
func relayOver(proto route.Transport) func(b *route.Build) route.Call {
	return func(b *route.Build) route.Call {
		dst := route.RelayDst{Proto: proto}
		switch b.Args() {
		case 1:
			b.Errorf(route.WholeCall, "%s takes no arguments, or host and port", b.Name())
			return nil
		case 2:
			var ok bool
			if dst, ok = hostPort(b); !ok {
				return nil
			}
		}
		dst.Proto = proto
		return func(c *route.Ctx) int { return c.RelayTo(&dst, 0) }
	}
}

var portArg = route.Strict(route.Int("port", 1, 65535, "a port"))

// hostPort reads the arguments host and port. Both are known at load, as in Kamailio.
func hostPort(b *route.Build) (route.RelayDst, bool) {
	host, ok1 := b.Known(0, "a host")
	port, ok2 := portArg.At(b, 1)
	if !ok1 || !ok2 {
		return route.RelayDst{}, false
	}
	n, known := port.Known()
	if !known {
		b.Errorf(1, "%s wants a port that is known at load", b.Name())
		return route.RelayDst{}, false
	}
	return b.Host(0, host, n)
}

// relayTo compiles t_relay_to([dst][, flags]). A first argument that is a number is the flags.
func relayTo(b *route.Build) route.Call {
	dst, flags, ok := route.RelayDst{Proto: route.AnyTransport}, route.RelayFlags(0), true
	args := make([]string, b.Args())
	for i := range args {
		if args[i], ok = b.Known(i, "proto:host:port or flags"); !ok {
			return nil
		}
	}
	if n := len(args); n > 0 {
		if f, err := strconv.ParseUint(args[n-1], 0, 32); err == nil {
			if f > uint64(route.RelayNo100|route.RelayNoReply|route.RelayNoFailover) {
				b.Errorf(n-1, "t_relay_to: flags are %d; the range is 0..7", f)
				return nil
			}
			flags, args = route.RelayFlags(f), args[:n-1]
		} else if n == 2 {
			b.Errorf(1, "t_relay_to wants a number for the flags, not %s", route.Quote(args[1]))
			return nil
		}
	}
	if len(args) > 0 {
		if dst, ok = b.HostPort(0, args[0]); !ok {
			return nil
		}
	}
	return func(c *route.Ctx) int { return c.RelayTo(&dst, flags) }
}
