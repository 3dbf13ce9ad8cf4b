package route

import (
	"bytes"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// What transactions, branches and responses are steered with: modules tm and tmx, and the core's flags and branches.

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

// replyStatus is $T_reply_code. A reply route has the response at hand, with or without a transaction.
func (c *Ctx) replyStatus() int {
	if !c.msg.IsRequest {
		return int(c.msg.Status)
	}
	return c.Host.ReplyStatus()
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

// appendBranch is append_branch([uri[, q]]).
func appendBranch(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) == 0 {
		return func(c *Ctx) int { return c.Host.AppendBranch(nil, -1) }
	}
	uri := cc.textArg(x, 0)
	if uri == nil {
		return nil
	}
	if s, ok := x.Args[0].(*syntax.Str); ok && uri.plain && uri.text != "" {
		var u parser.URI
		if parser.ParseURI([]byte(uri.text), &u) != parser.OK {
			cc.ld.errorf(s.Pos, "append_branch: %s is no URI", quote(clip(uri.text)))
			return nil
		}
	}
	q := (*format)(nil)
	if len(x.Args) > 1 {
		if q = cc.textArg(x, 1); q == nil {
			return nil
		}
		if q.plain {
			if _, ok := thousandths([]byte(q.text)); !ok && q.text != "" {
				cc.ld.errorf(x.Args[1].At(), "append_branch: q is %s; it is a number from 0 to 1, as in \"0.7\"", quote(clip(q.text)))
				return nil
			}
		}
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(uri)
		if r <= 0 {
			return r
		}
		prio := -1
		if q != nil {
			t, r := c.expand(q)
			if r <= 0 {
				return r
			}
			if len(t) > 0 {
				n, ok := thousandths(t)
				if !ok {
					return -1
				}
				prio = n
			}
		}
		if len(b) == 0 {
			b = nil
		}
		return c.Host.AppendBranch(b, prio)
	}
}

// thousandths reads a q value (RFC 3261 §25.1, qvalue); digits behind the third are cut, as in Kamailio.
func thousandths(b []byte) (int, bool) {
	whole, frac, _ := bytes.Cut(b, []byte{'.'})
	if len(whole) > 1 || len(b) == 0 || len(whole) == 1 && whole[0] != '0' && whole[0] != '1' {
		return 0, false
	}
	n := 0
	if len(whole) == 1 && whole[0] == '1' {
		n = 1000
	} else if len(whole)+len(frac) == 0 {
		return 0, false
	}
	for i, unit := 0, 100; i < len(frac); i, unit = i+1, unit/10 {
		if frac[i] < '0' || frac[i] > '9' || n >= 1000 && frac[i] != '0' {
			return 0, false
		}
		n += int(frac[i]-'0') * unit
	}
	return n, true
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
	return func(c *Ctx) int { c.Host.SetFlags(c.Host.Flags() | bit); return 1 }
}

func resetFlag(cc *compiler, x *syntax.Call) callFn {
	bit, ok := cc.flagArg(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { c.Host.SetFlags(c.Host.Flags() &^ bit); return 1 }
}

func isFlagSet(cc *compiler, x *syntax.Call) callFn {
	bit, ok := cc.flagArg(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { return truth(c.Host.Flags()&bit != 0) }
}

// relayDst checks a host.
func (cc *compiler) relayDst(x *syntax.Call, i int, host string, port int) (RelayDst, bool) {
	if strings.Count(host, ":") > 1 && host[0] != '[' {
		host = "[" + host + "]" // an IPv6 address may stand without brackets where the port stands apart
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
