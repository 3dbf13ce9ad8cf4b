package route

import (
	"strings"

	"viaduct/parser"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// What transactions, branches and responses are steered with: modules tm and tmx, and the core's
// flags and branches.

// textKnown is argument i as a text known at load.
func (cc *compiler) textKnown(x *syntax.Call, i int, what string) (string, bool) {
	switch a := x.Args[i].(type) {
	case *syntax.Str:
		return a.S, true
	case *syntax.Int:
		return itoa(a.N), true
	}
	cc.ld.errorf(x.Args[i].At(), "%s wants %s in quotes, known at load", x.Name, what)
	return "", false
}

func (cc *compiler) noSuchRoute(pos Pos, kind RouteKind, name string) {
	var names []string
	for _, rt := range *cc.prog.armable(kind) {
		names = append(names, rt.name)
	}
	word := strings.TrimSuffix(kindWords[kind], "[NAME]")
	cc.ld.errorf(pos, "there is no %s[%s]%s", word, clip(name), suggest.DidYouMean(name, names))
}

// hasVariable tells whether a dollar sign in a pattern begins a variable and is no anchor.
func hasVariable(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if c := s[i+1]; s[i] == '$' && (c == '(' || syntax.IsNameByte(c) && (c < '0' || c > '9')) {
			return true
		}
	}
	return false
}

// flagArg is the number of a message flag.
func (cc *compiler) flagArg(x *syntax.Call) (uint32, bool) {
	n, ok := x.Args[0].(*syntax.Int)
	switch {
	case !ok:
		cc.ld.errorf(x.Args[0].At(), "%s wants the number of a flag, 0 to 31; flags have no names yet", x.Name)
	case n.N < 0 || n.N > 31:
		cc.ld.errorf(n.Pos, "%s: flag %d does not exist; the range is 0..31", x.Name, n.N)
	default:
		return 1 << n.N, true
	}
	return 0, false
}

func setFlag(cc *compiler, x *syntax.Call) callFn {
	bit, ok := cc.flagArg(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { c.setFlags(c.flags() | bit); return 1 }
}

func resetFlag(cc *compiler, x *syntax.Call) callFn {
	bit, ok := cc.flagArg(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { c.setFlags(c.flags() &^ bit); return 1 }
}

func isFlagSet(cc *compiler, x *syntax.Call) callFn {
	bit, ok := cc.flagArg(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { return truth(c.flags()&bit != 0) }
}

// relayDst checks a host.
func (cc *compiler) relayDst(x *syntax.Call, i int, host string, port int) (RelayDst, bool) {
	if strings.Count(host, ":") > 1 && host[0] != '[' {
		// an IPv6 address may stand without brackets where the port stands apart
		host = "[" + host + "]"
	}
	var u parser.URI
	if parser.ParseURI([]byte("sip:"+host), &u) != parser.OK || string(u.HostBytes()) != host {
		cc.ld.errorf(x.Args[i].At(), "%s: %s is no host", x.Name, quote(clip(host)))
		return RelayDst{}, false
	}
	return RelayDst{Set: true, Host: []byte(host), Port: port}, true
}

// protoHostPort reads "proto:host:port"; proto and port may be left out.
func (cc *compiler) protoHostPort(x *syntax.Call, at int, s string) (RelayDst, bool) {
	proto, host, port := AnyTransport, s, 0
	if word, rest, found := strings.Cut(s, ":"); found {
		if t, ok := transportWord(word); ok {
			proto, host = t, rest
		}
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		n := atoi([]byte(host[i+1:]))
		if n < 1 || n > 65535 {
			cc.ld.errorf(x.Args[at].At(), "%s: %s is not proto:host:port", x.Name, quote(clip(s)))
			return RelayDst{}, false
		}
		host, port = host[:i], int(n)
	}
	dst, ok := cc.relayDst(x, at, host, port)
	dst.Proto = proto
	return dst, ok
}
