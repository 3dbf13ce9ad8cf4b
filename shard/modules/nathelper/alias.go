package nathelper

import (
	"bytes"
	"net/netip"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// aliasDigits are the protocols by the digit that stands for them in an alias.
var aliasDigits = [...]route.Transport{route.AnyTransport, route.UDP, route.TCP, route.TLS,
	route.SCTP,
	route.WS, route.WSS}

func aliasDigit(t route.Transport) byte {
	for d := range aliasDigits {
		if aliasDigits[d] == t {
			return '0' + byte(d)
		}
	}
	return '0'
}

// An alias is what goes into a Contact: ";alias=address~port~protocol".
type alias struct {
	name  string
	ip    netip.Addr
	port  int
	proto route.Transport
	last  bool // behind the other parameters; otherwise in front of them, where it is followed first
	trim  bool // those that are there go
}

// addAlias puts one into the Contact a, whose URI is u. One that is there leads on from there, to
// who has seen the Contact before. It is false if the Contact was changed as a whole before, as in
// Kamailio: the first change stays.
func addAlias(c *route.Ctx, a *parser.NameAddr, u *parser.URI, x *alias) int {
	out := c.Room()
	if len(u.Raw)+len(x.name)+80 > cap(out) || changed(c, a, u) {
		return -1
	}
	if !x.last && a.Bracket {
		return c.Insert(aliasPlace(a, u), x.append(out))
	}
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
	if !x.last {
		out = x.append(out)
	}
	for x.trim {
		i, end := findNamed(params, x.name)
		if i < 0 {
			break
		}
		out = append(out, params[:i]...)
		params = params[end:]
	}
	out = append(out, params...)
	if x.last {
		out = x.append(out)
	}
	out = append(out, back...)
	if !a.Bracket {
		out = append(out, '>')
	}
	return c.Edit(a.URI, out)
}

// aliasPlace is the offset in front of the parameters of a Contact's URI, where add_contact_alias
// puts an alias.
func aliasPlace(a *parser.NameAddr, u *parser.URI) uint32 {
	switch {
	case !u.Params.Empty():
		return a.URI.Off + u.Params.Off
	case u.HasHeaders:
		return a.URI.Off + u.Headers.Off - 1
	}
	return a.URI.End()
}

// changed tells whether fix_nated_contact or set_contact_alias has changed a Contact.
func changed(c *route.Ctx, a *parser.NameAddr, u *parser.URI) bool {
	return c.Edited(a.URI) || c.Edited(hostPort(a, u))
}

// hostPort is where host and port of a Contact stand.
func hostPort(a *parser.NameAddr, u *parser.URI) parser.Span {
	end := u.Host.End()
	if int(end) < len(u.Raw) && u.Raw[end] == ':' {
		for end++; int(end) < len(u.Raw) && u.Raw[end] >= '0' && u.Raw[end] <= '9'; end++ {
		}
	}
	return parser.Span{Off: a.URI.Off + u.Host.Off, Len: end - u.Host.Off}
}

func (x *alias) append(out []byte) []byte {
	out = append(append(append(out, ';'), x.name...), '=')
	out = strconv.AppendUint(append(route.AppendHost(out, x.ip), '~'), uint64(x.port), 10)
	return append(out, '~', aliasDigit(x.proto))
}

// findNamed is findParam with a name that is a string.
func findNamed(params []byte, name string) (start, end int) {
	var tmp [maxNameBytes]byte
	return route.FindParam(params, append(tmp[:0], name...))
}

// contactAlias is add_contact_alias([address, port, protocol]).
func contactAlias(b *route.Build, name string, address route.Arg[[]byte], port route.Arg[int],
	proto route.Arg[[]byte]) route.Call {
	if n := b.Args(); n != 0 && n != 3 {
		b.Errorf(route.WholeCall,
			"add_contact_alias takes no arguments, or an address, a port and a protocol")
		return nil
	}
	if b.Args() == 0 {
		return func(c *route.Ctx) route.Result {
			a, u := contact(c)
			if u == nil {
				return -1
			}
			src, proto := c.From(), c.Transport()
			if at, ok := addrOf(u.HostBytes()); ok &&
				at.Unmap() == src.Addr().Unmap().WithZone("") && u.EffectivePort() == src.Port() &&
				named(u) && sameTransport(route.TransportOf(u), proto) {
				return 2
			}
			return addAlias(c, &a, u, &alias{name: name, ip: src.Addr(), port: int(src.Port()),
				proto: proto})
		}
	}
	addr, ok1 := address.At(b, 0)
	num, ok2 := port.At(b, 1)
	word, ok3 := proto.At(b, 2)
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	return func(c *route.Ctx) route.Result {
		n, r := num.Get(c)
		ab, r1 := addr.Get(c)
		pb, r2 := word.Get(c)
		if r1 <= 0 || r2 <= 0 {
			return min(r1, r2)
		}
		ip, isAddr := addrOf(ab)
		t, isProto := transportBytes(pb)
		a, u := contact(c)
		if r <= 0 || !isAddr || !isProto || u == nil {
			return -1
		}
		return addAlias(c, &a, u, &alias{name: name, ip: ip, port: n, proto: t})
	}
}

// named tells whether a URI names its transport. One that leaves it open may be asked for by
// another than the source uses, and an alias settles that (5.6.3).
func named(u *parser.URI) bool {
	_, ok := u.Param("transport")
	return ok || u.Scheme == parser.SIPS
}

// takeAlias is handle_ruri_alias().
func takeAlias(c *route.Ctx, name string, last bool) route.Result {
	u := c.RequestURI()
	if u == nil {
		return -1
	}
	params := u.Params.Of(u.Raw)
	start, end := findNamed(params, name)
	if start < 0 {
		return 2
	}
	for at := end; last; {
		i, e := findNamed(params[at:], name)
		if i < 0 {
			break
		}
		start, end = at+i, at+e
		at = end
	}
	_, value, _ := bytes.Cut(params[start:end], []byte{'='})
	dst, r := aliasURI(c, value)
	if r != 1 {
		return r
	}
	// Before $du: an alias that stays must not have been followed.
	at := int(u.Params.Off)
	uri := append(append(c.Room(), u.Raw[:at+start]...), u.Raw[at+end:]...)
	v := c.Built(uri)
	if v.IsNull() {
		return -1
	}
	if r := c.SetRequestURI(v.S); r <= 0 {
		return r
	}
	return c.SetDstURI(dst)
}

// shortestAlias is the length below which a value is no alias, "a~5~1": as in Kamailio it counts as
// none.
const shortestAlias = 5

// aliasURI is where an alias leads. The result is 2 where the value is too short to be one.
func aliasURI(c *route.Ctx, value []byte) ([]byte, route.Result) {
	if len(value) < shortestAlias {
		return nil, 2
	}
	host, value, _ := bytes.Cut(value, []byte{'~'})
	portText, proto, ok2 := bytes.Cut(value, []byte{'~'})
	ip, isAddr := addrOf(host)
	port := route.Atoi(portText)
	if !ok2 || !isAddr || port < 1 || port > 65535 || len(proto) != 1 || proto[0] < '1' ||
		int(proto[0]-'0') >= len(aliasDigits) {
		return nil, -1
	}
	v := c.Built(appendSource(c.Room(), ip, int(port), aliasDigits[proto[0]-'0']))
	if v.IsNull() {
		return nil, -1
	}
	return v.S, 1
}

// appendSource appends the URI of a place.
func appendSource(out []byte, ip netip.Addr, port int, t route.Transport) []byte {
	out = append(route.AppendHost(append(out, "sip:"...), ip), ':')
	out = strconv.AppendInt(out, int64(port), 10)
	if t != route.UDP {
		word, _ := route.TransportName(t)
		out = append(append(out, ";transport="...), word...)
	}
	return out
}

// aliasOf is set_alias_to_pv.
func aliasOf(c *route.Ctx, name string, into *route.Place) route.Result {
	_, u := contact(c)
	if u == nil {
		return -1
	}
	params := u.Params.Of(u.Raw)
	start, end := findNamed(params, name)
	if start < 0 {
		return -1
	}
	_, value, _ := bytes.Cut(params[start:end], []byte{'='})
	uri, r := aliasURI(c, value)
	if r != 1 {
		return -1
	}
	return into.Put(c, route.TextValue(uri))
}
