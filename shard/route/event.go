package route

import (
	"net/netip"
	"strings"

	"viaduct/netio"
	"viaduct/netio/steer"
	"viaduct/parser"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// Event is something that a file may have an event_route for: it happens apart from messages, or
// concerns one. A module declares it and raises it.
type Event struct {
	name, doc string
	prog      *Program
	rt        *routeCode
	named     map[string]*Event // the events of a family that the file has routes for
	also      Kinds             // see Also
}

// Event declares an event. A name that ends in a capital word, as in "htable:expired:NAME",
// declares a family: each of its events has a name of its own in that place.
func (m *Module) Event(name, doc string) *Event {
	if doc == "" {
		panic("BUG: event " + name + " of module " + m.name + " has no doc")
	}
	e := &Event{name: name, doc: doc, named: map[string]*Event{}}
	m.def.events = append(m.def.events, e)
	return e
}

// Also declares that the event is also raised on messages of the routes in. Functions that only
// work on requests are false there, and loading warns about them.
func (e *Event) Also(in Kinds) *Event { e.also |= in; return e }

// family returns what the names of the event's family begin with. It returns "" for a single event.
func (e *Event) family() string {
	i := strings.LastIndexByte(e.name, ':')
	if last := e.name[i+1:]; last == strings.ToUpper(last) {
		return e.name[:i+1]
	}
	return ""
}

// Named returns the event of a family that has the given name. It returns nil if the file has no
// route for it. The result is known by the time Open is called.
func (e *Event) Named(name string) *Event { return e.named[name] }

// Event returns the event with the given name among those of the modules that the file loads. It
// returns nil if there is none.
func (p *Program) Event(name string) *Event {
	for _, o := range p.opens {
		for _, e := range o.m.def.events {
			if e.name == name {
				return e
			}
		}
	}
	return nil
}

// HasRoute tells whether the file has a route for the event. That is known by the time Open is
// called.
func (e *Event) HasRoute() bool { return e != nil && e.rt != nil }

// Raise runs the event's route, if there is one, and tells whether it has run. In a run on a
// request, the route runs on that request. In a run on a response, it runs when the shard is done
// with the response, and Raise returns false. Otherwise it runs on a made-up request: an OPTIONS to
// uri, or to sip:you@kamailio.org if uri is empty (as in 5.6.3).
func (e *Event) Raise(c *Ctx, uri []byte) bool {
	switch {
	case !e.HasRoute() || c.raised == maxRaised:
		return false
	case c.Msg == nil:
		return e.runOnOwn(c, uri)
	case c.Request == nil:
		uri = append([]byte(nil), uri...)
		if c.Shard.Later != nil {
			c.Shard.Later(func(c *Ctx) { e.Raise(c, uri) })
		}
		return false
	}
	c.raised++
	defer func() { c.raised-- }()
	o := c.within(e.rt, &atHand{Msg: c.Msg, Request: c.Request, kind: RequestRoute})
	e.logLimit(c, o)
	return true
}

// RaiseOn runs the event's route, if there is one, on the request in text, which is about to be
// sent by listener by. It returns the text to send, which the route may have changed, or nil if the
// route drops the request. A changed text is valid until the batch is released.
func (e *Event) RaiseOn(c *Ctx, text []byte, by int) []byte {
	if !e.HasRoute() || c.Msg != nil || c.raised == maxRaised {
		return text
	}
	if c.own == nil {
		c.own = &ownMessage{}
	}
	m, r := &c.own.sent, &c.Shard.Core.Request
	if m.Parse(text) != parser.OK || !r.BeginOwn(m, &c.Shard.Listeners[by].Addr) {
		return text
	}
	r.Listener = by
	r.SetDstURI(m.Bytes(m.URI))
	c.raised++
	defer func() { c.raised = 0 }()
	c.Acted, c.Unanswered, c.ReplyIgnore, c.Conn = false, false, 0, 0
	o := e.prog.enter(c, e.rt, &atHand{Msg: m, Request: r, kind: RequestRoute})
	e.logLimit(c, o)
	if o == Dropped {
		return nil
	}
	if !r.Apply() {
		return text
	}
	return m.Raw
}

// logLimit logs it if the route ran into a limit.
func (e *Event) logLimit(c *Ctx, o Outcome) {
	if o == Faulted {
		c.Complain([]byte(e.rt.name + ": " + c.Fault.Error()))
		c.Fault = nil
	}
}

// runOnOwn runs the route on a made-up request.
func (e *Event) runOnOwn(c *Ctx, uri []byte) bool {
	_, ran := e.onOwn(c, uri, nil)
	return ran
}

// onOwn is runOnOwn, and also returns how the route ended. packet is what $rcv reads; it may be
// nil.
func (e *Event) onOwn(c *Ctx, uri []byte, packet *netio.Packet) (o Outcome, ran bool) {
	if c.own == nil {
		c.own = &ownMessage{}
	}
	r := &c.Shard.Core.Request
	if !r.BeginOwn(c.own.next(c.Shard), &ownSource) {
		return Ended, false
	}
	if len(uri) > 0 {
		r.SetRequestURI(uri)
	}
	return e.enterOwn(c, r, 0, packet), true
}

// ownMessage is a made-up request for event routes. Each one has its own Call-ID, which this shard
// owns, and its own branch.
type ownMessage struct {
	m    parser.Message
	text []byte
	id   []byte
	n    uint64
	sent parser.Message // see RaiseOn
}

var ownSource = netio.AddrFrom(netip.MustParseAddrPort("127.0.0.1:5060"))

func (o *ownMessage) next(s *Shard) *parser.Message {
	id := o.id[:0]
	for {
		o.n++
		id = append(appendHex(id[:0], o.n^uint64(s.Number)<<56), "@127.0.0.1"...)
		if s.Shards < 2 || steer.Owner(id, s.Shards) == s.Number {
			break
		}
	}
	o.id = id
	b := append(o.text[:0], "OPTIONS sip:you@kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP "+
		"127.0.0.1;branch=z9hG4bK"...)
	b = append(b, id[:16]...)
	b = append(b, "\r\nFrom: <sip:you@kamailio.org>;tag=123\r\nTo: <sip:you@kamailio.org>\r\n"+
		"Call-ID: "...)
	b = append(b, id...)
	o.text = append(b, "\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"...)
	if r := o.m.Parse(o.text); r != parser.OK {
		panic("BUG: the message of events is bad: " + r.String())
	}
	return &o.m
}

func appendHex(dst []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&15])
	}
	return dst
}

// eventAlso returns what the named event is raised on besides requests.
func (cc *compiler) eventAlso(name string) (in Kinds) {
	for _, module := range cc.defs.names() {
		for _, e := range cc.defs.get(module).events {
			if family := e.family(); e.also != 0 && (e.name == name ||
				family != "" && strings.HasPrefix(name, family)) {
				in |= e.also
			}
		}
	}
	return in
}

// eventNamed returns the event that an event_route is for. If there is none it returns nil, and why
// says why the route never runs; why is empty if an error says it.
func (cc *compiler) eventNamed(it *syntax.Item) (e *Event, why string) {
	find := func(all []*Event) *Event {
		for _, e := range all {
			if e.name == it.Name && e.family() == "" {
				return e
			}
			family := e.family()
			if name, ok := strings.CutPrefix(it.Name, family); ok && family != "" && name != "" {
				if e.named[name] == nil {
					e.named[name] = &Event{name: it.Name, doc: e.doc, also: e.also}
				}
				return e.named[name]
			}
		}
		return nil
	}
	var names []string
	for _, name := range cc.defs.names() {
		m := cc.defs.get(name)
		switch e := find(m.events); {
		case e == nil:
		case cc.defs.loaded[name] != nil:
			cc.ld.survey.add(Use{Kind: useEvent, Name: "event_route[" + it.Name + "]", Module: name},
				it.Pos)
			return e, ""
		default:
			cc.ld.survey.add(Use{Kind: useEvent, Name: "event_route[" + it.Name + "]", Module: name},
				it.Pos)
			return nil, "it needs loadmodule \"" + name + ".so\""
		}
		for _, e := range m.events {
			names = append(names, e.name)
		}
	}
	for _, m := range sortedKeys(known()) {
		for name := range known()[m].events {
			if name == it.Name || strings.HasSuffix(name, ":") && strings.HasPrefix(it.Name, name) {
				cc.ld.survey.add(Use{Kind: useEvent, Name: "event_route[" + clip(it.Name) + "]",
					Module: m, Fate: Missing}, it.Pos)
				if cc.ofAbsent(m, "event_route["+clip(it.Name)+"]") {
					return nil, "its module is not there yet"
				}
				return nil, "nothing raises that event of Kamailio's yet"
			}
			names = append(names, name)
		}
	}
	near := suggest.DidYouMean(it.Name, names)
	if strings.Contains(it.Name, ":") {
		// Kamailio takes any name with a colon, and so this is no error.
		return nil, "there is no such event" + near
	}
	cc.ld.errorf(it.Pos, "there is no event %s%s", quote(clip(it.Name)), near)
	return nil, ""
}
