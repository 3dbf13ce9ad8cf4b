package route

import (
	"bytes"
	"encoding/hex"

	"viaduct/netio/steer"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// Sender sends requests of Viaduct's own for a module, and tells the module what became of them.
type Sender struct {
	name  string
	prog  *Program
	final func(c *Ctx, f *proxy.Finished)
}

// Sender declares a sender. final is called on the shard, between messages, with the final response
// to each request, or with the status that stands for it if none came. What the request was sent
// with is in f.Note. A process that takes over after a kill calls final too, so name must be unique
// and the same in all files.
func (m *Module) Sender(name string, final func(c *Ctx, f *proxy.Finished)) *Sender {
	s := &Sender{name: name, final: final}
	m.senders = append(m.senders, s)
	return s
}

// Sending is a request to be sent by a Sender.
type Sending struct {
	// Text is the request to send, without Via. It need not outlive the call.
	Text []byte
	Dst  []byte // the outbound URI; if empty, the Request-URI decides
	By   int    // the listener it leaves by; with -1 the one that suits
	// Stateless sends the request once, without a transaction: there is no outcome.
	Stateless bool
	Note      []byte // returned with the outcome
}

// noteEnd separates the name of the sender and the note in what the transaction keeps.
const noteEnd = 0

// Send sends a request statefully. It returns false if the request cannot be sent; then there is no
// outcome. In a run on a response or a branch, it returns true and sends the request when the shard
// is done with that. A failure to send is then the outcome.
func (s *Sender) Send(c *Ctx, x *Sending) bool {
	if c.sending {
		return false // event_route[tm:local-request] must not send another one
	}
	if c.Msg == nil || c.alone || c.RunsIn(InRequest|InFailure) && c.raised < maxRaised {
		ok, _ := s.send(c, c.programOf(s), x)
		return ok
	}
	if c.Shard.Later == nil {
		return false
	}
	p := c.prog
	later := Sending{bytes.Clone(x.Text), bytes.Clone(x.Dst), x.By, x.Stateless, bytes.Clone(x.Note)}
	c.Shard.Later(func(c *Ctx) {
		if ok, code := s.send(c, p, &later); !ok {
			s.final(c, &proxy.Finished{Note: later.Note, Code: code})
		}
	})
	return true
}

// programOf returns the program that is running, or else the one that s belongs to.
func (c *Ctx) programOf(s *Sender) *Program {
	if c.prog != nil {
		return c.prog
	}
	return s.prog
}

// send sends x now. If that fails, code is the status that stands for the failure.
func (s *Sender) send(c *Ctx, p *Program, x *Sending) (ok bool, code int) {
	core := c.Shard.Core
	if c.ours == nil {
		c.ours = new(parser.Message)
	}
	m := c.ours
	if m.Parse(core.OursText(x.Text)) != parser.OK || m.Check() != parser.OK {
		return false, 400
	}
	if v := m.Values(parser.KindVia); v.Next() && v.Another() {
		return false, 400 // a second Via, which nobody would remove
	}
	note := make([]byte, 0, len(s.name)+1+len(x.Note))
	note = append(append(append(note, s.name...), noteEnd), x.Note...)
	e := p.Event("tm:local-request")
	from := &ownSource
	by := x.By
	if e.HasRoute() {
		by = c.sentBy(m, x)
		from = &c.Shard.Listeners[by].Addr
	}
	r := core.BeginOurs(m, p.Hash(), note, from)
	if r == nil {
		return false, 400
	}
	if len(x.Dst) > 0 && !r.SetDstURI(x.Dst) {
		return false, 478
	}
	r.ForceListener(x.By)
	if e.HasRoute() && !e.raiseOurs(c, p, r, by) {
		return false, 477
	}
	if x.Stateless {
		return r.SendOnce(), r.FailureStatus()
	}
	return r.SendOurs(), r.FailureStatus()
}

// SendAs sends x for whoever Finished will name, between two messages. It returns false if the
// request cannot be sent; code is then the status that stands for the failure.
func (p *Program) SendAs(c *Ctx, name string, x *Sending) (ok bool, code int) {
	return (&Sender{name: name, prog: p}).send(c, p, x)
}

// SentBy returns the name of who has sent a request, and what it was sent with.
func SentBy(f *proxy.Finished) (name, note []byte) {
	name, note, _ = bytes.Cut(f.Note, []byte{noteEnd})
	return name, note
}

// sentBy returns the listener that x is likely to leave by: the one that x names, or else the first
// of the transport that its destination asks for.
func (c *Ctx) sentBy(m *parser.Message, x *Sending) int {
	if x.By >= 0 {
		return x.By
	}
	uri := x.Dst
	if len(uri) == 0 {
		uri = m.Bytes(m.URI)
	}
	if u := c.ParseURI(uri); u != nil {
		for i := range c.Shard.Listeners {
			if c.Shard.Listeners[i].Proto == transportOf(u) {
				return i
			}
		}
	}
	return 0
}

// raiseOurs runs the event's route on a request that is made here and about to be sent. The route
// sees it as received from listener by, and its next hop as $du. It returns false if the route
// drops the request.
func (e *Event) raiseOurs(c *Ctx, p *Program, r *proxy.Request, by int) (send bool) {
	if uri := r.M.Bytes(r.M.URI); r.DstURI() == nil && r.SetDstURI(uri) {
		defer func() {
			if bytes.Equal(r.DstURI(), uri) {
				r.SetDstURI(nil) // else a new $ru would not count
			}
		}()
	}
	received := r.Listener
	r.Listener = by
	defer func() { r.Listener = received }()
	at := &atHand{Msg: r.M, Request: r, kind: RequestRoute}
	acted, unanswered := c.Acted, c.Unanswered
	c.sending = true
	var o Outcome
	if c.Msg == nil {
		o = p.enter(c, e.rt, at)
	} else {
		c.raised++
		o = c.within(e.rt, at)
		c.raised--
	}
	c.sending, c.Acted, c.Unanswered = false, acted, unanswered
	e.logLimit(c, o)
	return o != Dropped
}

// Finished tells the sender of a request the outcome.
func (p *Program) Finished(c *Ctx, f *proxy.Finished) {
	name, note, ok := bytes.Cut(f.Note, []byte{noteEnd})
	if !ok {
		return
	}
	f.Note = note
	for _, o := range p.opens {
		for _, s := range o.m.senders {
			if s.name == string(name) && s.final != nil {
				s.final(c, f)
			}
		}
	}
}

// RaiseFinished runs the event's route, if there is one, on the response f.M, or on a made-up
// request if there was no response.
func (e *Event) RaiseFinished(c *Ctx, f *proxy.Finished) {
	switch {
	case !e.HasRoute():
	case f.M == nil:
		e.Raise(c, nil)
	default:
		r := &c.Shard.Core.Reply
		r.Begin(f.M, &f.Src, f.By)
		c.raised, c.alone = c.raised+1, true
		e.logLimit(c, e.prog.enter(c, e.rt, &atHand{Msg: f.M, Reply: r, kind: ReplyRoute}))
		c.raised, c.alone = 0, false
	}
}

// AppendCallID appends a new Call-ID that this shard owns, so that the responses come to it.
func (c *Ctx) AppendCallID(b []byte) []byte {
	n := len(b)
	for {
		b = c.AppendTag(b[:n])
		b = c.AppendTag(b)
		if c.Shard.Shards < 2 || steer.Owner(b[n:], c.Shard.Shards) == c.Shard.Number {
			return b
		}
	}
}

// AppendTag appends 16 random hexadecimal digits.
func (c *Ctx) AppendTag(b []byte) []byte {
	n := c.Shard.Core.Random()
	var d [8]byte
	for i := range d {
		d[i] = byte(n >> (8 * i))
	}
	return hex.AppendEncode(b, d[:])
}
