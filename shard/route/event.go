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

// Event is something that happens beside messages, or about one, and that a file may have an
// event_route for. A module declares it and raises it.
type Event struct {
	name, doc string
	prog      *Program
	rt        *routeCode
	named     map[string]*Event // of a family, those that the file has routes for
	also      Kinds             // see Also
}

// Event declares an event. A name that ends in a capital word, as in "htable:expired:NAME", is that
// of a family: its events have names of their own in that place.
func (m *Module) Event(name, doc string) *Event {
	if doc == "" {
		panic("BUG: event " + name + " of module " + m.name + " has no doc")
	}
	e := &Event{name: name, doc: doc, named: map[string]*Event{}}
	m.def.events = append(m.def.events, e)
	return e
}

// Also says that the event is raised on messages of those routes as well: what may be called on
// requests alone is false there, and warned of.
func (e *Event) Also(in Kinds) *Event { e.also |= in; return e }

// family is what the names of a family begin with, "" for a single event.
func (e *Event) family() string {
	i := strings.LastIndexByte(e.name, ':')
	if last := e.name[i+1:]; last == strings.ToUpper(last) {
		return e.name[:i+1]
	}
	return ""
}

// Named is one of a family; nil if the file has no route for it. It is known when Open is called.
func (e *Event) Named(name string) *Event { return e.named[name] }

// Event is the event of that name of a module that the file loads; nil if there is none.
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

// Heard tells whether the file has a route for the event. It is known when Open is called.
func (e *Event) Heard() bool { return e != nil && e.rt != nil }

// Raise runs the event's route, if there is one. Where a request is at hand it runs on that; where
// a response is, when that is done with; else on a request that nobody sent, an OPTIONS to uri, or
// to sip:you@kamailio.org if that is empty (as in 5.6.3). It tells whether a route has run.
func (e *Event) Raise(c *Ctx, uri []byte) bool {
	switch {
	case !e.Heard() || c.raised == maxRaised:
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

// RaiseOn runs the event's route, if there is one, on a request that is about to be sent and that
// text is. What is to be sent is what it returns, nil if the route drops it. The new text is valid
// until the batch is released.
func (e *Event) RaiseOn(c *Ctx, text []byte) []byte {
	if !e.Heard() || c.Msg != nil || c.raised == maxRaised {
		return text
	}
	if c.own == nil {
		c.own = &ownMessage{}
	}
	m, r := &c.own.sent, &c.Shard.Core.Request
	if m.Parse(text) != parser.OK || !r.BeginOwn(m, &ownSource) {
		return text
	}
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

// logLimit logs that the route ran into a limit.
func (e *Event) logLimit(c *Ctx, o Outcome) {
	if o == Faulted {
		c.Complain([]byte(e.rt.name + ": " + c.Fault.Error()))
		c.Fault = nil
	}
}

// runOnOwn runs the route on a message of its own.
func (e *Event) runOnOwn(c *Ctx, uri []byte) bool {
	_, ran := e.onOwn(c, uri, nil)
	return ran
}

// onOwn is runOnOwn, with how the route has ended. packet is what $rcv is about.
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

// ownMessage is a request that nobody sent. Each has a Call-ID and a branch of its own, which the
// shard owns.
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

// eventAlso is what the event of that name is raised on besides requests.
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

// eventNamed is the event that an event_route is for; nil if none is. why says then why the route
// is never run, unless an error says it.
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
		// As Kamailio has it, which takes any name with a colon.
		return nil, "there is no such event" + near
	}
	cc.ld.errorf(it.Pos, "there is no event %s%s", quote(clip(it.Name)), near)
	return nil, ""
}
