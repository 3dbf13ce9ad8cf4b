package shard

import (
	"bytes"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
)

// takeStreams is steps 2 to 6 for messages that came over streams: the engine has cut them out and
// given each to the shard that owns its call.
func (w *worker) takeStreams() int {
	if w.streams == nil {
		return 0
	}
	packets := w.streams.Recv(streamsPerRound)
	for i := range packets {
		if h := w.streams.HTTP(i); h.Number != 0 {
			w.httpRequest(&packets[i], w.streams.Conn(i), h)
			continue
		}
		w.streamed(&packets[i], w.streams.Conn(i), w.streams.Fault(i))
	}
	return len(packets)
}

// streamed takes one message, which connection conn brought, through steps 3 to 6. A panic costs
// its transaction alone.
func (w *worker) streamed(p *netio.Packet, conn uint64, fault stream.Fault) {
	defer w.contain()
	w.step = stepDatagram
	w.count[CountStreamsIn]++
	p.Src.Proto = w.served[p.Listener].Proto
	reason := w.parse(p.Data)
	if fault != stream.Whole {
		w.faulty(p, fault)
		return
	}
	w.ctx.Conn = conn
	if w.aliases && w.m.IsRequest && reason == parser.OK {
		w.alias(conn)
	}
	w.message(p, reason)
	w.ctx.Conn = 0 // contain does so after a panic
}

// faulty answers a request whose end is not known (RFC 3261 §18.3), and of which only the headers
// are there. The engine then closes the connection, since what follows cannot be told apart.
func (w *worker) faulty(p *netio.Packet, fault stream.Fault) {
	reason, cause, phrase := MissingLength, proxy.Malformed, "Missing Content-Length"
	switch fault {
	case stream.BadLength:
		reason, phrase = BadLength, "Bad Content-Length"
	case stream.StrayLineEnd:
		reason, phrase = Reason(parser.ControlCharacter),
			proxy.MalformedPhrase(parser.ControlCharacter)
	case stream.TooLong:
		reason, cause, phrase = TooLong, proxy.TooLarge, ""
	}
	if !w.m.IsRequest {
		w.dropFrom(p, reason)
		return
	}
	w.countRequest()
	if !w.core.Request.Begin(&w.m, &p.Src, int(p.Listener)) {
		w.dropFrom(p, Unanswerable)
		return
	}
	w.step = stepRequest
	w.refuse(reason, cause, phrase, "")
}

// alias lets the connection serve requests to the sent-by of the request that it brought, if its
// Via says ";alias" (RFC 5923 §5): tcp_accept_aliases. The address is the connection's own, only
// the port is the peer's word.
func (w *worker) alias(conn uint64) {
	via, reason := w.m.TopVia()
	if reason != parser.OK || via.Params.Empty() || !hasParam(via.Params.Of(w.m.Raw), "alias") {
		return
	}
	port := via.Port
	if port == 0 {
		port = defaultSIPPort(via.Transport)
	}
	w.conns.AliasOf(conn, port)
}

// hasParam reports whether a parameter list has one of that name, in any case of letters. Quoted
// strings are not considered; a Via's parameters have none.
func hasParam(params []byte, name string) bool {
	for len(params) > 0 {
		params = params[1:] // the ";"
		end := bytes.IndexByte(params, ';')
		if end < 0 {
			end = len(params)
		}
		p, _, _ := bytes.Cut(params[:end], []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(p), []byte(name)) {
			return true
		}
		params = params[end:]
	}
	return false
}

// defaultSIPPort returns the port of a sent-by without one (RFC 3261 §18.2.2).
func defaultSIPPort(t parser.Transport) uint16 {
	if t == parser.TLS {
		return netio.TLS.DefaultPort()
	}
	return netio.TCP.DefaultPort()
}

// streamsFailed tells the transactions whose requests could not be sent over a stream, and tells
// the blocklist of destinations that are to blame. It returns false if there are none.
func (w *worker) streamsFailed(failures []streamFailure) bool {
	reported := false
	for i := range failures {
		f := &failures[i]
		if f.Again && f.Token != 0 && w.sendAgain(f) {
			reported = true
			continue
		}
		w.count[CountSendFailed]++
		if f.Token == 0 { // only a response is given back
			w.outlet.again(f)
			reported = true
			continue
		}
		if f.Blames && !f.Written {
			w.report(f.Token, f.Why)
		}
		switch {
		case isReplyRetry(f.Token):
			if !f.Written {
				reported = true
				w.replyRetryFailed(f.Token)
			}
		default:
			reported = true
			if f.Written {
				w.tx.Taken(f.Token)
			}
			w.sendFailed(f.Token, f.Cause, f.Detail)
		}
	}
	return reported
}

// sendAgain sends a message that a broken connection lost once more, over another connection. Slow
// path.
func (w *worker) sendAgain(f *streamFailure) (sent bool) {
	defer w.contain()
	w.step = stepTransport
	w.tx.Begin()
	if isProbeToken(f.Token) {
		return w.prober != nil && w.prober.again(w, f.Token)
	}
	return w.core.SendAgain(f.Token, &f.Dst, f.Ours)
}

// report tells the blocklist about the branch whose message did not leave.
func (w *worker) report(token uint64, why blocklist.Reason) {
	if br := w.tx.Sent(token); br != nil && br.Untried() {
		w.core.Report(br, why)
	}
}
