package traffic

import "bytes"

// span is a piece of a datagram: b[s.from:s.to].
type span struct{ from, to uint16 }

func (s span) in(b []byte) []byte { return b[s.from:s.to:s.to] }
func (s span) empty() bool        { return s.from == s.to }

type method uint8

const (
	methodOther method = iota
	methodInvite
	methodAck
	methodBye
	methodCancel
	methodOptions
)

// message is the little of a SIP message that the two ends of a bench call look at, as spans into
// the datagram. It is reused for every datagram and valid until the next scan. It is no parser: it
// knows the header lines the bench itself wrote and what a proxy adds to them.
type message struct {
	isRequest bool
	method    method // of the request line, or of CSeq in a response
	status    int    // responses only

	uri         span // requests only
	via         [maxViaLines]span
	viaLines    int // whole lines with CRLF, top first
	vias        int // values: a line may hold several
	recordRoute [maxRoutes]span
	routes      int  // values of Record-Route, top first
	route       bool // a Route header is left
	from, to    span // whole lines with CRLF
	callID      span // value
	cseq        span // whole line with CRLF
	cseqNumber  uint32
	cseqMethod  method
	contact     span // the URI between < and >
	maxForwards int  // -1 means none
	length      int  // Content-Length; -1 means none
	body        span
}

func methodOf(b []byte) method {
	switch string(b) {
	case "INVITE":
		return methodInvite
	case "ACK":
		return methodAck
	case "BYE":
		return methodBye
	case "CANCEL":
		return methodCancel
	case "OPTIONS":
		return methodOptions
	}
	return methodOther
}

// scan indexes b. It answers false when b is not a message the bench could have caused; the caller
// counts it as malformed.
func (m *message) scan(b []byte) bool {
	m.viaLines, m.vias, m.routes, m.route = 0, 0, 0, false
	m.from, m.to, m.callID, m.cseq, m.contact = span{}, span{}, span{}, span{}, span{}
	m.cseqNumber, m.cseqMethod, m.maxForwards, m.length = 0, methodOther, -1, -1
	if len(b) > frameBytes {
		return false
	}
	next := bytes.IndexByte(b, '\n') + 1
	if next < 16 || b[next-2] != '\r' || !m.scanStart(b, next-2) {
		return false
	}
	for {
		line := next
		n := bytes.IndexByte(b[line:], '\n')
		if n < 1 || b[line+n-1] != '\r' {
			return false
		}
		next = line + n + 1
		if n == 1 {
			m.body = span{uint16(next), uint16(len(b))}
			break
		}
		if !m.scanHeader(b, line, next) {
			return false
		}
	}
	if !m.isRequest {
		m.method = m.cseqMethod
	}
	return m.viaLines > 0 && !m.callID.empty() && !m.cseq.empty() && !m.from.empty() &&
		!m.to.empty()
}

func (m *message) scanStart(b []byte, end int) bool {
	if string(b[:8]) == "SIP/2.0 " {
		m.isRequest = false
		m.status = 0
		for _, c := range b[8:11] {
			if c < '0' || c > '9' {
				return false
			}
			m.status = m.status*10 + int(c-'0')
		}
		return b[11] == ' '
	}
	m.isRequest = true
	space := bytes.IndexByte(b[:end], ' ')
	if space < 0 || end < space+10 || string(b[end-8:end]) != " SIP/2.0"[:8] {
		return false
	}
	m.method = methodOf(b[:space])
	m.uri = span{uint16(space + 1), uint16(end - 8)}
	return true
}

// scanHeader reads one line b[from:to], which includes CRLF. Header names are matched by length and
// first letter, then in full.
func (m *message) scanHeader(b []byte, from, to int) bool {
	kind, value := fastHeader(b[from:to])
	if kind == headerUnknown {
		colon := bytes.IndexByte(b[from:to], ':')
		if colon < 1 {
			return false // a folded line or rubbish: neither end writes one
		}
		name := b[from : from+colon]
		for len(name) > 0 && name[len(name)-1] == ' ' {
			name = name[:len(name)-1]
		}
		kind, value = header(name), colon+1
	}
	value += from
	end := to - 2
	for value < end && b[value] == ' ' {
		value++
	}
	line := span{uint16(from), uint16(to)}
	switch kind {
	case headerVia:
		if m.viaLines == maxViaLines {
			return false
		}
		m.via[m.viaLines] = line
		m.viaLines++
		m.vias += 1 + bytes.Count(b[value:end], comma)
	case headerRecordRoute:
		return m.addRoutes(b, value, end)
	case headerRoute:
		m.route = true
	case headerFrom:
		m.from = line
	case headerTo:
		m.to = line
	case headerCallID:
		m.callID = span{uint16(value), uint16(end)}
	case headerCSeq:
		m.cseq = line
		i := value
		for ; i < end && b[i] >= '0' && b[i] <= '9'; i++ {
			m.cseqNumber = m.cseqNumber*10 + uint32(b[i]-'0')
		}
		for i < end && b[i] == ' ' {
			i++
		}
		m.cseqMethod = methodOf(b[i:end])
	case headerContact:
		open := bytes.IndexByte(b[value:end], '<')
		if open < 0 {
			return false
		}
		n := bytes.IndexByte(b[value+open:end], '>')
		if n < 0 {
			return false
		}
		m.contact = span{uint16(value + open + 1), uint16(value + open + n)}
	case headerMaxForwards:
		m.maxForwards = number(b[value:end])
	case headerContentLength:
		m.length = number(b[value:end])
	}
	return true
}

// addRoutes splits a Record-Route line at the commas outside <>.
func (m *message) addRoutes(b []byte, from, end int) bool {
	inside := false
	start := from
	for i := from; i <= end; i++ {
		if i == end || b[i] == ',' && !inside {
			if m.routes == maxRoutes {
				return false
			}
			for start < i && b[start] == ' ' {
				start++
			}
			m.recordRoute[m.routes] = span{uint16(start), uint16(i)}
			m.routes++
			start = i + 1
			continue
		}
		switch b[i] {
		case '<':
			inside = true
		case '>':
			inside = false
		}
	}
	return true
}

type headerKind uint8

const (
	headerUnknown headerKind = iota // not looked up yet
	headerOther
	headerVia
	headerRecordRoute
	headerRoute
	headerFrom
	headerTo
	headerCallID
	headerCSeq
	headerContact
	headerMaxForwards
	headerContentLength
)

var comma = []byte(",")

// fastHeader knows the names as the bench and well-bred proxies write them, and where their value
// begins; headerUnknown for any other line.
func fastHeader(line []byte) (headerKind, int) {
	if len(line) < 16 {
		return headerUnknown, 0
	}
	switch line[0] {
	case 'V':
		if string(line[:5]) == "Via: " {
			return headerVia, 5
		}
	case 'F':
		if string(line[:6]) == "From: " {
			return headerFrom, 6
		}
	case 'T':
		if string(line[:4]) == "To: " {
			return headerTo, 4
		}
	case 'C':
		switch {
		case string(line[:6]) == "CSeq: ":
			return headerCSeq, 6
		case string(line[:9]) == "Call-ID: ":
			return headerCallID, 9
		case string(line[:9]) == "Contact: ":
			return headerContact, 9
		case string(line[:16]) == "Content-Length: ":
			return headerContentLength, 16
		}
	case 'M':
		if string(line[:14]) == "Max-Forwards: " {
			return headerMaxForwards, 14
		}
	case 'R':
		if string(line[:14]) == "Record-Route: " {
			return headerRecordRoute, 14
		}
	case 'A', 'U', 'S':
		return headerOther, 0 // Allow, User-Agent, Server, Supported: nothing looked at begins so
	}
	return headerUnknown, 0
}

// header names a header field, in long or compact form (RFC 3261 §7.3.3), without regard to case.
func header(name []byte) headerKind {
	switch len(name) {
	case 1:
		switch name[0] | 0x20 {
		case 'v':
			return headerVia
		case 'f':
			return headerFrom
		case 't':
			return headerTo
		case 'i':
			return headerCallID
		case 'm':
			return headerContact
		case 'l':
			return headerContentLength
		}
	case 2:
		return match(name, "to", headerTo)
	case 3:
		return match(name, "via", headerVia)
	case 4:
		switch name[0] | 0x20 {
		case 'f':
			return match(name, "from", headerFrom)
		case 'c':
			return match(name, "cseq", headerCSeq)
		}
	case 5:
		return match(name, "route", headerRoute)
	case 7:
		switch name[2] | 0x20 {
		case 'l':
			return match(name, "call-id", headerCallID)
		case 'n':
			return match(name, "contact", headerContact)
		}
	case 12:
		switch name[0] | 0x20 {
		case 'm':
			return match(name, "max-forwards", headerMaxForwards)
		case 'r':
			return match(name, "record-route", headerRecordRoute)
		}
	case 14:
		return match(name, "content-length", headerContentLength)
	}
	return headerOther
}

// match compares name with lower, which is in lower case and of the same length.
func match(name []byte, lower string, kind headerKind) headerKind {
	for i := range name {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return headerOther
		}
	}
	return kind
}

func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<20 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if len(b) == 0 {
		return -1
	}
	return n
}

var (
	branchMark = []byte("branch=" + branchCookie)
	tagMark    = []byte(";tag=")
)

// hasToken says whether the first value after mark in line is the letter and the identity, and
// nothing more. The mark is searched for, since a proxy may put parameters before it.
func hasToken(line, mark []byte, letter byte, id *[idBytes]byte) bool {
	i := bytes.Index(line, mark)
	if i < 0 {
		return false
	}
	rest := line[i+len(mark):]
	if len(rest) < 1+idBytes+1 || rest[0] != letter || string(rest[1:1+idBytes]) != string(id[:]) {
		return false
	}
	switch rest[1+idBytes] {
	case ';', ',', '\r', ' ', '\t':
		return true
	}
	return false
}
