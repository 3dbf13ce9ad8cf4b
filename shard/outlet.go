package shard

import (
	"bytes"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// streams is what a shard needs of its end of the stream engine. In a server it is a stream.Port
// behind the adapter in streams_engine.go; tests have others.
type streams interface {
	Recv(most int) []netio.Packet
	Waiting() bool
	Begin(listener int, dst *netio.Addr, token uint64)
	Append(segment []byte)
	// End hands the message over. domain is the name whose certificate the other side must show; if
	// it is empty only the address is known. It returns false if there is no connection, and none
	// may be opened.
	End(w txn.StreamOptions, domain []byte, p proxy.StreamTimeouts) (ok bool)
	Abandon()
	Flush()
	Forget()
	Release()
	Failures() []streamFailure
	// Conn returns the number of the connection that brought the i-th packet of the last Recv, and
	// Fault what is wrong with its framing.
	Conn(i int) uint64
	Fault(i int) stream.Fault
	// HTTP says whether the i-th packet is an HTTP request.
	HTTP(i int) stream.HTTPRequest
}

// streamFailure is a message that did not reach its peer by a stream.
type streamFailure struct {
	Token  uint64
	Dst    netio.Addr       // with its transport
	Why    blocklist.Reason // for the blocklist
	Cause  proxy.Cause      // for counters and log
	Detail string           // more about the cause, in words
	Blames bool             // the destination is to blame, not a limit of ours
	// Written says that the connection took the message, and broke without an answer: it may have
	// arrived.
	Written bool
	Again   bool // another connection may carry it
	Ours    bool // the connection was opened by us
	// Listener is the number of the one it was to leave by, and Message the response, if one was
	// given back (txn.GiveBack).
	Listener int
	Message  []byte
}

// outlet is a shard's Sender. What leaves by a listener of datagrams goes to the Port, everything
// else to the streams.
type outlet struct {
	datagrams *netio.Port
	streams   streams
	by        []*netio.Listener // by number
	egress    proxy.Egress      // for messages whose listener is closed
	timeouts  func(token uint64) proxy.StreamTimeouts
	never     txn.StreamOptions // options of every message: NoConnect with tcp_no_connect

	// The message over a stream that is being put together:
	streaming bool
	listener  int
	dst       netio.Addr
	token     uint64
	domain    []byte
	options   txn.StreamOptions
	segments  [][]byte     // referenced until End, for a second try
	reopened  uint64       // responses whose connection was gone, sent over another one
	lost      uint64       // responses that could not be sent
	retries   replyRetries // responses that try another connection

	tap *tap // nil unless an operator traces
}

func (o *outlet) Begin(listener int, dst *netio.Addr, token uint64) {
	if listener >= 0 && o.by[listener].Gone { // Slow path: it was taken out while a call lasted
		listener = o.egress.Egress(dst, -1)
	}
	if o.tap != nil { // Slow path
		o.tap.begin(listener, dst)
	}
	if listener < 0 || o.streams == nil || o.by[listener].Proto == netio.UDP {
		o.datagrams.Begin(listener, dst, token)
		return
	}
	o.streaming, o.listener, o.dst, o.token = true, listener, *dst, token
	o.segments = o.segments[:0]
	o.streams.Begin(listener, dst, token)
}

func (o *outlet) Append(segment []byte) {
	if o.tap != nil { // Slow path
		o.tap.append(segment)
	}
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
	if o.tap != nil { // Slow path
		o.tap.end()
	}
	if !o.streaming {
		o.datagrams.End()
		return
	}
	o.streaming = false
	domain, w := o.domain, o.options|o.never
	o.domain, o.options = nil, 0
	response := o.token == 0 && len(o.segments) > 0 && len(o.segments[0]) > 8 &&
		string(o.segments[0][:8]) == "SIP/2.0 "
	noConnect := w&txn.NoConnect != 0
	if response {
		w |= txn.NoConnect
		if !noConnect {
			w |= txn.GiveBack
		}
	}
	var p proxy.StreamTimeouts
	if o.token != 0 && o.timeouts != nil {
		p = o.timeouts(o.token)
	}
	if o.streams.End(w, domain, p) || !response {
		return
	}
	if noConnect {
		o.lost++
		return
	}
	o.reopen(bytes.Join(o.segments, nil), o.listener, &o.dst, w&^(txn.NoConnect|txn.GiveBack))
}

// again sends a response that its broken connection gave back over a new one, if that may help.
func (o *outlet) again(f *streamFailure) {
	if !f.Again || f.Message == nil {
		o.lost++
		return
	}
	o.reopen(f.Message, f.Listener, &f.Dst, 0)
}

// SetStreamOptions sets the options of the next message, which leaves by a stream.
func (o *outlet) SetStreamOptions(options txn.StreamOptions, domain []byte) {
	o.options, o.domain = options, domain
}

// Abandon forgets the message begun.
func (o *outlet) Abandon() {
	if o.tap != nil { // Slow path
		o.tap.abandon()
	}
	if o.streaming {
		o.streaming, o.domain, o.options = false, nil, 0
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
