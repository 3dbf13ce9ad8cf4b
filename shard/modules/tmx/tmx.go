// Package tmx has what Kamailio's module tmx adds to tm.
package tmx

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	m.BoolVar(&m.Settings().TM.PrecheckTrans, "precheck_trans",
		"Whether t_precheck_trans looks for a transaction.")

	route.Func0(m, "t_precheck_trans", route.InRequest,
		"Tells whether the request is a retransmission.",
		func(c *route.Ctx) route.Result { return -1 })
	number := func(name, doc string, read func(c *route.Ctx) int) {
		m.Var(route.Var{Name: name, Doc: doc, Place: route.Place{NoRoom: true,
			Int: func(c *route.Ctx) (int64, bool) { return int64(read(c)), true }}})
	}
	number("T_reply_code", "The status of the best response, in a reply route of the response.",
		(*route.Ctx).ReplyStatus)
	number("T_branch_idx", "The number of the branch, -1 outside of one.", (*route.Ctx).BranchIndex)
	runs := func(name string, in route.Kinds) {
		route.Func0(m, name, route.Anywhere, "Tells what the route is run for.",
			func(c *route.Ctx) route.Result { return route.Truth(c.RunsIn(in)) })
	}
	runs("t_is_request_route", route.InRequest)
	runs("t_is_failure_route", route.InFailure)
	runs("t_is_branch_route", route.InBranch)
	runs("t_is_reply_route", route.InReplies)
}
