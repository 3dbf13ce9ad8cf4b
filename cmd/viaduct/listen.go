package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/route"
	"viaduct/transport"
)

func transportName(t route.Transport) string {
	if name, known := route.TransportName(t); known {
		return string(name)
	}
	return "*"
}

// parseListen reads -l: [proto:]address[:port][/advertised[:port]]. IPv6 needs brackets when a port
// follows.
func parseListen(text string) (l route.Listen, err error) {
	l.Transport = route.AnyTransport
	address, advertised, hasAdvertised := strings.Cut(text, "/")
	if proto, rest, found := strings.Cut(address, ":"); found {
		if t, known := transport.Named(proto); known {
			l.Transport, address = t, rest
		}
	}
	if l.Host, l.Port, err = splitHostPort(address); err != nil {
		return l, fmt.Errorf("bad listen address: -l %s: %w", text, err)
	}
	if hasAdvertised {
		host, port, err := splitHostPort(advertised)
		if err != nil {
			return l, fmt.Errorf("bad advertised address: -l %s: %w", text, err)
		}
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		l.AdvertiseHost, l.AdvertisePort = host, port
	}
	return l, nil
}

// splitHostPort is net.SplitHostPort with an optional port; 0 is none.
func splitHostPort(text string) (host string, port uint16, err error) {
	portText, hasPort := "", false
	switch {
	case strings.HasPrefix(text, "["):
		var rest string
		var closed bool
		host, rest, closed = strings.Cut(text[1:], "]")
		if !closed {
			return "", 0, fmt.Errorf("bracket is not closed")
		}
		if _, err := netip.ParseAddr(host); err != nil {
			return "", 0, fmt.Errorf("%s is no IPv6 address", host)
		}
		if portText, hasPort = strings.CutPrefix(rest, ":"); !hasPort && rest != "" {
			return "", 0, fmt.Errorf("unexpected %q after the bracket", rest)
		}
	case strings.Count(text, ":") > 1:
		if _, err := netip.ParseAddr(text); err != nil {
			return "", 0, fmt.Errorf("%q is neither proto:address:port nor an IPv6 address", text)
		}
		host = text
	default:
		host, portText, hasPort = strings.Cut(text, ":")
	}
	if host == "" {
		return "", 0, fmt.Errorf("no address")
	}
	if hasPort {
		n, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("port %q is not 1..65535", portText)
		}
		port = uint16(n)
	}
	return host, port, nil
}

// listens are the addresses to bind.
type listens struct {
	datagrams []netio.ListenConfig
	streams   []stream.Listen
	notes     []string
}

// expandListens turns listen lines into the addresses to bind, each once. A line without protocol
// asks for UDP and TCP. What is asked for and switched off becomes a note. TCP and TLS listeners
// speak WebSocket too where module websocket is loaded (RFC 7118): then a listener of that kind,
// without a socket of its own, stands behind all others for each of them.
func expandListens(s *route.Settings) (all listens, errs []error) {
	core := &s.Core
	lines := core.Listen
	if len(lines) == 0 {
		lines = []route.Listen{{Transport: route.AnyTransport}}
	}
	if len(s.Stream.ProxyFrom) > 0 && !s.Stream.AcceptHAProxy {
		all.notes = append(all.notes,
			"tcp_proxy_from has no effect: write tcp_accept_haproxy=yes too")
	}
	seen := map[string]bool{}
	once := func(proto netio.Proto, addr netip.AddrPort) bool {
		// TCP, TLS and WebSocket share the port numbers; those of UDP are others.
		key := fmt.Sprint(proto == netio.UDP, addr)
		if seen[key] {
			all.notes = append(all.notes,
				fmt.Sprintf("%s:%s is listed more than once and bound once",
					strings.ToLower(proto.String()), addr))
		}
		first := !seen[key]
		seen[key] = true
		return first
	}
	for _, l := range lines {
		protos := protosOf(l, core, &all)
		for _, proto := range protos {
			port := l.Port
			if port == 0 {
				port = core.Port
				if proto.Secure() {
					port = core.TLSPort
				}
			}
			expanded, err := netio.Expand(l.Host, port)
			if err != nil {
				errs = append(errs, err)
				break
			}
			for _, c := range expanded {
				if !once(proto, c.Addr) {
					continue
				}
				if proto == netio.UDP {
					c.Name, c.AdvertiseHost, c.AdvertisePort = l.Name, l.AdvertiseHost,
						l.AdvertisePort
					c.RecvBufferBytes, c.SendBufferBytes, c.TOS = core.RecvBufferBytes,
						core.SendBufferBytes, core.TOS
					all.datagrams = append(all.datagrams, c)
					continue
				}
				t := stream.Listen{
					Proto: proto, Addr: c.Addr, AdvertiseHost: l.AdvertiseHost,
					AdvertisePort: l.AdvertisePort, Name: l.Name,
				}
				if s.Stream.AcceptHAProxy {
					t.ProxyFrom = proxyFrom(s)
				}
				all.streams = append(all.streams, t)
			}
		}
	}
	if s.WebSocket.Loaded {
		all.addWebSocket()
	}
	return all, errs
}

// protosOf are the protocols that a listen line asks for and that are not switched off.
func protosOf(l route.Listen, core *route.CoreSettings, all *listens) []netio.Proto {
	off := func(why string) []netio.Proto {
		all.notes = append(all.notes,
			fmt.Sprintf("%s:%s is not bound: %s", transportName(l.Transport), l.Host, why))
		return nil
	}
	switch l.Transport {
	case route.UDP:
		return []netio.Proto{netio.UDP}
	case route.AnyTransport:
		if core.DisableTCP {
			return []netio.Proto{netio.UDP}
		}
		return []netio.Proto{netio.UDP, netio.TCP}
	case route.SCTP:
		return off("SCTP is not served")
	}
	proto := l.Transport
	switch {
	case core.DisableTCP:
		return off("disable_tcp=yes or -T")
	case proto.Secure() && !core.EnableTLS:
		return off("write enable_tls=yes, and loadmodule \"tls.so\" with a certificate")
	}
	return []netio.Proto{proto}
}

// proxyFrom is who may send a PROXY header: without a list everybody who can reach the port, as
// with Kamailio.
func proxyFrom(s *route.Settings) []netip.Prefix {
	if len(s.Stream.ProxyFrom) > 0 {
		return s.Stream.ProxyFrom
	}
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

// addWebSocket puts a listener for WebSocket behind the others for each that may change to it.
func (all *listens) addWebSocket() {
	twins := map[netio.Proto]netio.Proto{netio.TCP: netio.WS, netio.TLS: netio.WSS}
	for i := range all.streams {
		l := &all.streams[i]
		proto, changes := twins[l.Proto]
		if !changes {
			continue
		}
		l.AllowWS, l.WSListener = true, len(all.datagrams)+len(all.streams)
		twin := *l
		twin.Proto, twin.AllowWS, twin.WSListener, twin.ProxyFrom = proto, false, 0, nil
		all.streams = append(all.streams, twin)
	}
}

// texts are the addresses as a listing has them.
func (c *Config) texts() (list []string) {
	for _, l := range c.Listens {
		list = append(list, listenText(netio.UDP, l.Addr, l.AdvertiseHost, l.AdvertisePort))
	}
	for _, l := range c.Streams {
		list = append(list, listenText(l.Proto, l.Addr, l.AdvertiseHost, l.AdvertisePort))
	}
	return list
}

// addresses are what will be bound, "udp:127.0.0.1:5060".
func (c *Config) addresses() (list []string) {
	for _, l := range c.Listens {
		list = append(list, listenText(netio.UDP, l.Addr, "", 0))
	}
	for _, l := range c.Streams {
		list = append(list, listenText(l.Proto, l.Addr, "", 0))
	}
	return list
}

// listenText gives "udp:127.0.0.1:5060" or "udp:127.0.0.1:5060 advertise sip.example.com".
func listenText(proto netio.Proto, addr netip.AddrPort, host string, port uint16) string {
	text := strings.ToLower(proto.String()) + ":" + addr.String()
	if host != "" {
		text += " advertise " + host
		if port != 0 {
			text += ":" + strconv.Itoa(int(port))
		}
	}
	return text
}
