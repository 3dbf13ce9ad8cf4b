package tmx

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// variables are $T_… and $T(…).
func variables(m *route.Module) {
	number := func(name, doc string, read func(c *route.Ctx) int) {
		m.Var(route.Var{Name: name, Doc: doc, Place: route.Place{NoRoom: true,
			Int: func(c *route.Ctx) (int64, bool) { return int64(read(c)), true }}})
	}
	number("T_reply_code", "The status of the best response; in a reply route, that of the "+
		"response.",
		(*route.Ctx).ReplyStatus)
	number("T_reply_last", "The same.", (*route.Ctx).ReplyStatus)
	number("T_branch_idx", "The number of the branch in its routes; 0 in "+
		"request_route, in failure_route how many there are, -1 in reply_route.",
		(*route.Ctx).BranchIndex)
	m.Var(route.Var{Name: "T_reply_reason",
		Doc: "The reason phrase of that response, that of the status for one made here, and empty " +
			"without a response.",
		Place: route.Place{NoRoom: true, Any: func(c *route.Ctx) route.Value {
			if v := c.OnReply(reason); !v.IsNull() {
				return v
			}
			return route.TextValue(made[c.ReplyStatus()])
		}}})

	m.Var(route.Var{Name: "T_reply_ruid",
		Doc: "The ruid of the contact that the branch went to: empty, since no contacts are looked " +
			"up. Null without a transaction.",
		Place: route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			return nil, c.Transaction() != nil
		}}})
	m.Var(route.Var{Name: "T_branch", Inner: "PART",
		Doc: "A part of the branch whose response the route runs on, or that has failed: flags, " +
			"and in a reply route uri, which it was sent with. Null elsewhere.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			switch inner {
			case "flags":
				return route.Place{NoRoom: true, Int: branchFlags}
			case "uri":
				return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
					if c.Branch == nil {
						return nil, false
					}
					uri := c.Shard.Core.BranchURI(c.Branch)
					return uri, len(uri) > 0
				}}
			}
			b.Errorf("there is no $T_branch(%s): it is flags or uri", inner)
			return route.Place{}
		}})

	type reader = func(c *route.Ctx) route.Value
	of := func(name, doc string, on func(c *route.Ctx, read reader) route.Value) {
		m.Var(route.Var{Name: name, Inner: "$var", Doc: doc,
			Compile: func(b *route.VarBuild, inner, _ string) route.Place {
				read := b.Variable(inner)
				if read == nil {
					return route.Place{}
				}
				return route.Place{Any: func(c *route.Ctx) route.Value { return on(c, read) }}
			}})
	}
	of("T_req", "The value of a variable for the request of the transaction: $T_req($fU). In "+
		"request_route and failure_route that is the request at hand; Kamailio has null there, "+
		"although nothing else could be meant.",
		func(c *route.Ctx, read reader) route.Value { return c.OnRequest(nil, read) })
	of("T_rpl", "The value of a variable for the best response, as its reply route left it: that "+
		"is what goes up. (Kamailio has it as received.) In a reply route it is the response at "+
		"hand; Kamailio has null there, although nothing else could be meant.",
		func(c *route.Ctx, read reader) route.Value { return c.OnReply(read) })
	of("T_inv", "The value of a variable for the INVITE that the CANCEL names.",
		func(c *route.Ctx, read reader) route.Value {
			if c.Request == nil || c.Request.M.Method != parser.CANCEL || c.Request.Invite == nil {
				return route.Null
			}
			return c.OnRequest(c.Request.Invite, read)
		})

	parts := map[string]func(c *route.Ctx, w proxy.Waiting) int64{
		"id_index_n": func(_ *route.Ctx, w proxy.Waiting) int64 { return int64(w.Tx) },
		"id_label_n": func(c *route.Ctx, _ proxy.Waiting) int64 {
			return int64(c.Shard.Core.Label(c.Transaction()))
		},
		"reply_type": func(c *route.Ctx, _ proxy.Waiting) int64 {
			if c.Msg.IsRequest && c.ReplyStatus() >= 200 && c.OnReply(reason).IsNull() {
				return 1
			}
			return 0
		},
		"id_index": func(_ *route.Ctx, w proxy.Waiting) int64 { return int64(w.Tx) },
		"id_label": func(c *route.Ctx, _ proxy.Waiting) int64 {
			return int64(c.Shard.Core.Label(c.Transaction()))
		},
		"reply_code":   func(c *route.Ctx, _ proxy.Waiting) int64 { return int64(c.ReplyStatus()) },
		"branch_index": func(c *route.Ctx, _ proxy.Waiting) int64 { return int64(c.BranchIndex()) },
	}
	m.Var(route.Var{Name: "T", Inner: "PART",
		Doc: "A part of the transaction: id_index and id_label name it, also as id_index_n and " +
			"id_label_n; reply_code; branch_index; reply_type, 1 for a response made here. " +
			"Without a transaction reply_code and branch_index are those of $T_reply_code and " +
			"$T_branch_idx, and the others are null.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			part := parts[inner]
			if part == nil {
				b.Errorf("there is no $T(%s): it is id_index, id_label, id_index_n, id_label_n, "+
					"reply_code, reply_type or branch_index", inner)
				return route.Place{}
			}
			always := inner == "reply_code" || inner == "branch_index"
			return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
				tx := c.Transaction()
				switch {
				case tx != nil && (c.Request == nil || c.Request.HasTransaction()):
					return part(c, c.Shard.Core.WaitingFor(tx)), true
				case always:
					return part(c, proxy.Waiting{}), true
				}
				return 0, false
			}}
		}})
}

// made has the phrases of the responses that stand for a branch without one.
var made = map[int][]byte{408: []byte("Request Timeout"), 503: []byte("Service Unavailable")}

// branchFlags is $T_branch(flags).
func branchFlags(c *route.Ctx) (int64, bool) {
	switch {
	case c.Branch != nil:
		return int64(c.Shard.Core.BranchFlags(c.Tx, c.Branch)), true
	case c.Request != nil && c.Request.Tx != nil && (c.RunsIn(route.InFailure) || c.Losing()):
		return int64(c.Request.BranchFlags), true
	}
	return 0, false
}

// reason is the reason phrase of the response at hand.
func reason(c *route.Ctx) route.Value {
	if c.Msg.IsRequest {
		return route.Null
	}
	return route.TextValue(c.Msg.Bytes(c.Msg.Phrase))
}
