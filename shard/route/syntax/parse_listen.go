package syntax

import (
	"net/netip"
	"strconv"
	"strings"

	"viaduct/transport"
)

// listen reads the sockets of one listen= line. There may be several, each written
// [proto:]host[:port] [advertise host[:port]] [name "…"] [virtual].
func (p *parser) listen(key token) {
	for n := 0; n == 0 || p.startsHost(); n++ {
		l, also := &Socket{Pos: p.t.pos}, []string(nil)
		text, group := p.group("an address, a host name or an interface")
		if len(group) > 0 {
			text, also = group[0], group[1:]
		}
		l.Proto, l.Host, l.Port = p.socket(l.Pos, text)
		if p.word("advertise") || p.word("as") {
			p.advance()
			pos := p.t.pos
			text := p.joined("the advertised host")
			var proto string
			proto, l.AdvertiseHost, l.AdvertisePort = p.socket(pos, text)
			if proto != "" {
				p.failAt(pos, "the advertised address has no protocol of its own: write "+
					"host[:port]")
			}
			if strings.Contains(l.AdvertiseHost, ":") {
				l.AdvertiseHost = "[" + l.AdvertiseHost + "]"
			}
		}
		if p.word("name") {
			p.advance()
			l.Name = p.stringOrFail("the socket's name")
		}
		if p.word("virtual") {
			p.found.Warnf(p.t.pos, "virtual has no effect: an address is myself whether or not "+
				"this host has it at present")
			p.advance()
		}
		p.items = append(p.items, Item{Kind: ListenItem, Pos: key.pos, Socket: l})
		for _, text := range also {
			more := *l
			more.Proto, more.Host, more.Port = p.socket(l.Pos, text)
			p.items = append(p.items, Item{Kind: ListenItem, Pos: key.pos, Socket: &more})
		}
	}
}

// group reads a socket, or several that share protocol and port, as in udp:(10.0.0.1,
// 10.0.0.2):5060.
func (p *parser) group(what string) (text string, list []string) {
	inside := false
	var b strings.Builder
	for first := true; p.t.kind != tokEOF; first = false {
		if !first && !inside && (!p.t.glued || p.op(";")) || inside && p.t.bol {
			break
		}
		switch {
		case p.op("("):
			inside = true
		case p.op(")"):
			inside = false
		}
		if p.t.kind == tokStr {
			b.WriteString(p.t.text)
		} else {
			b.WriteString(p.t.raw)
		}
		p.advance()
	}
	text = b.String()
	if text == "" {
		p.fail("expected %s, found %s", what, p.t.describe())
	}
	before, rest, grouped := strings.Cut(text, "(")
	hosts, after, closed := strings.Cut(rest, ")")
	if !grouped || !closed {
		return text, nil
	}
	for _, h := range strings.Split(hosts, ",") {
		list = append(list, before+h+after)
	}
	return text, list
}

// alias reads the names of one alias= line. An asterisk stands for every host or every port.
func (p *parser) alias(key token) {
	for n := 0; n == 0 || p.startsHost() || p.op("*") && !p.t.bol; n++ {
		pos := p.t.pos
		text, names := p.group("a host name")
		if len(names) == 0 {
			names = []string{text}
		}
		for _, name := range names {
			l := &Socket{Pos: pos}
			l.Proto, l.Host, l.Port = p.socket(pos, strings.TrimSuffix(name, ":*"))
			p.items = append(p.items, Item{Kind: AliasItem, Pos: key.pos, Socket: l})
		}
	}
}

// startsHost tells whether the current token continues the list on the same line. A list never
// continues on the next line here. In Kamailio it would swallow that line (core cookbook, "Global
// Parameters Section").
func (p *parser) startsHost() bool {
	if p.t.bol {
		return false
	}
	return p.t.kind == tokIdent || p.t.kind == tokStr || p.t.kind == tokIP || p.t.kind == tokInt ||
		p.op("[")
}

// socket splits [proto:]host[:port].
func (p *parser) socket(pos Pos, s string) (proto, host string, port uint16) {
	rest := s
	if i := strings.IndexByte(rest, ':'); i > 0 {
		if t, known := transport.Named(rest[:i]); known {
			proto, rest = string(t.Lower()), rest[i+1:]
		}
	}
	host = rest
	switch {
	case strings.HasPrefix(rest, "["):
		i := strings.IndexByte(rest, ']')
		if i < 0 {
			p.failAt(pos, "IPv6 address is not closed: ] is missing in %s", s)
		}
		host = rest[1:i]
		rest = rest[i+1:]
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			p.failAt(pos, "%s is not an IPv6 address", Quote(Clip(host)))
		}
	case strings.Count(rest, ":") == 1:
		i := strings.IndexByte(rest, ':')
		host, rest = rest[:i], rest[i:]
	case strings.Contains(rest, ":"):
		// only as a whole: what follows the last colon might be a port
		if ip, err := netip.ParseAddr(rest); err != nil || !ip.Is6() || proto != "" {
			p.failAt(pos, "an IPv6 address stands in brackets: [%s]", Clip(rest))
		}
		rest = ""
	default:
		rest = ""
	}
	if host == "" {
		p.failAt(pos, "host is missing in %s", Quote(Clip(s)))
	}
	for i := 0; i < len(host) && host != "*"; i++ {
		if c := host[i]; !IsNameByte(c) && !strings.ContainsRune("-.:%", rune(c)) {
			p.failAt(pos, "%q does not belong in a host: %s", c, Quote(Clip(s)))
		}
	}
	if rest != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(rest, ":"), 10, 16)
		if err != nil || rest[0] != ':' || n == 0 {
			p.failAt(pos, "port %s is not 1..65535", Quote(Clip(strings.TrimPrefix(rest, ":"))))
		}
		port = uint16(n)
	}
	return proto, host, port
}
