package route

import (
	"strings"
	"time"
)

// The functions of modules that are about streams, their sockets and what they arrive on.
var tlsFuncs, websocketFuncs, xhttpFuncs, tcpopsFuncs, blstFuncs, nathelperFuncs, pathFuncs map[string]*funcDef

// statelessForwards are the functions after which responses without a transaction are expected.
var statelessForwards = map[string]bool{"forward": true, "forward_udp": true, "forward_tcp": true, "forward_tls": true, "forward_sctp": true}

// bareArgs are the core functions whose first argument may be a host or a socket without quotes.
var bareArgs = map[string]bool{"force_send_socket": true, "set_advertised_address": true, "forward": true, "forward_udp": true, "forward_tcp": true,
	"forward_tls": true, "forward_sctp": true}

func defineStreamFuncs() {
	for n, d := range map[string]*funcDef{
		"forward_udp":            (&funcDef{min: 1, max: 2, build: forward}).only(inRequest),
		"forward_tcp":            (&funcDef{min: 1, max: 2, build: forward}).only(inRequest),
		"forward_tls":            (&funcDef{min: 1, max: 2, build: forward}).only(inRequest),
		"forward_sctp":           (&funcDef{min: 1, max: 2, build: forward}).only(inRequest),
		"force_send_socket":      {min: 1, max: 1, build: forceSocket},
		"force_tcp_alias":        {max: 1, build: aliasConn},
		"add_tcp_alias":          {max: 1, build: aliasConn},
		"set_advertised_address": {min: 1, max: 1, build: advertiseHost},
		"set_advertised_port":    {min: 1, max: 1, build: advertisePort},
		"force_rport":            host(func(c *Ctx) int { return c.Host.ForceRPort() }),
		"add_rport":              host(func(c *Ctx) int { return c.Host.ForceRPort() }),
		"add_local_rport":        host(func(c *Ctx) int { return c.Host.AddLocalRPort() }),
		"set_forward_no_connect": streamFlag(ForwardNoConnect),
		"set_forward_close":      streamFlag(ForwardClose),
		"set_reply_no_connect":   streamFlag(ReplyNoConnect),
		"set_reply_close":        streamFlag(ReplyClose),
	} {
		coreFuncs[n] = d
	}
	corexFuncs["set_send_socket"] = &funcDef{min: 1, max: 1, build: forceSocket}
	corexFuncs["set_send_socket_name"] = &funcDef{min: 1, max: 1, build: forceSocketName}

	tlsFuncs = map[string]*funcDef{"is_peer_verified": host(func(c *Ctx) int { return truth(c.Host.PeerVerified()) }).only(inRequest)}
	websocketFuncs = map[string]*funcDef{
		"ws_handle_handshake": {build: neverHTTP("Viaduct answers the WebSocket handshake itself")},
		"ws_close":            {max: 3, build: wsClose},
	}
	xhttpFuncs = map[string]*funcDef{"xhttp_reply": (&funcDef{min: 4, max: 4, build: neverHTTP(noHTTP)}).only(inRequest)}
	tcpopsFuncs = map[string]*funcDef{
		"tcp_conid_alive":             {min: 1, max: 1, build: connAlive},
		"tcp_conid_state":             {min: 1, max: 1, build: connState},
		"tcp_set_connection_lifetime": (&funcDef{min: 1, max: 2, build: connLifetime}).only(inRequest | inReplies),
		"tcp_keepalive_enable":        (&funcDef{min: 3, max: 4, build: connKeepalive}).only(inRequest | inReplies),
		"tcp_keepalive_disable":       (&funcDef{max: 1, build: connKeepaliveOff}).only(inRequest | inReplies),
		"tcp_close_connection":        {max: 1, build: closeConn},
	}
	blstFuncs = map[string]*funcDef{
		"blst_add":              {max: 1, build: blockSource},
		"blst_add_retry_after":  {min: 2, max: 2, build: blockRetryAfter},
		"blst_del":              host(func(c *Ctx) int { return c.Host.UnblockSource() }),
		"blst_is_blocklisted":   host(func(c *Ctx) int { return truth(c.Host.SourceBlocked()) }),
		"blst_is_blacklisted":   host(func(c *Ctx) int { return truth(c.Host.SourceBlocked()) }), // until 5.4
		"blst_set_ignore":       {max: 1, build: blockIgnore(OfRequest, true)},
		"blst_clear_ignore":     {max: 1, build: blockIgnore(OfRequest, false)},
		"blst_rpl_set_ignore":   {max: 1, build: blockIgnore(OfReply, true)},
		"blst_rpl_clear_ignore": {max: 1, build: blockIgnore(OfReply, false)},
	}
	nathelperFuncs = map[string]*funcDef{
		"nat_uac_test":       {min: 1, max: 1, build: natTest},
		"is_rfc1918":         {min: 1, max: 1, build: isPrivate},
		"add_contact_alias":  (&funcDef{max: 3, build: contactAlias}).only(anywhere &^ inFailure),
		"set_contact_alias":  (&funcDef{max: 1, build: setContactAlias}).only(anywhere &^ inFailure),
		"handle_ruri_alias":  (&funcDef{build: takeAlias}).only(inRequest | inBranch),
		"fix_nated_contact":  host((*Ctx).fixContact).only(anywhere &^ inFailure),
		"fix_nated_register": (&funcDef{build: noRegister}).only(inRequest),
	}
	pathFuncs = map[string]*funcDef{
		"add_path":          (&funcDef{max: 2, build: addPath(false)}).only(inRequest),
		"add_path_received": (&funcDef{max: 2, build: addPath(true)}).only(inRequest),
	}
}

func streamFlag(flag StreamFlag) *funcDef {
	return host(func(c *Ctx) int { return c.Host.SetStreamFlag(flag) })
}

// neverHTTP builds a function for HTTP requests, which the script never sees: it is false.
func neverHTTP(why string) func(cc *compiler, x *callExpr) callFn {
	return func(cc *compiler, x *callExpr) callFn {
		for i := range x.args {
			if cc.textArg(x, i) == nil {
				return nil
			}
		}
		if cc.event == "" || x.name == "ws_handle_handshake" { // the route itself is warned of
			cc.ld.warnf(x.pos, "%s has nothing to do: %s", x.name, why)
		}
		return func(*Ctx) int { return -1 }
	}
}

// forceSocket is force_send_socket(proto:host:port) and set_send_socket("proto:host:port").
func forceSocket(cc *compiler, x *callExpr) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		if _, ok := cc.protoHostPort(x, f.text); !ok {
			return nil
		}
		b := []byte(f.text)
		return func(c *Ctx) int { return c.Host.ForceSocket(b) }
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		if len(b) == 0 {
			return -1
		}
		return c.Host.ForceSocket(b)
	}
}

// forceSocketName is set_send_socket_name("name").
func forceSocketName(cc *compiler, x *callExpr) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		cc.socketNamed(x.args[0].at(), f.text)
		b := []byte(f.text)
		return func(c *Ctx) int { return c.Host.ForceSocketName(b) }
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		return c.Host.ForceSocketName(b)
	}
}

// socketNamed warns when no listen line has the name.
func (cc *compiler) socketNamed(pos Pos, name string) {
	var names []string
	for i := range cc.set.Core.Listen {
		n := cc.set.Core.Listen[i].Name
		if n == name && n != "" {
			return
		}
		if n != "" {
			names = append(names, n)
		}
	}
	cc.ld.warnf(pos, "no listen line has the name %s%s", quote(clip(name)), didYouMean(name, names))
}

// aliasConn is force_tcp_alias([port]).
func aliasConn(cc *compiler, x *callExpr) callFn {
	port := intArg{}
	if len(x.args) > 0 {
		var ok bool
		if port, ok = cc.intArg(x, 0, "the port", 1, 65535); !ok {
			return nil
		}
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if c.stop != next {
			return 0
		}
		if n < 0 || n > 65535 {
			return -1
		}
		return c.Host.AliasConn(n)
	}
}

// advertiseHost is set_advertised_address("host").
func advertiseHost(cc *compiler, x *callExpr) callFn {
	s, ok := cc.textKnown(x, 0, "a host")
	if !ok || s == "" {
		if ok {
			cc.ld.errorf(x.args[0].at(), "%s: the host is empty", x.name)
		}
		return nil
	}
	dst, ok := cc.relayDst(x, s, 0)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { return c.Host.SetAdvertised(dst.Host, 0) }
}

// advertisePort is set_advertised_port(port).
func advertisePort(cc *compiler, x *callExpr) callFn {
	port, ok := cc.intArg(x, 0, "the port", 1, 65535)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if c.stop != next {
			return 0
		}
		if n < 1 || n > 65535 {
			return -1
		}
		return c.Host.SetAdvertised(nil, n)
	}
}

// forward is forward(), forward(host[, port]), and forward_udp(host[, port]) and its kin; host may be uri:host, port uri:port.
func forward(cc *compiler, x *callExpr) callFn {
	if len(x.args) == 0 {
		return func(c *Ctx) int { return c.Host.Forward() }
	}
	proto := AnyTransport
	if _, word, found := strings.Cut(x.name, "_"); found {
		proto, _ = transportWord(word)
	}
	name, ok := cc.textKnown(x, 0, "a host")
	if !ok {
		return nil
	}
	uriPort, port := false, intArg{}
	if len(x.args) > 1 {
		if s, isStr := x.args[1].(*strLit); isStr && s.s == "uri:port" {
			uriPort = true
		} else if port, ok = cc.intArg(x, 1, "the port", 1, 65535); !ok {
			return nil
		} else if port.val != nil {
			cc.ld.errorf(x.args[1].at(), "%s wants a port that is known at load", x.name)
			return nil
		}
	}
	dst := RelayDst{Set: true, Port: port.n}
	uriHost := name == "uri:host"
	if !uriHost {
		if dst, ok = cc.relayDst(x, name, port.n); !ok {
			return nil
		}
	}
	dst.Proto = proto
	return func(c *Ctx) int {
		to := dst
		if uriHost || uriPort {
			u := c.requestURI()
			if u == nil || u.Host.Len == 0 {
				return -1
			}
			if uriHost {
				if to.Host = u.HostBytes(); to.Proto == AnyTransport {
					to.Proto = transportOf(u)
				}
			}
			if uriPort {
				to.Port = int(u.Port)
			}
		}
		return c.Host.ForwardTo(to)
	}
}

// The functions of tcpops. A connection's number comes first where there is one more argument than the others need.

// connArgs reads them: the numbers behind the connection's, each within 0 and its limit.
func (cc *compiler) connArgs(x *callExpr, what []string, limits []int64) (id intArg, rest []intArg, ok bool) {
	args := 0
	if len(x.args) > len(what) {
		if id, ok = cc.intArg(x, 0, "the connection", 0, 1<<62); !ok {
			return id, nil, false
		}
		args = 1
	}
	for i, w := range what {
		a, ok := cc.intArg(x, args+i, w, 0, limits[i])
		if !ok {
			return id, nil, false
		}
		rest = append(rest, a)
	}
	return id, rest, true
}

// within reads a at run time; false when it is out of range or ended the script.
func (a *intArg) within(c *Ctx, max int) (int, bool) {
	n := a.get(c)
	return n, c.stop == next && n >= 0 && n <= max
}

// refused is what a function is after an argument: false, or the end of the script when that stopped it.
func (c *Ctx) refused() int {
	if c.stop != next {
		return 0
	}
	return -1
}

func connAlive(cc *compiler, x *callExpr) callFn {
	id, ok := cc.intArg(x, 0, "the connection", 0, 1<<62)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if c.stop != next || n <= 0 {
			return c.refused()
		}
		return truth(c.Host.ConnState(int64(n)) > 0)
	}
}

func connState(cc *compiler, x *callExpr) callFn {
	id, ok := cc.intArg(x, 0, "the connection", 0, 1<<62)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if c.stop != next || n <= 0 {
			return c.refused()
		}
		return int(c.Host.ConnState(int64(n)))
	}
}

func connLifetime(cc *compiler, x *callExpr) callFn {
	id, args, ok := cc.connArgs(x, []string{"the lifetime"}, []int64{maxSeconds})
	if !ok {
		return nil
	}
	life := args[0]
	return func(c *Ctx) int {
		n := id.get(c)
		t, ok := life.within(c, maxSeconds)
		if !ok {
			return c.refused()
		}
		return c.Host.SetConnLifetime(int64(n), time.Duration(t)*time.Second)
	}
}

// Linux takes no larger values: tcp(7), MAX_TCP_KEEPIDLE, MAX_TCP_KEEPCNT and MAX_TCP_KEEPINTVL in include/net/tcp.h (6.1).
const maxKeepSeconds, maxKeepCount = 32767, 127

func connKeepalive(cc *compiler, x *callExpr) callFn {
	id, args, ok := cc.connArgs(x, []string{"the idle time", "the count", "the interval"}, []int64{maxKeepSeconds, maxKeepCount, maxKeepSeconds})
	if !ok {
		return nil
	}
	idle, tries, interval := args[0], args[1], args[2]
	return func(c *Ctx) int {
		n := id.get(c)
		i, ok1 := idle.within(c, maxKeepSeconds)
		k, ok2 := tries.within(c, maxKeepCount)
		v, ok3 := interval.within(c, maxKeepSeconds)
		if !ok1 || !ok2 || !ok3 {
			return c.refused()
		}
		return c.Host.SetConnKeepalive(int64(n), time.Duration(i)*time.Second, k, time.Duration(v)*time.Second)
	}
}

func connKeepaliveOff(cc *compiler, x *callExpr) callFn {
	id, _, ok := cc.connArgs(x, nil, nil)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if c.stop != next {
			return 0
		}
		return c.Host.SetConnKeepalive(int64(n), 0, 0, 0)
	}
}

func closeConn(cc *compiler, x *callExpr) callFn {
	id, _, ok := cc.connArgs(x, nil, nil)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if c.stop != next {
			return 0
		}
		return c.Host.CloseConn(int64(n), 0, nil)
	}
}

// wsClose is ws_close([status, reason[, connection]]).
func wsClose(cc *compiler, x *callExpr) callFn {
	if len(x.args) == 0 {
		return func(c *Ctx) int { return c.Host.CloseConn(0, 1000, nil) } // normal closure (RFC 6455 §7.4.1)
	}
	if len(x.args) == 1 {
		cc.ld.errorf(x.pos, "ws_close takes no arguments, or a status and a reason, and then a connection")
		return nil
	}
	status, ok := cc.intArg(x, 0, "the status", 1000, 4999)
	reason := cc.textArg(x, 1)
	if !ok || reason == nil {
		return nil
	}
	id := intArg{}
	if len(x.args) > 2 {
		if id, ok = cc.intArg(x, 2, "the connection", 0, 1<<62); !ok {
			return nil
		}
	}
	cc.scratch = true
	return func(c *Ctx) int {
		st, n := status.get(c), id.get(c)
		b, r := c.expand(reason)
		if r <= 0 {
			return r
		}
		if c.stop != next || st < 1000 || st > 4999 {
			return c.refused()
		}
		return c.Host.CloseConn(int64(n), st, b[:min(len(b), 123):min(len(b), 123)]) // what a Close frame holds beside the status (RFC 6455 §5.5)
	}
}

// addPath is add_path([user[, params]]).
func addPath(received bool) func(cc *compiler, x *callExpr) callFn {
	return func(cc *compiler, x *callExpr) callFn {
		var parts [2]*format
		for i := range x.args {
			if parts[i] = cc.textArg(x, i); parts[i] == nil {
				return nil
			}
		}
		cc.scratch = true
		return func(c *Ctx) int {
			var text [2][]byte
			for i, f := range parts {
				if f == nil {
					continue
				}
				b, r := c.expand(f)
				if r <= 0 {
					return r
				}
				text[i] = b
			}
			if !noBreak(text[0]) || !inPath(text[1]) {
				return -1
			}
			return c.Host.AddPath(text[0], text[1], received)
		}
	}
}

// inPath tells whether parameters can stand within the brackets of a Path.
func inPath(params []byte) bool {
	for _, ch := range params {
		if ch <= ' ' || ch >= 0x7f || ch == '<' || ch == '>' || ch == '"' || ch == '?' || ch == ',' {
			return false
		}
	}
	return true
}
