package stream

import "bytes"

// Fault says what is wrong with the framing of a message that was handed over all the same, so that
// it can be answered. Its connection closes soon.
type Fault uint8

// The faults. The zero value is a whole message.
const (
	Whole Fault = iota
	// no Content-Length, which a stream must have (RFC 3261 §18.3): 400. Data ends with the
	// headers.
	NoLength
	// a Content-Length that is no number, or two that differ: 400. Data ends with the headers.
	BadLength
	// an LF without CR in front, or a CR without LF behind, in the start line or a header: 400.
	// Data ends with the headers, an LF taken for a line end.
	StrayLineEnd
	TooLong // longer than Limits.MaxMessage: 513. Data ends with the headers.
)

// What framer.next found.
type frameKind uint8

const (
	frameMore    frameKind = iota // the message goes on beyond the bytes
	frameMessage                  // n bytes of a message
	frameIdle                     // n bytes of CRLF in front of a message
	frameJunk                     // this is not SIP
	frameHuge                     // headers longer than a message may be
	frameHTTP                     // n bytes of an HTTP request
	frameRefused                  // an HTTP request that is refused: head.status
)

// framer finds the end of one message after the other by Content-Length (RFC 3261 §18.3, §20.14).
// It keeps where it was, so that each byte is looked at once however slowly a peer sends; only the
// offsets are kept, never the bytes.
type framer struct {
	seen          int  // bytes of this message that were looked at
	row           int  // start of the header row, folds included
	line          int  // start of the line; in a fold behind row
	body          int  // where the body starts; 0 while in the headers
	length        int  // the Content-Length, -1 while there is none
	bad           bool // Content-Length no number, or two that differ
	started       bool // the start line was seen
	crlf          uint8
	pings         int  // double CRLFs since the last taken
	lines         int  // line ends so far
	loose         bool // one of them is an LF alone, or there is a CR alone
	acceptControl bool // that does not matter: Config.AcceptControl
	noCL          bool // a message without Content-Length has no body: Limits.AcceptNoCL
	http          bool // HTTP requests are taken, see http.go
	isHTTP        bool // this is one
	head          httpHead
}

// reset makes ready for the next message; f.crlf goes on over messages only through leading CRLFs.
func (f *framer) reset() {
	*f = framer{length: -1, crlf: f.crlf, pings: f.pings, noCL: f.noCL,
		acceptControl: f.acceptControl, http: f.http}
}

// whole is the length of the message once the headers are known, else 0.
func (f *framer) whole() int {
	if f.body == 0 || f.bad || f.loose && (!f.acceptControl || f.isHTTP) || f.length < 0 {
		return 0
	}
	return f.body + f.length
}

// next looks at b, which starts where the last message ended, or is the same with more behind it
// after frameMore.
func (f *framer) next(b []byte, limit int) (kind frameKind, n int, fault Fault) {
	if f.seen == 0 {
		if n := f.idle(b); n > 0 {
			return frameIdle, n, Whole
		}
		if len(b) == 0 {
			return frameMore, 0, Whole
		}
		f.crlf = 0
		f.length = -1
		if b[0] <= ' ' || b[0] >= 0x7f {
			// neither a Method nor a SIP-Version starts so (RFC 3261 §25.1): TLS, most often
			return frameJunk, 0, Whole
		}
	}
	if f.body == 0 {
		switch f.headers(b) {
		case frameJunk:
			return frameJunk, 0, Whole
		case frameMore:
			if f.isHTTP && f.seen > httpHeadBytes {
				f.head.refuse(431)
				return frameRefused, 0, Whole
			}
			if f.seen > limit {
				return frameHuge, 0, Whole
			}
			return frameMore, 0, Whole
		}
		if f.body > limit && !f.isHTTP {
			return frameHuge, 0, Whole
		}
	}
	if f.isHTTP {
		return f.request(len(b), limit)
	}
	switch {
	case f.loose && !f.acceptControl:
		return frameMessage, f.body, StrayLineEnd
	case f.bad:
		return frameMessage, f.body, BadLength
	case f.length < 0 && f.noCL:
		return frameMessage, f.body, Whole
	case f.length < 0:
		return frameMessage, f.body, NoLength
	case f.length > limit-f.body:
		return frameMessage, f.body, TooLong
	case len(b) < f.body+f.length:
		return frameMore, 0, Whole
	}
	return frameMessage, f.body + f.length, Whole
}

// idle takes leading CRs and LFs (RFC 3261 §7.5) and counts the double CRLFs among them (RFC 5626
// §4.4.1).
func (f *framer) idle(b []byte) (n int) {
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		switch want := "\r\n\r\n"[f.crlf]; {
		case b[n] == want:
			f.crlf++
		case b[n] == '\r':
			f.crlf = 1
		default:
			f.crlf = 0
		}
		if f.crlf == 4 {
			f.crlf = 0
			f.pings++
		}
		n++
	}
	return n
}

// headers goes on to the empty line. Line ends are as the parser takes them: CRLF or LF.
func (f *framer) headers(b []byte) frameKind {
	for {
		i := bytes.IndexByte(b[f.seen:], '\n')
		if i < 0 {
			f.seen = len(b)
			return frameMore
		}
		lf := f.seen + i
		f.lines++
		f.loose = f.loose || lf == 0 || b[lf-1] != '\r'
		switch {
		case !f.started:
			switch {
			case startLine(b[:lf]):
			case f.http && httpLine(b[:lf]):
				f.beginHTTP(b[:lf])
			default:
				return frameJunk
			}
			f.started = true
			f.row = lf + 1
		case lf == f.line || lf == f.line+1 && b[f.line] == '\r':
			f.endRow(b)
			f.body = lf + 1
			f.seen = lf + 1
			f.loose = f.loose || bytes.Count(b[:f.body], []byte{'\r'}) != f.lines
			return frameMessage
		case f.line > f.row && b[f.line] != ' ' && b[f.line] != '\t':
			// The line that ended begins a row: the one before is complete.
			f.endRow(b)
			f.row = f.line
		}
		f.line = lf + 1
		f.seen = lf + 1
	}
}

// endRow reads the row that has ended.
func (f *framer) endRow(b []byte) {
	if f.isHTTP {
		f.takeHTTPRow(b[f.row:f.line])
		return
	}
	f.takeRow(b[f.row:f.line])
}

// startLine tells whether a line can be the first of a SIP message, by the version at its start (a
// response) or end (a request), any version. Blanks behind that version are wrong (RFC 4475
// §3.1.2.10), but the message is framed: its reader has an answer to it.
func startLine(line []byte) bool {
	line = bytes.TrimRight(line, " \t\r")
	if version(line) {
		return true
	}
	i := bytes.LastIndexByte(line, ' ')
	return i > 0 && version(line[i+1:])
}

func version(b []byte) bool {
	return len(b) > 4 && b[0]|0x20 == 's' && b[1]|0x20 == 'i' && b[2]|0x20 == 'p' && b[3] == '/'
}

// takeRow reads a header row, folds and line end included, if it is a Content-Length (RFC 3261
// §20.14, compact form l).
func (f *framer) takeRow(row []byte) {
	const name = "content-length"
	i := 0
	switch {
	case len(row) == 0:
		return
	case row[0]|0x20 == 'l':
		i = 1
	case len(row) > len(name) && row[0]|0x20 == 'c' &&
		bytes.EqualFold(row[:len(name)], []byte(name)):
		i = len(name)
	default:
		return
	}
	for i < len(row) && (row[i] == ' ' || row[i] == '\t') {
		i++
	}
	if i == len(row) || row[i] != ':' {
		return
	}
	value := bytes.Trim(row[i+1:], " \t\r\n")
	n := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			f.bad = true
			return
		}
		n = min(n*10+int(c-'0'), 1<<30) // far beyond any limit: too long, not wrong
	}
	if len(value) == 0 {
		f.bad = true
	}
	if f.length >= 0 && f.length != n {
		f.bad = true
	}
	f.length = n
}
