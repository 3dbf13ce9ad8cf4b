package route

import (
	"strings"

	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// The functions of modules that are about streams, their sockets and what they arrive on.
var tlsFuncs, websocketFuncs, xhttpFuncs, tcpopsFuncs, blstFuncs, nathelperFuncs, pathFuncs map[string]*funcDef

// statelessForwards are the functions after which responses without a transaction are expected.
var statelessForwards = map[string]bool{"forward": true, "forward_udp": true, "forward_tcp": true, "forward_tls": true, "forward_sctp": true}

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
		"force_rport":            host(func(c *Ctx) int { return truth(c.Request != nil && c.Request.Symmetric()) }),
		"add_rport":              host(func(c *Ctx) int { return truth(c.Request != nil && c.Request.Symmetric()) }),
		"add_local_rport":        host((*Ctx).addLocalRPort),
		"set_forward_no_connect": streamFlag(ForwardNoConnect),
		"set_forward_close":      streamFlag(ForwardClose),
		"set_reply_no_connect":   streamFlag(ReplyNoConnect),
		"set_reply_close":        streamFlag(ReplyClose),
	} {
		coreFuncs[n] = d
	}
	corexFuncs["set_send_socket"] = &funcDef{min: 1, max: 1, build: forceSocket}
	corexFuncs["set_send_socket_name"] = &funcDef{min: 1, max: 1, build: forceSocketName}

	tlsFuncs = map[string]*funcDef{"is_peer_verified": host(func(c *Ctx) int { return truth(c.peerVerified()) }).only(inRequest)}
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
		"blst_del":              host(func(c *Ctx) int { return c.unblockSource() }),
		"blst_is_blocklisted":   host(func(c *Ctx) int { return truth(c.sourceBlocked()) }),
		"blst_is_blacklisted":   host(func(c *Ctx) int { return truth(c.sourceBlocked()) }), // until 5.4
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
	return host(func(c *Ctx) int { return c.setStreamFlag(flag) })
}

// neverHTTP builds a function for HTTP requests, which the script never sees: it is false.
func neverHTTP(why string) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		for i := range x.Args {
			if cc.textArg(x, i) == nil {
				return nil
			}
		}
		if cc.event == "" || x.Name == "ws_handle_handshake" { // the route itself is warned of
			cc.ld.warnf(x.Pos, "%s has nothing to do: %s", x.Name, why)
		}
		return func(*Ctx) int { return -1 }
	}
}

// forceSocket is force_send_socket(proto:host:port) and set_send_socket("proto:host:port").
func forceSocket(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		if _, ok := cc.protoHostPort(x, f.text); !ok {
			return nil
		}
		b := []byte(f.text)
		return func(c *Ctx) int { return c.forceSocket(b) }
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
		return c.forceSocket(b)
	}
}

// forceSocketName is set_send_socket_name("name").
func forceSocketName(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		cc.socketNamed(x.Args[0].At(), f.text)
		b := []byte(f.text)
		return func(c *Ctx) int { return c.forceSocketName(b) }
	}
	cc.scratch = true
	return func(c *Ctx) int {
		b, r := c.expand(f)
		if r <= 0 {
			return r
		}
		return c.forceSocketName(b)
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
	cc.ld.warnf(pos, "no listen line has the name %s%s", quote(clip(name)), suggest.DidYouMean(name, names))
}

// aliasConn is force_tcp_alias([port]).
func aliasConn(cc *compiler, x *syntax.Call) callFn {
	port := intArg{}
	if len(x.Args) > 0 {
		var ok bool
		if port, ok = cc.intArg(x, 0, "the port", 1, 65535); !ok {
			return nil
		}
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if n < 0 || n > 65535 {
			return -1
		}
		return c.alias(n)
	}
}

// advertiseHost is set_advertised_address("host").
func advertiseHost(cc *compiler, x *syntax.Call) callFn {
	s, ok := cc.textKnown(x, 0, "a host")
	if !ok || s == "" {
		if ok {
			cc.ld.errorf(x.Args[0].At(), "%s: the host is empty", x.Name)
		}
		return nil
	}
	dst, ok := cc.relayDst(x, s, 0)
	if !ok {
		return nil
	}
	return func(c *Ctx) int { return truth(c.Request != nil && c.Request.Advertise(dst.Host, 0)) }
}

// advertisePort is set_advertised_port(port).
func advertisePort(cc *compiler, x *syntax.Call) callFn {
	port, ok := cc.intArg(x, 0, "the port", 1, 65535)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := port.get(c)
		if n < 1 || n > 65535 {
			return -1
		}
		return truth(c.Request != nil && c.Request.Advertise(nil, n))
	}
}

// forward is forward(), forward(host[, port]), and forward_udp(host[, port]) and its kin; host may be uri:host, port uri:port.
func forward(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) == 0 {
		return func(c *Ctx) int { return c.forward() }
	}
	proto := AnyTransport
	if _, word, found := strings.Cut(x.Name, "_"); found {
		proto, _ = transportWord(word)
	}
	name, ok := cc.textKnown(x, 0, "a host")
	if !ok {
		return nil
	}
	uriPort, port := false, intArg{}
	if len(x.Args) > 1 {
		if s, isStr := x.Args[1].(*syntax.Str); isStr && s.S == "uri:port" {
			uriPort = true
		} else if port, ok = cc.intArg(x, 1, "the port", 1, 65535); !ok {
			return nil
		} else if port.val != nil {
			cc.ld.errorf(x.Args[1].At(), "%s wants a port that is known at load", x.Name)
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
		return c.forwardTo(&to)
	}
}

// addPath is add_path([user[, params]]).
func addPath(received bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		var parts [2]*format
		for i := range x.Args {
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
			return truth(c.Request.AddPath(text[0], text[1], received))
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
