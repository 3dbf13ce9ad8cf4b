package shard

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// session is what the routing program sees of one message: the doors of
// route.Host, each a step of package proxy. A worker has one and uses it again
// for every message. The doors that belong to forking are in session_fork.go.
type session struct {
	w     *worker
	kind  route.RouteKind // of the route that runs
	acted bool            // something was sent on or answered
	shown []shownListener // the listeners

	// In a reply route:
	response *parser.Message
	tx       *txn.Tx     // nil in the one without a name
	branch   *txn.Branch // the same
	src      netio.Addr
	listener int

	replyIgnore route.BlockReasons // blst_rpl_set_ignore of the message at hand

	// the connection that brought the message at hand, by its number; 0: none, or that is not known
	conn uint64
}

var _ route.Host = (*session)(nil)

func (s *session) begin()            { s.acted, s.kind, s.replyIgnore = false, route.RequestRoute, 0 }
func (s *session) r() *proxy.Request { return &s.w.core.Request }

// ofResponse tells whether the route that runs is given a response.
func (s *session) ofResponse() bool { return s.kind >= route.ReplyRoute }

func (s *session) Msg() *route.Message {
	if s.ofResponse() {
		return s.response
	}
	return s.r().M
}

func (s *session) RequestURI() []byte {
	if s.ofResponse() {
		return nil
	}
	return s.r().RequestURI()
}
func (s *session) SetRequestURI(uri []byte) int {
	if s.ofResponse() {
		return -1
	}
	return truth(s.r().SetRequestURI(uri))
}
func (s *session) DstURI() []byte {
	if s.ofResponse() {
		return nil
	}
	return s.r().DstURI()
}
func (s *session) SetDstURI(uri []byte) int {
	if s.ofResponse() {
		return -1
	}
	return truth(s.r().SetDstURI(uri))
}

func (s *session) Source() netip.AddrPort {
	if s.ofResponse() {
		return s.src.AddrPort()
	}
	return s.r().Src.AddrPort()
}

func (s *session) Received() netip.AddrPort {
	by := s.r().Listener
	if s.ofResponse() {
		by = s.listener
	}
	return s.w.shared.listeners[by].Addr.AddrPort()
}

// transports are the language's names, by netio.Proto.
var transports = [...]route.Transport{netio.UDP: route.UDP, netio.TCP: route.TCP, netio.TLS: route.TLS, netio.WS: route.WS, netio.WSS: route.WSS}

// protoOf is the netio.Proto of a transport; false: it is any, or none that is served.
func protoOf(t route.Transport) (netio.Proto, bool) {
	for proto, name := range transports {
		if name == t {
			return netio.Proto(proto), true
		}
	}
	return 0, false
}

func (s *session) Transport() route.Transport {
	by := s.r().Listener
	if s.ofResponse() {
		by = s.listener
	}
	return transports[s.w.shared.listeners[by].Proto]
}

func (s *session) IsMyself(host []byte, port int, proto route.Transport) bool {
	if proto == route.AnyTransport {
		return s.w.core.IsMyself(host, port, proxy.AnyProto)
	}
	p, ok := protoOf(proto)
	return ok && s.w.core.IsMyself(host, port, 1<<p)
}

// truth is Kamailio's spelling of a bool.
func truth(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

func (s *session) MaxForwards(limit, most int) int {
	added, ok := s.r().MaxForwards(limit, most)
	if added {
		return 2
	}
	return truth(ok)
}

func (s *session) Reply(code int, reason string, mode route.StatefulReply) int {
	r := s.r()
	if mode == route.InTransaction && r.Tx == nil || s.ofResponse() {
		return -1
	}
	return s.answered(r.Reply(code, reason, ""))
}

func (s *session) ReplyError() int { return s.answered(s.r().ReplyError()) }

// answered notes that the request is done with, even if no answer could leave: to
// an ACK none may, and one that is longer than a datagram cannot.
func (s *session) answered(ok bool) int {
	// else its state forbids that status, and another one is still possible
	if !ok && !s.acted && s.r().Tx == nil {
		if s.r().M.Method == parser.ACK {
			s.w.drop(StrayAck)
		} else {
			s.w.drop(Unanswerable)
		}
	}
	s.acted = true
	return truth(ok)
}

// CheckTrans: retransmissions and ACKs to non-2xx finals never get here, so what
// is left is a new request, or a CANCEL whose INVITE is known or not.
func (s *session) CheckTrans() int { return truth(s.r().Invite != nil) }

// PrecheckTrans: nobody else works on the same transaction, since it has one
// shard.
func (s *session) PrecheckTrans() int { return -1 }

func (s *session) NewTran() int { return truth(s.r().NewTransaction()) }

func (s *session) Relay() int {
	ok := s.r().Relay()
	s.acted = s.acted || ok
	return truth(ok)
}

func (s *session) Forward() int {
	ok := s.r().Forward()
	s.acted = s.acted || ok
	return truth(ok)
}

func (s *session) RecordRoute() int {
	s.r().RecordRoute()
	return 1
}

func (s *session) LooseRoute() int {
	switch s.r().LooseRoute() {
	case proxy.Followed:
		return 1
	case proxy.UsedUp:
		return -3
	}
	return -1
}

func (s *session) SelectDst(set, algorithm, limit int, setURI bool) int {
	return truth(s.r().SelectTarget(set, balance.Algorithm(algorithm), limit, setURI))
}

func (s *session) Log(level int, line []byte) { s.w.shared.log(level, line) }
func (s *session) LogLevel() int              { return s.w.shared.logLevel }

// The checks of sanity_check() that §16.3 step 1 does not already make for every
// message (Kamailio 5.6, module sanity).
const (
	sanityURIs     = 1024 // parse the URIs named by the second mask
	sanityExpires  = 256  // Expires is a number
	sanityURIRURI  = 1
	sanityURIFrom  = 2
	sanityURITo    = 4
	sanityURICntct = 8
)

// SanityCheck: version, scheme, mandatory headers, Via, CSeq, Content-Length and
// Proxy-Require are checked before the program runs, always.
func (s *session) SanityCheck(msgChecks, uriChecks uint32) int {
	m := s.Msg()
	if msgChecks&sanityExpires != 0 && m.Has(parser.KindExpires) {
		if v := m.Headers[m.First(parser.KindExpires)].Value.Of(m.Raw); !digits(v) {
			return s.insane("Bad Expires")
		}
	}
	if msgChecks&sanityURIs == 0 {
		return 1
	}
	if uriChecks&sanityURIRURI != 0 {
		u, reason := m.RequestURI()
		if reason != parser.OK {
			return s.insane("Bad Request-URI")
		}
		if u.Scheme == parser.SchemeOther {
			if s.ofResponse() {
				return -1
			}
			s.answered(s.r().Refuse(proxy.UnknownScheme, "", ""))
			return -1
		}
	}
	if m.Method == parser.ACK {
		uriChecks &^= sanityURIFrom | sanityURITo // it has those of the INVITE and of the 200: see parser.Message.Check
	}
	if uriChecks&sanityURIFrom != 0 {
		if a, reason := m.From(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return s.insane("Bad From URI")
		}
	}
	if uriChecks&sanityURITo != 0 {
		if a, reason := m.To(); reason != parser.OK || a.CheckURI(m.Raw) != parser.OK {
			return s.insane("Bad To URI")
		}
	}
	if uriChecks&sanityURICntct != 0 && m.Has(parser.KindContact) {
		for v := m.Values(parser.KindContact); v.Next(); {
			var a parser.NameAddr
			if string(v.Value.Of(m.Raw)) != "*" && (parser.ParseNameAddr(m.Raw, v.Value, &a) != parser.OK || a.CheckURI(m.Raw) != parser.OK) {
				return s.insane("Bad Contact")
			}
		}
	}
	return 1
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func (s *session) insane(phrase string) int {
	if s.ofResponse() {
		return -1
	}
	s.answered(s.r().Refuse(proxy.Malformed, phrase, ""))
	return -1
}
