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

// run is the part of Ctx that lives for one message. What every step may touch stands first, in
// two cache lines.
type run struct {
	prog *Program
	progress
	buf []byte // the scratch room
	// temps are the numbers and texts that a statement keeps from one of its steps to the next,
	// base the first of this route.
	temps  []Value
	frames []frame // of the routes around this one
	vars   []variable
	dirty  []int32 // vars that were set in this run
	atEnd  []func(c *Ctx)
	kept   *Kept
	answer *ask.Answer // for the step that is next; nil means there is none

	ruri, duri uriCache
	huri       parser.URI // of From and To
	line       []byte     // xlog's
	unique     uint64     // how often @sys.unique was read
	reasons    map[string]string
	patterns   map[patternKey]*regexp.Regexp
	finder     ere.Finder

	// See wait.go and held.go.
	question ask.Question
	refusal  ask.Answer // where a question could not be asked
	// of a run that is held; here, since the parts would make it leave the stack
	heldWriter heldWriter
	heldReader heldReader
	packet     *netio.Packet // see Received

	raised int         // events whose routes run inside of each other
	own    *ownMessage // what events are about that are about no message
	// of a request of ours that is made; sending: its event route runs; alone: the route runs
	// between messages, and nothing is half done around it
	ours           *parser.Message
	sending, alone bool
	data           proxy.Data // see SendData
}

// progress is how far a run has got. It is set anew at once for each.
type progress struct {
	left int32  // steps that the run may still make
	jump target // stop: jumped
	stop stop
	void bool // the expression under way has no value: it divides by zero
	deep bool // a call was nested too deep, which was said
	// continued says that t_continue has it go on.
	continued bool
	// inner says that the run is made within another one.
	inner bool
	// ScriptFlags are those of setsflag(): they live for one run.
	ScriptFlags uint32
	// what of buf belongs to routes around this one; each statement gives back what lies behind
	mark   int32
	base   int32 // see run.temps
	waits  int32 // how often the run has waited
	live   int32 // temporaries in use, while the run is written
	floor  int32 // the routes of the run around this one, in frames
	lowest int32 // where the run's own temporaries begin
}

// variable is one $var(). It starts at 0 for each message, and for a failure or reply route, which
// come later, again. Kamailio keeps it in the worker process from message to message, where its
// value depends on what that worker did before; that is not worth having.
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

// get parses src unless it is the slice parsed last. A Request gives the same slice until the URI
// is set; set() forgets it.
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

func (u *uriCache) forget() { u.src = nil }

// moved passes on the result of a function that may have set Request-URI or outbound URI.
func (c *Ctx) moved(result int) int {
	c.ruri.forget()
	c.duri.forget()
	return result
}

// requestURI is the current Request-URI parsed, nil when it is no SIP URI, and in a reply route.
func (c *Ctx) requestURI() *parser.URI {
	b, _ := c.RURI()
	return c.ruri.get(b)
}

// OutboundURI is the outbound URI parsed, nil if it is not set. It lives until it is set.
func (c *Ctx) OutboundURI() *parser.URI {
	b, _ := c.DURI()
	return c.duri.get(b)
}

// NewCtx makes a shard's run context for any Program.
func NewCtx(s *Shard) *Ctx {
	c := &Ctx{Shard: s}
	c.buf = make([]byte, 0, scratchBytes)
	c.line = make([]byte, 0, MaxLineBytes+maxLinePrefix+64)
	c.kept = newKept()
	c.reasons = map[string]string{}
	c.patterns = map[patternKey]*regexp.Regexp{}
	return c
}

// begin readies c for one run of p. What is at hand and kept is still to come.
func (c *Ctx) begin(p *Program) {
	if c.Msg != nil {
		// a panic cut the run before short: its variables and its URIs, whose memory holds another
		// message by now, are not this one's
		c.end()
	}
	c.atHand = atHand{}
	c.prog = p
	c.progress = progress{left: maxSteps}
	c.frames, c.buf = c.frames[:0], c.buf[:0]
	c.Return, c.Fault, c.answer = 1, nil, nil
	if len(c.vars) < p.nvars {
		c.grow(p)
	}
	for _, x := range p.begins {
		c.vars[x.i].v = x.v
	}
	c.room()
}

// grow makes room for the variables of p. A reload may bring more.
func (c *Ctx) grow(p *Program) {
	c.vars = append(c.vars, make([]variable, p.nvars-len(c.vars))...)
	for i := range c.vars {
		c.vars[i].v = intOf(0)
	}
	c.dirty = make([]int32, 0, p.nvars)
}

// Between readies c for what is no run of a message: what a timer does.
func (c *Ctx) Between() {
	if c.Msg != nil {
		c.end() // a panic cut a run short
	}
	c.raised, c.buf, c.prog, c.stop = 0, c.buf[:0], nil, notStopped
	c.sending, c.alone = false, false
}

// AtEnd has f called when the run ends, however it does, or before the next one begins.
func (c *Ctx) AtEnd(f func(c *Ctx)) { c.atEnd = append(c.atEnd, f) }

// end lets go of the message.
func (c *Ctx) end() {
	if len(c.atEnd)+len(c.dirty) != 0 || c.prog != nil && len(c.prog.begins) != 0 {
		c.tidy()
	}
	c.Msg, c.packet = nil, nil
	c.sending, c.alone = false, false
	c.ruri.forget()
	c.duri.forget()
}

// tidy undoes what the run has set.
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
			c.vars[x.i].v = intOf(0) // they are another program's, too
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
	// What enter does, but each word of atHand is stored once: a copy that reads two stores in one
	// load waits for them, 5 ns.
	c.begin(p)
	c.Msg, c.Request, c.kind = r.M, r, RequestRoute
	return p.through(c, p.main)
}

// PreRouting runs event_route[core:pre-routing] on r, before Request. It returns false if the route
// has dropped r.
func (p *Program) PreRouting(c *Ctx, r *proxy.Request) (goOn bool) {
	e := p.core.preRouting
	if !e.Heard() {
		return true
	}
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	o := p.enter(c, e.rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute})
	e.logLimit(c, o)
	return o != Dropped
}

// Failure runs failure route n, a number that r was armed with, on the request as its transaction
// saved it. A number the program has no route for ends at once, as an empty route would; likewise
// in Branch and Reply.
func (p *Program) Failure(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.failures, n), &atHand{Msg: r.M, Request: r, kind: FailureRoute})
}

// BranchFailure runs event_route[tm:branch-failure:NAME] number n on the request r, which is Losing a
// branch.
func (p *Program) BranchFailure(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.lost, n), &atHand{Msg: r.M, Request: r, kind: RequestRoute})
}

// Branch runs branch route n on the request with the Request-URI and outbound URI of one branch.
// Dropped: the branch is not sent.
func (p *Program) Branch(c *Ctx, r *proxy.Request, n int) Outcome {
	return p.enter(c, numbered(p.branches, n), &atHand{Msg: r.M, Request: r, kind: BranchRoute})
}

// Reply runs onreply route n on a response m to branch br of tx. Dropped: a provisional response is
// not passed on, a final one is all the same.
func (p *Program) Reply(c *Ctx, r *proxy.Reply, m *Message, tx *txn.Tx, br *txn.Branch,
	n int) Outcome {
	return p.enter(c, numbered(p.replies, n),
		&atHand{Msg: m, Reply: r, Tx: tx, Branch: br, kind: ReplyRoute})
}

// CoreReply runs the reply route that has no name, on a response whose transaction has not been
// looked for. Dropped: it is dropped.
func (p *Program) CoreReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.coreReply, &atHand{Msg: r.M, Reply: r, kind: CoreReplyRoute})
}

// StrayReply runs the onreply_route for responses without a transaction. Dropped: it is dropped.
func (p *Program) StrayReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.strayReply, &atHand{Msg: r.M, Reply: r, kind: CoreReplyRoute})
}

// Onsend runs onsend_route on the request as it is about to leave, in Core.Outgoing. Dropped: it
// does not.
func (p *Program) Onsend(c *Ctx, r *proxy.Request) Outcome {
	return p.enter(c, p.onsend, &atHand{Msg: r.M, Request: r, kind: OnsendRoute})
}

// OnsendReply is the same for a response that is passed on.
func (p *Program) OnsendReply(c *Ctx, r *proxy.Reply) Outcome {
	return p.enter(c, p.onsend, &atHand{Msg: r.M, Reply: r, kind: OnsendRoute})
}

// numbered is the route with the 1-based number n, nil if there is none.
func numbered(list []*routeCode, n int) *routeCode {
	if n < 1 || n > len(list) {
		return nil
	}
	return list[n-1]
}

// enter runs rt as the message's route.
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

// through is a run of rt, from its first step to its end, on what is at hand.
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

// within runs rt inside another run: t_relay() makes branches, and each has its branch route. The
// $var are those of the outer run, as in Kamailio. (After a panic a run looks as if it never ended;
// what follows may then see its $var, until the next request.)
func (c *Ctx) within(rt *routeCode, at *atHand) Outcome {
	outer, stop, result, text := c.atHand, c.stop, c.Return, len(c.buf)
	mark, base, depth, inner := c.mark, c.base, len(c.frames), c.inner
	floor, lowest := c.floor, c.lowest
	c.inner, c.floor, c.lowest = true, int32(depth), base+c.prog.maxTemps
	c.atHand, c.stop, c.Return = *at, notStopped, 1
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

// setVar keeps v in variable i; false when it is too long.
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

// concat joins the string readings of a and b in the scratch room; false when there is no room.
// When a is what was written there last, b goes right behind it, so that a+b+c+d costs its length
// and not its square.
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

// reason turns a reason phrase made at run time into a string without allocating each time: scripts
// make few different ones.
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
