package parser

import "encoding/binary"

// Via is one parsed Via value (RFC 3261 §20.42). Offsets are into the message.
//
//	SIP/2.0/UDP host:5060;branch=z9hG4bK77;rport;received=192.0.2.1
//	        ---           -------  TransportName, Branch
//	            ---------          SentBy (Host, Port)
//	                     -------…  Params; Value is all of it
type Via struct {
	Value         Span // the value, without surrounding white space and comma
	TransportName Span // as written
	// host and port as written; Len 0 if they, or what is in front of them, are malformed
	SentBy        Span
	Host          Span // IPv6 with its brackets
	Params        Span // from the first ";" to the end; Len 0 if none
	Branch        Span // value; Len 0 if none
	Received      Span // value; Len 0 if none
	MAddr         Span // value; Len 0 if none
	ReceivedParam Span // ";received=…" whole; Len 0 if none
	RPortParam    Span // ";rport" or ";rport=…" whole; Len 0 if none
	// what to remove so that this value is gone: up to and with its comma, or the whole row. Set by
	// TopVia only
	Cut   Span
	Row   int    // index in Headers. Set by TopVia only
	Port  uint16 // of sent-by; 0 if none is written
	RPort uint16 // value of rport (RFC 3581); 0 if it has none
	// value of ttl; 0 if none, or none that makes sense: only multicast goes by it
	TTL       uint8
	Transport Transport
	// the branch starts with z9hG4bK: it identifies the transaction (RFC 3261 §8.1.1.7, §17.2.3)
	HasCookie bool
	More      bool // another Via value follows in the same row
}

// ParamsEnd is where a further parameter goes in: the offset behind the last one.
func (v *Via) ParamsEnd() uint32 { return v.Value.End() }

// Words of a Via value, little-endian, folded.
const (
	wordVersionSlash = 0x2f302e322f706973 // "sip/2.0/"
	wordBranch       = 0x003d68636e617262 // "branch="
	wordRPor         = 0x726f7072         // "rpor"
	wordParamBranch  = 0x3d68636e6172623b // ";branch="
	wordParamRPort   = 0x000074726f70723b // ";rport"
	wordUDP          = 0x20504455         // "UDP "
	wordProtocol     = 0x2f302e322f504953 // "SIP/2.0/", not folded
	low6Bytes        = 1<<48 - 1
	wordCookie       = 0x004b62344768397a // "z9hG4bK", not folded: exact
	low7Bytes        = 1<<56 - 1
)

// TopVia is the topmost Via value. The pointer is never nil; what it points to is
// valid until the next Parse, and as far as it was read when the Reason is not OK.
func (m *Message) TopVia() (*Via, Reason) {
	if m.cached&(1<<fieldVia) == 0 {
		m.readTopVia()
	}
	return &m.via, m.reasons[fieldVia]
}

// readTopVia is not inlined, so that its caller is.
//
//go:noinline
func (m *Message) readTopVia() {
	m.cached |= 1 << fieldVia
	m.reasons[fieldVia] = m.parseTopVia()
}

// HasMagicCookie tells whether the topmost branch starts with z9hG4bK: then it identifies the
// transaction, else RFC 2543 matching applies (RFC 3261 §17.2.3).
func (m *Message) HasMagicCookie() bool {
	v, r := m.TopVia()
	return r == OK && v.HasCookie
}

func (m *Message) parseTopVia() Reason {
	v := &m.via
	row := m.First(KindVia)
	if row < 0 {
		*v = Via{Transport: TransportNone}
		return MissingVia
	}
	if hasPlain && m.parsePlainVia(row, v) {
		return OK
	}
	h := &m.Headers[row]
	v.Row = row
	b := m.Raw[:h.Value.End()]
	next, r := v.parse(b, int(h.Value.Off))
	v.Cut = h.Line
	if r != OK {
		return r
	}
	if v.More = next < len(b); v.More {
		// parse stopped at a comma: a value has to follow.
		next = skipLWS(b, next+1)
		if next == len(b) || b[next] == ',' {
			return BadVia
		}
		v.Cut = span(int(v.Value.Off), next)
	}
	return OK
}

// parsePlainVia is parse of a whole row of the usual form: one value, over UDP, the host of
// classHost, no parameters but one branch and one rport without a value. It returns false if it is
// something else.
func (m *Message) parsePlainVia(row int, v *Via) bool {
	b := m.Raw
	h := &m.Headers[row]
	i, end := int(h.Value.Off), int(h.Value.End())
	host := i + len("SIP/2.0/UDP ")
	// A value ends at least two bytes before the headers do, but a word may reach further.
	if host > end || end+8 > len(b) ||
		word64(b, i) != wordProtocol || word32(b, i+8) != wordUDP {
		return false
	}
	hostEnd := m.lines.plain(host)
	if hostEnd == host {
		return false
	}
	e, port := hostEnd, 0
	if byteAt(b, e) == ':' {
		e = m.lines.plain(e + 1)
		if port = decimal(b, hostEnd+1, e); port < 1 || port > 65535 {
			return false
		}
	}
	sentBy := span(host, e)
	var branch, rport Span
	cookie := false
	for e < end {
		w := word64(b, e)
		switch {
		case w == wordParamBranch && branch.Len == 0:
			s := e + 8
			if e = m.lines.plain(s); e < end && is(b[e], classValue) {
				e = run(b[:end], e, classValue)
			}
			if e == s {
				return false
			}
			branch = span(s, e)
			cookie = e-s >= 7 && word64(b, s)&low7Bytes == wordCookie
		case w&low6Bytes == wordParamRPort && rport.Len == 0 &&
			(e+6 == end || byteAt(b, e+6) == ';'):
			rport = Span{uint32(e), 6}
			e += 6
		default:
			return false
		}
	}
	*v = Via{}
	v.Value = h.Value
	v.TransportName = Span{uint32(i) + 8, 3}
	v.Transport = UDP
	v.SentBy = sentBy
	v.Host = span(host, hostEnd)
	v.Port = uint16(port)
	if s := sentBy.End(); s < h.Value.End() {
		v.Params = Span{s, h.Value.End() - s}
	}
	v.Branch, v.RPortParam, v.HasCookie = branch, rport, cookie
	v.Cut = h.Line
	v.Row = row
	return true
}

// ParseVia reads the one Via value s of b, as Values gives it.
func ParseVia(b []byte, s Span, v *Via) Reason {
	v.Row, v.Cut, v.More = -1, Span{}, false
	b = b[:s.End()]
	next, r := v.parse(b, int(s.Off))
	if r == OK && next < len(b) {
		return BadVia
	}
	return r
}

// parse reads one value from offset i on. next is the offset of the comma behind it, or len(b).
// b ends where the header's value ends.
func (v *Via) parse(b []byte, i int) (next int, r Reason) {
	v.clear(i)
	// sent-protocol: "SIP" SLASH version SLASH transport.
	if x := b[i:]; len(x) > 8 && foldWord(binary.LittleEndian.Uint64(x)) == wordVersionSlash &&
		x[8] > ' ' {
		i += 8
	} else if i = slowViaProtocol(b, i); i < 0 {
		return 0, BadVia
	}
	e := run(b, i, classToken)
	v.TransportName = span(i, e)
	v.Transport = TransportOf(b[i:e])
	if e == i {
		return 0, BadVia
	}
	i = skipLWS(b, e)
	if i == e {
		return 0, BadVia // no white space in front of the host
	}

	// sent-by: host [ COLON port ].
	host := i
	e = hostEnd(b, i)
	if e < 0 {
		return 0, BadVia
	}
	v.Host = span(host, e)
	i = e
	if i < len(b) && b[i] <= ' ' {
		i = skipLWS(b, i)
	}
	if i < len(b) && b[i] == ':' {
		port, end := number(b, skipLWS(b, i+1), 65535)
		if end < 0 || port == 0 {
			return 0, BadVia
		}
		v.Port = uint16(port)
		e = end
		if i = e; i < len(b) && b[i] <= ' ' {
			i = skipLWS(b, i)
		}
	}
	if i < len(b) && b[i] != ',' && b[i] != ';' {
		return 0, BadVia
	}
	// Only now: who answers a Via that is malformed further on must not take half a port for a
	// port.
	v.SentBy = span(host, e)
	v.Value.Len = uint32(e) - v.Value.Off
	if i == len(b) || b[i] == ',' {
		return i, OK
	}
	v.Params.Off = uint32(i)
	for i < len(b) && b[i] == ';' {
		if i = v.param(b, i); i < 0 {
			return 0, BadVia
		}
	}
	v.Params.Len = v.Value.End() - v.Params.Off
	if i < len(b) && b[i] != ',' {
		return 0, BadVia
	}
	return i, OK
}

// clear resets what parse does not always set. Row, Cut and More are the callers'.
func (v *Via) clear(i int) {
	v.Value = Span{Off: uint32(i)}
	v.TransportName, v.SentBy, v.Host = Span{}, Span{}, Span{}
	v.Params, v.Branch, v.Received, v.MAddr = Span{}, Span{}, Span{}, Span{}
	v.ReceivedParam, v.RPortParam = Span{}, Span{}
	v.Port, v.RPort, v.TTL, v.Transport = 0, 0, 0, TransportNone
	v.HasCookie = false
}

// param reads the parameter whose semicolon is at i and returns the offset behind it and the white
// space that follows: at ";" or "," or the end, else -1. A parameter given twice is malformed: two
// readers would see two branches.
func (v *Via) param(b []byte, semi int) int {
	// ";branch=token" without white space, the parameter every Via has.
	if x := b[semi+1:]; len(x) > 8 &&
		foldWord(binary.LittleEndian.Uint64(x)&low7Bytes) == wordBranch && is(x[7], classValue) {
		i := semi + 8
		e := run(b, i, classValue)
		if v.Branch.Len != 0 {
			return -1
		}
		v.setBranch(b, span(i, e))
		v.Value.Len = uint32(e) - v.Value.Off
		if e < len(b) && b[e] <= ' ' {
			e = skipLWS(b, e)
		}
		return paramFollows(b, e)
	}
	if x := b[semi+1:]; (len(x) == 5 || len(x) > 5 && x[5] == ';') && v.RPortParam.Len == 0 &&
		foldWord(uint64(binary.LittleEndian.Uint32(x))) == wordRPor && x[4]|0x20 == 't' {
		// ";rport" without a value (RFC 3581), as every client behind NAT sends it.
		v.RPortParam = Span{uint32(semi), 6}
		v.Value.Len = uint32(semi) + 6 - v.Value.Off
		return semi + 6
	}
	name, value, end, i := genericParam(b, semi)
	if i < 0 {
		return -1
	}
	v.Value.Len = uint32(end) - v.Value.Off
	n := name.Of(b)
	switch len(n) {
	case 3:
		if equalFold(n, "ttl") {
			if t, e := number(b, int(value.Off), 255); e == int(value.End()) {
				v.TTL = uint8(t)
			}
		}
	case 5:
		if equalFold(n, "rport") {
			if v.RPortParam.Len != 0 {
				return -1
			}
			v.RPortParam = span(semi, end)
			if value.Len != 0 {
				p, e := number(b, int(value.Off), 65535)
				if e != int(value.End()) || p == 0 {
					return -1
				}
				v.RPort = uint16(p)
			}
		} else if equalFold(n, "maddr") {
			if value.Len == 0 || v.MAddr.Len != 0 {
				return -1
			}
			v.MAddr = value
		}
	case 6:
		if equalFold(n, "branch") {
			if value.Len == 0 || v.Branch.Len != 0 {
				return -1
			}
			v.setBranch(b, value)
		}
	case 8:
		if equalFold(n, "received") {
			if value.Len == 0 || v.ReceivedParam.Len != 0 {
				return -1
			}
			v.Received = value
			v.ReceivedParam = span(semi, end)
		}
	}
	return i
}

func (v *Via) setBranch(b []byte, s Span) {
	v.Branch = s
	if x := b[s.Off:]; len(x) >= 8 {
		v.HasCookie = s.Len >= 7 && binary.LittleEndian.Uint64(x)&low7Bytes == wordCookie
	} else {
		v.HasCookie = string(x) == "z9hG4bK"
	}
}

// slowViaProtocol reads "SIP" SLASH version SLASH with white space around the slashes and returns
// the offset of the transport. It returns -1 if it is something else. The version may be any: the
// Via of a request in SIP/7.0 is needed to answer 505 (RFC 4475 §3.1.2.16).
func slowViaProtocol(b []byte, i int) int {
	for part := range 2 {
		e := run(b, i, classToken)
		if e == i || part == 0 && !equalFold(b[i:e], "sip") {
			return -1
		}
		i = skipLWS(b, e)
		if i == len(b) || b[i] != '/' {
			return -1
		}
		i = skipLWS(b, i+1)
	}
	return i
}
