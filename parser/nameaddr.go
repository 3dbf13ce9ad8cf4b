package parser

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// NameAddr is a parsed name-addr or addr-spec with header parameters (RFC 3261 §20.10, §25.1):
// From, To, Contact, Route, Record-Route, Refer-To, P-Asserted-Identity and so on. Offsets are into
// the message.
//
//	"A. G. Bell" <sip:agb@bell.example>;tag=a48s
//	------------  Display               ---- Tag
//	              ------- URI          --------- Params
type NameAddr struct {
	Value   Span // the whole value
	Display Span // display name as written, quotes included; Len 0 if none
	URI     Span // the URI without angle brackets, and without white space in them
	Params  Span // header parameters from the first ";" on; Len 0 if none
	Tag     Span // value of the tag parameter; Len 0 if none, and Off 0 but for an empty one
	Bracket bool // the URI stands in angle brackets
	good    bool // CheckURI needs not look
}

// CheckURI is what ParseURI says about the URI. b is the message.
func (a *NameAddr) CheckURI(b []byte) Reason {
	if a.good {
		return OK
	}
	var u URI
	return ParseURI(a.URI.Of(b), &u)
}

// Address is Value without its parameters: the display name and the URI in its angle brackets. b is
// the message.
func (a *NameAddr) Address(b []byte) Span {
	end := int(a.URI.End())
	if a.Bracket {
		end += bytes.IndexByte(b[end:a.Value.End()], '>') + 1
	}
	return span(int(a.Value.Off), end)
}

// FromOrToAddress is the Address of From or To. It returns false if that header is missing, there
// twice or malformed.
func (m *Message) FromOrToAddress(kind Kind) (Span, bool) {
	a, r := m.FromOrTo(kind)
	if r != OK {
		return Span{}, false
	}
	return a.Address(m.Raw), true
}

// FromOrTo is From, or To if kind is KindTo.
func (m *Message) FromOrTo(kind Kind) (*NameAddr, Reason) {
	if kind == KindTo {
		return m.To()
	}
	return m.From()
}

const (
	wordSIP = 0x3a706973 // "sip:", folded
	wordTag = 0x3d676174 // "tag=", folded
)

// ParseNameAddr reads the one value s of b, as Values or a Header gives it. It asks what a proxy
// has to know: where the URI is, and which tag. So a display name without quotes may be of any
// bytes but ";", ">" and a quote that does not end, and what is in angle brackets, or the name or
// value of a parameter, may be of any that leave no doubt where it ends (RFC 3261 §16.3 step 1:
// components that forwarding does not need stay as they are). ParseURI says whether the URI is one.
//
// Malformed is what two readers could take for different things: a second "<", quotes that do not
// end, two tags, two values with a comma between. A comma in a display name is none of these
// ("Bell, Alexander" of RFC 4475 §3.1.2.15), unless a URI stands in front of it. An empty tag is no
// tag, and an empty parameter no parameter.
func ParseNameAddr(b []byte, s Span, a *NameAddr) Reason {
	*a = NameAddr{Value: s}
	b = b[:s.End()]
	i := int(s.Off)
	lt := bracket(b, i)
	if lt < 0 {
		return BadNameAddr
	}
	if lt == len(b) {
		return a.addrSpec(b, i)
	}
	if lt > i {
		if uriBeforeComma(b, i, lt) {
			return BadNameAddr
		}
		_, e := trimLWS(b, i, lt)
		a.Display = span(i, e)
	}

	// "<" addr-spec ">".
	a.Bracket = true
	gt := lt + 1
	for gt < len(b) && b[gt] != '"' && b[gt] != '<' && b[gt] != '>' {
		gt++
	}
	if gt == len(b) || b[gt] != '>' {
		return BadNameAddr
	}
	i, e := trimLWS(b, lt+1, gt)
	if i >= e || slices.ContainsFunc(b[i:e], isControl) {
		return BadNameAddr
	}
	a.URI = span(i, e)
	return a.params(b, gt+1)
}

// bracket is the offset of the "<" behind the display name that starts at i; len(b) if there is
// none in front of the parameters. It returns -1 if a quote does not end, or ">" comes first.
func bracket(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case '<':
			return i
		case ';':
			return len(b)
		case '>':
			return -1
		case '"':
			if i = quotedEnd(b, i); i < 0 {
				return -1
			}
		default:
			i++
		}
	}
	return i
}

// uriBeforeComma tells whether the display name b[i:end] has, in front of a comma outside quotes,
// what a reader of lists would take for a URI.
func uriBeforeComma(b []byte, i, end int) bool {
	b = b[:end]
	start := i
	for i < end {
		switch b[i] {
		case '"':
			i = quotedEnd(b, i) // it ends: bracket has seen to that
		case ',':
			s := skipLWS(b, start)
			if c := run(b, s, classScheme); c > s && isLetter(b[s]) && b[c] == ':' &&
				b[c+1] > ' ' && c+1 < i {
				return true
			}
			i++
			start = i
		default:
			i++
		}
	}
	return false
}

// NameAddr is ParseNameAddr for the value s of a header of m.
func (m *Message) NameAddr(s Span, a *NameAddr) Reason {
	if hasPlain && s.End() <= m.HeaderEnd && m.parsePlainNameAddr(s, a) {
		return OK
	}
	return ParseNameAddr(m.Raw, s, a)
}

// NameAddrURI is NameAddr and then ParseURI of its URI, which is kept by reference in u: what a
// Route asks for.
func (m *Message) NameAddrURI(s Span, u *URI) Reason {
	var a NameAddr
	if hasPlain && s.End() <= m.HeaderEnd {
		if p := m.plainNameAddr(s, &a); p.end != 0 {
			m.setPlainURI(a.URI, u, p)
			return OK
		}
	}
	if r := ParseNameAddr(m.Raw, s, &a); r != OK {
		return r
	}
	return ParseURI(a.URI.Of(m.Raw), u)
}

func (m *Message) parsePlainNameAddr(s Span, a *NameAddr) bool {
	p := m.plainNameAddr(s, a)
	return p.end != 0
}

// plainNameAddr is ParseNameAddr for the value s of a header of the usual form: a display name of
// words of classHost, quoted or not, or none; a URI that plainURI knows; ";tag=" or nothing. An end
// of 0: it is something else, and a is not touched.
func (m *Message) plainNameAddr(s Span, a *NameAddr) (uri plainURI) {
	b := m.Raw
	i, end := int(s.Off), int(s.End())
	lt := i
	var display Span
	switch byteAt(b, i) {
	case '<':
	case '"':
		e := m.lines.plain(i + 1)
		for byteAt(b, e) == ' ' {
			e = m.lines.plain(e + 1)
		}
		if byteAt(b, e) != '"' {
			return plainURI{}
		}
		display = span(i, e+1)
		lt = e + 1
		if byteAt(b, lt) == ' ' {
			lt++
		}
	default:
		e := m.lines.plain(i)
		if e == i {
			return plainURI{}
		}
		for byteAt(b, e) == ' ' && byteAt(b, e+1) != '<' {
			word := e + 1
			if e = m.lines.plain(word); e == word {
				return plainURI{}
			}
		}
		if byteAt(b, e) != ' ' {
			return plainURI{}
		}
		display = span(i, e)
		lt = e + 1
	}
	if byteAt(b, lt) != '<' {
		return plainURI{}
	}
	uri = m.plainURI(lt + 1)
	gt := uri.end
	if byteAt(b, gt) != '>' {
		return plainURI{}
	}
	var tag, params Span
	if e := gt + 1; e != end {
		t := e + 5
		if t > len(b) || b[e] != ';' || word32(b, e+1) != wordTag {
			return plainURI{}
		}
		if e = m.lines.plain(t); e < end && is(b[e], classValue) {
			e = run(b[:end], e, classValue)
		}
		if e != end || e == t {
			return plainURI{}
		}
		params, tag = span(gt+1, end), span(t, end)
	}
	a.Value, a.Display, a.URI, a.Params, a.Tag = s, display, span(lt+1, gt), params, tag
	a.Bracket, a.good = true, true
	return uri
}

// addrSpec reads the form without brackets: the URI ends at white space or ";" (RFC 3261 §20.10: a
// semicolon there starts header parameters).
func (a *NameAddr) addrSpec(b []byte, i int) Reason {
	e := run(b, i, classValue)
	if e == i {
		return BadNameAddr
	}
	a.URI = span(i, e)
	return a.params(b, e)
}

// params reads the header parameters behind the URI.
func (a *NameAddr) params(b []byte, i int) Reason {
	if i < len(b) && b[i] <= ' ' {
		i = skipLWS(b, i)
	}
	if i == len(b) {
		return OK
	}
	first := i
	for i < len(b) && b[i] == ';' {
		// ";tag=token" without white space, the parameter From and To have.
		if x := b[i+1:]; len(x) > 4 && foldWord(uint64(binary.LittleEndian.Uint32(x))) == wordTag &&
			is(x[4], classValue) {
			i += 5
			e := run(b, i, classValue)
			if a.Tag.Off != 0 {
				return BadNameAddr
			}
			a.Tag = span(i, e)
			if i = skipLWS(b, e); paramFollows(b, i) < 0 {
				return BadNameAddr
			}
			continue
		}
		name, value, end, next := genericParam(b, i)
		if next < 0 {
			if next = oddParam(b, i, a.Bracket); next < 0 {
				return BadNameAddr
			}
			i = next
			continue
		}
		if equalFold(name.Of(b), "tag") {
			if a.Tag.Off != 0 {
				return BadNameAddr
			}
			if a.Tag = value; value.Len == 0 {
				a.Tag = span(end, end)
			}
		}
		i = next
	}
	if i < len(b) {
		return BadNameAddr
	}
	a.Params = span(first, i)
	return OK
}

// oddParam passes what is no generic-param, but leaves no doubt where it ends: nothing between two
// semicolons, and behind a URI in angle brackets a value in such brackets. It gives the offset
// behind it and its white space, or -1. Slow path.
func oddParam(b []byte, semi int, bracket bool) (next int) {
	i := skipLWS(b, semi+1)
	if i == len(b) || b[i] == ';' {
		return i
	}
	name := i
	for i < len(b) && b[i] != '=' && is(b[i], classValue) {
		i++
	}
	if i == name || !bracket || equalFold(b[name:i], "tag") {
		return -1
	}
	if i = skipLWS(b, i); i == len(b) || b[i] != '=' {
		return -1
	}
	if i = skipLWS(b, i+1); i == len(b) || b[i] != '<' {
		return -1
	}
	if i = run(b, i+1, classValue); i == len(b) || b[i] != '>' {
		return -1
	}
	if i = skipLWS(b, i+1); i < len(b) && b[i] != ';' {
		return -1
	}
	return i
}

func isLetter(c byte) bool { return c|0x20-'a' < 26 }

// From is the From value. The pointer is never nil; what it points to is valid until the next
// Parse, and as far as it was read when the Reason is not OK.
func (m *Message) From() (*NameAddr, Reason) {
	if m.cached&(1<<fieldFrom) == 0 {
		m.readFrom()
	}
	return &m.from, m.reasons[fieldFrom]
}

// readFrom is not inlined, so that its caller is.
//
//go:noinline
func (m *Message) readFrom() {
	m.cached |= 1 << fieldFrom
	m.reasons[fieldFrom] = m.parseSingle(KindFrom, &m.from, MissingFrom)
}

// To is the To value; see From.
func (m *Message) To() (*NameAddr, Reason) {
	if m.cached&(1<<fieldTo) == 0 {
		m.readTo()
	}
	return &m.to, m.reasons[fieldTo]
}

// readTo is not inlined, so that its caller is.
//
//go:noinline
func (m *Message) readTo() {
	m.cached |= 1 << fieldTo
	m.reasons[fieldTo] = m.parseSingle(KindTo, &m.to, MissingTo)
}

// HasToTag tells whether a request claims to be within a dialog (RFC 3261 §12.2). A callee may have
// put anything into the To of its 200, which went up as it is, and the ACK repeats it: an ACK with
// a To that cannot be read, or whose tag is empty, claims so too.
func (m *Message) HasToTag() bool {
	to, r := m.To()
	if r == OK && to.Tag.Len != 0 {
		return true
	}
	return m.Method == ACK && (r == BadTo || to.Tag.Off != 0)
}

// parseSingle reads the header of kind k, which must be there once. The reasons doubled and
// bad follow missing in the list of Reasons. Of several the first is read.
func (m *Message) parseSingle(k Kind, a *NameAddr, missing Reason) Reason {
	row := m.First(k)
	if row < 0 {
		*a = NameAddr{}
		return missing
	}
	r := m.NameAddr(m.Headers[row].Value, a)
	switch {
	case m.HasMany(k):
		return missing + 1
	case r != OK:
		return missing + 2
	}
	return OK
}
