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
	drops(m)
}

// drops declares t_drop.
func drops(m *route.Module) {
	code := route.Optional(route.Int("code", 100, 699, "is not sent"), 500)
	m.Func(route.Func{Name: "t_drop", In: route.Anywhere, Args: []route.AnyArg{code},
		Doc: "Gives the transaction up and ends the script: nobody hears of it, and what is under " +
			"way is canceled. (In onreply_route[NAME] Kamailio 5.6.3 leaves that to ring on.) False: " +
			"there is none, as always in reply_route, or it was answered, or the call stands in " +
			"branch_route or onsend_route, where Kamailio 5.6.3 sends the request all the same, and " +
			"repeats it in vain.",
		Build: func(b *route.Build) route.Call {
			code, ok := code.At(b, 0)
			if !ok {
				return nil
			}
			b.FalseIn(route.InBranch|route.InOnsend, "what is about to be sent keeps its transaction")
			return func(c *route.Ctx) route.Result {
				if _, r := code.Get(c); r <= 0 {
					return r
				}
				switch {
				case c.RunsIn(route.InBranch | route.InOnsend):
					return -1
				case c.Request == nil:
					if c.Tx == nil || !c.Shard.Core.ForgetTx(c.Tx) {
						return -1
					}
					return 0
				case !c.Request.Forget():
					return -1
				}
				c.Acted = true
				return 0
			}
		}})
}

// branches are those that t_cancel_branches means.
type branches uint8

const (
	allBranches branches = iota
	otherBranches
	thisBranch
)
