// Package nathelper tells what the addresses in a message say about where it comes from, and finds
// the way back: Kamailio's module nathelper.
package nathelper

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// maxNameBytes is the longest alias_name. Beyond: load error.
const maxNameBytes = 64

// Define is the module.
func Define(m *route.Module) {
	reserved := m.Bool("nat_addr_mode", true, "Whether 192.0.0.0/24 (RFC 6890) is private as well.")
	name := m.Text("alias_name", "alias", "The name of the alias parameter of a Contact.")
	m.Check("alias_name", func(s string, _ int64) string {
		if !route.IsToken(s) || len(s) > maxNameBytes {
			return fmt.Sprintf("is %s; a parameter's name is up to 64 letters, digits and "+
				"-.!%%*_+`'~", route.Quote(s))
		}
		return ""
	})
	const noPing = "there is no registrar whose contacts could be pinged"
	m.IdleInt(noPing, "natping_interval", "ping_nated_only", "natping_processes",
		"natping_disable_bflag", "sipping_bflag",
		"keepalive_timeout", "udpping_from_path", "filter_server_id")
	m.IdleText(noPing, "natping_socket", "sipping_from", "sipping_method", "force_socket")
	received := m.Text("received_avp", "", "The variable that fix_nated_register writes to.")
	marker := m.Text("nortpproxy_str", "a=nortpproxy:yes\r\n",
		"The line that fix_nated_sdp adds with 4.")
	old := m.Bool("append_sdp_oldmediaip", true,
		"Whether fix_nated_sdp keeps the replaced addresses in an a=oldmediaip line.")

	tests := route.Int("mask", math.MinInt32, math.MaxInt32,
		"the tests, as bits of which others have no effect")
	route.Func1(m, "nat_uac_test", route.Anywhere, tests,
		"Tells whether one of the tests detects a NAT.",
		func(c *route.Ctx, tests int) route.Result {
			return route.Truth(natted(c, tests, *reserved))
		})
	address := route.Text("address", "an address")
	m.Func(route.Func{Name: "is_rfc1918", In: route.Anywhere, Args: []route.AnyArg{address},
		Doc: "Tells whether an address is private (RFC 1918, 6598 and 7335).",
		Build: func(b *route.Build) route.Call {
			text, ok := address.At(b, 0)
			if s, known := text.Known(); ok && known {
				if _, isAddr := addrOf(s); !isAddr {
					b.Warnf(0, "is_rfc1918: %s is no address, and the call is false; write one such as "+
						"\"10.0.0.1\", or a variable", route.Quote(string(s)))
				}
			}
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				s, r := text.Get(c)
				if r <= 0 {
					return r
				}
				ip, ok := addrOf(s)
				return route.Truth(ok && private(ip, *reserved))
			}
		}})

	const in = route.Anywhere &^ (route.InFailure | route.InOnsend)
	port := route.Optional(route.Lenient(route.Int("port", 1, 65535, "its port"), -1), 0)
	proto := route.Optional(route.Text("protocol", "and protocol"), nil)
	m.Func(route.Func{Name: "add_contact_alias", In: in,
		Args: []route.AnyArg{route.Optional(address, nil), port, proto},
		Doc: "Adds an alias to the Contact: the source, or an address. 2: the Contact names the " +
			"source already, its transport included. False: there is none, or " +
			"fix_nated_contact or set_contact_alias has changed it before.",
		Build: func(b *route.Build) route.Call {
			return contactAlias(b, *name, address, port, proto)
		}}).ThroughRoutes(route.InFailure)
	trim := route.Optional(route.Int("trim", 0, 1, "1: existing aliases are "+
		"removed first", route.AsIs), 0)
	route.Func1(m, "set_contact_alias", in, trim,
		"Adds the source to the Contact as an alias, after its other parameters. False: there is "+
			"none, or this or fix_nated_contact has changed it before.",
		func(c *route.Ctx, trim int) route.Result {
			a, u := contact(c)
			if u == nil {
				return -1
			}
			src := c.From()
			return addAlias(c, &a, u, &alias{*name, src.Addr(), int(src.Port()), c.Transport(), true,
				trim != 0})
		}).ThroughRoutes(route.InFailure)
	mode := route.Optional(route.Int("mode", 0, 1,
		"1: the last alias, which set_contact_alias added", route.AsIs), 0)
	route.Func1(m, "handle_ruri_alias", route.InRequest|route.InBranch, mode,
		"Sets $du to the first alias of the Request-URI, and removes that alias. 2: there is none, "+
			"or it is shorter than a~5~1. False: it is none that leads anywhere; the Request-URI "+
			"then stays as it is, where Kamailio writes a colon into it.",
		func(c *route.Ctx, mode int) route.Result { return takeAlias(c, *name, mode == 1) }).
		ThroughRoutes(route.InFailure)
	route.Func0(m, "fix_nated_contact", in,
		"Replaces host and port of each Contact by the source. False: there is none, or this or "+
			"set_contact_alias has changed it before.", fixContact).
		ThroughRoutes(route.InFailure)
	register(m, received)
	sdp(m, marker, old)
	route.Func1(m, "set_alias_to_pv", route.Anywhere, route.Writable("result", "a variable"),
		"Stores the alias of the Contact, as a URI, in a variable. False: there is none.",
		func(c *route.Ctx, into *route.Place) route.Result { return aliasOf(c, *name, into) })
	recordRoutes(m)
}

// privateNets are those of RFC 1918 and 6598 and, as nathelper has it, RFC 7335; reservedNet of RFC
// 6890 is added by nat_addr_mode.
var (
	privateNets = [...]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("192.0.0.0/29")}
	reservedNet = netip.MustParsePrefix("192.0.0.0/24")
)

func private(ip netip.Addr, reserved bool) bool {
	ip = ip.Unmap()
	for i := range privateNets {
		if privateNets[i].Contains(ip) {
			return true
		}
	}
	return reserved && reservedNet.Contains(ip)
}

// addrOf reads an address as a message writes it, IPv6 with or without brackets.
func addrOf(b []byte) (netip.Addr, bool) {
	if ip, ok := parser.HostIP(b); ok {
		return ip, true
	}
	var tmp [48]byte
	if len(b) > len(tmp)-2 || bytes.IndexByte(b, ':') < 0 {
		return netip.Addr{}, false // a name
	}
	return parser.HostIP(append(append(append(tmp[:0], '['), b...), ']'))
}

// The tests of nat_uac_test, as bits.
const (
	natContact     = 1   // the Contact's address is private
	natReceived    = 2   // Via's address is not the source
	natVia         = 4   // Via's address is private
	natSDP         = 8   // an address of the SDP is private
	natViaPort     = 16  // Via's port is not the source's
	natSource      = 32  // the source is private
	natWebSocket   = 64  // the message came over a WebSocket
	natContactPort = 128 // the Contact's port is not the source's
	natSDPSource   = 256 // an address of the SDP is not the source
	natTarget      = 512 // it goes to another place than it is addressed to, or over a WebSocket
)

func natted(c *route.Ctx, tests int, reserved bool) bool {
	src := c.From()
	ip := src.Addr().Unmap().WithZone("")
	if tests&natWebSocket != 0 {
		if t := c.Transport(); t == route.WS || t == route.WSS {
			return true
		}
	}
	if tests&natSource != 0 && private(ip, reserved) {
		return true
	}
	if tests&(natReceived|natVia|natViaPort) != 0 {
		if via, r := c.Msg.TopVia(); r == parser.OK {
			at, isAddr := addrOf(c.Msg.Bytes(via.Host))
			if tests&natReceived != 0 && (!isAddr || at.Unmap() != ip) ||
				tests&natVia != 0 && isAddr && private(at, reserved) {
				return true
			}
			port := via.Port
			if port == 0 {
				port = 5060 // also for TLS, as nathelper has it
			}
			if tests&natViaPort != 0 && port != src.Port() {
				return true
			}
		}
	}
	if tests&(natContact|natContactPort) != 0 {
		if _, u := contact(c); u != nil {
			if at, isAddr := addrOf(u.HostBytes()); tests&natContact != 0 && isAddr &&
				private(at, reserved) {
				return true
			}
			if tests&natContactPort != 0 && u.EffectivePort() != src.Port() {
				return true
			}
		}
	}
	if tests&natTarget != 0 && targetDiffers(c) {
		return true
	}
	return tests&(natSDP|natSDPSource) != 0 && nattedSDP(c, tests, ip, reserved)
}

// targetDiffers tells whether a request has a $du with another host or port than its Request-URI,
// or a response another way back than the Via behind ours says.
func targetDiffers(c *route.Ctx) bool {
	if c.Msg.IsRequest {
		var u, d parser.URI
		uri, dst := c.Request.RequestURI(), c.Request.DstURI()
		if dst == nil || parser.ParseURI(uri, &u) != parser.OK || parser.ParseURI(dst, &d) != parser.OK {
			return false
		}
		t := route.TransportOf(&d)
		return t == route.WS || t == route.WSS || !bytes.EqualFold(u.HostBytes(), d.HostBytes()) ||
			u.EffectivePort() != d.EffectivePort()
	}
	v := c.Msg.Values(parser.KindVia)
	var via parser.Via
	if v.Next(); !v.Next() || parser.ParseVia(c.Msg.Raw, v.Value, &via) != parser.OK {
		return false
	}
	if via.Transport == parser.WS || via.Transport == parser.WSS {
		return true
	}
	port := via.Port
	if port == 0 {
		port = 5060
	}
	return !via.Received.Empty() && !bytes.Equal(c.Msg.Bytes(via.Received), c.Msg.Bytes(via.Host)) ||
		via.RPort != 0 && via.RPort != port
}

var sdpIP4, sdpIP6 = []byte("c=IN IP4 "), []byte("c=IN IP6 ")

// nattedSDP looks at each connection line (RFC 8866 §5.7).
func nattedSDP(c *route.Ctx, tests int, src netip.Addr, reserved bool) bool {
	rest := c.Msg.Body()
	for len(rest) > 0 {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		addr, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r "), sdpIP4)
		if !ok {
			if addr, ok = bytes.CutPrefix(bytes.TrimRight(line, "\r "), sdpIP6); !ok {
				continue
			}
		}
		if i := bytes.IndexByte(addr, '/'); i >= 0 {
			addr = addr[:i] // a multicast group's TTL
		}
		if at, isAddr := addrOf(addr); isAddr &&
			(tests&natSDP != 0 && private(at, reserved) || tests&natSDPSource != 0 && at.Unmap() != src) {
			return true
		}
	}
	return false
}

// contact is the first Contact and its URI, nil when there is none that can be read.
func contact(c *route.Ctx) (parser.NameAddr, *parser.URI) {
	var a parser.NameAddr
	v := c.Msg.Values(parser.KindContact)
	if !v.Next() || parser.ParseNameAddr(c.Msg.Raw, v.Value, &a) != parser.OK {
		return a, nil
	}
	return a, contactURI(c, &a)
}

func contactURI(c *route.Ctx, a *parser.NameAddr) *parser.URI {
	return c.ParseURI(c.Msg.Bytes(a.URI))
}

// fixContact is fix_nated_contact(): the source takes the place of host and port in each Contact.
func fixContact(c *route.Ctx) int {
	src, found := c.From(), false
	for v := c.Msg.Values(parser.KindContact); v.Next(); {
		var a parser.NameAddr
		if parser.ParseNameAddr(c.Msg.Raw, v.Value, &a) != parser.OK {
			continue // also for "*"
		}
		u := contactURI(c, &a)
		if u == nil {
			continue
		}
		if changed(c, &a, u) {
			return -1 // as in Kamailio: the first change stays
		}
		found = true
		at, old, front := hostPort(&a, u), a.URI, u.Raw[:u.Host.Off]
		back := u.Raw[at.End()-a.URI.Off:]
		if c.Edited(parser.Span{Off: aliasPlace(&a, u)}) {
			old, front, back = at, nil, nil // the alias of add_contact_alias stays
		}
		out := c.Room()
		if len(u.Raw)+64 > cap(out) {
			return -1
		}
		out = append(route.AppendHost(append(out, front...), src.Addr()), ':')
		out = append(strconv.AppendUint(out, uint64(src.Port()), 10), back...)
		if r := c.Edit(old, out); r < 0 {
			return r
		}
	}
	return route.Truth(found)
}

// sameTransport: a URI says ws for WebSocket over TLS as well (RFC 7118 §4.1).
func sameTransport(uri, seen route.Transport) bool {
	return uri == seen || uri == route.WS && seen == route.WSS
}

// transportBytes is transportWord without a string.
func transportBytes(b []byte) (route.Transport, bool) {
	for t := range aliasDigits {
		if name, ok := route.TransportName(aliasDigits[t]); ok && bytes.EqualFold(b, name) {
			return aliasDigits[t], true
		}
	}
	return route.AnyTransport, false
}
