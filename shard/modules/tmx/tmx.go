// Package tmx has what Kamailio's module tmx adds to tm.
package tmx

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	m.IdleInt("a shard has each transaction to itself: t_precheck_trans always looks for one",
		"precheck_trans")

	route.Func0(m, "t_precheck_trans", route.InRequest,
		"Tells whether the request is a retransmission.",
		func(c *route.Ctx) route.Result { return -1 })
	runs := func(kind string, in route.Kinds) {
		route.Func0(m, "t_is_"+kind, route.Anywhere, "Tells whether the run is that of a "+kind+".",
			func(c *route.Ctx) route.Result { return route.Truth(c.RunsIn(in)) })
	}
	runs("request_route", route.InRequest)
	runs("failure_route", route.InFailure)
	runs("branch_route", route.InBranch)
	runs("reply_route", route.InReplies)
	variables(m)

	flush := func(name, doc string) {
		route.Func0(m, name, route.Anywhere, doc, func(c *route.Ctx) route.Result {
			tx := c.Transaction()
			if tx == nil {
				return -1
			}
			c.Shard.Core.SetTxFlags(tx, c.MessageFlags())
			return 1
		})
	}
	flush("t_flush_flags", "Copies the flags of setflag to the existing transaction.")
	flush("t_flush_xflags", "The same as t_flush_flags.")

	const words = "all, others or this"
	which := route.Enum("which", words, "is none of all, others and this", words,
		route.Word[branches]{Word: "all", Value: allBranches},
		route.Word[branches]{Word: "others", Value: otherBranches},
		route.Word[branches]{Word: "this", Value: thisBranch})
	route.Func1(m, "t_cancel_branches", route.InReplies, which,
		"Cancels branches of the response's transaction.",
		func(c *route.Ctx, which branches) route.Result {
			if c.Tx == nil || c.Branch == nil {
				return -1
			}
			br := c.Branch
			if which == allBranches {
				br = nil
			}
			c.Shard.Core.CancelBranches(c.Tx, br, which == otherBranches)
			return 1
		})
	suspends(m)
	byCallID(m)
	route.Func0(m, "t_reuse_branch", route.InRequest,
		"In event_route[tm:branch-failure:NAME]: the next relay takes the Request-URI that the "+
			"failed branch was sent with. Elsewhere false.",
		func(c *route.Ctx) route.Result { return c.Moved(route.Truth(c.Request.ReuseBranch())) })
	code := route.Optional(route.Int("code", 100, 699, "is not sent"), 500)
	route.Func1(m, "t_drop", route.InRequest|route.InFailure|route.InReplies, code,
		"Gives the transaction up and ends the script: nobody hears of it, and what is under way is "+
			"canceled. (In onreply_route[NAME] Kamailio 5.6.3 leaves that to ring on.) False: there is "+
			"none, as always in reply_route, or it was answered.",
		func(c *route.Ctx, _ int) route.Result {
			if c.Request == nil {
				if c.Tx == nil || !c.Shard.Core.ForgetTx(c.Tx) {
					return -1
				}
				return 0
			}
			if !c.Request.Forget() {
				return -1
			}
			c.Acted = true
			return 0
		}).Soon(route.InBranch | route.InOnsend)
}

// branches are those that t_cancel_branches means.
type branches uint8

const (
	allBranches branches = iota
	otherBranches
	thisBranch
)
