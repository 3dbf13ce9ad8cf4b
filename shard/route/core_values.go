package route

import (
	"bytes"
	"net/netip"
	"strings"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// coreValue is a core keyword, which stands in expressions without a dollar sign (core cookbook,
// "Core Keywords").
type coreValue struct {
	onsend bool  // only in onsend_route
	value  valFn // nil if it can only be compared
	kind   coreKind
	bytes  func(c *Ctx) ([]byte, bool) // text keywords
	uri    func(c *Ctx) *parser.URI    // keywords that can be compared with myself
	addr   func(c *Ctx) netip.AddrPort // address keywords
	proto  func(c *Ctx) (Transport, bool)
	is6    func(c *Ctx) (is6, ok bool)
}

type coreKind uint8

const (
	// compared without regard to case (5.6.3: method == "invite" is true for INVITE)
	coreText coreKind = iota
	coreNumber
	coreAddr
	coreProto
	coreFamily
)

var coreValues map[string]*coreValue

func init() {
	text := func(b func(c *Ctx) ([]byte, bool), u func(c *Ctx) *parser.URI) *coreValue {
		return &coreValue{kind: coreText, bytes: b, uri: u, value: func(c *Ctx) Value {
			return strOf(b(c))
		}}
	}
	number := func(f func(c *Ctx) int64) *coreValue {
		return &coreValue{kind: coreNumber, value: func(c *Ctx) Value { return intOf(f(c)) }}
	}
	coreValues = map[string]*coreValue{
		"method":   text(readMethod, nil),
		"uri":      text((*Ctx).RURI, (*Ctx).requestURI),
		"from_uri": text((*Ctx).FromURI, (*Ctx).ParsedFrom),
		"to_uri":   text((*Ctx).ToURI, (*Ctx).ParsedTo),
		"status":   text(readStatus, nil),
		"src_ip":   {kind: coreAddr, addr: (*Ctx).From},
		"dst_ip":   {kind: coreAddr, addr: (*Ctx).LocalAddr},
		"src_port": number(func(c *Ctx) int64 { return int64(c.From().Port()) }),
		"dst_port": number(func(c *Ctx) int64 { return int64(c.LocalAddr().Port()) }),
		"msg:len":  number((*Ctx).messageLen),
		"max_len":  number(func(*Ctx) int64 { return maxMessage }),
		"proto": {kind: coreProto, proto: func(c *Ctx) (Transport, bool) {
			return c.Transport(), true
		}},
		"af": {kind: coreFamily, is6: func(c *Ctx) (bool, bool) {
			return c.From().Addr().Unmap().Is6(), true
		}},
	}
	for word, n := range levelWords {
		coreValues[word] = number(func(*Ctx) int64 { return int64(n) })
	}
	defineOnsendValues(number)
}

// maxMessage is the value of max_len, the size of Kamailio's buffer. Scripts compare msg:len with
// it.
const maxMessage = 65535

func (cc *compiler) unknownName(x *syntax.Name) {
	switch {
	case coreValues[x.Name] != nil:
		cc.ld.errorf(x.Pos, "%s can only be compared with == or !=", x.Name)
	case x.Name == "myself":
		cc.ld.errorf(x.Pos, "myself stands on the right of ==, as in uri == myself")
	default:
		cc.ld.errorf(x.Pos, "unknown word %s%s; text needs quotes", x.Name,
			suggest.DidYouMean(x.Name, sortedKeys(coreValues)))
	}
}

// coreComparison compiles keyword == x and keyword != x.
func (cc *compiler) coreComparison(n *syntax.Name, x *syntax.Binary) testFn {
	d := coreValues[n.Name]
	not := x.Op == "!="
	cc.mayStand(n, d)
	if w, ok := x.R.(*syntax.Name); ok && w.Name == "myself" {
		return cc.myself(n, d, not)
	}
	switch d.kind {
	case coreText:
		want, ok := x.R.(*syntax.Str)
		if w, word := x.R.(*syntax.Name); word && n.Name == "method" {
			// method == INVITE
			want, ok = &syntax.Str{Pos: w.Pos, S: w.Name}, true
		}
		if !ok {
			return cc.typed(x, ignoreCase, not)
		}
		lit, read := []byte(want.S), d.bytes
		return func(c *Ctx) Result {
			b, there := read(c)
			return answer(there && len(b) == len(lit) && bytes.EqualFold(b, lit), not)
		}
	case coreNumber:
		return cc.typed(x, byLeft, not)
	case coreProto:
		want, ok := wordArg(cc, x.R, "a protocol: UDP, TCP, TLS, SCTP, WS or WSS", transportWord)
		if !ok {
			return never
		}
		read := d.proto
		return func(c *Ctx) Result {
			is, ok := read(c)
			return answer(ok && is == want, not)
		}
	case coreFamily:
		want, ok := wordArg(cc, x.R, "INET or INET6", familyWord)
		if !ok {
			return never
		}
		read := d.is6
		return func(c *Ctx) Result {
			is, ok := read(c)
			return answer(ok && is == want, not)
		}
	}
	return cc.addrComparison(n, d, x, not)
}

// wordArg reads a bare word or a string with read. The error message says that what was expected.
func wordArg[T any](cc *compiler, x syntax.Expr, what string,
	read func(string) (T, bool)) (T, bool) {
	var s string
	switch x := x.(type) {
	case *syntax.Name:
		s = x.Name
	case *syntax.Str:
		s = x.S
	}
	v, ok := read(s)
	if !ok {
		cc.ld.errorf(x.At(), "expected %s", what)
	}
	return v, ok
}

func familyWord(s string) (bool, bool) {
	switch strings.ToUpper(s) {
	case "INET":
		return false, true
	case "INET6":
		return true, true
	}
	return false, false
}

// equalFold is the == of a text keyword with anything but a literal.
func (v *Value) equalFold(r *Value) bool {
	if v.Kind == strValue && r.Kind == strValue {
		return bytes.EqualFold(v.S, r.S)
	}
	return v.equal(r)
}

// myself compiles uri == myself and the like.
func (cc *compiler) myself(n *syntax.Name, d *coreValue, not bool) testFn {
	switch {
	case d.uri != nil:
		uri := d.uri
		return func(c *Ctx) Result {
			u := uri(c)
			return answer(u != nil && len(u.HostBytes()) > 0 && c.namesUs(u), not)
		}
	case d.addr != nil:
		addr := d.addr
		return func(c *Ctx) Result {
			var tmp [64]byte
			mark := len(c.buf)
			c.buf = append(c.buf, appendHost(tmp[:0], addr(c).Addr())...)
			// Whatever its port: a packet's source is one of ours (5.6.3).
			is := c.Shard.Core.IsMyself(c.buf[mark:], proxy.AnyPort, proxy.AnyProto)
			c.buf = c.buf[:mark]
			return answer(is, not)
		}
	}
	cc.ld.errorf(n.Pos, "%s cannot be compared with myself", n.Name)
	return never
}

// namesUs tells whether a URI is one of ours, as uri == myself does: one without a port means 5060,
// or 5061 for transport=tls, whatever the listener's transport (5.6.3; is_myself() is not so
// strict). One of sips means either, 5061 by RFC 3261 §19.1.2, which Kamailio does not know.
func (c *Ctx) namesUs(u *parser.URI) bool {
	if u.Port == 0 && u.Scheme == parser.SIPS &&
		c.Shard.Core.IsMyself(u.HostBytes(), 5061, proxy.AnyProto) {
		return true
	}
	return c.Shard.Core.IsMyself(u.HostBytes(), int(PlainPort(u)), proxy.AnyProto)
}

// PlainPort is the port of a URI as Kamailio's variables show it: one that has none has 5060, but
// 5061 for transport=tls. Requests go to what RFC 3261 says, parser.URI.EffectivePort.
func PlainPort(u *parser.URI) uint16 {
	switch {
	case u.Port != 0:
		return u.Port
	case u.Transport() == parser.TLS:
		return 5061
	}
	return 5060
}

// appendHost appends an address as the host of a URI, with brackets around IPv6.
func appendHost(dst []byte, ip netip.Addr) []byte {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		return append(ip.AppendTo(append(dst, '[')), ']')
	}
	return ip.AppendTo(dst)
}

// addrComparison compiles src_ip == 1.2.3.4, == 10.0.0.0/8, == 10.0.0.0/255.0.0.0 and == [::1],
// also with quotes around the address.
func (cc *compiler) addrComparison(n *syntax.Name, d *coreValue, x *syntax.Binary,
	not bool) testFn {
	var s string
	switch r := x.R.(type) {
	case *syntax.IP:
		s = r.S
	case *syntax.Str:
		s = r.S
	default:
		return cc.addrComputed(d, x, not)
	}
	net, ok := parseNet(s)
	if !ok && isHostName(s) {
		return cc.addrNamed(d, x, s, not)
	}
	if !ok {
		cc.ld.errorf(x.R.At(), "%s is neither an address nor a network", quote(clip(s)))
		return never
	}
	addr := d.addr
	return func(c *Ctx) Result {
		return answer(net.Contains(addr(c).Addr().Unmap().WithZone("")), not)
	}
}

// addrComputed compiles src_ip == $var(x). A value that is not an address equals no address.
func (cc *compiler) addrComputed(d *coreValue, x *syntax.Binary, not bool) testFn {
	val, addr := cc.operand(x.R), d.addr
	return func(c *Ctx) Result {
		v := val(c)
		ip, ok := parser.HostIP(v.S)
		return answer(ok && ip.Unmap() == addr(c).Addr().Unmap().WithZone(""), not)
	}
}

// parseNet reads 1.2.3.4, ::1, [::1], a/n and a/mask.
func parseNet(s string) (netip.Prefix, bool) {
	host, mask, masked := strings.Cut(s, "/")
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil {
		return netip.Prefix{}, false
	}
	bits := ip.BitLen()
	if masked {
		if m, err := netip.ParseAddr(mask); err == nil && m.BitLen() == ip.BitLen() {
			bits = leadingOnes(m)
		} else {
			v := atoi([]byte(mask))
			if mask == "" || v < 0 || v > int64(ip.BitLen()) || itoa(v) != mask {
				return netip.Prefix{}, false
			}
			bits = int(v)
		}
	}
	if bits < 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(ip, bits).Masked(), true
}

// leadingOnes returns the length of a netmask. It returns -1 if the mask has a hole.
func leadingOnes(m netip.Addr) int {
	n, done := 0, false
	for _, b := range m.AsSlice() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && done {
				return -1
			}
			if one {
				n++
			} else {
				done = true
			}
		}
	}
	return n
}
