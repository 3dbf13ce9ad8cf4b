package proxy

import (
	"bytes"

	"viaduct/parser"
)

// RFC 3261 §16.3 lists what a proxy validates of a request, in order. Each item is checked here:
//
//	1 reasonable syntax    Syntax, before the request is matched to a transaction, since that takes
//	                       its fields; what only a new request needs, Validate
//	2 URI scheme           servedScheme, where the request leaves: the routing program may put a SIP
//	                       URI in the place of a tel URI
//	3 Max-Forwards         MaxForwards, which the routing program calls, else hopsLeft where the
//	                       request leaves: an OPTIONS that is answered here may have 0 (§11.2)
//	4 loop detection       Validate
//	5 Proxy-Require        Validate
//	6 Proxy-Authorization  the routing program: it knows which requests need credentials

// Invalid says what is wrong with a request, and how to answer it. The zero Invalid stands for a
// request that is valid.
type Invalid struct {
	Cause  Cause
	Reason parser.Reason // for Malformed and what the parser finds besides
	Phrase string        // replaces the cause's phrase unless ""
	Header string        // whole rows that replace the cause's unless ""
}

// Syntax is item 1 for every request. parsed is the parser's verdict on the message.
func (r *Request) Syntax(parsed parser.Reason) Invalid {
	if parsed == parser.OK {
		parsed = r.M.Check()
	}
	if parsed == parser.OK {
		return Invalid{}
	}
	return r.malformed(parsed)
}

// Validate checks a request that belongs to no transaction yet, before the routing program sees it.
func (r *Request) Validate() Invalid {
	m := r.M
	// Item 1. A Max-Breadth that is no number (RFC 5393 §5.3) could not be divided.
	if !r.readBreadth() {
		return Invalid{Cause: BadBreadth}
	}
	if m.Has(parser.KindRoute) && !r.routesReadable() {
		return r.malformed(parser.BadRoute)
	}
	// Items 2 and 3 are looked at later, see above. Item 4:
	if r.looped() {
		return Invalid{Cause: Looped}
	}
	// Item 5. In an ACK and a CANCEL the header is ignored (§8.2.2.3).
	if m.Has(parser.KindProxyRequire) && m.Method != parser.ACK && m.Method != parser.CANCEL {
		return r.unsupported()
	}
	return Invalid{}
}

// malformed returns the answer to a request that fails item 1.
func (r *Request) malformed(reason parser.Reason) Invalid {
	switch {
	case reason == parser.BadVersion:
		return Invalid{Cause: BadVersion, Reason: reason}
	case reason == parser.TooManyHeaders || reason == parser.TooLarge:
		return Invalid{Cause: TooLarge, Reason: reason}
	case reason == parser.CSeqMethodMismatch && r.M.Method == parser.MethodOther:
		return Invalid{Cause: UnknownMethod, Reason: reason}
	}
	return Invalid{Cause: Malformed, Reason: reason, Phrase: MalformedPhrase(reason)}
}

// MalformedPhrase returns the reason phrase of a 400: "Bad CSeq", "Missing Call-ID".
func MalformedPhrase(reason parser.Reason) string { return malformedPhrases[reason] }

var malformedPhrases = func() (p [parser.NumReasons]string) {
	for i := range p {
		s := []byte(parser.Reason(i).String())
		if s[0] >= 'a' && s[0] <= 'z' {
			s[0] -= 'a' - 'A'
		}
		p[i] = string(s)
	}
	return p
}()

// servedScheme reports whether requests can be sent to URIs of u's scheme (item 2).
func servedScheme(u *parser.URI) bool { return u.Scheme == parser.SIP || u.Scheme == parser.SIPS }

// MaxForwards is item 3, and §16.6 item 3. It lowers the header by one, but to no more than most.
// Where there is no header it adds one with the value absent, and returns added. ok is false if the
// header says 0.
func (r *Request) MaxForwards(absent, most int) (added, ok bool) {
	v, reason := r.M.MaxForwards()
	switch {
	case reason != parser.OK || v == 0:
		return false, false
	case v < 0:
		r.maxForwards = absent
	default:
		r.hasMF = true
		r.maxForwards = min(v-1, most)
	}
	return !r.hasMF, true
}

// HopsLeft returns the value of Max-Forwards: the one decided, else the one received. ok is false
// if there is no such header.
func (r *Request) HopsLeft() (n int, ok bool) {
	if r.maxForwards >= 0 {
		return r.maxForwards, true
	}
	n, reason := r.M.MaxForwards()
	return n, reason == parser.OK && n >= 0
}

// hopsLeft is item 3 for a request that leaves, if the routing program did not check. §16.6 item 3
// is then followed to the letter: one less, and 70 where there is none.
func (r *Request) hopsLeft() bool {
	if r.unfit {
		return r.fail(Malformed)
	}
	if r.maxForwards >= 0 {
		return true
	}
	if _, ok := r.MaxForwards(70, parser.MaxMaxForwards); !ok {
		return r.fail(HopsSpent)
	}
	return true
}

// unsupported is item 5 for a request with Proxy-Require: it lists the extensions asked for that
// the configuration does not name. This proxy has none of its own. Slow path.
func (r *Request) unsupported() Invalid {
	m := r.M
	const name = "Unsupported: "
	room := len(name) + len("\r\n")
	for i := m.First(parser.KindProxyRequire); i >= 0; i = m.Next(i) {
		room += int(m.Headers[i].Line.Len)
	}
	b := append(make([]byte, 0, room), name...)
	n := 0
	v := m.Values(parser.KindProxyRequire)
	for v.Next() {
		if r.core.extension(v.Value.Of(m.Raw)) {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',') // without a space, so that the answer is no longer than the request
		}
		b = append(b, v.Value.Of(m.Raw)...)
	}
	switch {
	case v.Reason != parser.OK:
		return Invalid{Cause: Malformed, Reason: v.Reason, Phrase: "Bad Proxy-Require"}
	case n > 0:
		return Invalid{Cause: UnsupportedOption, Header: string(append(b, "\r\n"...))}
	}
	return Invalid{}
}

// extension reports whether an option tag is one of Settings.Extensions.
func (c *Core) extension(tag []byte) bool {
	for _, known := range c.cfg.Extensions {
		if bytes.EqualFold(tag, []byte(known)) {
			return true
		}
	}
	return false
}
