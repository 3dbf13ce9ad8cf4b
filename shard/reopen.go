package shard

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A response whose connection is gone is sent over a new one, to the address its request came from
// and the port that its Via names (RFC 3261 §18.2.2). If nothing listens there, as behind a
// balancer of connections, it is sent to where the host in the Via leads (RFC 3263 §5), one address
// after the other. All of this is a slow path.

// replyRetries are the newest responses sent that way. A response that is pushed out by that many
// newer ones has no further try.
type replyRetries struct {
	next uint64
	list [maxReplyRetries]replyRetry
}

// replyRetry is one of them.
type replyRetry struct {
	token    uint64 // of the try under way, 0 if none is
	message  []byte
	host     []byte // in its Via
	port     uint16 // in its Via, 0 if it has none
	options  txn.StreamOptions
	listener int
	tried    netio.Addr // address tried first
	asks     int        // how often the resolver was asked about its host
	n, at    int
	ways     [proxy.MaxEndpoints]netio.Addr
}

// tokenOf returns a token that no branch has: a branch's token names a record in the lower half,
// and in the place of record 1 is the head of the arena. Tokens of probes have 0 there.
func tokenOf(number uint64) uint64 { return (number+1)<<32 | 1 }

// isReplyRetry reports whether a token is one of tokenOf.
func isReplyRetry(token uint64) bool { return uint32(token) == 1 }

// reopen sends a response, whose connection with dst is gone, over a new one. The bytes are kept.
func (o *outlet) reopen(b []byte, listener int, dst *netio.Addr, w txn.StreamOptions) {
	var m parser.Message
	proto := o.by[listener].Proto
	if proto == netio.WS || proto == netio.WSS || m.Parse(b) != parser.OK {
		o.lost++ // a browser listens nowhere (RFC 7118 §5)
		return
	}
	via, reason := m.TopVia()
	if reason != parser.OK {
		o.lost++
		return
	}
	to := *dst
	if to.Port = via.Port; to.Port == 0 {
		to.Port = proto.DefaultPort()
	}
	r, token := &replyRetry{
		message: b, host: via.Host.Of(b), port: via.Port, options: w, listener: listener,
		tried: to,
	}, uint64(0)
	if len(b) <= maxReplyRetryBytes {
		token = tokenOf(o.retries.next)
		o.retries.list[o.retries.next%maxReplyRetries] = *r
		r = &o.retries.list[o.retries.next%maxReplyRetries]
		o.retries.next++
	}
	r.token = token
	if !o.sendReply(r, &to, listener) {
		o.lost++
		return
	}
	o.reopened++
}

// sendReply sends r to an address. It returns false if r could not be sent.
func (o *outlet) sendReply(r *replyRetry, to *netio.Addr, listener int) bool {
	o.streams.Begin(listener, to, r.token)
	o.streams.Append(r.message)
	return o.streams.End(r.options, r.host, proxy.StreamTimeouts{})
}

// retryOf returns the response whose try has that token, nil if newer ones have taken its place.
func (o *outlet) retryOf(token uint64) *replyRetry {
	if r := &o.retries.list[(token>>32-1)%maxReplyRetries]; r.token == token {
		return r
	}
	return nil
}

// replyRetryFailed handles the failed try of a response: the next try goes to what its Via names.
func (w *worker) replyRetryFailed(token uint64) {
	o := w.outlet
	if o == nil {
		return
	}
	r := o.retryOf(token)
	if r == nil {
		o.lost++
		return
	}
	if r.n == 0 && r.asks < 2 && !w.resolveVia(r) {
		return
	}
	for r.at < r.n {
		to := r.ways[r.at]
		r.at++
		if to == r.tried {
			continue
		}
		by := w.egress.Egress(&to, r.listener)
		if by >= 0 && w.served[by].Proto == to.Proto && o.sendReply(r, &to, by) {
			return
		}
	}
	*r = replyRetry{}
	o.lost++
}

// resolveVia finds where the host of a Via leads (RFC 3263 §5). It returns false if the resolver
// has to be asked; a mail then brings the answer.
func (w *worker) resolveVia(r *replyRetry) bool {
	r.asks++
	proto := w.served[r.listener].Proto
	if ip, ok := parser.HostIP(r.host); ok {
		r.ways[0] = netio.AddrFrom(netip.AddrPortFrom(ip, r.tried.Port))
		r.ways[0].Proto, r.n = proto, 1
		return true
	}
	if w.shared.resolver == nil {
		return true
	}
	q := proxy.NameQuery{
		Host: r.host, Port: r.port, Proto: proto, HasProto: true, Protos: 1 << proto,
		Families: w.families(),
	}
	var list [proxy.MaxEndpoints]proxy.Endpoint
	switch n, answer := w.shared.resolver.Lookup(&q, list[:]); answer {
	case proxy.Resolved:
		for i := range list[:n] {
			r.ways[i] = list[i].Addr
			r.ways[i].Proto = list[i].Proto
		}
		r.n = n
	case proxy.Unknown:
		if r.asks < 2 && w.names.ask(&q, &shm.Mail{mailReplyRetry, r.token}) {
			return false
		}
	}
	return true
}

// families returns what the listeners can send by, as in NameQuery.
func (w *worker) families() (f uint8) {
	for _, l := range w.served {
		f |= 1 << ((l.Addr.Family - 4) / 2)
	}
	return f
}
