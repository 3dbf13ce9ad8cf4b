package pv

import (
	"net/netip"
	"strconv"

	"viaduct/shard/route"
)

// addresses are the variables of where a message came from, what it arrived on and leaves by.
func addresses(m *route.Module) {
	source, local := (*route.Ctx).From, (*route.Ctx).LocalAddr
	portOf := func(addr func(c *route.Ctx) netip.AddrPort) func(c *route.Ctx) (int64, bool) {
		return func(c *route.Ctx) (int64, bool) { return int64(addr(c).Port()), true }
	}
	madeVar(m, "si", "The address that the message came from, without brackets.",
		(*route.Ctx).SourceIP)
	madeVar(m, "siz", "The same as $si, with brackets around an IPv6 address.",
		func(c *route.Ctx) ([]byte, bool) {
			return built(c, route.AppendHost(c.Room(), c.From().Addr()))
		})
	numberVar(m, "sp", "The port that the message came from.", portOf(source))
	madeVar(m, "su", "The source of the message, as a URI; UDP is left out.",
		addrURI(source, false))
	madeVar(m, "sut", "The source of the message, as a URI.", addrURI(source, true))
	came := func(c *route.Ctx) (int64, bool) {
		n := protoNumber(c.Transport())
		return n, n > 0
	}
	for _, name := range []string{"pr", "proto"} {
		bothVar(m, name, "The protocol that the message came by, in small letters; as a number "+
			"$prid.", (*route.Ctx).TransportWord, came)
	}
	numberVar(m, "prid", "The protocol that the message came by: 1 UDP, 2 TCP, 3 TLS, 4 SCTP, "+
		"5 WS, 6 WSS.", came)
	numberVar(m, "conid", "The number of the connection that the message came by.",
		func(c *route.Ctx) (int64, bool) { id := int64(c.Connection()); return id, id > 0 })

	madeVar(m, "Ri", "The address that the message came to, without brackets.",
		(*route.Ctx).ReceivedIP)
	numberVar(m, "Rp", "The port that the message came to.", portOf(local))
	madeVar(m, "Ru", "The address that received the message, as a URI; UDP is "+
		"left out.", addrURI(local, false))
	madeVar(m, "Rut", "The address that received the message, as a URI.", addrURI(local, true))
	textVar(m, "Rn", "The name of the listener that the message came to.",
		func(c *route.Ctx) ([]byte, bool) { b := c.ReceivedBy().NameText; return b, len(b) > 0 })
	madeVar(m, "RAi", "The address that the listener advertises, or its own.", advertised)
	numberVar(m, "RAp", "The port that the listener advertises, or its own.", advertisedPort)
	madeVar(m, "RAu", "The advertised address of the listener, as a URI; UDP is "+
		"left out.", advertisedURI(false))
	madeVar(m, "RAut", "The advertised address of the listener, as a URI.", advertisedURI(true))

	plainVar(m, "fs", "The listener that the message must leave by, as proto:host:port. Assigning "+
		"$null lifts that.",
		route.Place{NoRoom: true, SetRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			l := c.Forced()
			if l == nil {
				return nil, false
			}
			return l.Socket, true
		}, Set: func(c *route.Ctx, v route.Value) route.SetResult {
			return set(c.ForceSocket(c.TextOf(v)))
		}})
	plainVar(m, "fsn", "The same by the listener's name.",
		route.Place{NoRoom: true, SetRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			l := c.Forced()
			if l == nil {
				return nil, false
			}
			return l.NameText, len(l.NameText) > 0
		}, Set: func(c *route.Ctx, v route.Value) route.SetResult {
			return set(c.ForceSocketName(c.TextOf(v)))
		}})
}

// set is what an assignment did that is a function.
func set(r route.Result) route.SetResult {
	if r <= 0 {
		return route.SetRefused
	}
	return route.SetDone
}

// protoNumber is Kamailio's number of a protocol, 0 for what no script can name.
func protoNumber(t route.Transport) int64 {
	switch t {
	case route.UDP:
		return 1
	case route.TCP:
		return 2
	case route.TLS:
		return 3
	case route.SCTP:
		return 4
	case route.WS:
		return 5
	case route.WSS:
		return 6
	}
	return 0
}

// addrURI is an address as a URI; the transport parameter is left out for UDP unless full.
func addrURI(addr func(c *route.Ctx) netip.AddrPort, full bool) func(c *route.Ctx) ([]byte, bool) {
	return func(c *route.Ctx) ([]byte, bool) {
		a := addr(c)
		b := append(route.AppendHost(append(c.Room(), "sip:"...), a.Addr()), ':')
		return built(c, appendTransport(c, strconv.AppendUint(b, uint64(a.Port()), 10), full))
	}
}

// appendTransport ends a URI with the protocol that the message came by.
func appendTransport(c *route.Ctx, b []byte, full bool) []byte {
	if t := c.Transport(); full || t != route.UDP {
		word, _ := route.TransportName(t)
		b = append(append(b, ";transport="...), word...)
	}
	return b
}

// advertised is $RAi.
func advertised(c *route.Ctx) ([]byte, bool) {
	if l := c.ReceivedBy(); len(l.Advertised) > 0 {
		return l.Advertised, true
	}
	return c.ReceivedIP()
}

// advertisedPort is $RAp.
func advertisedPort(c *route.Ctx) (int64, bool) {
	l := c.ReceivedBy()
	if len(l.Advertised) > 0 && l.AdvertisePort > 0 {
		return int64(l.AdvertisePort), true
	}
	return int64(l.Addr.Port), true
}

// advertisedURI is $RAu, full $RAut.
func advertisedURI(full bool) func(c *route.Ctx) ([]byte, bool) {
	plain := addrURI((*route.Ctx).LocalAddr, full)
	return func(c *route.Ctx) ([]byte, bool) {
		l := c.ReceivedBy()
		if len(l.Advertised) == 0 {
			return plain(c)
		}
		b := append(append(c.Room(), "sip:"...), l.Advertised...)
		if l.AdvertisePort > 0 {
			b = strconv.AppendUint(append(b, ':'), uint64(l.AdvertisePort), 10)
		}
		return built(c, appendTransport(c, b, full))
	}
}
