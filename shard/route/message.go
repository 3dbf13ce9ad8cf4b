package route

import (
	"viaduct/parser"
	"viaduct/transport"
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
func transportWord(s string) (Transport, bool) { return transport.Named(s) }
