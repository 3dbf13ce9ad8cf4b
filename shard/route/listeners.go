package route

import (
	"bytes"
	"net/netip"
	"strconv"

	"viaduct/netio"
	"viaduct/parser"
)

// Listener is a listener with its name and addresses as texts, for programs to read.
type Listener struct {
	*netio.Listener
	NameText, Socket, Advertised []byte
}

// Listeners makes the Listener of each listener. It is called once for a list.
func Listeners(list []*netio.Listener) (shown []Listener) {
	for _, l := range list {
		socket := append(bytes.Clone(l.Proto.Lower()), ':')
		shown = append(shown, Listener{l, []byte(l.Name), l.Addr.AppendTo(socket),
			[]byte(l.AdvertiseHost)})
	}
	return shown
}

// Source returns where the message came from. In a failure or branch route that is the source of
// the request, in a reply route that of the response.
func (c *Ctx) Source() *netio.Addr {
	if c.Request != nil {
		return &c.Request.Src
	}
	return &c.Reply.Src
}

// listener returns the number of the listener that the message came in by.
func (c *Ctx) listener() int {
	if c.Request != nil {
		return c.Request.Listener
	}
	return c.Reply.Listener
}

// ReceivedBy returns the listener that the message came in by.
func (c *Ctx) ReceivedBy() *Listener { return &c.Shard.Listeners[c.listener()] }

// From returns the address that the message came from.
func (c *Ctx) From() netip.AddrPort { return c.Source().AddrPort() }

// LocalAddr returns the address that the message came to.
func (c *Ctx) LocalAddr() netip.AddrPort { return c.ReceivedBy().Addr.AddrPort() }

// Transport returns the protocol that the message came in by.
func (c *Ctx) Transport() Transport { return c.ReceivedBy().Proto }

// forceListener makes the message leave by listener number by. With -1 it leaves by the one that
// suits. It returns 1.
func (c *Ctx) forceListener(by int) int {
	if c.Request != nil {
		c.Request.ForceListener(by)
	} else {
		c.Reply.ForceListener(by)
	}
	return 1
}

// Forced returns the listener that forceListener was last given. It returns nil if there is none.
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

// ForceSocket sets $fs: the message leaves by the listener written as socket. If socket is empty,
// it leaves by the one that suits. It returns -1 if there is no such listener.
func (c *Ctx) ForceSocket(socket []byte) int {
	if len(socket) == 0 {
		return c.forceListener(-1)
	}
	if by := c.Shard.listenerAt(socket); by >= 0 {
		return c.forceListener(by)
	}
	return -1
}

// ForceSocketName sets $fsn, which is ForceSocket by the listener's name.
func (c *Ctx) ForceSocketName(name []byte) int {
	if len(name) == 0 {
		return c.forceListener(-1)
	}
	if by := c.Shard.ListenerNamed(name); by >= 0 {
		return c.forceListener(by)
	}
	return -1
}

// ListenerAt returns the number of the listener written as [proto:]host[:port]. It returns -1 if
// there is none.
func (c *Ctx) ListenerAt(socket []byte) int { return c.Shard.listenerAt(socket) }

// listenerAt returns the listener written as [proto:]host[:port], by its address or by what it
// advertises. It returns -1 if there is none.
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
