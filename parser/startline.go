package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Words of the start line, little-endian, folded to lower case where case does not count.
const (
	wordSpaceVersion = 0x302e322f70697320 // " sip/2.0"
	wordSIPSlash     = 0x2f706973         // "sip/"
	wordVersionSpace = 0x20302e322f706973 // "sip/2.0 "
)

// parseStartLine cuts the line at offset p, whose LF is at lf (-1: it has none), and returns the
// offset behind it.
func (m *Message) parseStartLine(b []byte, p, lf int) (next int, reason Reason) {
	end := len(b)
	next = end
	if lf >= 0 {
		end = lf
		next = end + 1
		if end > p && b[end-1] == '\r' {
			end--
		}
	}
	m.StartLine = span(p, end)
	m.Status, m.Method = 0, MethodOther
	line := b[p:end]
	if len(line) >= 4 && foldWord(uint64(word32(line, 0))) == wordSIPSlash {
		// A method is a token and has no slash, so this can only be meant as a status line.
		m.IsRequest = false
		m.MethodName, m.URI = Span{}, Span{}
		return next, m.parseStatusLine(line, p)
	}
	m.IsRequest = true
	m.Phrase = Span{}

	// Request-Line = Method SP Request-URI SP SIP-Version, each SP exactly one (RFC 3261 §7.1).
	tail := len(line) - 8
	sp := 0
	if tail > 0 {
		// The method and its space fit in a word, but for REGISTER and SUBSCRIBE.
		w := word64(line, 0)
		if c := equals(w, ' ') & tops; c != 0 {
			sp = bits.TrailingZeros64(c) >> 3
			m.Method = methodOfWord(w & bytesUpTo(c))
		} else {
			sp = bytes.IndexByte(line, ' ')
			m.Method = MethodOf(line[:max(sp, 0)])
		}
	}
	if sp > 0 && tail > sp+1 &&
		foldWord(word64(line, tail)) == wordSpaceVersion &&
		(m.Method != MethodOther || run(line[:sp], 0, classToken) == sp) &&
		(m.startURI(p+sp+1, p+tail) || bytes.IndexByte(line[sp+1:tail], ' ') < 0) {
		m.MethodName = Span{uint32(p), uint32(sp)}
		m.URI = span(p+sp+1, p+tail)
		return next, OK
	}
	return next, m.slowRequestLine(line, p)
}

// startURI parses the Request-URI from i to end if it is of the usual form: then it has no space,
// and Check will ask for it anyway. The rest of the line is known to be good. It returns false if
// it is something else.
func (m *Message) startURI(i, end int) bool {
	if !hasPlain {
		return false
	}
	u := m.plainURI(i)
	if u.end != end {
		return false
	}
	m.setPlainURI(span(i, end), &m.requestURI, u)
	m.cached |= 1 << fieldURI
	m.reasons[fieldURI] = OK
	return true
}

// slowRequestLine takes what it can from a line that is not a proper SIP/2.0 request line and says
// what is wrong. The method matters even then: an ACK is never answered.
func (m *Message) slowRequestLine(line []byte, p int) Reason {
	sp := run(line, 0, classToken)
	m.MethodName = span(p, p+sp)
	m.Method = MethodOf(line[:sp])
	last := bytes.LastIndexByte(line, ' ')
	if last > sp+1 && sp > 0 && line[sp] == ' ' && bytes.IndexByte(line[sp+1:last], ' ') < 0 &&
		versionOf(line[last+1:]) == otherVersion {
		m.URI = span(p+sp+1, p+last)
		return BadVersion
	}
	// Not a request line. What is between method and version may interest a log.
	i, j := trimLWS(line, sp, len(line))
	if v := bytes.LastIndexByte(line[i:j], ' ') + 1 + i; versionOf(line[v:j]) != noVersion {
		_, j = trimLWS(line, i, v)
	}
	m.URI = span(p+i, p+max(i, j))
	return BadRequestLine
}

const (
	noVersion = iota
	version20
	otherVersion
)

// versionOf reads SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT, "SIP" in any case (RFC 3261 §7.1).
func versionOf(v []byte) int {
	if len(v) < 7 || !equalFold(v[:4], "sip/") {
		return noVersion
	}
	major := run(v, 4, classDigit)
	if major == 4 || major == len(v) || v[major] != '.' {
		return noVersion
	}
	minor := run(v, major+1, classDigit)
	if minor == major+1 || minor != len(v) {
		return noVersion
	}
	if string(v[4:]) == "2.0" {
		return version20
	}
	return otherVersion
}

// parseStatusLine reads Status-Line = SIP-Version SP Status-Code SP Reason-Phrase (RFC 3261 §7.2).
// The space behind the code may be missing when the phrase is empty: nobody needs it.
func (m *Message) parseStatusLine(line []byte, p int) Reason {
	if len(line) > 11 && line[11] == ' ' && foldWord(word64(line, 0)) == wordVersionSpace {
		c1, c2, c3 := line[8]-'0', line[9]-'0', line[10]-'0'
		code := uint16(c1)*100 + uint16(c2)*10 + uint16(c3)
		if c1-1 < 6 && c2 < 10 && c3 < 10 {
			m.Status = code
			m.Phrase = span(p+12, p+len(line))
			return OK
		}
	}
	reason := OK
	i := 8
	if len(line) < 8 || foldWord(binary.LittleEndian.Uint64(line)) != wordVersionSpace {
		sp := bytes.IndexByte(line, ' ')
		if sp < 0 || versionOf(line[:sp]) == noVersion {
			m.Phrase = Span{uint32(p + len(line)), 0}
			return BadStatusLine
		}
		i = sp + 1
		if versionOf(line[:sp]) != version20 {
			reason = BadVersion
		}
	}
	e := run(line, i, classDigit)
	switch {
	case e == i || e < len(line) && line[e] != ' ':
		m.Phrase = span(p+e, p+len(line))
		return firstReason(reason, BadStatusLine)
	case e-i != 3:
		reason = firstReason(reason, BadStatusCode)
	default:
		code := uint16(line[i]-'0')*100 + uint16(line[i+1]-'0')*10 + uint16(line[i+2]-'0')
		if code < MinStatus || code > MaxStatus {
			reason = firstReason(reason, BadStatusCode)
		} else {
			m.Status = code
		}
	}
	if e < len(line) {
		e++
	}
	m.Phrase = span(p+e, p+len(line))
	return reason
}
