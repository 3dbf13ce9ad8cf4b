package corex

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/transport"
)

// subdomains takes alias_subdomains.
func subdomains(m *route.Module, s string) error {
	dst, ok := route.ReadHostPort([]byte(s))
	host := strings.ToLower(strings.Trim(string(dst.Host), "."))
	if !ok || host == "" || strings.ContainsAny(host, " \t@;<>[]:") {
		return fmt.Errorf("is %s; it is written proto:domain:port, as in \"example.com\" or "+
			"\"udp:example.com:5060\"", route.Quote(s))
	}
	set := m.Settings()
	set.Core.Alias = append(set.Core.Alias,
		route.Alias{Transport: dst.Proto, Host: host, Port: uint16(dst.Port), Below: true})
	return nil
}

// sockets declares what is about the listener that a message came in by.
func sockets(m *route.Module) {
	route.Func1(m, "set_recv_socket", route.Anywhere, socketArg,
		"Treats the message as received by that listener. False: there is none, or it has another "+
			"transport.",
		func(c *route.Ctx, s []byte) route.Result { return c.ReceiveBy(c.Shard.ListenerAt(s)) })
	route.Func1(m, "set_recv_socket_name", route.Anywhere, nameArg,
		"Treats the message as received by the listener with that name. False: there is none, or "+
			"it has another transport.",
		func(c *route.Ctx, s []byte) route.Result { return c.ReceiveBy(c.Shard.ListenerNamed(s)) })
	route.Func1(m, "is_socket_name", route.Anywhere, nameArg,
		"Tells whether a listener has that name.",
		func(c *route.Ctx, s []byte) route.Result {
			return route.Truth(c.Shard.ListenerNamed(s) >= 0)
		})
	source := route.Text("address", `"proto:address:port"; the protocol is ignored`)
	route.Func1(m, "set_source_address", route.Anywhere, source,
		"Treats the message as received from that address. False: it is not an address; names are "+
			"not looked up.",
		func(c *route.Ctx, s []byte) route.Result {
			dst, ok := route.ReadHostPort(s)
			ip, isIP := parser.HostIP(dst.Host)
			if !ok || !isIP {
				return -1
			}
			c.SetSource(netip.AddrPortFrom(ip.Unmap(), uint16(dst.Port)))
			return 1
		})

	m.Var(route.Var{Name: "lsock", Inner: "n/NAME/field or l/SOCKET/field", Compile: lsockVar,
		Doc: "Of the listener with that name, or that socket, proto:host:port: its socket (listen) " +
			"or its name."})
	for _, t := range []struct {
		name, doc string
		of        func(c *route.Ctx, s socket) []byte
	}{
		{"host", "The host of proto:host:port.",
			func(_ *route.Ctx, s socket) []byte { return s.host }},
		{"port", "The port of proto:host:port.",
			func(_ *route.Ctx, s socket) []byte { return s.port }},
		{"proto", "The protocol of proto:host:port.",
			func(_ *route.Ctx, s socket) []byte { return s.proto }},
		{"touri", "proto:host:port as a URI.", socketURI},
	} {
		of := t.of
		route.Transform0(m, "sock."+t.name, t.doc, func(c *route.Ctx, v route.Value) route.Value {
			var s socket
			if !s.read(c.TextOf(v)) {
				return route.Null
			}
			return route.TextValue(of(c, s))
		})
	}
}

var nothing = []byte{}

// socket is a text of the form proto:host:port, of which the host alone must be there.
type socket struct{ proto, host, port []byte }

func (s *socket) read(b []byte) bool {
	*s = socket{nothing, b, nothing}
	if word, rest, found := bytes.Cut(b, []byte{':'}); found && len(word) <= len("sctp") {
		if t, ok := transport.Named(string(word)); ok && string(t.Lower()) == string(word) {
			s.proto, s.host = word, rest
		} else if bytes.IndexByte(rest, ':') >= 0 && b[0] != '[' && b[0] != ':' {
			return false // of no protocol, or in capitals (5.6.3)
		}
	}
	host := s.host
	if i := bytes.LastIndexByte(host, ':'); i > bytes.LastIndexByte(host, ']') {
		s.host, s.port = host[:i], host[i+1:]
		if len(s.port) == 0 || len(bytes.Trim(s.port, "0123456789")) > 0 {
			return false
		}
	}
	return len(s.host) > 0 &&
		(s.host[0] == '[') == (bytes.IndexByte(s.host, ':') >= 0)
}

// socketURI is the socket as a URI.
func socketURI(c *route.Ctx, s socket) []byte {
	b := append(append(c.Room(), "sip:"...), s.host...)
	if len(s.port) > 0 {
		b = append(append(b, ':'), s.port...)
	}
	if len(s.proto) > 0 {
		b = append(append(b, ";transport="...), s.proto...)
	}
	return c.Built(b).S
}

// lsockVar is $lsock(expression).
func lsockVar(b *route.VarBuild, inner, _ string) route.Place {
	by, rest, _ := strings.Cut(inner, "/")
	i := strings.LastIndexByte(rest, '/')
	field := rest[i+1:]
	if i < 0 || by != "n" && by != "l" || field != "listen" && field != "name" {
		b.Errorf("$lsock(%s): it is written n/NAME/listen, n/NAME/name, l/SOCKET/listen or "+
			"l/SOCKET/name", inner)
		return route.Place{}
	}
	which := b.Text(rest[:i])
	return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
		at := -1
		if by == "n" {
			at = c.Shard.ListenerNamed(which.Expand(c))
		} else {
			at = c.Shard.ListenerAt(which.Expand(c))
		}
		switch {
		case at < 0:
			return nil, false
		case field == "name":
			name := c.Shard.Listeners[at].NameText
			return name, len(name) > 0
		}
		return c.Shard.Listeners[at].Socket, true
	}}
}
