package parser

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"viaduct/transport"
)

// A header name is recognised without a loop: load it and its colon as two words, fold the letters
// to lower case, look the words up in a perfect hash table. One multiplication and one comparison;
// no chain, no branch on the name. The few names longer than two words take a plain search.
//
// Receipt: BenchmarkKindOf, eleven header lines: 128 ns with cutting the value and writing the row
// down, in assembly (rows_amd64.s) 87 ns, against 289 ns for a loop to the colon and a switch on
// length and first byte (Xeon 2.5 GHz, 2 vCPU guest, Linux 6.18, go1.26.8, 2026-11-22).

// nameMultiplier makes no two names collide. Found by trying random odd numbers; a new name
// that collides needs a new one (addName says so). rows_amd64.s has it as well.
const nameMultiplier = 0xef5b3e3391769381

type longestName struct {
	name string // lower case
	kind Kind
}

// The names of up to 15 bytes. A free slot has a key of zeros, which no name has: each ends with
// its colon.
var (
	nameKeys     [256][2]uint64 // the folded name with its colon, little-endian, zero-padded
	nameKinds    [256]Kind
	longestNames []longestName // the longer names
)

// headerNames are the long and, where one exists, the compact form (RFC 3261 §7.3.3, §20;
// RFC 3515 r, 3841 a and j, 3892 b, 4028 x, 4474 y, 6665 o and u) by Kind.
var headerNames = [NumKinds][2]string{
	KindVia:                {"Via", "v"},
	KindFrom:               {"From", "f"},
	KindTo:                 {"To", "t"},
	KindCallID:             {"Call-ID", "i"},
	KindCSeq:               {"CSeq"},
	KindMaxForwards:        {"Max-Forwards"},
	KindMaxBreadth:         {"Max-Breadth"},
	KindRoute:              {"Route"},
	KindRecordRoute:        {"Record-Route"},
	KindContact:            {"Contact", "m"},
	KindContentLength:      {"Content-Length", "l"},
	KindContentType:        {"Content-Type", "c"},
	KindRequire:            {"Require"},
	KindProxyRequire:       {"Proxy-Require"},
	KindSupported:          {"Supported", "k"},
	KindUnsupported:        {"Unsupported"},
	KindExpires:            {"Expires"},
	KindMinExpires:         {"Min-Expires"},
	KindRetryAfter:         {"Retry-After"},
	KindEvent:              {"Event", "o"},
	KindSubject:            {"Subject", "s"},
	KindAuthorization:      {"Authorization"},
	KindProxyAuthorization: {"Proxy-Authorization"},
	KindWWWAuthenticate:    {"WWW-Authenticate"},
	KindProxyAuthenticate:  {"Proxy-Authenticate"},
	KindAuthenticationInfo: {"Authentication-Info"},
	KindPath:               {"Path"},
	KindServiceRoute:       {"Service-Route"},
	KindUserAgent:          {"User-Agent"},
	KindServer:             {"Server"},
	KindAllow:              {"Allow"},
	KindAllowEvents:        {"Allow-Events", "u"},
	KindAccept:             {"Accept"},
	KindAcceptContact:      {"Accept-Contact", "a"},
	KindRejectContact:      {"Reject-Contact", "j"},
	KindContentEncoding:    {"Content-Encoding", "e"},
	KindContentDisposition: {"Content-Disposition"},
	KindMIMEVersion:        {"MIME-Version"},
	KindDate:               {"Date"},
	KindTimestamp:          {"Timestamp"},
	KindOrganization:       {"Organization"},
	KindReferTo:            {"Refer-To", "r"},
	KindReferredBy:         {"Referred-By", "b"},
	KindReplaces:           {"Replaces"},
	KindSubscriptionState:  {"Subscription-State"},
	KindSessionExpires:     {"Session-Expires", "x"},
	KindMinSE:              {"Min-SE"},
	KindRAck:               {"RAck"},
	KindRSeq:               {"RSeq"},
	KindReason:             {"Reason"},
	KindPrivacy:            {"Privacy"},
	KindPAssertedIdentity:  {"P-Asserted-Identity"},
	KindPPreferredIdentity: {"P-Preferred-Identity"},
	KindRemotePartyID:      {"Remote-Party-ID"},
	KindDiversion:          {"Diversion"},
	KindHistoryInfo:        {"History-Info"},
	KindIdentity:           {"Identity", "y"},
	KindWarning:            {"Warning"},
	KindSIPIfMatch:         {"SIP-If-Match"},
	KindSIPETag:            {"SIP-ETag"},
	KindGeolocation:        {"Geolocation"},
}

func init() {
	for k := KindOther + 1; k < NumKinds; k++ {
		for _, name := range headerNames[k] {
			if name != "" {
				addName(name, k)
			}
		}
	}
}

// addName runs at start-up only: a collision is a mistake in this file.
func addName(name string, k Kind) {
	if len(name) > 15 {
		longestNames = append(longestNames, longestName{strings.ToLower(name), k})
		return
	}
	w0, w1 := nameWords([]byte(name))
	h := nameHash(w0, w1)
	if nameKinds[h] != KindOther {
		panic(fmt.Sprintf("BUG: header name %q collides: find another multiplier", name))
	}
	nameKeys[h], nameKinds[h] = [2]uint64{w0, w1}, k
}

// nameWords loads and folds a name of up to 15 bytes and appends the colon. Without the colon "To"
// and "To\x00" would be the same words.
func nameWords(name []byte) (w0, w1 uint64) {
	var t [16]byte
	t[copy(t[:15], name)] = ':'
	return foldWord(binary.LittleEndian.Uint64(t[0:])), foldWord(binary.LittleEndian.Uint64(t[8:]))
}

// foldWord lower-cases the letters of eight bytes. Setting bit 5 wherever bit 6 is set turns
// 'A'..'Z' into 'a'..'z' and no other byte into a letter: the other bytes with bit 6 become one of
// `{|}~ DEL, or stay above 0x7f. "-" has no bit 6, so CR (0x0d) never passes for it.
func foldWord(w uint64) uint64 { return w | w&0x4040404040404040>>1 }

func nameHash(w0, w1 uint64) uint8 {
	return uint8((w0 ^ bits.RotateLeft64(w1, 1)) * nameMultiplier >> 56)
}

// kindOfWords looks up a name of up to 15 bytes and its colon, folded and zero-padded.
func kindOfWords(w0, w1 uint64) Kind {
	h := nameHash(w0, w1)
	if k := &nameKeys[h]; k[0] == w0 && k[1] == w1 {
		return nameKinds[h]
	}
	return KindOther
}

// KindOf is the Kind of a header name as written, in any case, long or compact form.
func KindOf(name []byte) Kind {
	if len(name) > 15 {
		for i := range longestNames {
			if equalFold(name, longestNames[i].name) {
				return longestNames[i].kind
			}
		}
		return KindOther
	}
	return kindOfWords(nameWords(name))
}

// kindOfString is KindOf for a name that is a string.
func kindOfString(name string) Kind {
	var t [20]byte // the longest known name is "P-Preferred-Identity"
	if len(name) > len(t) {
		return KindOther
	}
	return KindOf(t[:copy(t[:], name)])
}

// String is the long form of the name; "other" for KindOther.
func (k Kind) String() string {
	if k == KindOther || k >= NumKinds {
		return "other"
	}
	return headerNames[k][0]
}

// Compact is the compact form of the name; "" if there is none.
func (k Kind) Compact() string {
	if k >= NumKinds {
		return ""
	}
	return headerNames[k][1]
}

var methodNames = [NumMethods]string{
	MethodOther: "other", INVITE: "INVITE", ACK: "ACK", BYE: "BYE", CANCEL: "CANCEL",
	OPTIONS:  "OPTIONS",
	REGISTER: "REGISTER", SUBSCRIBE: "SUBSCRIBE", NOTIFY: "NOTIFY", PUBLISH: "PUBLISH",
	INFO:  "INFO",
	REFER: "REFER", MESSAGE: "MESSAGE", UPDATE: "UPDATE", PRACK: "PRACK",
}

// String is the method as it stands in a request line; "other" for MethodOther.
func (m Method) String() string {
	if m >= NumMethods {
		return "other"
	}
	return methodNames[m]
}

// MethodOf is the Method that name names. Methods are case-sensitive (RFC 3261 §7.1).
func MethodOf(name []byte) Method {
	switch string(name) {
	case "INVITE":
		return INVITE
	case "ACK":
		return ACK
	case "BYE":
		return BYE
	case "CANCEL":
		return CANCEL
	case "OPTIONS":
		return OPTIONS
	case "REGISTER":
		return REGISTER
	case "SUBSCRIBE":
		return SUBSCRIBE
	case "NOTIFY":
		return NOTIFY
	case "PUBLISH":
		return PUBLISH
	case "INFO":
		return INFO
	case "REFER":
		return REFER
	case "MESSAGE":
		return MESSAGE
	case "UPDATE":
		return UPDATE
	case "PRACK":
		return PRACK
	}
	return MethodOther
}

// methodOfWord is MethodOf of a name of up to 7 bytes and its space, as a zero-padded little-endian
// word.
func methodOfWord(w uint64) Method {
	switch w {
	case 0x20455449564e49: // "INVITE "
		return INVITE
	case 0x204b4341: // "ACK "
		return ACK
	case 0x20455942: // "BYE "
		return BYE
	case 0x204c45434e4143: // "CANCEL "
		return CANCEL
	case 0x20534e4f4954504f: // "OPTIONS "
		return OPTIONS
	case 0x20594649544f4e: // "NOTIFY "
		return NOTIFY
	case 0x204853494c425550: // "PUBLISH "
		return PUBLISH
	case 0x204f464e49: // "INFO "
		return INFO
	case 0x205245464552: // "REFER "
		return REFER
	case 0x204547415353454d: // "MESSAGE "
		return MESSAGE
	case 0x20455441445055: // "UPDATE "
		return UPDATE
	case 0x204b43415250: // "PRACK "
		return PRACK
	}
	return MethodOther
}

// TransportOf is the Transport that name names, in any case (RFC 3261 §7.3.1, §25.1).
func TransportOf(name []byte) Transport { return transport.Of(name) }

var schemeNames = [...]string{SchemeOther: "other", SIP: "sip", SIPS: "sips", TEL: "tel",
	URN: "urn"}

// String is the scheme in lower case; "other" for SchemeOther.
func (s Scheme) String() string {
	if int(s) >= len(schemeNames) {
		return "other"
	}
	return schemeNames[s]
}

// equalFold tells whether b is want, ASCII letters in any case. want must be in lower case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i := 0; i < len(b) && i < len(want); i++ {
		if lower(b[i]) != want[i] {
			return false
		}
	}
	return true
}

// equalFoldBoth tells whether a and b are equal, ASCII letters in any case.
func equalFoldBoth(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a) && i < len(b); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}
