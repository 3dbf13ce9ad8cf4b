package route

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

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

// arm is t_on_failure("NAME") and its kin; "0" and "" disarm.
func arm(kind RouteKind) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		name, ok := cc.textKnown(x, 0, "the name of a route")
		if !ok {
			return nil
		}
		n := 0
		if name != "" && name != "0" {
			if n = cc.numbers[armKey{kind, name}]; n == 0 {
				cc.noSuchRoute(x.Args[0].At(), kind, name)
				return nil
			}
		}
		return func(c *Ctx) int { return truth(c.Request.Arm(kind, n)) }
	}
}

func (cc *compiler) noSuchRoute(pos Pos, kind RouteKind, name string) {
	var names []string
	for _, rt := range *cc.prog.armable(kind) {
		names = append(names, rt.name)
	}
	word := strings.TrimSuffix(kindWords[kind], "[NAME]")
	cc.ld.errorf(pos, "there is no %s[%s]%s", word, clip(name), suggest.DidYouMean(name, names))
}

// isSet is t_is_set("failure_route").
func isSet(cc *compiler, x *syntax.Call) callFn {
	what, ok := cc.textKnown(x, 0, "failure_route, branch_route or onreply_route")
	if !ok {
		return nil
	}
	kind, known := namedKinds[what]
	if !known {
		cc.ld.errorf(x.Args[0].At(), "t_is_set: %s is neither failure_route, branch_route nor onreply_route%s", quote(clip(what)),
			suggest.DidYouMean(what, sortedKeys(namedKinds)))
		return nil
	}
	return func(c *Ctx) int { return truth(c.Request != nil && c.Request.Armed(kind) != 0) }
}

func isRunFor(in kinds) func(cc *compiler, x *syntax.Call) callFn {
	return func(*compiler, *syntax.Call) callFn {
		return func(c *Ctx) int { return truth(in>>c.kind&1 != 0) }
	}
}

// statusCode is t_get_status_code(): the number is the function's value.
func statusCode(*compiler, *syntax.Call) callFn {
	return func(c *Ctx) int {
		if n := c.replyStatus(); n > 0 {
			return n
		}
		return -1
	}
}

// statusSet has a bit for each status of 100..699.
type statusSet [(700 - 100 + 63) / 64]uint64

func (s *statusSet) add(status int) { s[(status-100)>>6] |= 1 << ((status - 100) & 63) }

func (s *statusSet) has(status int) bool {
	i := uint(status - 100)
	return i < 600 && s[i>>6]>>(i&63)&1 != 0
}

// checkStatus is t_check_status("re"): the pattern is found anywhere in the code, as regexec(3) looks for it, unless it is anchored. There
// are 600 codes, so that all are tried at load and a run is a look into a bitmap.
func checkStatus(cc *compiler, x *syntax.Call) callFn {
	s, ok := x.Args[0].(*syntax.Str)
	if !ok || hasVariable(s.S) {
		cc.ld.errorf(x.Args[0].At(), "the pattern of t_check_status must be a string that is known at load")
		return nil
	}
	re, err := regexp.Compile("(?i)" + s.S)
	if err != nil {
		cc.ld.errorf(s.Pos, "bad pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	if strings.Contains(s.S, `\d`) {
		cc.ld.warnf(s.Pos, `\d is a digit here and the letter d in Kamailio's patterns: write [0-9]`)
	}
	set := new(statusSet)
	for n := 100; n < 700; n++ {
		if re.MatchString(itoa(int64(n))) {
			set.add(n)
		}
	}
	if *set == (statusSet{}) {
		cc.ld.warnf(s.Pos, "no status from 100 to 699 matches %s", quote(clip(s.S)))
	}
	return func(c *Ctx) int { return truth(set.has(c.replyStatus())) }
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

// dropReplies is t_drop_replies(["a"|"l"|"n"]).
func dropReplies(cc *compiler, x *syntax.Call) callFn {
	how := DropAll
	if len(x.Args) > 0 {
		s, ok := cc.textKnown(x, 0, `"a", "l" or "n"`)
		if !ok {
			return nil
		}
		switch s {
		case "", "a", "all":
		case "l", "last":
			how = DropLast
		case "n", "none":
			how = DropNone
		default:
			cc.ld.errorf(x.Args[0].At(), `t_drop_replies: %s is none of "a" (all), "l" (last) and "n" (none)`, quote(clip(s)))
			return nil
		}
	}
	return func(c *Ctx) int { return c.dropReplies(how) }
}

// setFr is t_set_fr(fr_inv[, fr]) in milliseconds.
func setFr(cc *compiler, x *syntax.Call) callFn {
	inv, ok := cc.intArg(x, 0, "fr_inv_timeout", 0, maxMillis)
	fr := intArg{}
	if len(x.Args) > 1 && ok {
		fr, ok = cc.intArg(x, 1, "fr_timeout", 0, maxMillis)
	}
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		i, f := inv.get(c), fr.get(c)
		if uint(i) > maxMillis || uint(f) > maxMillis {
			return -1
		}
		return c.setFr(time.Duration(i)*time.Millisecond, time.Duration(f)*time.Millisecond)
	}
}

// loadContacts is t_load_contacts([mode]).
func loadContacts(cc *compiler, x *syntax.Call) callFn {
	mode := intArg{}
	if len(x.Args) > 0 {
		var ok bool
		if mode, ok = cc.intArg(x, 0, "the mode", 0, 1); !ok {
			return nil
		}
	}
	if !cc.contacts {
		cc.ld.warnf(x.Pos, "Kamailio needs modparam(\"tm\", \"contacts_avp\", …) for t_load_contacts, and fails without")
	}
	return func(c *Ctx) int {
		m := mode.get(c)
		return c.moved(truth(m == 0 && c.Request.LoadContacts()))
	}
}

// appendBranch is append_branch([uri[, q]]).
func appendBranch(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) == 0 {
		return func(c *Ctx) int { return truth(c.Request.AppendBranch(nil, -1)) }
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
		return truth(c.Request.AppendBranch(b, prio))
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

// relay is t_relay() and t_relay(host, port), the latter over the protocol the request came on.
func relay(cc *compiler, x *syntax.Call) callFn {
	switch len(x.Args) {
	case 0:
		return func(c *Ctx) int { return c.relay() }
	case 1:
		cc.ld.errorf(x.Pos, "t_relay takes no arguments, or host and port; t_relay_to takes \"proto:host:port\" and flags")
		return nil
	}
	dst, ok := cc.hostPortArgs(x)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		to := dst
		to.Proto = c.transport()
		return c.relayTo(&to, 0)
	}
}

// relayOver is t_relay_to_udp([host, port]) and its kin.
func relayOver(proto Transport) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		dst := RelayDst{}
		switch len(x.Args) {
		case 1:
			cc.ld.errorf(x.Pos, "%s takes no arguments, or host and port", x.Name)
			return nil
		case 2:
			var ok bool
			if dst, ok = cc.hostPortArgs(x); !ok {
				return nil
			}
		}
		dst.Proto = proto
		return func(c *Ctx) int { return c.relayTo(&dst, 0) }
	}
}

// hostPortArgs are the arguments host and port; both are known at load, as in Kamailio.
func (cc *compiler) hostPortArgs(x *syntax.Call) (RelayDst, bool) {
	host, ok1 := cc.textKnown(x, 0, "a host")
	port, ok2 := cc.intArg(x, 1, "the port", 1, 65535)
	if !ok1 || !ok2 {
		return RelayDst{}, false
	}
	if port.val != nil {
		cc.ld.errorf(x.Args[1].At(), "%s wants a port that is known at load", x.Name)
		return RelayDst{}, false
	}
	return cc.relayDst(x, host, port.n)
}

// relayDst checks a host.
func (cc *compiler) relayDst(x *syntax.Call, host string, port int) (RelayDst, bool) {
	if strings.Count(host, ":") > 1 && host[0] != '[' {
		host = "[" + host + "]" // an IPv6 address may stand without brackets where the port stands apart
	}
	var u parser.URI
	if parser.ParseURI([]byte("sip:"+host), &u) != parser.OK || string(u.HostBytes()) != host {
		cc.ld.errorf(x.Args[0].At(), "%s: %s is no host", x.Name, quote(clip(host)))
		return RelayDst{}, false
	}
	return RelayDst{Set: true, Host: []byte(host), Port: port}, true
}

// relayTo is t_relay_to([dst][, flags]): a first argument that is a number is the flags.
func relayTo(cc *compiler, x *syntax.Call) callFn {
	dst, flags, ok := RelayDst{}, RelayFlags(0), true
	args := make([]string, len(x.Args))
	for i := range x.Args {
		if args[i], ok = cc.textKnown(x, i, "proto:host:port or flags"); !ok {
			return nil
		}
	}
	if n := len(args); n > 0 {
		if f, err := strconv.ParseUint(args[n-1], 0, 32); err == nil {
			if f > uint64(RelayNo100|RelayNoReply|RelayNoFailover) {
				cc.ld.errorf(x.Args[n-1].At(), "t_relay_to: flags are %d; the range is 0..7", f)
				return nil
			}
			flags, args = RelayFlags(f), args[:n-1]
		} else if n == 2 {
			cc.ld.errorf(x.Args[1].At(), "t_relay_to wants a number for the flags, not %s", quote(clip(args[1])))
			return nil
		}
	}
	if len(args) > 0 {
		if dst, ok = cc.protoHostPort(x, args[0]); !ok {
			return nil
		}
	}
	return func(c *Ctx) int { return c.relayTo(&dst, flags) }
}

// protoHostPort reads "proto:host:port"; proto and port may be left out.
func (cc *compiler) protoHostPort(x *syntax.Call, s string) (RelayDst, bool) {
	proto, host, port := AnyTransport, s, 0
	if word, rest, found := strings.Cut(s, ":"); found {
		if t, ok := transportWord(word); ok {
			proto, host = t, rest
		}
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		n := atoi([]byte(host[i+1:]))
		if n < 1 || n > 65535 {
			cc.ld.errorf(x.Args[0].At(), "%s: %s is not proto:host:port", x.Name, quote(clip(s)))
			return RelayDst{}, false
		}
		host, port = host[:i], int(n)
	}
	dst, ok := cc.relayDst(x, host, port)
	dst.Proto = proto
	return dst, ok
}

// markDst is ds_mark_dst(["state"]).
func markDst(cc *compiler, x *syntax.Call) callFn {
	state := "i"
	if len(x.Args) > 0 {
		s, ok := cc.textKnown(x, 0, "a state")
		if !ok {
			return nil
		}
		if state, ok = dstState(s); !ok {
			cc.ld.errorf(x.Args[0].At(), `ds_mark_dst: %s is no state: "a", "i", "d" or "t", and "p" for probing`, quote(clip(s)))
			return nil
		}
	}
	return func(c *Ctx) int { return c.markDst(state) }
}

// dstState brings a state into the form of balance.ParseMark. "p" alone is active and probed, as in Kamailio.
func dstState(s string) (string, bool) {
	if s == "" {
		return "i", true
	}
	state, probing := "", ""
	for _, ch := range strings.ToLower(s) {
		switch {
		case ch == 'p' && probing == "":
			probing = "p"
		case strings.ContainsRune("aidt", ch) && state == "":
			state = string(ch)
		default:
			return "", false
		}
	}
	if state == "" {
		state = "a"
	}
	return state + probing, true
}
