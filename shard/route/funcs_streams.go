package route

import (
	"math"
	"strings"

	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// statelessForwards has the functions after which responses without a transaction are expected.
var statelessForwards = map[string]bool{
	"forward": true, "forward_udp": true, "forward_tcp": true, "forward_tls": true,
	"forward_sctp": true,
}

// forceSocket compiles force_send_socket(proto:host:port) and set_send_socket("proto:host:port").
func forceSocket(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		if _, ok := cc.protoHostPort(x, 0, f.text); !ok {
			return nil
		}
		b := []byte(f.text)
		return func(c *Ctx) int { return c.ForceSocket(b) }
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		if len(b) == 0 {
			return -1
		}
		return c.ForceSocket(b)
	}
}

// socketNamed warns if no listen line has the name.
func (cc *compiler) socketNamed(pos Pos, name string) {
	var names []string
	for i := range cc.set.Core.Listen {
		n := cc.set.Core.Listen[i].Name
		if n == name && n != "" {
			return
		}
		if n != "" {
			names = append(names, n)
		}
	}
	cc.ld.warnf(pos, "no listen line has the name %s%s", quote(clip(name)),
		suggest.DidYouMean(name, names))
}

// aliasConn compiles force_tcp_alias([port]).
func aliasConn(cc *compiler, x *syntax.Call) callFn {
	port := intArg{}
	if len(x.Args) > 0 {
		var ok bool
		if port, ok = cc.intArg(x, 0, "the port", 1, 65535); !ok {
			return nil
		}
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if n < 0 || n > 65535 {
			return -1
		}
		return c.alias(n)
	}
}

// advertiseHost compiles set_advertised_address("host").
func advertiseHost(cc *compiler, x *syntax.Call) callFn {
	s, ok := cc.textKnown(x, 0, "a host")
	if !ok || s == "" {
		if ok {
			cc.ld.errorf(x.Args[0].At(), "%s: the host is empty", x.Name)
		}
		return nil
	}
	dst, ok := cc.relayDst(x, 0, s, 0)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { return truth(c.Request != nil && c.Request.Advertise(dst.Host, 0)) }
}

// advertisePort compiles set_advertised_port(port).
func advertisePort(cc *compiler, x *syntax.Call) callFn {
	port, ok := cc.intArg(x, 0, "the port", math.MinInt64, math.MaxInt64)
	if !ok {
		return nil
	}
	if port.val == nil && (port.n < 1 || port.n > 65535) {
		cc.ld.warnf(x.Args[0].At(), "set_advertised_port: the port is %d; the range is 1..65535, and "+
			"the call has no effect", port.n)
		return func(*Ctx) int { return 1 }
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if n < 1 || n > 65535 {
			return -1
		}
		return truth(c.Request != nil && c.Request.Advertise(nil, n))
	}
}

// forward compiles forward(), forward(host[, port]), and forward_udp(host[, port]) and the like.
// The host may be uri:host, and the port uri:port.
func forward(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) == 0 {
		return func(c *Ctx) int { return c.forward() }
	}
	proto := AnyTransport
	if _, word, found := strings.Cut(x.Name, "_"); found {
		proto, _ = transportWord(word)
	}
	name, ok := cc.textKnown(x, 0, "a host")
	if !ok {
		return nil
	}
	uriPort, port := false, intArg{}
	if len(x.Args) > 1 {
		if s, isStr := x.Args[1].(*syntax.Str); isStr && s.S == "uri:port" {
			uriPort = true
		} else if port, ok = cc.intArg(x, 1, "the port", 1, 65535); !ok {
			return nil
		} else if port.val != nil {
			cc.ld.errorf(x.Args[1].At(), "%s wants a port that is known at load", x.Name)
			return nil
		}
	}
	dst := RelayDst{Set: true, Proto: AnyTransport, Port: port.n}
	uriHost := name == "uri:host"
	if !uriHost {
		if dst, ok = cc.relayDst(x, 0, name, port.n); !ok {
			return nil
		}
	}
	dst.Proto = proto
	return func(c *Ctx) int {
		to := dst
		if uriHost || uriPort {
			u := c.requestURI()
			if u == nil || u.Host.Len == 0 {
				return -1
			}
			if uriHost {
				if to.Host = u.HostBytes(); to.Proto == AnyTransport {
					to.Proto = transportOf(u)
				}
			}
			if uriPort {
				to.Port = int(u.Port)
			}
		}
		return c.forwardTo(&to)
	}
}
