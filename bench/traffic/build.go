package traffic

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
)

// idBytes is the length of a call's identity: 16 hexadecimal digits, unique per call, which is the
// variable part of its Call-ID, branches and tags. All of these keep their width, so that a message
// is made by copying a template and overwriting the digits.
//
//	Call-ID:  <id>-<slot, 8 digits>@<host>
//	branch:   z9hG4bK<i|a|b|o><id>  i INVITE, CANCEL, ACK to failures; a ACK to 2xx; b BYE; o OPTIONS
//	From tag: f<id>        To tag: t<id>
const (
	idBytes   = 16
	slotBytes = 8
)

const branchCookie = "z9hG4bK"

const hexDigits = "0123456789abcdef"

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

// hexValue reads what putHex wrote; false for any other digit.
func hexValue(b []byte) (uint64, bool) {
	var v uint64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// identity spreads a serial number over 64 bits (splitmix64, a bijection: no two calls of one run
// share an identity).
func identity(serial uint64) uint64 {
	z := serial * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// template is a request with holes for the identity and the slot.
type template struct {
	bytes []byte
	ids   []int // where identities begin
	slot  int   // where the slot number begins
}

// The marks stand for the variable digits while a template is written; no other text of the bench
// contains them.
const (
	idMark   = "IDENTITY16DIGITS"
	slotMark = "SLOT8DIG"
)

func newTemplate(text string) template {
	t := template{bytes: []byte(text), slot: bytes.Index([]byte(text), []byte(slotMark))}
	for from := 0; ; {
		i := bytes.Index(t.bytes[from:], []byte(idMark))
		if i < 0 {
			return t
		}
		t.ids = append(t.ids, from+i)
		from += i + idBytes
	}
}

// appendTo writes the request of one call into b.
func (t *template) appendTo(b []byte, id *[idBytes]byte, slot uint32) []byte {
	start := len(b)
	b = append(b, t.bytes...)
	m := b[start:]
	for _, i := range t.ids {
		copy(m[i:i+idBytes], id[:])
	}
	putHex(m[t.slot:t.slot+slotBytes], uint64(slot))
	return b
}

// sdp is the body of INVITE and 200, a plain audio offer.
func sdp(host string, port uint16) string {
	return "v=0\r\no=- 3985 3985 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host +
		"\r\nt=0 0\r\nm=audio " + strconv.Itoa(20000+int(port)%1000*2) +
		" RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
}

// style is what all requests of one caller share.
type style struct {
	caller    netip.AddrPort
	transport Transport
	rport     bool
}

func (y style) via(letter string) string {
	r := ""
	if y.rport {
		r = ";rport"
	}
	return fmt.Sprintf("Via: SIP/2.0/%s %s%s;branch=%s%s%s\r\n", y.transport, y.caller, r,
		branchCookie, letter, idMark)
}

// inviteText is the INVITE for target, the Request-URI.
func (y style) inviteText(target string) string {
	body := sdp(y.caller.Addr().String(), y.caller.Port())
	return fmt.Sprintf("INVITE %s SIP/2.0\r\n", target) + y.via("i") +
		"Max-Forwards: 70\r\n" +
		fmt.Sprintf("From: \"Alice\" <sip:alice@%s>;tag=f%s\r\n", y.caller, idMark) +
		fmt.Sprintf("To: <%s>\r\n", target) +
		fmt.Sprintf("Call-ID: %s-%s@%s\r\n", idMark, slotMark, y.caller.Addr()) +
		"CSeq: 1 INVITE\r\n" +
		fmt.Sprintf("Contact: <sip:alice@%s%s>\r\n", y.caller, y.transport.parameter()) +
		"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n" +
		"User-Agent: bench/load\r\n" +
		"Content-Type: application/sdp\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
}

// hopText is a request that repeats the INVITE's top Via, From, To and number: CANCEL (RFC 3261
// §9.1) and the ACK to a failure (§17.1.1.3). The To line of the ACK is the response's, so it ends
// before it.
func (y style) cancelText(target string) string {
	return fmt.Sprintf("CANCEL %s SIP/2.0\r\n", target) + y.via("i") +
		"Max-Forwards: 70\r\n" +
		fmt.Sprintf("From: \"Alice\" <sip:alice@%s>;tag=f%s\r\n", y.caller, idMark) +
		fmt.Sprintf("To: <%s>\r\n", target) +
		fmt.Sprintf("Call-ID: %s-%s@%s\r\n", idMark, slotMark, y.caller.Addr()) +
		"CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n"
}

// ackFailureText lacks the To line and the end, which the caller appends from the response.
func (y style) ackFailureText(target string) string {
	return fmt.Sprintf("ACK %s SIP/2.0\r\n", target) + y.via("i") +
		"Max-Forwards: 70\r\n" +
		fmt.Sprintf("From: \"Alice\" <sip:alice@%s>;tag=f%s\r\n", y.caller, idMark) +
		fmt.Sprintf("Call-ID: %s-%s@%s\r\n", idMark, slotMark, y.caller.Addr()) +
		"CSeq: 1 ACK\r\nContent-Length: 0\r\n"
}

func (y style) optionsText(target string) string {
	return fmt.Sprintf("OPTIONS %s SIP/2.0\r\n", target) + y.via("o") +
		"Max-Forwards: 70\r\n" +
		fmt.Sprintf("From: <sip:alice@%s>;tag=f%s\r\n", y.caller, idMark) +
		fmt.Sprintf("To: <%s>\r\n", target) +
		fmt.Sprintf("Call-ID: %s-%s@%s\r\n", idMark, slotMark, y.caller.Addr()) +
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
}

// dialogTop and dialogEnd are the parts of ACK and BYE that do not depend on the 200; between them
// come Route and To.
func (y style) dialogTop() string {
	return " SIP/2.0\r\n" + y.via("a") +
		"Max-Forwards: 70\r\n" +
		fmt.Sprintf("From: \"Alice\" <sip:alice@%s>;tag=f%s\r\n", y.caller, idMark) +
		fmt.Sprintf("Call-ID: %s-%s@%s\r\n", idMark, slotMark, y.caller.Addr())
}

const dialogEnd = "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"

// appendAck writes the ACK to the 200 that m indexes in b (RFC 3261 §13.2.2.4): remote target from
// Contact, route set from Record-Route in reverse order (§12.1.2).
func appendAck(out []byte, top *template, id *[idBytes]byte, slot uint32, b []byte,
	m *message) []byte {
	out = append(out, "ACK "...)
	out = append(out, m.contact.in(b)...)
	out = top.appendTo(out, id, slot)
	for i := m.routes - 1; i >= 0; i-- {
		out = append(out, "Route: "...)
		out = append(out, m.recordRoute[i].in(b)...)
		out = append(out, '\r', '\n')
	}
	out = append(out, m.to.in(b)...)
	return append(out, dialogEnd...)
}

// byeFromAck turns an ACK written by appendAck into the BYE of the same dialog, and ackFromBye
// back. The two differ in nine bytes and have one length: method, the branch's letter, CSeq.
func byeFromAck(b []byte) { retarget(b, "BYE", 'b', "2 BYE") }
func ackFromBye(b []byte) { retarget(b, "ACK", 'a', "1 ACK") }

func retarget(b []byte, name string, letter byte, cseq string) {
	copy(b, name)
	i := bytes.Index(b, []byte("branch="+branchCookie))
	b[i+len("branch="+branchCookie)] = letter
	copy(b[len(b)-len(dialogEnd)+len("CSeq: "):], cseq)
}

// appendEcho writes the lines that a response repeats from the request (RFC 3261 §8.2.6.2) in one
// block: every Via, Record-Route, From, To with our tag if it has none, Call-ID, CSeq.
func appendEcho(out, b []byte, m *message, tag []byte) []byte {
	for _, v := range m.via[:m.viaLines] {
		out = append(out, v.in(b)...)
	}
	for _, r := range m.recordRoute[:m.routes] {
		out = append(out, "Record-Route: "...)
		out = append(out, r.in(b)...)
		out = append(out, '\r', '\n')
	}
	out = append(out, m.from.in(b)...)
	to := m.to.in(b)
	if len(tag) > 0 {
		out = append(out, to[:len(to)-2]...)
		out = append(out, ";tag="...)
		out = append(out, tag...)
		out = append(out, '\r', '\n')
	} else {
		out = append(out, to...)
	}
	out = append(out, "Call-ID: "...)
	out = append(out, m.callID.in(b)...)
	out = append(out, '\r', '\n')
	return append(out, m.cseq.in(b)...)
}
