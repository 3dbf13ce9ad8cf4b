package shard

import (
	"bytes"
	"strconv"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// The doors to listeners, sent-bys and edits. Those to connections are in session_conns.go.

// shownListener is what programs see of a listener, made once.
type shownListener struct {
	name, socket, advertised []byte
	port                     int
}

func showListeners(listeners []*netio.Listener) (shown []shownListener) {
	for _, l := range listeners {
		socket := append(bytes.ToLower([]byte(l.Proto.String())), ':')
		shown = append(shown, shownListener{[]byte(l.Name), l.Addr.AppendTo(socket), []byte(l.AdvertiseHost), int(l.AdvertisePort)})
	}
	return shown
}

// receivedBy is the listener that the message at hand came in by.
func (s *session) receivedBy() int {
	if s.ofResponse() {
		return s.listener
	}
	return s.r().Listener
}

// forceListener notes that what leaves does so by a listener; -1: by the one that suits.
func (s *session) forceListener(by int) int {
	if s.ofResponse() {
		s.w.core.Reply.ForceListener(by)
	} else {
		s.r().ForceListener(by)
	}
	return 1
}

func (s *session) forced() int {
	if s.ofResponse() {
		return s.w.core.Reply.Forced()
	}
	return s.r().Forced()
}

func (s *session) ForceSocket(socket []byte) int {
	if len(socket) == 0 {
		return s.forceListener(-1)
	}
	if by := s.w.shared.listenerAt(socket); by >= 0 {
		return s.forceListener(by)
	}
	return -1
}

func (s *session) ForceSocketName(name []byte) int {
	if len(name) == 0 {
		return s.forceListener(-1)
	}
	for i, l := range s.w.shared.listeners {
		if l.Name == string(name) {
			return s.forceListener(i)
		}
	}
	return -1
}

// listenerAt is the listener written as [proto:]host[:port], by its address or what it advertises;
// -1: there is none.
func (sh *shared) listenerAt(socket []byte) int {
	proto, rest := netio.UDP, socket
	if word, behind, found := bytes.Cut(socket, []byte(":")); found {
		for p := netio.UDP; p <= netio.WSS; p++ {
			if bytes.EqualFold(word, []byte(p.String())) {
				proto, rest = p, behind
			}
		}
	}
	host, port := rest, 0
	if i := bytes.LastIndexByte(rest, ':'); i > bytes.LastIndexByte(rest, ']') && bytes.IndexByte(rest, ':') == i || i > 0 && rest[0] == '[' && rest[i-1] == ']' {
		n, err := strconv.ParseUint(string(rest[i+1:]), 10, 16)
		if err != nil || n == 0 {
			return -1
		}
		host, port = rest[:i], int(n)
	}
	if port == 0 {
		port = 5060
		if proto.Secure() {
			port = 5061
		}
	}
	ip, isIP := parser.HostIP(host)
	for i, l := range sh.listeners {
		switch {
		case l.Proto != proto:
		case isIP && int(l.Addr.Port) == port && l.Addr.AddrPort().Addr().WithZone("") == ip.Unmap():
			return i
		case l.AdvertiseHost != "" && bytes.EqualFold(host, []byte(l.AdvertiseHost)) && (int(l.AdvertisePort) == port || l.AdvertisePort == 0 && int(l.Addr.Port) == port):
			return i
		}
	}
	return -1
}

func (s *session) SendSocket() []byte {
	by := s.forced()
	if by < 0 {
		return nil
	}
	return s.shown[by].socket
}

func (s *session) SendSocketName() []byte {
	if by := s.forced(); by >= 0 {
		return s.shown[by].name
	}
	return nil
}

func (s *session) ReceivedName() []byte { return s.shown[s.receivedBy()].name }

func (s *session) Advertised() (host []byte, port int) {
	l := &s.shown[s.receivedBy()]
	return l.advertised, l.port
}

func (s *session) SetAdvertised(host []byte, port int) int {
	return truth(!s.ofResponse() && s.r().Advertise(host, port))
}

// ForwardTo is Forward with the destination of t_relay_to.
func (s *session) ForwardTo(dst route.RelayDst) int {
	r := s.r()
	if s.ofResponse() {
		return -1
	}
	if dst.Proto != route.AnyTransport {
		proto, ok := protoOf(dst.Proto)
		if !ok {
			return -1
		}
		r.ForceProto(int(proto))
		defer r.ForceProto(-1)
	}
	if dst.Set && !r.SetNextHop(dst.Host, dst.Port) {
		return -1
	}
	return s.Forward()
}

func (s *session) AddLocalRPort() int {
	if s.ofResponse() {
		return -1
	}
	s.r().RPort()
	return 1
}

func (s *session) ForceRPort() int { return truth(!s.ofResponse() && s.r().Symmetric()) }

// SetStreamFlag: what a reply route says is for its response alone.
func (s *session) SetStreamFlag(flag route.StreamFlag) int {
	w := txn.NoConnect
	if flag == route.ForwardClose || flag == route.ReplyClose {
		w = txn.CloseAfter
	}
	switch ofReply := flag >= route.ReplyNoConnect; {
	case s.ofResponse():
		s.w.core.Reply.Wish(w) // there is nothing else to forward
	case ofReply:
		s.r().ReplyWish(w)
	default:
		s.r().Wish(w)
	}
	return 1
}

func (s *session) ReplaceContact(old parser.Span, text []byte) int {
	if s.ofResponse() {
		return truth(s.w.core.Reply.ReplaceContact(old, text))
	}
	return truth(s.r().ReplaceContact(old, text))
}

func (s *session) AddPath(user, params []byte, received bool) int {
	return truth(!s.ofResponse() && s.r().AddPath(user, params, received))
}

func (s *session) AppendToReply(rows []byte) int {
	return truth(!s.ofResponse() && s.r().AppendToReply(rows))
}

// The doors to the blacklist.

// blockTries is how often a shard asks for the table's lock: others hold it for a bounded number of
// entries at a time.
const blockTries = 4

// source is where the message at hand came from, as the list has it.
func (s *session) source() (netio.Proto, netio.Addr) {
	a := s.r().Src
	if s.ofResponse() {
		a = s.src
	}
	proto := a.Proto
	a.Proto = 0
	return proto, a
}

// listed is the list, nil if it is off.
func (s *session) listed() *blocklist.Table {
	if l := s.w.shared.list; l != nil && l.Enabled() {
		return l
	}
	return nil
}

func (s *session) BlockSource(ttl time.Duration) int {
	list := s.listed()
	if list == nil {
		return -1
	}
	proto, addr := s.source()
	cause := blocklist.Cause{Reasons: blocklist.Prohibited, TTL: ttl, Owner: "script", Ignore: blocklist.Reason(s.BlockIgnore(route.OfRequest))}
	for range blockTries {
		switch list.Add(proto, &addr, cause, s.w.core.Now()/1e6) {
		case blocklist.Added, blocklist.Updated:
			return 1
		case blocklist.Busy:
			continue
		}
		break
	}
	return -1
}

func (s *session) UnblockSource() int {
	list := s.listed()
	if list == nil {
		return -1
	}
	proto, addr := s.source()
	return truth(list.Delete(proto, &addr))
}

func (s *session) SourceBlocked() bool {
	list := s.listed()
	if list == nil {
		return false
	}
	proto, addr := s.source()
	return list.Listed(proto, &addr, s.w.core.Now()/1e6)
}

// SetBlockIgnore: no response ever lists its destination here, so that its mask is only remembered
// for BlockIgnore. In the reply route of a branch the mask of the request is the branch's.
func (s *session) SetBlockIgnore(whose route.BlockWhose, mask route.BlockReasons) {
	switch {
	case whose == route.OfReply:
		s.replyIgnore = mask
	case !s.ofResponse():
		s.r().Ignore(uint8(mask))
	case s.branch != nil:
		proxy.IgnoreOf(s.branch, uint8(mask))
	}
}

func (s *session) BlockIgnore(whose route.BlockWhose) route.BlockReasons {
	switch {
	case whose == route.OfReply:
		return s.replyIgnore
	case !s.ofResponse():
		return route.BlockReasons(s.r().Ignored())
	case s.branch != nil:
		return route.BlockReasons(proxy.IgnoredOf(s.branch))
	}
	return 0
}
