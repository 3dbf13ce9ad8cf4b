package route

import (
	"regexp"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/route/ere"
	"viaduct/shard/txn"
)

// run is the part of Ctx that lives for one message. The fields that every step may touch stand
// first, in two cache lines.
type run struct {
	prog *Program
	progress
	buf []byte // the scratch room
	// temps are the numbers and texts that a statement keeps from one of its steps to the next.
	// Those of the current route begin at base.
	temps     []Value
	frames    []frame // of the routes around this one
	vars      []variable
	dirty     []int32 // the vars set in this run, by number
	atEnd     []func(c *Ctx)
	kept      *Kept
	otherKept *Kept       // those of the transaction that is accounted for, if it is another one
	answer    *ask.Answer // the answer for the next step, nil if there is none

	ruri, duri uriCache
	huri       parser.URI // the URI of From or To, parsed last
	line       []byte     // the line that xlog is writing
	unique     uint64     // how often @sys.unique was read
	reasons    map[string]string
	patterns   map[patternKey]*regexp.Regexp
	finder     ere.Finder

	// See wait.go and held.go.
	question ask.Question
	refusal  ask.Answer // the answer if a question could not be asked
	// heldWriter and heldReader write and read a run that is held. As local variables they would
	// escape to the heap.
	heldWriter heldWriter
	heldReader heldReader
	packet     *netio.Packet // see Received

	raised int         // how deep event routes run inside each other
	own    *ownMessage // the message of events that are about no message
	// answered is the response that Responded runs on, and answeredAt that at hand.
	answered   *answered
	answeredAt atHand
	// ours is the request being made here. sending is set while its event route runs, and alone if
	// that route runs between messages, with nothing half done around it.
	ours           *parser.Message
	sending, alone bool
	data           proxy.Data // see SendData
}

// progress is how far a run has got. It is one struct so that one store resets it for a new run.
type progress struct {
	left int32  // steps that the run may still make
	jump target // where to, if stop is jumped
	stop stop
	void bool // the current expression has no value: it divided by zero
	deep bool // a call was nested too deep, and that was reported
	// putOff says that the run has suspended its response.
	putOff bool
	// continued says that t_continue has resumed the run.
	continued bool
	// inner says that the run takes place within another one.
	inner bool
	// ScriptFlags are the flags of setsflag(). They live for one run.
	ScriptFlags uint32
	// mark is how much of buf belongs to the routes around this one. Each statement frees the rest.
	mark   int32
	base   int32 // see run.temps
	waits  int32 // how often the run has waited
	live   int32 // temporaries in use while the run is being saved
	floor  int32 // how many of the frames belong to the run around this one
	lowest int32 // where the run's own temporaries begin
}

// variable is one $var(). It is 0 at the start of each message, and again for the failure and reply
// routes that come later. Kamailio keeps it in the worker process from message to message, so that
// its value depends on what that worker did before. That is not worth having.
type variable struct {
	v     Value
	buf   []byte
	dirty bool
}

// uriCache is a parsed URI and the bytes it was parsed from.
type uriCache struct {
	src []byte
	uri parser.URI
	ok  bool
}

// get returns src parsed. It returns nil if src is empty or not a URI. It parses again only if src
// is not the same slice as last time: a Request returns the same slice until the URI is set, and
// whoever sets the URI calls forget.
func (u *uriCache) get(src []byte) *parser.URI {
	if len(src) == 0 {
		return nil
	}
	if len(u.src) != len(src) || &u.src[0] != &src[0] {
		u.src = src
		u.ok = parser.ParseURI(src, &u.uri) == parser.OK
	}
	if !u.ok {
		return nil
	}
	return &u.uri
}

// forget keeps the pointer, which costs nothing: a length of 0 fits no URI.
func (u *uriCache) forget() { u.src = u.src[:0] }

// moved passes on the result of a function that may have set the Request-URI or the outbound URI.
func (c *Ctx) moved(result int) int {
	c.ruri.forget()
	c.duri.forget()
	return result
}

// requestURI returns the current Request-URI parsed. It returns nil if it is not a URI, and in a
// reply route.
func (c *Ctx) requestURI() *parser.URI {
	b, _ := c.RURI()
	return c.ruri.get(b)
}

// OutboundURI returns the outbound URI parsed, valid until the outbound URI is set. It returns nil
// if it is not set.
func (c *Ctx) OutboundURI() *parser.URI {
	b, _ := c.DURI()
	return c.duri.get(b)
}

// NewCtx makes the run context of a shard. It serves any Program.
func NewCtx(s *Shard) *Ctx {
	c := &Ctx{Shard: s}
	c.buf = make([]byte, 0, scratchBytes)
	c.line = make([]byte, 0, MaxLineBytes+maxLinePrefix+64)
	c.kept = newKept()
	c.reasons = map[string]string{}
	c.patterns = map[patternKey]*regexp.Regexp{}
	return c
}

// begin prepares c for one run of p. The caller then sets the current message and what is kept.
func (c *Ctx) begin(p *Program) {
	if c.Msg != nil {
		// A panic cut the previous run short. Its variables must not be seen by this one, nor its
		// URIs, whose memory holds another message by now.
		c.end()
	}
	c.atHand = atHand{}
	c.prog = p
	c.progress = progress{left: maxSteps}
	c.frames, c.buf = c.frames[:0], c.buf[:0]
	c.Return, c.Fault, c.answer = 0, nil, nil
	if len(c.vars) < p.nvars {
		c.grow(p)
	}
	for _, x := range p.begins {
		c.vars[x.i].v = x.v
	}
	c.room()
}

// grow makes room for the variables of p. A program loaded later may have more.
func (c *Ctx) grow(p *Program) {
	c.vars = append(c.vars, make([]variable, p.nvars-len(c.vars))...)
	for i := range c.vars {
		c.vars[i].v = intOf(0)
	}
	c.dirty = make([]int32, 0, p.nvars)
}

// Between prepares c for work that is not about a message, such as that of a timer.
func (c *Ctx) Between() {
	if c.Msg != nil {
		c.end() // a panic cut a run short
	}
	c.raised, c.buf, c.prog, c.stop = 0, c.buf[:0], nil, notStopped
	c.sending, c.alone = false, false
}

// AtEnd has f called when the run ends, in whatever way, or else before the next run begins.
func (c *Ctx) AtEnd(f func(c *Ctx)) { c.atEnd = append(c.atEnd, f) }

// end ends the run and lets go of the message.
func (c *Ctx) end() {
	if len(c.atEnd)+len(c.dirty) != 0 || c.prog != nil && len(c.prog.begins) != 0 {
		c.tidy()
	}
	c.Msg, c.packet = nil, nil
	c.sending, c.alone = false, false
	c.ruri.forget()
	c.duri.forget()
}

// tidy calls what AtEnd was given and resets the variables that the run has set.
func (c *Ctx) tidy() {
	for _, f := range c.atEnd {
		f(c)
	}
	c.atEnd = c.atEnd[:0]
	for _, i := range c.dirty {
		c.vars[i].v = intOf(0)
		c.vars[i].dirty = false
	}
	c.dirty = c.dirty[:0]
	if p := c.prog; p != nil {
		for _, x := range p.begins {
			c.vars[x.i].v = intOf(0) // other programs use them too
		}
	}
}

// Request runs request_route on r and allocates nothing. A program without request_route drops
// every request.
func (p *Program) Request(c *Ctx, r *proxy.Request) Outcome {
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	if p.main == nil {
		return Ended
	}
	// This does what enter does, but stores each word of atHand once. A copy that reads two stores
	// in one load waits for them, 5 ns.
	c.begin(p)
	c.Msg, c.Request, c.kind = r.M, r, RequestRoute
	return p.through(c, p.main)
}

// PreRouting runs event_route[core:pre-routing] on r, before Request. It returns false if the route
// has dropped r.
func (p *Program) PreRouting(c *Ctx, r *proxy.Request) (goOn bool) {
	e := p.core.preRouting
	if !e.HasRoute() {
		return true
	}
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	o := p.enter(c, e.rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute})
	e.logLimit(c, o)
	return o != Dropped
}

// Failure runs failure route n, a number that r was armed with, on the request as its transaction
// saved it. If the program has no such route, it returns Ended, as an empty route would. So do
// Branch and Reply.
func (p *Program) Failure(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.failures, n), &atHand{Msg: r.M, Request: r, kind: FailureRoute})
}

// BranchFailure runs event_route[tm:branch-failure:NAME] number n on the request r, which is Losing
// a branch.
func (p *Program) BranchFailure(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.lost, n), &atHand{Msg: r.M, Request: r, kind: RequestRoute})
}

// Branch runs branch route n on the request with the Request-URI and outbound URI of one branch. If
// it returns Dropped, the branch must not be sent.
func (p *Program) Branch(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.branches, n), &atHand{Msg: r.M, Request: r, kind: BranchRoute})
}

// Reply runs onreply route n on m, a response to branch br of tx. If it returns Dropped, a
// provisional response must not be passed on; a final one is passed on all the same.
func (p *Program) Reply(c *Ctx, r *proxy.Reply, m *Message, tx *txn.Tx, br *txn.Branch,
	n int) Outcome {
	inner := c.Msg != nil && c.prog == p // see enter
	o := p.enter(c, numbered(p.replies, n),
		&atHand{Msg: m, Reply: r, Tx: tx, Branch: br, kind: ReplyRoute})
	if inner {
		return o
	}
	return c.suspended(o, r, tx)
}

// CoreReply runs the unnamed reply route on a response whose transaction has not been looked up
// yet. If it returns Dropped, the response must be dropped.
func (p *Program) CoreReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.coreReply, &atHand{Msg: r.M, Reply: r, kind: CoreReplyRoute})
}

// StrayReply runs the onreply_route for responses without a transaction. Dropped: it is dropped.
func (p *Program) StrayReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.strayReply, &atHand{Msg: r.M, Reply: r, kind: CoreReplyRoute})
}

// Onsend runs onsend_route on the request that is about to leave, in Core.Outgoing. If it returns
// Dropped, the request must not be sent.
func (p *Program) Onsend(c *Ctx, r *proxy.Request) Outcome {
	return p.enter(c, p.onsend, &atHand{Msg: r.M, Request: r, kind: OnsendRoute})
}

// OnsendReply runs onsend_route on a response that is about to be passed on.
func (p *Program) OnsendReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.onsend, &atHand{Msg: r.M, Reply: r, kind: OnsendRoute})
}

// numbered returns route n of the list, counted from 1. It returns nil if there is none.
func numbered(list []*routeCode, n int) *routeCode {
	if n < 1 || n > len(list) {
		return nil
	}
	return list[n-1]
}

// enter runs rt on the message in at. It returns Ended if rt is nil.
func (p *Program) enter(c *Ctx, rt *routeCode, at *atHand) Outcome {
	if rt == nil {
		return Ended
	}
	if c.Msg != nil && c.prog == p && at.kind != RequestRoute && at.kind != CoreReplyRoute {
		return c.within(rt, at)
	}
	c.begin(p)
	c.atHand = *at
	return p.through(c, rt)
}

// through runs rt from its first step to its end on the current message.
func (p *Program) through(c *Ctx, rt *routeCode) Outcome {
	c.takeKept()
	o := p.run(c, rt.entry, 0)
	c.leaveKept()
	c.end()
	if o != Faulted {
		c.Fault = nil
	}
	return o
}

// within runs rt inside another run, as when t_relay() makes branches and each has its branch
// route. The $var are those of the outer run, as in Kamailio. (After a panic a run looks as if it
// had never ended. What follows may then see its $var, until the next request.)
func (c *Ctx) within(rt *routeCode, at *atHand) Outcome {
	outer, stop, result, text := c.atHand, c.stop, c.Return, len(c.buf)
	mark, base, depth, inner := c.mark, c.base, len(c.frames), c.inner
	floor, lowest := c.floor, c.lowest
	c.inner, c.floor, c.lowest = true, int32(depth), base+c.prog.maxTemps
	c.atHand, c.stop, c.Return = *at, notStopped, 0
	c.mark, c.base = int32(text), base+c.prog.maxTemps
	c.room()
	c.ruri.forget()
	c.duri.forget()
	o := c.prog.run(c, rt.entry, depth)
	c.atHand, c.stop, c.Return, c.buf = outer, stop, result, c.buf[:text]
	c.mark, c.base, c.frames, c.inner = mark, base, c.frames[:depth], inner
	c.floor, c.lowest = floor, lowest
	c.ruri.forget()
	c.duri.forget()
	if o != Faulted {
		c.Fault = nil
	}
	return o
}

// setVar sets variable i to v. It returns false if v is too long.
func (c *Ctx) setVar(i int32, v Value) bool {
	x := &c.vars[i]
	if !x.dirty {
		x.dirty = true
		c.dirty = append(c.dirty, i)
	}
	switch v.Kind {
	case strValue:
		if len(v.S) > varBytes {
			return false
		}
		// v.S may be a view of this very buffer: append moves overlapping bytes as memmove does.
		x.buf = append(x.buf[:0], v.S...)
		x.v = Value{Kind: strValue, S: x.buf}
	case nullValue:
		// $var(x) = $null makes it 0 (5.6.3).
		x.v = intOf(0)
	case intValue:
		x.v = intOf(v.N)
	default:
		x.v = v
	}
	return true
}

// concat joins a and b as strings in the scratch room. It returns false if there is no room. If a
// was written there last, b goes right behind it, so that the cost of a+b+c+d grows with its length
// and not with the square.
func (c *Ctx) concat(a, b *Value) (Value, bool) {
	start := len(c.buf) - len(a.S)
	tail := a.Kind == strValue && len(a.S) > 0 && start >= 0 && &c.buf[start] == &a.S[0]
	need := len(b.S) + 40 // a number has at most 20 bytes
	if !tail {
		start = len(c.buf)
		need += len(a.S)
	}
	if len(c.buf)+need > cap(c.buf) {
		return Value{}, false
	}
	if !tail {
		c.buf = a.appendStr(c.buf)
	}
	c.buf = b.appendStr(c.buf)
	return Value{Kind: strValue, S: c.buf[start:len(c.buf):len(c.buf)]}, true
}

// reason turns a reason phrase made at run time into a string. It allocates once per phrase,
// because scripts make few different ones. It returns "" if there are too many or b is too long.
func (c *Ctx) reason(b []byte) string {
	if s, ok := c.reasons[string(b)]; ok {
		return s
	}
	if len(c.reasons) >= maxReasons || len(b) > maxReasonBytes {
		return ""
	}
	s := string(b)
	c.reasons[s] = s
	return s
}
