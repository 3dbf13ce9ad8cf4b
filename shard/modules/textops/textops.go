// Package textops looks at the text of messages and edits it: Kamailio's module textops.
//
// What it edits is the message that leaves; see shard/proxy for how edits meet. Patterns are POSIX
// extended ones. A match of a substitution or replacement allocates its offsets, since package
// regexp has no other way; what does not match allocates nothing.
package textops

import (
	"bytes"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	defineSubst(m)
	m.Func(route.Func{Name: "is_method", In: route.Anywhere, Build: isMethod,
		Args: []route.AnyArg{route.Special("methods", `such as "INVITE|ACK"`)},
		Doc:  "Tells whether the method, in a response that of CSeq, is one of these."})
	rows := route.Text("rows", "whole header rows")
	route.Func1(m, "append_to_reply", route.InRequest|route.InFailure, rows,
		"Adds rows to each response to this request that is made here from now on.",
		func(c *route.Ctx, rows []byte) route.Result {
			return route.Truth(c.Request.AppendToReply(rows))
		}).Soon(route.InBranch)
	headers(m)
	searches(m)
	substitutions(m)
	bodies(m)
	parts(m)
	texts(m)
}

// methodBits are the methods that have a number in package parser.
var methodBits = map[string]parser.Method{
	"INVITE": parser.INVITE, "ACK": parser.ACK, "BYE": parser.BYE, "CANCEL": parser.CANCEL,
	"OPTIONS":  parser.OPTIONS,
	"REGISTER": parser.REGISTER, "SUBSCRIBE": parser.SUBSCRIBE, "NOTIFY": parser.NOTIFY,
	"PUBLISH": parser.PUBLISH, "INFO": parser.INFO,
	"REFER": parser.REFER, "MESSAGE": parser.MESSAGE, "UPDATE": parser.UPDATE,
	"PRACK": parser.PRACK,
}

// isMethod is is_method("A|B"). The argument's case does not matter, the message's does (RFC 3261
// §7.1). If all methods have numbers, it is one shift for a request.
func isMethod(b *route.Build) route.Call {
	mask, others, ok := methods(b)
	if !ok {
		return nil
	}
	slow := func(c *route.Ctx) route.Result { return compare(c.Msg, mask, others) }
	if others != nil {
		return slow
	}
	return func(c *route.Ctx) route.Result {
		if m := c.Msg; m.IsRequest {
			return route.Truth(mask>>m.Method&1 != 0)
		}
		return slow(c)
	}
}

// compare looks for the method of a message in the list.
func compare(msg *parser.Message, mask uint32, others [][]byte) route.Result {
	m, name := msg.Method, msg.MethodBytes()
	if !msg.IsRequest {
		cs, r := msg.CSeq()
		if r != parser.OK {
			return -1
		}
		m, name = cs.Method, msg.Bytes(cs.MethodName)
	}
	if mask>>m&1 != 0 {
		return 1
	}
	if m != parser.MethodOther || others == nil {
		return -1
	}
	// Slow path: a method without a number.
	for _, o := range others {
		if bytes.Equal(name, o) {
			return 1
		}
	}
	return -1
}

// methods reads the list of is_method: a bit for each method with a number, the names of the
// others.
func methods(b *route.Build) (mask uint32, others [][]byte, ok bool) {
	s, ok := b.Literal(0)
	if !ok || strings.Contains(s, "$") {
		b.Errorf(0, "is_method with a variable is not supported yet: write \"INVITE|ACK\"")
		return 0, nil, false
	}
	for _, w := range strings.Split(s, "|") {
		w = strings.ToUpper(strings.TrimSpace(w))
		switch m, known := methodBits[w]; {
		case known:
			mask |= 1 << m
		case !route.IsToken(w):
			b.Errorf(0,
				"is_method: %s is no list of methods such as \"INVITE|ACK\"", route.Quote(s))
			return 0, nil, false
		default:
			others = append(others, []byte(w))
		}
	}
	return mask, others, true
}
