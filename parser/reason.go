package parser

// A Reason says why a message, or a field of it, is not acceptable. OK is the only
// good one. Reasons are counted, so their order is stable within a build only: store
// the name, not the number.
type Reason uint8

// The reasons, by who gives them.
const (
	OK Reason = iota

	// Parse: the form of the message. After these the message is indexed as far as
	// its form allowed.

	// nothing but line ends or NULs: a keep-alive (RFC 5626 §3.5.1, §4.4.1), not a message
	Empty
	TooLarge // more than MaxMessageBytes; nothing is indexed
	// not "Method SP Request-URI SP SIP-Version" (RFC 3261 §7.1); headers are indexed
	BadRequestLine
	BadStatusLine // not "SIP-Version SP Status-Code SP Reason-Phrase" (§7.2); headers are indexed
	BadStatusCode // not three digits, or outside MinStatus..MaxStatus; headers are indexed
	BadVersion    // well formed, but not SIP/2.0 (§21.5.6: answer 505); headers are indexed
	// the first header line is a fold, or a line is no header but starts with the name of one that
	// we go by; other lines are indexed
	BadHeader
	TooManyHeaders // more than MaxHeaders rows; the first MaxHeaders are indexed
	NoHeaderEnd    // no empty line behind the headers; the complete lines are indexed

	// Given by nobody here: what to call it if a message is refused for Message.Control.

	ControlCharacter // a control character that has no place there, a CR or LF alone among them

	// Check and the field methods: RFC 3261 §16.3 step 1.

	BadRequestURI     // the Request-URI is not a URI, or a malformed SIP(S) URI
	RequestURIHeaders // the Request-URI has a "?headers" part (§19.1.1 table 1 forbids it)
	MissingVia        // no Via at all
	BadVia            // the topmost Via value is malformed, or a Via row has an empty value
	// the topmost branch is the magic cookie and nothing more (RFC 4475 §3.2.1)
	EmptyBranch
	MissingFrom // no From
	DoubledFrom // more than one From
	// where the URI of From, or its tag, is cannot be told for sure: see ParseNameAddr
	BadFrom
	MissingTo     // no To
	DoubledTo     // more than one To
	BadTo         // likewise To
	MissingCallID // no Call-ID
	DoubledCallID // more than one Call-ID
	BadCallID     // Call-ID is empty or folded
	MissingCSeq   // no CSeq
	DoubledCSeq   // more than one CSeq
	BadCSeq       // CSeq is not "number LWS method", or the number exceeds MaxCSeq
	// CSeq method and request line differ (§8.1.1.5; 501 is allowed when Method is MethodOther)
	CSeqMethodMismatch
	DoubledMaxForwards // more than one Max-Forwards
	BadMaxForwards     // Max-Forwards is not a number, or exceeds MaxMaxForwards
	// Max-Breadth is not a number, exceeds MaxMaxBreadth or stands there twice (RFC 5393 §5.3;
	// Check does not ask)
	BadMaxBreadth
	BadContentLength     // Content-Length is not a number (a minus sign is none), or exceeds 2^31-1
	ContentLengthDiffers // several Content-Lengths with different values
	ShortBody            // Content-Length is larger than the body that is there (§18.3)
	BadRoute             // a Route value is malformed
	BadRecordRoute       // a Record-Route value is malformed
	BadContact           // a Contact value is malformed
	// the list of another header is malformed: an empty element, an open quote or bracket
	BadList

	// ParseURI and ParseNameAddr.

	BadURI     // not a URI: no scheme, or bytes no URI may have
	BadURIUser // the user part of a SIP URI has bytes it may not have, or is empty before "@"
	BadHost    // host is empty, or neither a name, an IPv4 address nor a bracketed IPv6 address
	BadPort    // port is empty, not a number, 0, or beyond 65535
	// where the URI or the tag is cannot be told for sure: angle brackets, quotes or parameters
	// malformed
	BadNameAddr

	// NumReasons is the number of Reasons: the length of an array of counters.
	NumReasons
)

var reasonNames = [NumReasons]string{
	OK:                   "ok",
	Empty:                "empty",
	TooLarge:             "too large",
	BadRequestLine:       "bad request line",
	BadStatusLine:        "bad status line",
	BadStatusCode:        "bad status code",
	BadVersion:           "bad SIP version",
	BadHeader:            "bad header line",
	TooManyHeaders:       "too many headers",
	NoHeaderEnd:          "no empty line behind headers",
	ControlCharacter:     "control character",
	BadRequestURI:        "bad Request-URI",
	RequestURIHeaders:    "headers in Request-URI",
	MissingVia:           "missing Via",
	BadVia:               "bad Via",
	EmptyBranch:          "empty Via branch",
	MissingFrom:          "missing From",
	DoubledFrom:          "doubled From",
	BadFrom:              "bad From",
	MissingTo:            "missing To",
	DoubledTo:            "doubled To",
	BadTo:                "bad To",
	MissingCallID:        "missing Call-ID",
	DoubledCallID:        "doubled Call-ID",
	BadCallID:            "bad Call-ID",
	MissingCSeq:          "missing CSeq",
	DoubledCSeq:          "doubled CSeq",
	BadCSeq:              "bad CSeq",
	CSeqMethodMismatch:   "CSeq method mismatch",
	DoubledMaxForwards:   "doubled Max-Forwards",
	BadMaxForwards:       "bad Max-Forwards",
	BadMaxBreadth:        "bad Max-Breadth",
	BadContentLength:     "bad Content-Length",
	ContentLengthDiffers: "differing Content-Length",
	ShortBody:            "body shorter than Content-Length",
	BadRoute:             "bad Route",
	BadRecordRoute:       "bad Record-Route",
	BadContact:           "bad Contact",
	BadList:              "bad list",
	BadURI:               "bad URI",
	BadURIUser:           "bad user in URI",
	BadHost:              "bad host",
	BadPort:              "bad port",
	BadNameAddr:          "bad name-addr",
}

// String names the field at fault in a few words, fit for a reason phrase ("400 Bad CSeq" after
// capitalising).
func (r Reason) String() string {
	if r >= NumReasons {
		return "unknown reason"
	}
	return reasonNames[r]
}

// Status is the code of the response a request that fails for r deserves (RFC 3261 §16.3, §21.4.1,
// §21.5.6): 505 for BadVersion, 513 for TooLarge, 0 for OK and Empty (nothing to answer), else 400.
func (r Reason) Status() uint16 {
	switch r {
	case OK, Empty:
		return 0
	case BadVersion:
		return 505
	case TooLarge:
		return 513
	}
	return 400
}
