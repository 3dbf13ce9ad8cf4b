package route

import (
	"strings"

	"viaduct/parser"
)

// Message is a parsed message.
type Message = parser.Message

// Transport is the protocol a message arrived on or a URI asks for.
type Transport = parser.Transport

// The transports a script can name; AnyTransport stands for all.
const (
	AnyTransport = parser.TransportNone
	UDP          = parser.UDP
	TCP          = parser.TCP
	TLS          = parser.TLS
	SCTP         = parser.SCTP
	WS           = parser.WS
	WSS          = parser.WSS
)

// transportWord reads udp, TCP and so on.
func transportWord(s string) (Transport, bool) {
	switch strings.ToLower(s) {
	case "udp":
		return UDP, true
	case "tcp":
		return TCP, true
	case "tls":
		return TLS, true
	case "sctp":
		return SCTP, true
	case "ws":
		return WS, true
	case "wss":
		return WSS, true
	}
	return AnyTransport, false
}
