package route

import (
	"fmt"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// Arguments that functions of the core and of modules share: texts known at load, names of routes,
// flags, and destinations.

// textKnown returns argument i, a text known at load. For any other argument it reports an error
// and returns false. what completes the error message "FUNCTION wants …".
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

// noSuchRoute says that a route that is to be armed is not in the file. That is no error, since
// Kamailio begins with a warning and takes it for an empty one, but for a variable, which no route
// is called. It returns false after an error.
func (cc *compiler) noSuchRoute(pos Pos, kind RouteKind, name string) bool {
	var names []string
	for _, rt := range *cc.prog.armable(kind) {
		names = append(names, rt.name)
	}
	word := "event_route[" + branchFailure
	if kind != BranchFailureRoute {
		word = strings.TrimSuffix(kindWords[kind], "NAME]")
		if !strings.HasSuffix(word, "[") {
			word += "["
		}
	}
	if strings.Contains(name, "$") {
		cc.ld.errorf(pos, "there is no %s%s]%s", word, clip(name), suggest.DidYouMean(name, names))
		return false
	}
	cc.ld.warnf(pos, "there is no %s%s], so nothing is run%s", word, clip(name),
		suggest.DidYouMean(name, names))
	return true
}

// hasVariable tells whether a pattern has a variable. A dollar sign in it may also be an anchor.
func hasVariable(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if c := s[i+1]; s[i] == '$' && (c == '(' || syntax.IsNameByte(c) && (c < '0' || c > '9')) {
			return true
		}
	}
	return false
}

// nameFlag gives a flag a name, as flags NAME:5 does. Without a number the name gets the first flag
// that has none.
func (cc *compiler) nameFlag(it *syntax.Item) {
	taken := map[int]bool{}
	for _, n := range cc.flags {
		taken[n] = true
	}
	n := 0
	if it.Val.Kind == syntax.NoLiteral {
		for n < 32 && taken[n] {
			n++
		}
	} else if n = int(it.Val.Num); it.Val.Kind != syntax.IntLiteral {
		n = -1
	}
	_, dup := cc.flags[it.Name]
	switch {
	case dup:
		cc.ld.errorf(it.Pos, "flag %s is declared already", clip(it.Name))
	case n < 0 || n > 31:
		cc.ld.errorf(it.Pos, "flag %s: the range is 0..31", clip(it.Name))
	case taken[n]:
		cc.ld.errorf(it.Pos, "flag %s: number %d has another name", clip(it.Name), n)
	default:
		cc.flags[it.Name] = n
	}
}

// flagNamed returns the number of the flag that x names. It returns false if x names no flag.
func (cc *compiler) flagNamed(x syntax.Expr) (n int, ok bool) {
	switch x := x.(type) {
	case *syntax.Name:
		n, ok = cc.flags[x.Name]
	case *syntax.Str:
		n, ok = cc.flags[x.S]
	}
	return n, ok
}

// flagArg returns the bit of the flag that argument i gives by number or by name.
func (cc *compiler) flagArg(x *syntax.Call, i int) (uint32, bool) {
	name := ""
	switch a := x.Args[i].(type) {
	case *syntax.Int:
		if a.N < 0 || a.N > 31 {
			cc.ld.errorf(a.Pos, "%s: flag %d does not exist; the range is 0..31", x.Name, a.N)
			return 0, false
		}
		return 1 << a.N, true
	case *syntax.Name:
		name = a.Name
	case *syntax.Str:
		name = a.S
		if n := atoi([]byte(name)); n >= 0 && n <= 31 && itoa(n) == name {
			return 1 << n, true
		}
	default:
		cc.ld.errorf(x.Args[i].At(), "%s wants the number of a flag, 0 to 31, or its name", x.Name)
		return 0, false
	}
	n, ok := cc.flags[name]
	if !ok {
		cc.ld.errorf(x.Args[i].At(),
			"%s: there is no flag %s%s; flags are declared by flags NAME:NUMBER", x.Name,
			quote(clip(name)),
			suggest.DidYouMean(name, sortedKeys(cc.flags)))
		return 0, false
	}
	return 1 << n, true
}

// relayDst checks host, which is argument i, and returns it as a destination.
func (cc *compiler) relayDst(x *syntax.Call, i int, host string, port int) (RelayDst, bool) {
	if strings.Count(host, ":") > 1 && host[0] != '[' {
		// an IPv6 address may stand without brackets if the port is given separately
		host = "[" + host + "]"
	}
	var u parser.URI
	if parser.ParseURI([]byte("sip:"+host), &u) != parser.OK || string(u.HostBytes()) != host {
		instead := ""
		if u.Port != 0 && port == 0 && strings.HasPrefix(x.Name, "forward") {
			instead = fmt.Sprintf("; write %s(%q, %d)", x.Name, u.HostBytes(), u.Port)
		}
		cc.ld.errorf(x.Args[i].At(), "%s: %s is no host%s", x.Name, quote(clip(host)), instead)
		return RelayDst{}, false
	}
	return RelayDst{Set: true, Proto: AnyTransport, Host: []byte(host), Port: port}, true
}

// protoHostPort reads "proto:host:port", where proto and port may be left out.
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
