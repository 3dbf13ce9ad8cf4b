package route

import "viaduct/shard/route/syntax"

// beforeSending is every route but onsend_route, where the message is already written.
const beforeSending = Anywhere &^ InOnsend

// builder compiles one call of a core function.
type builder = func(cc *compiler, x *syntax.Call) callFn

// coreFunc declares a core function under all its names.
func coreFunc(m *Module, in Kinds, build builder, args []AnyArg, doc string,
	names ...string) {
	m.Func(Func{Name: names[0], In: in, Args: args, Doc: doc,
		Build: func(b *Build) Call { return build(b.cc, b.x) }})
	m.Alias(names[0], names[1:]...)
}

// coreFuncs declares the functions of the core.
func coreFuncs(m *Module) {
	moreFuncs(m)
	coreFunc(m, Anywhere, logFunc, []AnyArg{
		Special("level", "a number, or a word such as \"L_INFO\"; without it, L_DBG"),
		optional(Special("text", "the line, in which no variable is filled in"))},
		"Logs a line.", "log")
	flagFuncs(m)
	uriFuncs(m)
	forwardFuncs(m)
	connectionFuncs(m)
	Func0(m, "clear_branches", InRequest|InFailure, "Takes back the branches that were added.",
		func(c *Ctx) Result { c.Request.ClearBranches(); return 1 }).Soon(InBranch | InReplies)
	for _, name := range []string{"force_rport", "add_rport"} {
		Func0(m, name, beforeSending,
			"Sends the answers to the port that the request came from (RFC 3581).",
			func(c *Ctx) Result { return truth(c.Request != nil && c.Request.Symmetric()) })
	}
	Func0(m, "add_local_rport", beforeSending,
		"Has our own Via ask for rport.", (*Ctx).addLocalRPort)
}

// optional makes an argument optional, for a function that reads it itself.
func optional(a Arg[struct{}]) AnyArg {
	a.info.optional = true
	return a
}

// flagFuncs declares the functions for the flags of a message.
func flagFuncs(m *Module) {
	flag := newArg("flag", "a number from 0 to 31, or a name declared by flags NAME:NUMBER",
		func(b *Build, i int) (Input[uint32], bool) {
			bit, ok := b.cc.flagArg(b.x, i)
			return Input[uint32]{v: bit}, ok
		})
	Func1(m, "setflag", Anywhere, flag, "Sets a flag of the message.",
		func(c *Ctx, bit uint32) Result { c.SetMessageFlags(c.MessageFlags() | bit); return 1 })
	Func1(m, "resetflag", Anywhere, flag, "Clears a flag of the message.",
		func(c *Ctx, bit uint32) Result { c.SetMessageFlags(c.MessageFlags() &^ bit); return 1 })
	Func1(m, "isflagset", Anywhere, flag, "Tells whether the message has a flag.",
		func(c *Ctx, bit uint32) Result { return truth(c.MessageFlags()&bit != 0) })
}

// uriFuncs declares the functions that rewrite the Request-URI.
func uriFuncs(m *Module) {
	f := func(build builder, arg, argDoc, doc string, names ...string) {
		coreFunc(m, beforeSending, build, []AnyArg{Special(arg, argDoc)}, doc, names...)
	}
	edit := func(change func(p *uriParts, arg []byte) bool, arg, doc string, names ...string) {
		f(editURI(change), arg, "what it becomes", doc, names...)
	}
	f(rewriteURI, "uri", "the new URI", "Sets the Request-URI.", "seturi", "rewriteuri")
	edit(newHost, "host", "Sets the host of the Request-URI.", "sethost", "seth", "rewritehost")
	edit(newHostPort, "host and port", "Sets host and port of the Request-URI.",
		"sethostport", "sethp", "rewritehostport")
	edit(newHostPortTrans, "host and port and transport",
		"Sets host, port and transport of the Request-URI.",
		"sethostporttrans", "sethpt", "rewritehostporttrans")
	edit(newUser, "user", "Sets the user of the Request-URI.", "setuser", "setu", "rewriteuser")
	edit(newUserPass, "user and password", "Sets user and password of the Request-URI.",
		"setuserpass", "setup", "rewriteuserpass")
	edit(newPort, "port", "Sets the port of the Request-URI.", "setport", "setp", "rewriteport")
	f(editURI(prefixUser), "prefix", "what comes in front", "Puts a text before the user of the "+
		"Request-URI.", "prefix")
	f(strip(false), "count", "how many characters",
		"Removes the first characters of the user of the Request-URI.", "strip")
	f(strip(true), "count", "how many characters", "Removes the last characters of the user of "+
		"the Request-URI.", "strip_tail")
	coreFunc(m, beforeSending, addUserPhone, nil,
		"Adds user=phone to the Request-URI.", "userphone")
	Func0(m, "revert_uri", beforeSending, "Sets the Request-URI back to what was received.",
		func(c *Ctx) Result {
			return truth(c.SetRURI(TextValue(c.Msg.Bytes(c.Msg.URI))) == setDone)
		})
}

// forwardFuncs declares the functions that send a request on without a transaction.
func forwardFuncs(m *Module) {
	port := optional(Special("port", "its port, or \"uri:port\" for that of the Request-URI"))
	host := Special("host", "where it goes, or \"uri:host\" for the host of the Request-URI")
	coreFunc(m, InRequest, forward, []AnyArg{optional(host), port},
		"Forwards the request without a transaction: to its own destination, or to that host.",
		"forward")
	for _, proto := range []string{"udp", "tcp", "tls", "sctp"} {
		coreFunc(m, InRequest, forward, []AnyArg{host, port},
			"Forwards the request by that transport, without a transaction.", "forward_"+proto)
	}
}

// connectionFuncs declares the functions that say by which listener and connection a message
// leaves.
func connectionFuncs(m *Module) {
	coreFunc(m, beforeSending, forceSocket,
		[]AnyArg{Special("socket", "proto:host:port of a listener that a listen line names")},
		"Sends the message by that listener.", "force_send_socket")
	for _, name := range []string{"force_tcp_alias", "add_tcp_alias"} {
		coreFunc(m, beforeSending, aliasConn,
			[]AnyArg{optional(Special("port", "without it, the port in the topmost Via"))},
			"Makes requests to the source and that port use this connection (RFC 5923).", name)
	}
	coreFunc(m, beforeSending, advertiseHost, []AnyArg{Special("host", "what is shown")},
		"Shows that host in the Via of this message.", "set_advertised_address")
	coreFunc(m, beforeSending, advertisePort, []AnyArg{Special("port", "what is shown")},
		"Shows that port in the Via of this message.", "set_advertised_port")
	for name, f := range map[string]struct {
		flag StreamFlag
		doc  string
	}{
		"set_forward_no_connect": {ForwardNoConnect,
			"Sends the request over an existing connection, or not at all."},
		"set_forward_close": {ForwardClose, "Closes the connection once the request has been " +
			"sent."},
		"set_reply_no_connect": {ReplyNoConnect,
			"Sends the response over an existing connection, or not at all."},
		"set_reply_close": {ReplyClose,
			"Closes the connection once the final response has been sent."},
	} {
		Func0(m, name, Anywhere, f.doc, func(c *Ctx) Result { return c.setStreamFlag(f.flag) })
	}
}
