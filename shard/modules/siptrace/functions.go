package siptrace

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
)

// scope is what of a call sip_trace traces.
type scope byte

// The scopes, by the letters that scripts write. byFlag is a transaction if the message has
// trace_flag, else a message.
const (
	byFlag      scope = 0
	message     scope = 'm'
	transaction scope = 't'
	dialog      scope = 'd'
)

// scopeOf reads a scope: its first letter counts.
func scopeOf(s string) (scope, bool) {
	if s == "" {
		return 0, false
	}
	x := scope(s[0] | 0x20)
	return x, x == message || x == transaction || x == dialog
}

// functions declares the functions.
func (s *siptrace) functions(m *route.Module) {
	const where = route.InRequest | route.InFailure | route.InBranch | route.InReply |
		route.InCoreReply
	address := route.Text("address", "a SIP URI in the place of duplicate_uri, by address")
	correlation := route.Text("correlation_id", "what HEP 3 tells the collector that belongs together")
	mode := route.Name("mode", "m, t or d", "m traces the message, t its transaction, d its dialog")
	none := route.Optional(address, nil)
	m.Func(route.Func{Name: "sip_trace", In: where,
		Args: []route.AnyArg{none, route.Optional(correlation, nil), route.Optional(mode, "")},
		Doc: "Sends a copy of the message as it came, and of the other messages of its transaction or " +
			"dialog when they come and leave. Without mode it is the transaction if the message has " +
			"trace_flag. -1: nothing is traced now, or there is nowhere to send to.",
		Build: func(b *route.Build) route.Call {
			var get [2]func(c *route.Ctx) ([]byte, route.Result)
			for i, a := range []route.Arg[[]byte]{address, correlation} {
				if i >= b.Args() {
					break
				}
				v, ok := a.At(b, i)
				if !ok {
					return nil
				}
				get[i] = v.Get
			}
			of := byFlag
			if b.Args() > 2 {
				word, ok := mode.At(b, 2)
				if !ok {
					return nil
				}
				text, _ := word.Known()
				if of, ok = scopeOf(text); !ok {
					b.Errorf(2, "sip_trace: the mode is m, t or d, not %s", route.Quote(text))
					return nil
				}
			}
			return func(c *route.Ctx) route.Result {
				to := s.to
				var id []byte
				if get[0] != nil {
					uri, r := get[0](c)
					if r <= 0 {
						return r
					}
					if to = addressed(uri); to == nil {
						return -1
					}
				}
				if get[1] != nil {
					v, r := get[1](c)
					if r <= 0 {
						return r
					}
					id = v
				}
				return s.trace(c, to, id, of)
			}
		}})
	route.Func1(m, "sip_trace_mode", where, mode,
		"Is sip_trace without address, with a mode.", func(c *route.Ctx, word string) route.Result {
			of, ok := scopeOf(word)
			if !ok {
				return -1
			}
			return s.trace(c, s.to, nil, of)
		})
	text := route.Text("message", "the line")
	m.Func(route.Func{Name: "hlog", In: where,
		Args: []route.AnyArg{route.Special("correlation_id",
			"what belongs together, the Call-ID by default; or the line, if it is the only argument"),
			route.Optional(text, nil)},
		Doc: "Sends a line of log to the collector of duplicate_uri, by HEP 3. -1: nothing is " +
			"traced now, there is no collector, or hep_version is another one.",
		Build: func(b *route.Build) route.Call {
			last := b.Args() - 1
			line, ok := text.At(b, last)
			id, ok1 := text.At(b, 0)
			if !ok || !ok1 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				correlation := c.Msg.CallID()
				if last > 0 {
					v, r := id.Get(c)
					if r <= 0 {
						return r
					}
					correlation = v
				}
				v, r := line.Get(c)
				if r <= 0 {
					return r
				}
				return s.log(c, correlation, v)
			}
		}})
}

// addressed reads the URI of a collector, whose host must be an address: a script does not wait for
// a name here.
func addressed(uri []byte) *netio.CopyTo {
	var u parser.URI
	if parser.ParseURI(uri, &u) != parser.OK {
		return nil
	}
	ip, err := netip.ParseAddr(trimBrackets(string(u.Host.Of(uri))))
	if err != nil {
		return nil
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	return netio.NewCopyTo(netip.AddrPortFrom(ip, port))
}

// trace traces the message at hand, and what else of its call is of that scope.
func (s *siptrace) trace(c *route.Ctx, to *netio.CopyTo, correlation []byte,
	of scope) route.Result {
	if s.on.Get() == 0 || to == nil {
		return -1
	}
	if *s.mode&(mirrorHEP|mirrorSIP) != 0 && to == s.to && !s.judged.HasRoute() {
		return 1 // it is traced already
	}
	by := c.ReceivedBy().Addr
	by.Proto = c.ReceivedBy().Proto
	from := *c.Source()
	from.Proto = by.Proto
	w := s.watching.Of(c)
	now := nowMs(c)
	if !w.watches(c.Msg) {
		p := packet{from: &from, to: &by, kind: kindSIP, text: c.Msg.Raw, correlation: correlation}
		s.send(c, to, &p, *s.hepOn)
	}
	if of == byFlag && c.Request != nil && c.Request.Flags>>*s.flag&1 != 0 {
		of = transaction
	}
	if (of == transaction || of == dialog) && c.Msg.IsRequest {
		x := watched{to: to, dialog: of == dialog,
			correlation: append([]byte(nil), correlation...)}
		if !w.add(c.Msg, x, now) {
			s.unwatched.Add(c)
		}
	}
	return 1
}

// log sends a line of log.
func (s *siptrace) log(c *route.Ctx, correlation, line []byte) route.Result {
	if s.on.Get() == 0 || s.to == nil || s.hep.version != 3 {
		return -1
	}
	by := c.ReceivedBy().Addr
	to := netio.AddrFrom(s.to.Addr)
	p := packet{from: &by, to: &to, kind: kindLog, text: line, correlation: correlation}
	s.send(c, s.to, &p, true)
	return 1
}
