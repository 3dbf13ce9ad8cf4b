package route

import (
	"viaduct/netio"
	"viaduct/shard/route/syntax"
)

// moreFuncs declares the core functions that few files use.
func moreFuncs(m *Module) {
	number := Optional(Int("number", 0, 31, "of the branches that were added; the first is 0"), 0)
	Func1(m, "remove_branch", InRequest|InFailure, number, "Removes one of the branches that were "+
		"added. It is true even if there is none of that number.",
		func(c *Ctx, n int) Result { c.Request.RemoveBranch(n); return 1 }).Soon(
		InBranch | InReplies)
	coreFunc(m, Anywhere, errorFunc, []AnyArg{Special("class", "a text"),
		Special("text", "the line, in which no variable is filled in")},
		"Logs both texts as an error.", "error")
	coreFunc(m, beforeSending, tryProto,
		[]AnyArg{Special("proto", "TCP, TLS, or UDP for none")},
		"Chooses the transport that the request leaves by if it is longer than udp_mtu.",
		"udp_mtu_try_proto")
	group := Name("group", "the name of a group of settings", "of settings")
	Func1(m, "cfg_reset", Anywhere, group, "Does nothing: groups of settings have no further "+
		"instances here, so that each is what the file says.",
		func(*Ctx, string) Result { return 1 })
	Func2(m, "cfg_select", Anywhere, group, Int("instance", 0, 1<<31-1, "its number"),
		"Does nothing, for the same reason.", func(*Ctx, string, int) Result { return 1 })
	avp := []AnyArg{Special("avp", "an AVP"), Special("flag", "the name of a flag")}
	for _, name := range []string{"setavpflag", "resetavpflag", "isavpflagset"} {
		coreFunc(m, Anywhere, avpFlag, avp, "Is false, or does nothing: AVPs have no flags here.",
			name)
	}
	shellFuncs(m)
}

// errorFunc compiles error("class", "text").
func errorFunc(cc *compiler, x *syntax.Call) callFn {
	class, ok := cc.textKnown(x, 0, "a text")
	text, ok2 := cc.textKnown(x, 1, "a text")
	if !ok || !ok2 {
		return nil
	}
	line := []byte("error: " + class + ", " + text)
	return func(c *Ctx) int {
		if logErr <= c.Shard.Log.LogLevel() {
			c.log(logErr, line)
		}
		return 1
	}
}

// tryProto compiles udp_mtu_try_proto(TCP).
func tryProto(cc *compiler, x *syntax.Call) callFn {
	t, ok := wordArg(cc, x.Args[0], "a protocol: UDP, TCP or TLS", transportWord)
	if !ok {
		return nil
	}
	proto := netio.UDP
	switch t {
	case TCP:
		proto = netio.TCP
	case TLS:
		proto = netio.TLS
	case UDP:
	default:
		cc.ld.warnf(x.Args[0].At(), "udp_mtu_try_proto has no effect: %s is not there", t)
	}
	return func(c *Ctx) int {
		if c.Request != nil {
			c.Request.TryProto(proto)
		}
		return 1
	}
}

// avpFlag compiles setavpflag(), resetavpflag() and isavpflagset().
func avpFlag(cc *compiler, x *syntax.Call) callFn {
	cc.ld.warnf(x.Pos, "%s has no effect: AVPs have no flags", x.Name)
	if x.Name == "isavpflagset" {
		return func(*Ctx) int { return -1 }
	}
	return func(*Ctx) int { return 1 }
}
