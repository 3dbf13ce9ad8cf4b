package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// A request of ours is made here and sent by the machinery that relays: names are looked up, the
// next address follows one that fails, a long request leaves by a stream, and after a kill the next
// process takes it over. The request is made with one Via, for the key of its transaction; that Via
// is cut out where the request leaves, so that our usual one is the only one. Nobody waits
// upstream: where a response would go there, Config.Finished is told.
//
//	BeginOurs ─→ SendOurs ─→ … a response, or none in time ─→ Finished

// Finished is the outcome of a request of ours.
type Finished struct {
	Program uint64
	Note    []byte          // what BeginOurs was given
	Code    int             // status of the final response
	M       *parser.Message // the response; nil means that it was made here
	Src     netio.Addr      // where M came from
	By      int             // the listener M came in by
	Request *parser.Message // the request as BeginOurs was given it; nil means that it is lost
}

// ours reports whether the request is one of ours.
func (r *Request) ours() bool { return r.note != nil }

// BeginOurs begins on m, a request to be sent from here, whose first row is its only Via. The
// request under way, if there is one, stays as it is. note must not be nil; it comes back with the
// outcome. from is the source that programs see. The caller decides about the request that is
// returned, and then calls SendOurs.
func (c *Core) BeginOurs(m *parser.Message, program uint64, note []byte,
	from *netio.Addr) *Request {
	if c.ourOwn == nil {
		c.ourOwn = &Request{core: c}
	}
	r, concluding, running := c.ourOwn, c.concluding, c.running
	ok := r.Begin(m, from, 0)
	c.concluding, c.running = concluding, running
	if !ok {
		return nil
	}
	r.Program, r.own, r.note, r.no100 = program, true, note, true
	r.symmetric, r.writeReceived = false, false
	r.Key = c.tx.Key(m, m.Method)
	r.cuts[0], r.nCuts = m.Headers[r.via.Row].Line, 1
	r.maxForwards = maxForwardsOurs
	if m.Has(parser.KindMaxForwards) {
		if n, reason := m.MaxForwards(); reason == parser.OK {
			r.hasMF, r.maxForwards = true, int(n)
		}
	}
	return r
}

// maxForwardsOurs is the Max-Forwards of requests made here (§8.1.1.6).
const maxForwardsOurs = 70

// SendOurs sends the request. It returns false if nothing was sent and nothing will be; then no
// outcome is told.
func (r *Request) SendOurs() bool {
	c := r.core
	concluding, running := c.concluding, c.running
	r.armed = armed{}
	ok := r.Relay() && !r.refused
	c.concluding, c.running = concluding, running
	if tx := r.Tx; !ok && tx != nil && tx.Live() == 0 && !c.waits(tx) {
		c.tx.Terminate(tx)
	}
	return ok
}

// SendOnce sends the request without a transaction. It returns false if nothing was sent.
func (r *Request) SendOnce() bool {
	c := r.core
	concluding, running := c.concluding, c.running
	ok := r.Forward()
	c.concluding, c.running = concluding, running
	return ok
}

// FailureStatus returns the status that stands for what kept the request from being sent.
func (r *Request) FailureStatus() int {
	if r.lastCause == NoCause {
		return codeInternal
	}
	return int(causes[r.lastCause].status)
}

// OursText returns text, a request without Via, with the Via that BeginOurs requires. It is valid
// for the batch.
func (c *Core) OursText(text []byte) []byte {
	const via = "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK"
	line := bytes.IndexByte(text, '\n') + 1
	b := c.take(len(text) + len(via) + 20)
	b = append(append(b, text[:line]...), via...)
	for n, i := c.Random(), 0; i < 16; i++ {
		b = append(b, "0123456789abcdef"[n>>(4*i)&15])
	}
	return append(append(b, "\r\n"...), text[line:]...)
}

// Random returns 64 unpredictable bits.
func (c *Core) Random() uint64 { return c.tx.Random() }

// finish does for a request of ours what forward does for others: m is its final response. A
// provisional response is ignored.
func (c *Core) finish(tx *txn.Tx, m *parser.Message) {
	c.finalOf = m
	c.tx.Respond(tx, int(m.Status), nil)
	c.finalOf = nil
}

// Finished implements txn.User: a request of ours has ended.
func (c *Core) Finished(tx *txn.Tx, status int, again txn.Again) {
	f := Finished{Code: status, M: c.finalOf, Src: c.Reply.Src, By: c.Reply.Listener}
	if f.M != nil && tx.Invite() && status < 300 {
		c.acknowledge(f.M)
	}
	if again || c.cfg.Finished == nil {
		return
	}
	s := c.saved(tx)
	if s == nil {
		return
	}
	f.Program = s.Program
	if r := c.RequestOf(tx); r != nil {
		f.Note, f.Request = r.note, r.M
	}
	c.cfg.Finished(&f)
}

// acknowledge sends the ACK to m, a 2xx to an INVITE of ours (§13.2.2.4).
func (c *Core) acknowledge(m *parser.Message) {
	_, br := c.tx.InHand()
	d := &c.parting
	if br == nil || !d.read(c, m, c.tx.Answered()) || !c.whereTo(br, d) {
		return
	}
	var branch [len(statelessPrefix) + 17]byte
	c.setStreamOptions(d.to.Proto, d.host, 0)
	c.segs[0] = d.appendRequest(c, m, parser.ACK, c.appendAckBranch(branch[:0], m))
	c.send(d.by, &d.to, c.segs[:1])
}
