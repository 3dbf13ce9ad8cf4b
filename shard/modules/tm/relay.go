package tm

import (
	"strconv"

	"viaduct/shard/route"
)

// relays are the functions that forward a request.
func relays(m *route.Module) {
	const in = route.InRequest | route.InFailure
	host := route.Optional(route.Special("host", "the destination, known at load"), struct{}{})
	port := route.Optional(route.Special("port", "its port"), struct{}{})
	m.Func(route.Func{Name: "t_relay", In: in, Args: []route.AnyArg{host, port}, Build: relay,
		Doc: "Forwards the request statefully: to host and port, or else to $du, or else to the " +
			"Request-URI."})
	to := route.Optional(route.Special("destination",
		`"proto:host:port", known at load`), struct{}{})
	flags := route.Optional(route.Special("flags",
		"1: no 100. 2: no response if that fails. 4: no other address of the name"), struct{}{})
	m.Func(route.Func{Name: "t_relay_to", In: in, Args: []route.AnyArg{to, flags}, Build: relayTo,
		Doc: "Forwards the request statefully. A single number is the flags."})
	both := []route.AnyArg{route.Special("host", "the destination, known at load"),
		route.Special("port", "its port")}
	m.Func(route.Func{Name: "t_forward_nonack", In: route.InRequest, Args: both, Build: relay,
		Doc: "The same as t_relay(host, port)."})
	for name, proto := range map[string]route.Transport{
		"t_forward_nonack_udp": route.UDP, "t_forward_nonack_tcp": route.TCP,
		"t_forward_nonack_tls": route.TLS, "t_forward_nonack_sctp": route.SCTP,
	} {
		m.Func(route.Func{Name: name, In: route.InRequest, Args: both, Build: relayOver(proto),
			Doc: "The same as t_relay(host, port), over the protocol in the function's name."})
	}
	for name, proto := range map[string]route.Transport{
		"t_relay_to_udp": route.UDP, "t_relay_to_tcp": route.TCP, "t_relay_to_tls": route.TLS,
		"t_relay_to_sctp": route.SCTP,
	} {
		m.Func(route.Func{Name: name, In: in, Args: []route.AnyArg{host, port},
			Build: relayOver(proto),
			Doc:   "Forwards the request statefully over the protocol in the function's name."})
	}
}

// relay is t_relay() and t_relay(host, port), the latter over the protocol the request came on.
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

// relayOver is t_relay_to_udp([host, port]) and its kin.
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

var portArg = route.Int("port", 1, 65535, "a port")

// hostPort are the arguments host and port; both are known at load, as in Kamailio.
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

// relayTo is t_relay_to([dst][, flags]): a first argument that is a number is the flags.
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
