package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Cause is why a final response of 300 or more was made here, or why a branch failed. All that
// follows from a cause is in one table, causes: the status and the phrase, the header rows, the
// name of the counter and the line in the log.
type Cause uint8

// The causes, in the order in which a request meets them.
const (
	NoCause Cause = iota // nothing failed

	// The request itself, before the routing program sees it.
	Malformed         // §16.3 step 1; the phrase says what
	BadVersion        // not SIP/2.0 (§21.5.6)
	UnknownMethod     // CSeq and method differ, and the method is none we know (§16.3 step 1)
	TooLarge          // more header rows or bytes than are read
	UnsupportedOption // Proxy-Require (§16.3 step 5)
	Looped            // §16.3 step 4, RFC 5393 §4.2
	BadBreadth        // Max-Breadth is no number (RFC 5393 §5.3)

	// This server.
	ShuttingDown // it takes no new calls
	InOverload   // more arrives than it can handle
	NoRoom       // the arena or the index is full
	Contained    // a panic
	ProgramLimit // the routing program ran into a limit
	ProgramGone  // the request waited in a routing program that is not loaded any more
	NoTarget     // the routing program relayed to nobody, or its branch routes dropped every branch
	Undecided    // all branches are over, and its failure routes decided nothing

	ByProgram // the routing program answered

	// What keeps a request from being sent.
	BadTarget     // the Request-URI or the outbound URI cannot be read
	UnknownScheme // it is no SIP URI (§16.3 step 2)
	HopsSpent     // Max-Forwards (§16.3 step 3)
	BreadthSpent  // Max-Breadth (RFC 5393 §5.3.3)
	TooLong       // the message and our rows are longer than may be sent
	TooManyEdits  // more places of it are to be changed than a Plan holds

	// What keeps one target from being sent to, where another may do: see unsent.go. If several
	// targets fail, the cause of the last one is reported.
	Blocklisted          // every address is on the blocklist
	FamilyUnavailable    // no listener of the transport has the address family
	AddressUnusable      // the address names many hosts
	TransportUnavailable // no listener has the transport that the destination asks for
	InClear              // a sips URI's request, and a target not reached by TLS (RFC 5630 §5.3)
	NoSuchName           // the name does not exist, or leads nowhere we can send
	NameUnresolved       // there is no resolver, or it forgot its answer before it was used
	NameServersSilent    // the name servers failed or did not answer
	NameQueriesFull      // too many names are being looked up

	// What becomes of a branch.
	TimerFired        // nothing came (§16.8, Timers B and F)
	RangTooLong       // no final response came (§16.8, Timer C)
	LivedTooLong      // max_inv_lifetime, max_noninv_lifetime
	NotContinued      // t_suspend held the request, and nobody has continued it
	NotSent           // the message did not leave, or its connection broke
	ConnectionFailed  // no connection could be made
	HandshakeFailed   // the connection was made, and its TLS handshake failed
	PeerUnreachable   // ICMP says that nobody is there
	CanceledByCaller  // §9.2
	RefusedDownstream // a final response of 300 or more came: no failure of ours
	HeldBack          // onsend_route dropped it
	NumCauses
)

// Levels of the log, in Kamailio's numbers.
const (
	levelWarning = 0
	levelInfo    = 2
)

// causeRow is what follows from a cause.
type causeRow struct {
	name   string // of the counter, and of the log's cause
	status int    // 0 means that the caller supplies it
	phrase string
	header string // whole rows
	level  int
	why    string // for the log: what happened, and what can be done about it
}

// How the statuses are chosen: a 503 says that this server is out, and with Retry-After for how
// long (§21.5.4). It is for want of room (for call state or one more query for a name), overload
// and a shutdown alone. What a destination did, or did not do, is a 500 (§16.9 takes it as a 503,
// which §16.7 step 6 forbids to pass on), and a 408 if it said nothing. 477 and 478 are Kamailio's
// for a request that could not be sent. A name server that is silent is an external server that did
// not answer in time: 504 (§21.5.5), by which the caller knows that the name may be fine, and which
// no failover upstream takes for an overload.
var causes = [NumCauses]causeRow{
	Malformed: {"malformed", 400, "Bad Request", "", levelInfo, "the request is malformed"},
	BadVersion: {"bad version", 505, "Version Not Supported", "", levelInfo,
		"the request is not SIP/2.0"},
	UnknownMethod: {"unknown method", 501, "Not Implemented", "", levelInfo,
		"CSeq names another method"},
	TooLarge: {"too large", 513, "Message Too Large", "", levelInfo,
		"the request has more header rows or bytes than are read"},
	UnsupportedOption: {"unsupported Proxy-Require", 420, "Bad Extension", "", levelInfo,
		"Proxy-Require asks for what this proxy does not have"},
	Looped: {"loop", 482, "Loop Detected", "", levelWarning,
		"the request was here before, unchanged: see where it is sent"},
	BadBreadth: {"bad Max-Breadth", 400, "Bad Max-Breadth", "", levelInfo,
		"Max-Breadth is no number"},

	ShuttingDown: {"shutting down", 503, "Service Unavailable", "Retry-After: 5\r\n", levelInfo,
		"new calls are not taken any more"},
	InOverload: {"overload", 503, "Service Unavailable", RetryAfter, levelInfo,
		"more arrives than this shard can handle"},
	NoRoom: {"no room", 503, "Service Unavailable", RetryAfter, levelInfo,
		"the memory for call state is full: raise -m"},
	Contained: {"panic", codeInternal, internalError, "", levelWarning,
		"a panic was contained, please report"},
	ProgramLimit: {"program cut short", codeInternal, internalError, "", levelWarning,
		"the routing program ran into a limit"},
	ProgramGone: {"program replaced", 503, "Service Unavailable", RetryAfter, levelWarning,
		"the call waited in a routing program that is not loaded any more"},
	NoTarget: {"no target", codeInternal, internalError, "", levelWarning,
		"the routing program relayed to nobody"},
	Undecided: {"undecided", 0, "", "", levelWarning,
		"every branch is over, and no route decided what to answer"},

	ByProgram: {"program", 0, "", "", levelInfo, "the routing program answered"},

	BadTarget: {"bad target URI", 400, "Bad Request-URI", "", levelWarning,
		"the URI to send to cannot be read"},
	UnknownScheme: {"unknown scheme", 416, "Unsupported URI Scheme", "", levelWarning,
		"the URI to send to is no SIP URI"},
	HopsSpent: {"hops spent", 483, "Too Many Hops", "", levelWarning,
		"Max-Forwards is spent: the request may loop"},
	BreadthSpent: {"breadth spent", 440, "Max-Breadth Exceeded", "", levelWarning,
		"Max-Breadth is spent: the request was forked too often"},
	TooLong: {"too long", 513, "Message Too Large", "", levelWarning,
		"the request is too long to be sent"},
	TooManyEdits: {"too many edits", codeInternal, internalError, "", levelWarning,
		"the request has too many values to be changed"},
	NoSuchName: {"no such name", 478, unresolvable, "", levelWarning,
		"the destination's name does not exist, or leads nowhere this proxy can send"},
	NameServersSilent: {"name servers silent", 504, "Server Time-out", "", levelWarning,
		"the name servers failed or did not answer for the destination's name"},
	NameQueriesFull: {"name queries full", 503, "Service Unavailable", RetryAfter, levelWarning,
		"too many names are being looked up at once"},
	NameUnresolved: {"name unresolved", 478, unresolvable, "", levelWarning,
		"the destination's name could not be looked up"},
	TransportUnavailable: {"transport unavailable", 478, unresolvable, "", levelWarning,
		"no listener has the transport that the destination asks for: add one with listen="},
	FamilyUnavailable: {"address family unavailable", 477, noWay, "", levelWarning,
		"no listener of that transport has the destination's address family: add one with listen="},
	AddressUnusable: {"unusable address", 478, unresolvable, "", levelWarning,
		"the destination's address is a broadcast or multicast one"},
	Blocklisted: {"blocklisted", 477, noWay, "", levelWarning,
		"every address of the destination is on the blocklist"},
	InClear: {"sips in clear", 480, "Temporarily Unavailable", "", levelWarning,
		"the request is for a sips URI, and its destination is not reached by TLS"},

	TimerFired: {"timeout", 408, "Request Timeout", "", levelWarning,
		"nothing came back in time (fr_timer)"},
	RangTooLong: {"rang too long", 408, "Request Timeout", "", levelInfo,
		"no final response came in time (fr_inv_timer)"},
	LivedTooLong: {"lived too long", 408, "Request Timeout", "", levelWarning,
		"max_inv_lifetime or max_noninv_lifetime is over"},
	NotContinued: {"not continued", 408, "Request Timeout", "", levelWarning,
		"no t_continue came for what t_suspend held (fr_inv_timer)"},
	NotSent: {"not sent", codeInternal, internalError, "", levelWarning,
		"the message could not be sent, or its connection broke"},
	ConnectionFailed: {"connection failed", codeInternal, internalError, "", levelWarning,
		"no connection could be made to the destination"},
	HandshakeFailed: {"handshake failed", codeInternal, internalError, "", levelWarning,
		"the TLS handshake with the destination failed"},
	PeerUnreachable: {"unreachable", codeInternal, internalError, "", levelWarning,
		"the network says that nobody listens at the destination (ICMP)"},
	CanceledByCaller:  {"canceled", 487, "Request Terminated", "", levelInfo, "the caller gave up"},
	RefusedDownstream: {"response", 0, "", "", levelInfo, "the destination answered so"},
	HeldBack:          {"held back", 477, noWay, "", levelInfo, "onsend_route dropped the request"},
}

const (
	internalError = "Server Internal Error"
	unresolvable  = "Unresolvable Destination"
	noWay         = "No Way To Next Hop"
)

// String returns the name of the cause, as it appears in counters and log.
func (c Cause) String() string { return causes[c].name }

// Status returns the status that a request is answered with for that cause. It is 0 if that varies.
func (c Cause) Status() int { return causes[c].status }

// Why returns in words what happened.
func (c Cause) Why() string { return causes[c].why }

// Level returns the log level, in Kamailio's numbers, from which on the log reports the cause.
func (c Cause) Level() int { return causes[c].level }

// shed reports whether the request was refused because there was no room for it.
func (c Cause) shed() bool { return c == NoRoom }

// Failure describes a final response made here, or a branch that failed. It is valid during the
// call.
type Failure struct {
	Cause  Cause
	Code   int
	Branch bool            // a branch failed; otherwise a request was answered
	M      *parser.Message // the request, or what has its Call-ID, nil if it is gone
	To     []byte          // the URI it was for, nil if that is M's
	Addr   netio.Addr      // where it was sent, Family 0 if nowhere
	From   netio.Addr      // where the request came from, Family 0 if that is not known any more
	Detail string          // what else is known, "" if nothing
}

// failed counts a failure by code and cause, and tells OnFailure. Slow path.
//
//go:noinline
func (c *Core) failed(f Failure) {
	switch {
	case f.Branch && f.Cause == RefusedDownstream:
		c.count[countOfCode(CountDownstreamCodes, f.Code)]++
	case f.Branch:
		c.count[CountBranchCauses+int(f.Cause)]++
	case f.Cause == ByProgram:
		c.count[countOfCode(CountProgramCodes, f.Code)]++
	default:
		c.count[CountFinalCauses+int(f.Cause)]++
	}
	if c.cfg.OnFailure != nil {
		c.failure = f // not on the heap
		c.cfg.OnFailure(&c.failure)
	}
}

// countOfCode returns the counter of a status in the range that begins at base. Statuses beyond 699
// share the last one.
func countOfCode(base, code int) int { return base + min(max(code-300, 0), numCodes-1) }

// FinalStatus returns the status that a request is answered with for a cause: the table's, except
// where the settings decide it.
func (c *Core) FinalStatus(cause Cause) int {
	switch {
	case cause == Undecided:
		return c.cfg.DefaultCode
	case causes[cause].status == 408:
		return c.cfg.TimeoutStatus
	}
	return causes[cause].status
}

// refusal returns the status, phrase and header rows that a request is answered with for a cause.
func (c *Core) refusal(cause Cause) (code int, phrase, header string) {
	row := &causes[cause]
	if cause == Undecided {
		return c.cfg.DefaultCode, c.cfg.DefaultReason, ""
	}
	return c.FinalStatus(cause), row.phrase, row.header
}

// Refuse answers the request under way as cause requires. phrase and header replace those of the
// table unless they are "". It reports whether the answer left.
func (r *Request) Refuse(cause Cause, phrase, header string) bool {
	code, usual, rows := r.core.refusal(cause)
	if phrase == "" {
		phrase = usual
	}
	if header == "" {
		header = rows
	}
	return r.final(cause, code, phrase, header)
}

// final sends a final response for a cause, and counts it.
func (r *Request) final(cause Cause, code int, phrase, header string) bool {
	c := r.core
	if c.cfg.Warning && cause != ByProgram {
		header += c.warning(r.Listener, cause)
	}
	if !r.send(code, phrase, header) {
		return false
	}
	if r.IsHTTP() {
		return true // what failed is no call
	}
	if cause.shed() {
		c.count[CountShed]++
	}
	f := Failure{Cause: cause, Code: code, M: r.M, To: r.destinationURI(), Addr: r.sentTo(),
		From: r.Src}
	if phrase != causes[cause].phrase {
		f.Detail = phrase
	}
	c.failed(f)
	return true
}

// destinationURI returns the URI that says where the request was to go.
func (r *Request) destinationURI() []byte {
	if r.dst != nil {
		return r.dst
	}
	return r.RequestURI()
}

// sentTo returns the address that the request was sent to last; Family 0 if it has no branch.
func (r *Request) sentTo() (a netio.Addr) {
	if r.Tx != nil {
		r.core.tx.Branches(r.Tx, func(br *txn.Branch) bool {
			a = br.Addr()
			return true
		})
	}
	return a
}

// warning returns a Warning row that says why (§20.43): 399, a miscellaneous warning to be shown or
// logged, whose agent is what our Via shows. A Reason row would not do: a response may have one
// only if its status provides for it (RFC 3326 §2), and none does.
func (c *Core) warning(listener int, cause Cause) string {
	b := append(append([]byte("Warning: 399 "), c.listeners[listener].shown.sentBy...), ` "`...)
	return string(append(append(b, causes[cause].name...), "\"\r\n"...))
}

// branchFailed counts and reports that a branch failed.
func (c *Core) branchFailed(br *txn.Branch, cause Cause, detail string) {
	f := Failure{Cause: cause, Code: c.FinalStatus(cause), Branch: true, Addr: br.Addr(),
		Detail: detail}
	if sent := c.tx.Request(br); sent != nil && c.failedRequest.Parse(sent) == parser.OK {
		f.M = &c.failedRequest
	}
	c.failed(f)
}

// targetFailed counts and reports that a target of the request under way cannot be sent to.
func (r *Request) targetFailed(cause Cause) {
	r.core.failed(Failure{
		Cause: cause, Code: causes[cause].status, Branch: true, M: r.M, To: r.destinationURI(),
		From: r.Src,
	})
}
