// Package transport names the transport protocols of SIP: one number for each, with its words, its
// URI parameter, its default port, and what SIP relies on it for. A listener, a Via, a URI, a line
// of a configuration and an entry of the blocklist all mean these numbers.
//
// It is no step of a packet's way and stands below all of them. Nothing is sent here.
package transport

// Proto is a transport protocol. Its zero value is UDP: an address that names none is reached so.
type Proto uint8

// The transports of RFC 3261 §18 and RFC 7118, those that listeners serve first. Records in the
// arena hold these numbers.
const (
	UDP Proto = iota
	TCP
	TLS
	WS
	WSS

	// SCTP and TLSSCTP (RFC 4168) are known by name, and no listener serves them.
	SCTP
	TLSSCTP

	// Other is a word that is none of these.
	Other Proto = 0xfe
	// None is where no transport is named. A script that names none asks for any.
	None Proto = 0xff
)

// NumServed is the number of transports that listeners serve; they are the lowest numbers.
const NumServed = int(WSS) + 1

// upper are the names as a Via has them (RFC 3261 §25.1, RFC 4168 §5, RFC 7118 §5.1).
var upper = [...][]byte{
	UDP: []byte("UDP"), TCP: []byte("TCP"), TLS: []byte("TLS"), WS: []byte("WS"),
	WSS:  []byte("WSS"),
	SCTP: []byte("SCTP"), TLSSCTP: []byte("TLS-SCTP"),
}

// lower are the names as URIs and configurations have them.
var lower = [...][]byte{
	UDP: []byte("udp"), TCP: []byte("tcp"), TLS: []byte("tls"), WS: []byte("ws"),
	WSS:  []byte("wss"),
	SCTP: []byte("sctp"), TLSSCTP: []byte("tls-sctp"),
}

// params are the parameters of our own URIs. One without it means UDP.
var params = [...][]byte{
	UDP: nil, TCP: []byte(";transport=tcp"), TLS: []byte(";transport=tls"),
	WS: []byte(";transport=ws"), WSS: []byte(";transport=wss"),
	SCTP: []byte(";transport=sctp"), TLSSCTP: []byte(";transport=tls-sctp"),
}

// ports are those of URIs that name none.
var ports = [...]uint16{
	UDP: 5060, TCP: 5060, TLS: 5061, WS: 80, WSS: 443, SCTP: 5060, TLSSCTP: 5061,
}

// Served tells whether listeners of that transport exist.
func (p Proto) Served() bool { return p <= WSS }

// Reliable tells whether the transport repeats what is lost, so that SIP does not (RFC 3261 §17).
func (p Proto) Reliable() bool { return p != UDP }

// Secure tells whether the transport is TLS, or WebSocket over it.
func (p Proto) Secure() bool { return p == TLS || p == WSS }

// Secured is the transport that a sips URI means by p: TLS for TCP, and WebSocket over TLS for
// WebSocket (RFC 3261 §26.2.2). UDP has none and stays what it is, as do those that are not served.
func (p Proto) Secured() Proto {
	switch p {
	case TCP:
		return TLS
	case WS:
		return WSS
	}
	return p
}

// DefaultPort is the port of a URI that names none: 5060, or 5061 over TLS (RFC 3261 §19.1.2); 80
// and 443 for WebSocket (RFC 7118 §5.2). p is one of the transports.
func (p Proto) DefaultPort() uint16 { return ports[p] }

// Upper is the name in capitals, as a Via has it; nil for Other and None.
func (p Proto) Upper() []byte {
	if int(p) < len(upper) {
		return upper[p]
	}
	return nil
}

// Lower is the name as a URI has it; nil for Other and None.
func (p Proto) Lower() []byte {
	if int(p) < len(lower) {
		return lower[p]
	}
	return nil
}

// Param is the parameter of a URI of ours, with its semicolon; nil for UDP. p is one of the
// transports.
func (p Proto) Param() []byte { return params[p] }

// String is the name as a Via has it, "other" for Other and "" for None.
func (p Proto) String() string {
	switch {
	case int(p) < len(upper):
		return string(upper[p])
	case p == None:
		return ""
	}
	return "other"
}

// Of is the transport that a Via or a URI names, in any case of letters (RFC 3261 §7.3.1, §25.1).
func Of(name []byte) Proto {
	if len(name) == 3 {
		switch uint32(name[0]|0x20)<<16 | uint32(name[1]|0x20)<<8 | uint32(name[2]|0x20) {
		case 'u'<<16 | 'd'<<8 | 'p':
			return UDP
		case 't'<<16 | 'c'<<8 | 'p':
			return TCP
		case 't'<<16 | 'l'<<8 | 's':
			return TLS
		case 'w'<<16 | 's'<<8 | 's':
			return WSS
		}
		return Other
	}
	if len(name) == 0 {
		return None
	}
	return longer(name)
}

// longer is Of for names that are not of three letters.
func longer(name []byte) Proto {
	for _, p := range [...]Proto{WS, SCTP, TLSSCTP} {
		if equalFold(name, lower[p]) {
			return p
		}
	}
	return Other
}

// Named is the transport that a configuration names. TLS-SCTP stands in no configuration. It
// returns None and false if the word is none of them.
func Named(word string) (Proto, bool) {
	if p := Of([]byte(word)); p <= SCTP {
		return p, true
	}
	return None, false
}

// equalFold tells whether b is want, which is in lower case, in any case of letters.
func equalFold(b, want []byte) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
