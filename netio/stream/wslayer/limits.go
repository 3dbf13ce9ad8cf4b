package wslayer

import "github.com/gobwas/ws"

const (
	// defaultMessageBytes bounds one message over all its frames if Config says nothing: the
	// longest a SIP message may be on UDP, so that any message can be forwarded anywhere. Beyond it
	// the connection is closed with 1009 (RFC 6455 §7.4.1).
	defaultMessageBytes = 65535

	// maxMessageBytes is the largest Config.MessageBytes: 16 MiB, as for the other streams' framing
	// there is no use for more.
	maxMessageBytes = 16 << 20

	// defaultHeaderBytes bounds the HTTP request if Config says nothing. Browsers send their
	// cookies for the host along; web servers take 8 KiB. Beyond it the answer is 431.
	defaultHeaderBytes = 8 << 10

	// maxHeaderBytes is the largest Config.HeaderBytes.
	maxHeaderBytes = 1 << 20

	// ControlBytes is the longest payload of a control frame (RFC 6455 §5.5). Beyond it the
	// connection is closed with 1002.
	ControlBytes = ws.MaxControlFramePayloadSize

	// keepBytes is how large a buffer an idle session keeps for the next message that comes in
	// pieces. What a longer message needed is given back.
	keepBytes = 4 << 10
)
