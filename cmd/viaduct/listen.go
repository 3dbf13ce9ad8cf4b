package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"viaduct/netio"
	"viaduct/shard/route"
)

var transports = []struct {
	name string
	t    route.Transport
}{{"udp", route.UDP}, {"tcp", route.TCP}, {"tls", route.TLS}, {"sctp", route.SCTP}, {"ws", route.WS}, {"wss", route.WSS}}

func transportName(t route.Transport) string {
	for _, known := range transports {
		if known.t == t {
			return known.name
		}
	}
	return "*"
}

// parseListen reads -l: [proto:]address[:port][/advertised[:port]]. IPv6 needs brackets when a port follows.
func parseListen(text string) (l route.Listen, err error) {
	address, advertised, hasAdvertised := strings.Cut(text, "/")
	if proto, rest, found := strings.Cut(address, ":"); found {
		for _, known := range transports {
			if strings.EqualFold(proto, known.name) {
				l.Transport, address = known.t, rest
			}
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

// expandListens turns listen lines into the addresses to bind. Streams are not served yet: a line that asks for them alone becomes a note, one that
// names no protocol is bound for UDP.
func expandListens(lines []route.Listen, defaultPort uint16, recvBufferBytes int) (configs []netio.ListenConfig, notes []string, errs []error) {
	seen := map[netip.AddrPort]bool{}
	add := func(l route.Listen) {
		port := l.Port
		if port == 0 {
			port = defaultPort
		}
		expanded, err := netio.Expand(l.Host, port)
		if err != nil {
			errs = append(errs, err)
			return
		}
		for _, c := range expanded {
			if seen[c.Addr] {
				notes = append(notes, fmt.Sprintf("udp:%s is listed more than once and bound once", c.Addr))
				continue
			}
			seen[c.Addr] = true
			c.AdvertiseHost, c.AdvertisePort = l.AdvertiseHost, l.AdvertisePort
			c.RecvBufferBytes = recvBufferBytes
			configs = append(configs, c)
		}
	}
	for _, l := range lines {
		if l.Transport != route.AnyTransport && l.Transport != route.UDP {
			notes = append(notes, fmt.Sprintf("streams are not served yet: %s:%s is not bound", transportName(l.Transport), l.Host))
			continue
		}
		add(l)
	}
	if len(lines) == 0 {
		add(route.Listen{})
	}
	return configs, notes, errs
}

// listenText gives "udp:127.0.0.1:5060" or "udp:127.0.0.1:5060 advertise sip.example.com".
func listenText(c netio.ListenConfig) string {
	text := "udp:" + c.Addr.String()
	if c.AdvertiseHost != "" {
		text += " advertise " + c.AdvertiseHost
		if c.AdvertisePort != 0 {
			text += ":" + strconv.Itoa(int(c.AdvertisePort))
		}
	}
	return text
}
