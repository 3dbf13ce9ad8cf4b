package route

import (
	"bytes"
	"net/netip"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route/syntax"
)

// The functions of nathelper: what the addresses in a message say about where it comes from, and how to find the way back.

// privateNets are those of RFC 1918 and 6598 and, as nathelper has it, RFC 7335; reservedNet of RFC 6890 is added by nat_addr_mode.
var (
	privateNets = [...]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/29")}
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
)

// natTest is nat_uac_test(tests): true when one of them says so.
func natTest(cc *compiler, x *syntax.Call) callFn {
	flags, ok := cc.intArg(x, 0, "the mask", 0, 511)
	if !ok {
		return nil
	}
	reserved := cc.set.NAT.Reserved
	return func(c *Ctx) int {
		n, ok := flags.within(c, 511)
		if !ok {
			return -1
		}
		return truth(c.natted(n, reserved))
	}
}

func (c *Ctx) natted(tests int, reserved bool) bool {
	src := c.from()
	ip := src.Addr().Unmap().WithZone("")
	if tests&natWebSocket != 0 {
		if t := c.transport(); t == WS || t == WSS {
			return true
		}
	}
	if tests&natSource != 0 && private(ip, reserved) {
		return true
	}
	if tests&(natReceived|natVia|natViaPort) != 0 {
		if via, r := c.Msg.TopVia(); r == parser.OK {
			at, isAddr := addrOf(c.Msg.Bytes(via.Host))
			if tests&natReceived != 0 && (!isAddr || at.Unmap() != ip) || tests&natVia != 0 && isAddr && private(at, reserved) {
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
		if _, u := c.contact(); u != nil {
			if at, isAddr := addrOf(u.HostBytes()); tests&natContact != 0 && isAddr && private(at, reserved) {
				return true
			}
			if tests&natContactPort != 0 && u.EffectivePort() != src.Port() {
				return true
			}
		}
	}
	return tests&(natSDP|natSDPSource) != 0 && c.nattedSDP(tests, ip, reserved)
}

var sdpIP4, sdpIP6 = []byte("c=IN IP4 "), []byte("c=IN IP6 ")

// nattedSDP looks at each connection line (RFC 8866 §5.7).
func (c *Ctx) nattedSDP(tests int, src netip.Addr, reserved bool) bool {
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

// isPrivate is is_rfc1918("address").
func isPrivate(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		if _, ok := addrOf([]byte(f.text)); !ok {
			cc.ld.errorf(x.Args[0].At(), "is_rfc1918: %s is no address", quote(clip(f.text)))
			return nil
		}
	}
	cc.scratch = true
	reserved := cc.set.NAT.Reserved
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		ip, ok := addrOf(b)
		return truth(ok && private(ip, reserved))
	}
}

// contact is the first Contact and its URI, nil when there is none that can be read.
func (c *Ctx) contact() (parser.NameAddr, *parser.URI) {
	var a parser.NameAddr
	v := c.Msg.Values(parser.KindContact)
	if !v.Next() || parser.ParseNameAddr(c.Msg.Raw, v.Value, &a) != parser.OK {
		return a, nil
	}
	return a, c.contactURI(&a)
}

func (c *Ctx) contactURI(a *parser.NameAddr) *parser.URI {
	if parser.ParseURI(c.Msg.Bytes(a.URI), &c.huri) != parser.OK || c.huri.Host.Len == 0 {
		return nil
	}
	return &c.huri
}

// fixContact is fix_nated_contact(): the source takes the place of host and port in each Contact.
func (c *Ctx) fixContact() int {
	src, found := c.from(), false
	for v := c.Msg.Values(parser.KindContact); v.Next(); {
		var a parser.NameAddr
		if parser.ParseNameAddr(c.Msg.Raw, v.Value, &a) != parser.OK {
			continue // also for "*"
		}
		u := c.contactURI(&a)
		if u == nil {
			continue
		}
		found = true
		end := u.Host.End()
		if int(end) < len(u.Raw) && u.Raw[end] == ':' {
			for end++; int(end) < len(u.Raw) && u.Raw[end] >= '0' && u.Raw[end] <= '9'; end++ {
			}
		}
		if len(c.buf)+len(u.Raw)+64 > cap(c.buf) {
			return -1
		}
		start := len(c.buf)
		c.buf = append(c.buf, u.Raw[:u.Host.Off]...)
		c.buf = appendHost(c.buf, src.Addr())
		c.buf = append(strconv.AppendUint(append(c.buf, ':'), uint64(src.Port()), 10), u.Raw[end:]...)
		if r := c.replaceContact(a.URI, c.buf[start:]); r < 0 {
			return r
		}
	}
	return truth(found)
}

// setContactAlias is set_contact_alias([trim]); an alias that is there is taken off in any case, since the way back must be the one seen here.
func setContactAlias(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) > 0 {
		if _, ok := cc.intArg(x, 0, "trim", 0, 1); !ok {
			return nil
		}
	}
	cc.scratch = true
	name := cc.set.NAT.AliasName
	return func(c *Ctx) int {
		a, u := c.contact()
		if u == nil {
			return -1
		}
		src := c.from()
		return c.addAlias(&a, u, name, src.Addr(), int(src.Port()), c.transport())
	}
}

// contactAlias is add_contact_alias([address, port, protocol]); without arguments 2 where the Contact names the source already.
func contactAlias(cc *compiler, x *syntax.Call) callFn {
	name := cc.set.NAT.AliasName
	cc.scratch = true
	if n := len(x.Args); n != 0 && n != 3 {
		cc.ld.errorf(x.Pos, "add_contact_alias takes no arguments, or an address, a port and a protocol")
		return nil
	}
	if len(x.Args) == 0 {
		return func(c *Ctx) int {
			a, u := c.contact()
			if u == nil {
				return -1
			}
			src, proto := c.from(), c.transport()
			if at, ok := addrOf(u.HostBytes()); ok && at.Unmap() == src.Addr().Unmap().WithZone("") && u.EffectivePort() == src.Port() &&
				sameTransport(transportOf(u), proto) {
				return 2
			}
			return c.addAlias(&a, u, name, src.Addr(), int(src.Port()), proto)
		}
	}
	addr, proto := cc.textArg(x, 0), cc.textArg(x, 2)
	port, ok := cc.intArg(x, 1, "the port", 1, 65535)
	if !ok || addr == nil || proto == nil {
		return nil
	}
	return func(c *Ctx) int {
		n, whole := port.within(c, 65535)
		ab, r1 := c.expand(addr)
		pb, r2 := c.expand(proto)
		if r1 <= 0 || r2 <= 0 {
			return min(r1, r2)
		}
		ip, isAddr := addrOf(ab)
		t, isProto := transportBytes(pb)
		a, u := c.contact()
		if !whole || n == 0 || !isAddr || !isProto || u == nil {
			return -1
		}
		return c.addAlias(&a, u, name, ip, n, t)
	}
}

// sameTransport: a URI says ws for WebSocket over TLS as well (RFC 7118 §4.1).
func sameTransport(uri, seen Transport) bool { return uri == seen || uri == WS && seen == WSS }

// transportBytes is transportWord without a string.
func transportBytes(b []byte) (Transport, bool) {
	for t := range aliasDigits {
		if name, ok := transportName(aliasDigits[t]); ok && bytes.EqualFold(b, name) {
			return aliasDigits[t], true
		}
	}
	return AnyTransport, false
}

// aliasDigits are the protocols by the digit that stands for them in an alias.
var aliasDigits = [...]Transport{1: UDP, 2: TCP, 3: TLS, 4: SCTP, 5: WS, 6: WSS}

func aliasDigit(t Transport) byte {
	for d := range aliasDigits {
		if aliasDigits[d] == t {
			return '0' + byte(d)
		}
	}
	return '0'
}

// addAlias puts ";alias=address~port~protocol" into the Contact a, whose URI is u; all that are there go,
// for the first one is followed when the URI comes back.
func (c *Ctx) addAlias(a *parser.NameAddr, u *parser.URI, name string, ip netip.Addr, port int, proto Transport) int {
	if len(c.buf)+len(u.Raw)+len(name)+80 > cap(c.buf) {
		return -1
	}
	start := len(c.buf)
	out := c.buf
	if !a.Bracket {
		out = append(out, '<') // the parameters behind are the header field's (RFC 3261 §20.10)
	}
	params := u.Params.Of(u.Raw)
	front, back := u.Raw, []byte(nil)
	if u.HasHeaders {
		i := int(u.Headers.Off) - 1
		front, back = u.Raw[:i], u.Raw[i:]
	}
	front = front[:len(front)-len(params)]
	out = append(out, front...)
	for i, end := findNamed(params, name); i >= 0; i, end = findNamed(params, name) {
		out = append(out, params[:i]...)
		params = params[end:]
	}
	out = append(out, params...)
	out = append(append(append(out, ';'), name...), '=')
	out = strconv.AppendUint(append(appendHost(out, ip), '~'), uint64(port), 10)
	out = append(out, '~', aliasDigit(proto))
	out = append(out, back...)
	if !a.Bracket {
		out = append(out, '>')
	}
	c.buf = out
	return c.replaceContact(a.URI, out[start:])
}

// findNamed is findParam with a name that is a string.
func findNamed(params []byte, name string) (start, end int) {
	var tmp [maxAliasName]byte
	return findParam(params, append(tmp[:0], name...))
}

// takeAlias is handle_ruri_alias(): the destination is what the Request-URI's alias says, and the alias goes. 2 when there is none, or one
// that is somebody else's, without a tilde (5.6.3).
func takeAlias(cc *compiler, _ *syntax.Call) callFn {
	name := cc.set.NAT.AliasName
	cc.scratch = true
	return func(c *Ctx) int {
		u := c.requestURI()
		if u == nil {
			return -1
		}
		p := partsOf(u)
		i, end := findNamed(p.mid, name)
		if i < 0 {
			return 2
		}
		_, value, _ := bytes.Cut(p.mid[i:end], []byte{'='})
		host, value, ok1 := bytes.Cut(value, []byte{'~'})
		if !ok1 {
			return 2
		}
		portText, proto, ok2 := bytes.Cut(value, []byte{'~'})
		ip, isAddr := addrOf(host)
		port := atoi(portText)
		if !ok2 || !isAddr || port < 1 || port > 65535 || len(proto) != 1 || proto[0] < '1' || int(proto[0]-'0') >= len(aliasDigits) {
			return -1
		}
		word, _ := transportName(aliasDigits[proto[0]-'0'])
		if len(c.buf)+100 > cap(c.buf) {
			return -1
		}
		start := len(c.buf)
		out := strconv.AppendInt(append(appendHost(append(c.buf, "sip:"...), ip), ':'), port, 10)
		if proto[0] != '1' {
			out = append(append(out, ";transport="...), word...)
		}
		c.buf = out
		p.mid, p.last = p.mid[:i], p.mid[end:]
		if c.setParts(&p) != setDone { // before $du: an alias that stays must not have been followed
			return -1
		}
		c.duri.forget()
		return truth(c.Request.SetDstURI(out[start:]))
	}
}

// noRegister is fix_nated_register().
func noRegister(cc *compiler, x *syntax.Call) callFn {
	cc.ld.warnf(x.Pos, "fix_nated_register has nothing to do: there is no registrar that could keep the address")
	return func(*Ctx) int { return 1 }
}
