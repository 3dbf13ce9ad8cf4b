package route

import (
	"viaduct/parser"
	"viaduct/transport"
)

// Message is a parsed message.
type Message = parser.Message

// Transport is the protocol that a message arrived on or that a URI asks for.
type Transport = parser.Transport

// The transports that a script can name. AnyTransport stands for all of them.
const (
	AnyTransport = parser.TransportNone
	UDP          = parser.UDP
	TCP          = parser.TCP
	TLS          = parser.TLS
	SCTP         = parser.SCTP
	WS           = parser.WS
	WSS          = parser.WSS
)

// transportWord reads a transport's name in either case, such as udp and TCP.
func transportWord(s string) (Transport, bool) { return transport.Named(s) }
