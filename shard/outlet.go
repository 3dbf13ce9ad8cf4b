package shard

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// streams is what a shard needs of its end of the stream engine. stream.Port is
// one, behind the adapter in streams.go; tests have others.
type streams interface {
	Recv(most int) []netio.Packet
	Waiting() bool
	Begin(listener int, dst *netio.Addr, token uint64)
	Append(segment []byte)
	// End hands the message over. connect: a connection may be opened for it; domain: whose certificate the other side must show ("": its
	// address is all that is known). false: there is no connection, and none may be opened.
	End(connect bool, domain []byte) (ok bool)
	Abandon()
	Flush()
	Forget()
	Release()
	Failures() []streamFailure
}

// streamFailure is a message that did not reach its peer by a stream.
type streamFailure struct {
	Token   uint64
	Dst     netio.Addr    // with its transport
	Why     proxy.Failing // for the blacklist
	Blames  bool          // the destination is to blame, not a limit of ours
	Written bool          // the connection took it, and broke without an answer: it may have arrived
}

// outlet is a shard's Sender: what leaves by a listener of datagrams goes to the
// Port, the rest to the streams.
type outlet struct {
	datagrams *netio.Port
	streams   streams
	first     int // number of the first stream listener
	by        []*netio.Listener

	// The message over a stream that is being put together:
	streaming bool
	listener  int
	dst       netio.Addr
	token     uint64
	domain    []byte
	segments  [][]byte // referenced until End, for a second try
	reopened  uint64   // responses whose connection was gone, sent over another one
	lost      uint64   // responses that had no way
}

func (o *outlet) Begin(listener int, dst *netio.Addr, token uint64) {
	if listener < o.first || o.streams == nil {
		o.datagrams.Begin(listener, dst, token)
		return
	}
	o.streaming, o.listener, o.dst, o.token = true, listener, *dst, token
	o.segments = o.segments[:0]
	o.streams.Begin(listener, dst, token)
}

func (o *outlet) Append(segment []byte) {
	if !o.streaming {
		o.datagrams.Append(segment)
		return
	}
	if len(segment) > 0 {
		o.segments = append(o.segments, segment)
	}
	o.streams.Append(segment)
}

func (o *outlet) End() {
	if !o.streaming {
		o.datagrams.End()
		return
	}
	o.streaming = false
	domain := o.domain
	o.domain = nil
	response := o.token == 0 && len(o.segments) > 0 && len(o.segments[0]) > 8 && string(o.segments[0][:8]) == "SIP/2.0 "
	if o.streams.End(!response, domain) || !response {
		return
	}
	o.reopen()
}

// reopen sends a response whose connection is gone over a new one, to the address
// the request came from and the port its Via names (RFC 3261 §18.2.2). Slow path.
func (o *outlet) reopen() {
	var n int
	for _, s := range o.segments {
		n += len(s)
	}
	b := make([]byte, 0, n)
	for _, s := range o.segments {
		b = append(b, s...)
	}
	var m parser.Message
	proto := o.by[o.listener].Proto
	if m.Parse(b) != parser.OK || proto == netio.WS || proto == netio.WSS {
		o.lost++ // a browser listens nowhere (RFC 7118 §5)
		return
	}
	via, reason := m.TopVia()
	if reason != parser.OK {
		o.lost++
		return
	}
	to := o.dst
	if to.Port = via.Port; to.Port == 0 {
		to.Port = proto.DefaultPort()
	}
	o.streams.Begin(o.listener, &to, 0)
	o.streams.Append(b)
	if !o.streams.End(true, via.Host.Of(b)) {
		o.lost++
		return
	}
	o.reopened++
}

// Domain names whose certificate the receiver of the next message must show; valid
// until the batch is flushed.
func (o *outlet) Domain(name []byte) { o.domain = name }

// Abandon forgets the message begun.
func (o *outlet) Abandon() {
	if o.streaming {
		o.streaming, o.domain = false, nil
		o.streams.Abandon()
		return
	}
	o.datagrams.Abandon()
}

func (o *outlet) flush() {
	o.datagrams.Flush()
	if o.streams != nil {
		o.streams.Flush()
	}
}

func (o *outlet) forget() {
	o.datagrams.Forget()
	if o.streams != nil {
		o.streams.Forget()
	}
}
