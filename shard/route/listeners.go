package route

import (
	"bytes"
	"net/netip"
	"strconv"

	"viaduct/netio"
	"viaduct/parser"
)

// Listener is one of the addresses served, with the texts that programs see of it.
type Listener struct {
	*netio.Listener
	NameText, Socket, Advertised []byte
}

// Listeners makes them, once.
func Listeners(list []*netio.Listener) (shown []Listener) {
	for _, l := range list {
		socket := append(bytes.Clone(l.Proto.Lower()), ':')
		shown = append(shown, Listener{l, []byte(l.Name), l.Addr.AppendTo(socket),
			[]byte(l.AdvertiseHost)})
	}
	return shown
}

// Source is where the message came from: in a failure or branch route the request, in a reply route
// the response.
func (c *Ctx) Source() *netio.Addr {
	if c.Request != nil {
		return &c.Request.Src
	}
	return &c.Reply.Src
}

// listener is the number of the one that the message came in by.
func (c *Ctx) listener() int {
	if c.Request != nil {
		return c.Request.Listener
	}
	return c.Reply.Listener
}

// ReceivedBy is the listener that the message came in by.
func (c *Ctx) ReceivedBy() *Listener { return &c.Shard.Listeners[c.listener()] }

// From is the address that the message came from.
func (c *Ctx) From() netip.AddrPort { return c.Source().AddrPort() }

// LocalAddr is the address that the message came to.
func (c *Ctx) LocalAddr() netip.AddrPort { return c.ReceivedBy().Addr.AddrPort() }

// Transport is the protocol that the message came in by.
func (c *Ctx) Transport() Transport { return c.ReceivedBy().Proto }

// forceListener notes that what leaves does so by a listener. With -1 it is the one that suits.
func (c *Ctx) forceListener(by int) int {
	if c.Request != nil {
		c.Request.ForceListener(by)
	} else {
		c.Reply.ForceListener(by)
	}
	return 1
}

// Forced is what forceListener was given last, nil if that was none.
func (c *Ctx) Forced() *Listener {
	by := -1
	if c.Request != nil {
		by = c.Request.Forced()
	} else {
		by = c.Reply.Forced()
	}
	if by < 0 {
		return nil
	}
	return &c.Shard.Listeners[by]
}

// ForceSocket is $fs: what is sent of the message leaves by that listener; empty: by the one that
// suits. It is false if there is no such listener.
func (c *Ctx) ForceSocket(socket []byte) int {
	if len(socket) == 0 {
		return c.forceListener(-1)
	}
	if by := c.Shard.listenerAt(socket); by >= 0 {
		return c.forceListener(by)
	}
	return -1
}

// ForceSocketName is $fsn, the same by name.
func (c *Ctx) ForceSocketName(name []byte) int {
	if len(name) == 0 {
		return c.forceListener(-1)
	}
	if by := c.Shard.ListenerNamed(name); by >= 0 {
		return c.forceListener(by)
	}
	return -1
}

// ListenerAt is the number of the listener written as [proto:]host[:port]; -1 if there is none.
func (c *Ctx) ListenerAt(socket []byte) int { return c.Shard.listenerAt(socket) }

// listenerAt is the listener written as [proto:]host[:port], by its address or what it advertises.
// It is -1 if there is none.
func (s *Shard) listenerAt(socket []byte) int {
	proto, rest := netio.UDP, socket
	if word, behind, found := bytes.Cut(socket, []byte(":")); found {
		for p := netio.UDP; p <= netio.WSS; p++ {
			if bytes.EqualFold(word, []byte(p.String())) {
				proto, rest = p, behind
			}
		}
	}
	host, port := rest, 0
	if i := bytes.LastIndexByte(rest, ':'); i > bytes.LastIndexByte(rest, ']') &&
		bytes.IndexByte(rest, ':') == i || i > 0 && rest[0] == '[' && rest[i-1] == ']' {
		n, err := strconv.ParseUint(string(rest[i+1:]), 10, 16)
		if err != nil || n == 0 {
			return -1
		}
		host, port = rest[:i], int(n)
	}
	if port == 0 {
		port = 5060
		if proto.Secure() {
			port = 5061
		}
	}
	ip, isIP := parser.HostIP(host)
	for i, l := range s.Listeners {
		switch {
		case l.Proto != proto, l.Leaving, l.Gone:
		case isIP && int(l.Addr.Port) == port &&
			l.Addr.AddrPort().Addr().WithZone("") == ip.Unmap():
			return i
		case l.AdvertiseHost != "" && bytes.EqualFold(host, []byte(l.AdvertiseHost)) &&
			(int(l.AdvertisePort) == port || l.AdvertisePort == 0 && int(l.Addr.Port) == port):
			return i
		}
	}
	return -1
}
