package parser

import (
	"bytes"

	"viaduct/transport"
)

// URI is a parsed URI (RFC 3261 §19.1; tel: RFC 3966). Offsets are into Raw. Of a scheme
// other than sip and sips only SchemeName and Opaque are set, and for tel User and Params.
//
//	sip:alice:secret@[2001:db8::1]:5060;transport=tcp;lr?subject=x
//	    ----- User                     -----------------  Params
//	          ------ Password                             ------- Headers
//	                 ------------- Host
type URI struct {
	Raw        []byte // what was given to ParseURI
	SchemeName Span
	User       Span   // SIP: the user part, still escaped. tel: the number. Len 0 if none
	Password   Span   // Len 0 if none
	Host       Span   // IPv6 with its brackets
	Params     Span   // from the first ";" on; Len 0 if none
	Headers    Span   // behind "?"; Len 0 if none
	Opaque     Span   // what follows the scheme's colon
	Port       uint16 // 0 if none is written
	Scheme     Scheme
	HasHeaders bool // there is a "?"
}

// ParseURI reads the URI in b. b is kept by reference in u. An unknown scheme is not an error:
// Scheme is SchemeOther and only SchemeName and Opaque are set. Parameters and headers are checked
// for bytes they may not have; an empty parameter (";;") passes.
func ParseURI(b []byte, u *URI) Reason {
	u.clear(b)
	c := run(b, 0, classScheme)
	if c == 0 || c >= len(b)-1 || b[c] != ':' || !isLetter(b[0]) {
		return BadURI
	}
	u.SchemeName = Span{0, uint32(c)}
	u.Opaque = span(c+1, len(b))
	u.Scheme = schemeOf(b[:c])
	switch u.Scheme {
	case SIP, SIPS:
		return u.parseSIP(b, c+1)
	case TEL:
		return u.parseTel(b, c+1)
	}
	if uriRun(b, c+1) != len(b) {
		return BadURI
	}
	return OK
}

func (u *URI) clear(b []byte) {
	u.Raw = b
	u.SchemeName, u.User, u.Password, u.Host = Span{}, Span{}, Span{}, Span{}
	u.Params, u.Headers, u.Opaque = Span{}, Span{}, Span{}
	u.Port, u.Scheme, u.HasHeaders = 0, SchemeOther, false
}

func schemeOf(name []byte) Scheme {
	switch {
	case equalFold(name, "sip"):
		return SIP
	case equalFold(name, "sips"):
		return SIPS
	case equalFold(name, "tel"):
		return TEL
	case equalFold(name, "urn"):
		return URN
	}
	return SchemeOther
}

// parseSIP reads what follows "sip:". The first "@" ends the user part: it may stand unescaped
// nowhere else, so a second one is malformed, not a matter of taste (a reader that takes the last
// one would see another host).
func (u *URI) parseSIP(b []byte, i int) Reason {
	if at := bytes.IndexByte(b[i:], '@'); at >= 0 {
		at += i
		e := run(b[:at], i, classUser)
		colon := bytes.IndexByte(b[i:at], ':') + i
		if colon < i {
			colon = at
		} else {
			u.Password = span(colon+1, at)
		}
		if e != at || colon == i {
			return BadURIUser
		}
		u.User = span(i, colon)
		i = at + 1
	}
	e := hostEnd(b, i)
	if e < 0 {
		return BadHost
	}
	u.Host = span(i, e)
	i = e
	if i < len(b) && b[i] == ':' {
		port, e := number(b, i+1, 65535)
		if e < 0 || port == 0 {
			return BadPort
		}
		u.Port = uint16(port)
		i = e
	}
	if i < len(b) && b[i] == ';' {
		e := i
		for e < len(b) && b[e] != '?' && is(b[e], classURI) && b[e] != '@' {
			e++
		}
		u.Params = span(i, e)
		i = e
	}
	if i < len(b) && b[i] == '?' {
		u.HasHeaders = true
		e := i + 1
		for e < len(b) && is(b[e], classURI) && b[e] != '@' {
			e++
		}
		u.Headers = span(i+1, e)
		i = e
	}
	switch {
	case i == len(b):
		return OK
	case u.Params.Len == 0 && !u.HasHeaders:
		return BadHost
	}
	return BadURI
}

// plainURI is where the parts of a URI are: offsets into the message. A struct of four so that it
// is returned in registers.
type plainURI struct {
	at      int // in front of the host: the "@" or the scheme's ":"
	hostEnd int // behind it
	portEnd int // behind the port; hostEnd if none is written
	end     int // behind the URI
}

// plainURI reads a SIP URI of the usual form from offset i of the message:
//
//	"sip:" [ user "@" ] host [ ":" port ] *( ";" / "=" / plain )
//
// where user (but for a "+" in front), host and plain are of classHost. An end of 0: it is
// something else. That the URI ends there is for the caller to see: then ParseURI finds it good.
func (m *Message) plainURI(i int) plainURI {
	b := m.Raw
	if i+4 > len(b) || word32(b, i) != wordSIP {
		return plainURI{}
	}
	at := i + 3
	user := i + 4
	if byteAt(b, user) == '+' {
		user++
	}
	e := m.lines.plain(user)
	if byteAt(b, e) == '@' {
		if e == i+4 {
			return plainURI{}
		}
		at = e
		e = m.lines.plain(e + 1)
	} else if user != i+4 {
		return plainURI{}
	}
	if e == at+1 {
		return plainURI{}
	}
	hostEnd := e
	if byteAt(b, e) == ':' {
		e = m.lines.plain(e + 1)
		if port := decimal(b, hostEnd+1, e); port < 1 || port > 65535 {
			return plainURI{}
		}
	}
	portEnd := e
	if byteAt(b, e) == ';' {
		for c := byte(';'); c == ';' || c == '='; c = byteAt(b, e) {
			e = m.lines.plain(e + 1)
		}
	}
	return plainURI{at, hostEnd, portEnd, e}
}

// ParseURI is parser.ParseURI for the piece s of m's start line or headers.
func (m *Message) ParseURI(s Span, u *URI) Reason {
	if hasPlain && s.End() <= m.HeaderEnd && m.parsePlainURI(s, u) {
		return OK
	}
	return ParseURI(s.Of(m.Raw), u)
}

// parsePlainURI is ParseURI of s if that is of the usual form. It returns false if it is not, and u
// is not touched.
func (m *Message) parsePlainURI(s Span, u *URI) bool {
	p := m.plainURI(int(s.Off))
	if p.end != int(s.End()) || p.end == 0 {
		return false
	}
	m.setPlainURI(s, u, p)
	return true
}

// setPlainURI fills u from the parts of the URI s.
func (m *Message) setPlainURI(s Span, u *URI, p plainURI) {
	u.clear(s.Of(m.Raw))
	i := int(s.Off)
	u.SchemeName = Span{0, 3}
	u.Opaque = Span{4, s.Len - 4}
	if p.at > i+3 {
		u.User = span(4, p.at-i)
	}
	u.Host = span(p.at+1-i, p.hostEnd-i)
	if p.portEnd > p.hostEnd {
		u.Port = uint16(decimal(m.Raw, p.hostEnd+1, p.portEnd))
	}
	if p.end > p.portEnd {
		u.Params = span(p.portEnd-i, p.end-i)
	}
	u.Scheme = SIP
}

// parseTel reads what follows "tel:" (RFC 3966 §3): the number and its parameters.
func (u *URI) parseTel(b []byte, i int) Reason {
	e := i
	for e < len(b) && b[e] != ';' && is(b[e], classURI) {
		e++
	}
	u.User = span(i, e)
	if e < len(b) && b[e] == ';' {
		u.Params = span(e, len(b))
	}
	if e == i || uriRun(b, e) != len(b) {
		return BadURI
	}
	return OK
}

// Param finds a URI parameter by name (lower case; any case matches). The value is a view, still
// escaped. It returns nil if it has none. The first one counts.
func (u *URI) Param(name string) (value []byte, ok bool) {
	b := u.Params.Of(u.Raw)
	for i := 0; i < len(b); {
		i++ // the semicolon
		e := len(b)
		if n := bytes.IndexByte(b[i:], ';'); n >= 0 {
			e = i + n
		}
		p := b[i:e:e]
		if len(p) >= len(name) && equalFold(p[:len(name)], name) {
			if len(p) == len(name) {
				return nil, true
			}
			if p[len(name)] == '=' {
				return p[len(name)+1 : len(p) : len(p)], true
			}
		}
		i = e
	}
	return nil, false
}

// LR tells whether the URI is that of a loose router (RFC 3261 §16.12, §19.1.1), "lr" or "lr=…".
func (u *URI) LR() bool {
	_, ok := u.Param("lr")
	return ok
}

// Transport is the transport parameter; TransportNone if there is none.
func (u *URI) Transport() Transport {
	if u.Params.Len == 0 {
		return TransportNone
	}
	v, _ := u.Param("transport")
	return TransportOf(v)
}

// UserBytes is the user part as written; empty if there is none.
func (u *URI) UserBytes() []byte { return u.User.Of(u.Raw) }

// HostBytes is the host as written, IPv6 with brackets.
func (u *URI) HostBytes() []byte { return u.Host.Of(u.Raw) }

// EffectivePort is Port, or the default when none is written: 5061 for sips and for transport tls,
// 5060 otherwise (RFC 3261 §19.1.2), for ws 80 and wss 443 (RFC 7118 §5.2).
func (u *URI) EffectivePort() uint16 {
	if u.Port != 0 {
		return u.Port
	}
	return DefaultPort(u.Scheme, u.Transport())
}

// DefaultPort is the port of a scheme and transport when none is written.
func DefaultPort(s Scheme, t Transport) uint16 {
	if s == SIPS {
		if t == WS || t == WSS {
			return transport.WSS.DefaultPort()
		}
		return transport.TLS.DefaultPort()
	}
	if t > TLSSCTP {
		t = UDP
	}
	return t.DefaultPort()
}
