// Package tm has what a script says to the transaction of its request: Kamailio's module tm (RFC
// 3261 §16 and §17). Package proxy does the work.
package tm

import (
	"time"

	"viaduct/shard/route"
)

// Define declares the module.
func Define(m *route.Module) {
	parameters(m)
	m.Event("tm:local-request",
		"A request made here is about to be sent, such as a probe of dispatcher. What is changed "+
			"in it leaves, drop keeps it back.")
	m.RunsOnResponses(m.Event("tm:local-response",
		"A response was made here and has left through a transaction. It is the message at hand, so "+
			"$rs is its status. What is changed of it is lost. (Kamailio 5.6.3 runs the route for the "+
			"first response of each of its processes alone; here it runs for each.)"))
	relays(m)
	statuses(m)
	lookups(m)
	switches(m)
	sends(m)

	const in = route.InRequest | route.InFailure
	const answers = in | route.InReplies
	route.Func0(m, "t_check_trans", route.InRequest|route.InBranch|route.InReplies,
		"Tells whether the message has a transaction: a CANCEL that of the INVITE it names, an ACK "+
			"that of its INVITE, a response that of its request. Another request has none when it is "+
			"new, and its retransmission ends the script. In branch and failure routes the result is "+
			"true.",
		func(c *route.Ctx) route.Result { return route.Truth(related(c)) }).
		ThroughRoutes(route.InFailure)
	route.Func0(m, "t_newtran", route.InRequest,
		"Makes the transaction. A retransmission ends the script.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Request.NewTransaction()) })

	code := route.Int("code", 100, 699, "the status", route.Instead(500))
	reason := route.Phrase("reason", "the reason phrase")
	literal := route.VarOrText("reason", "the reason phrase: a text as it stands, or a variable alone",
		&m.Settings().Proxy.DefaultReason)
	route.Func2(m, "t_reply", answers, code, literal,
		"Answers through the transaction, in a reply route through that of the response. False: "+
			"there is none, or it was answered. A 2xx to INVITE is repeated until its ACK comes, for 64 "+
			"times T1 (RFC 3261 §13.3.1.4), where Kamailio stops after wt_timer. That ACK ends here, as "+
			"those to refusals do; Kamailio runs request_route for it up to t_check_trans() or t_relay().",
		func(c *route.Ctx, code int, reason string) route.Result {
			return c.Answer(code, reason, route.InTransaction)
		})
	route.Func2(m, "t_send_reply", answers, route.Digits(code), reason,
		"Answers through the transaction if there is one, in onreply_route[NAME] through that of the "+
			"response.",
		func(c *route.Ctx, code int, reason string) route.Result {
			return c.Answer(code, reason, route.IfTransaction)
		})

	route.Func1(m, "t_on_failure", route.WithTransaction, route.RouteNamed(route.FailureRoute),
		"Runs the failure_route when all branches have failed.",
		func(c *route.Ctx, n int) route.Result {
			return arm(c, route.FailureRoute, n)
		})
	m.Event("tm:branch-failure:NAME",
		"A branch has failed for which t_on_branch_failure has armed NAME: a response of 300 or more "+
			"came, or nothing in time. t_relay makes further branches, once the Request-URI is set "+
			"or append_branch was called; nothing can be answered there, and nothing waits.")
	route.Func1(m, "t_on_branch_failure", route.WithTransaction,
		route.RouteNamed(route.BranchFailureRoute),
		"Runs event_route[tm:branch-failure:NAME] for each branch of the next relay that fails, "+
			"before anything is decided about the transaction. In onreply_route[NAME] the next relay is "+
			"that of a failure route, and only the first 127 of such routes can be armed.",
		func(c *route.Ctx, n int) route.Result { return arm(c, route.BranchFailureRoute, n) })
	route.Func1(m, "t_on_branch", in, route.RouteNamed(route.BranchRoute),
		"Runs the branch_route for each branch.",
		func(c *route.Ctx, n int) route.Result {
			return route.Truth(c.Request.Arm(route.BranchRoute, n))
		})
	route.Func1(m, "t_on_reply", route.WithTransaction, route.RouteNamed(route.ReplyRoute),
		"Runs the onreply_route for each response.",
		func(c *route.Ctx, n int) route.Result {
			return arm(c, route.ReplyRoute, n)
		})
	const kinds = "failure_route, branch_route or onreply_route"
	kind := route.Enum("kind", kinds,
		"is neither failure_route, branch_route nor onreply_route", kinds,
		route.Word[route.RouteKind]{Word: "failure_route", Value: route.FailureRoute},
		route.Word[route.RouteKind]{Word: "branch_route", Value: route.BranchRoute},
		route.Word[route.RouteKind]{Word: "onreply_route", Value: route.ReplyRoute})
	route.Func1(m, "t_is_set", route.Anywhere, kind, "Tells whether a route of the kind is armed.",
		func(c *route.Ctx, kind route.RouteKind) route.Result {
			return route.Truth(armed(c, kind) != 0)
		})

	inv := route.Int("fr_inv_timeout", 0, route.MaxMillis,
		"milliseconds for a final response after a provisional one; 0: as it is")
	fr := route.Int("fr_timeout", 0, route.MaxMillis, "milliseconds for any response; 0: as it is")
	route.Func2(m, "t_set_fr", route.WithTransaction, inv, route.Optional(fr, 0),
		"Sets the final response timers.",
		func(c *route.Ctx, inv, fr int) route.Result {
			return c.SetFr(time.Duration(inv)*time.Millisecond, time.Duration(fr)*time.Millisecond)
		})
	route.Func0(m, "t_reset_fr", route.WithTransaction,
		"Sets the final response timers to what the parameters say.",
		func(c *route.Ctx) route.Result {
			if c.Request == nil {
				return route.Truth(c.Tx != nil && c.Shard.Core.ResetTxTimers(c.Tx))
			}
			c.Request.ResetFinalTimers()
			return 1
		})

	how := route.Parsed("which", `"a", "l" or "n"`,
		`is none of "a" (all), "l" (last) and "n" (none)`,
		`"a": all so far. "l": of the branches added last. "n": none`, dropHow)
	route.Func1(m, "t_drop_replies", route.InFailure, route.Optional(how, route.DropAll),
		"Keeps responses from becoming the final one.",
		func(c *route.Ctx, how route.DropHow) route.Result { return c.DropReplies(how) })

	contacts := m.Given("contacts_avp")
	mode := route.Optional(route.Int("mode", 0, 1,
		"0: those of equal q at once. 1: one by one", route.AsIs), 0)
	m.Func(route.Func{Name: "t_load_contacts", In: in, Args: []route.AnyArg{mode},
		Doc: "Takes the Request-URI and all branches and sorts them by q.",
		Build: func(b *route.Build) route.Call {
			mode, ok := mode.At(b, 0)
			if !ok {
				return nil
			}
			if !*contacts {
				b.Warnf(route.WholeCall,
					"Kamailio needs modparam(\"tm\", \"contacts_avp\", …) for t_load_contacts, "+
						"and fails without")
			}
			return func(c *route.Ctx) route.Result {
				m, _ := mode.Get(c)
				return c.Moved(route.Truth(m == 0 && c.Request.LoadContacts()))
			}
		}})
	route.Func0(m, "t_next_contacts", in,
		"Makes the next of them the Request-URI and branches. The result is -2 if none is left.",
		func(c *route.Ctx) route.Result { return c.Moved(c.NextContacts()) })

	route.Func0(m, "t_is_canceled", route.WithTransaction,
		"Tells whether the caller's CANCEL came.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Cancelled()) })
	route.Func0(m, "t_branch_timeout", in,
		"Tells whether a timer ended the branch that the route is run for.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Request.BestTimedOut()) })
	route.Func0(m, "t_branch_replied", in, "Tells whether that branch had a response before.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Request.BestReplied()) })
	route.Func0(m, "t_any_timeout", route.WithTransaction, "Tells whether a timer ended any branch.",
		func(c *route.Ctx) route.Result {
			tx := c.Transaction()
			return route.Truth(tx != nil && c.Shard.Core.AnyTimedOut(tx))
		})
	route.Func0(m, "t_any_replied", route.WithTransaction,
		"Tells whether any branch had a response, that at hand aside.",
		func(c *route.Ctx) route.Result {
			tx := c.Transaction()
			return route.Truth(tx != nil && c.Shard.Core.AnyReplied(tx, c.Branch))
		})
}

// related tells whether the message belongs to a transaction.
func related(c *route.Ctx) bool {
	switch {
	case c.Request == nil && c.Tx == nil:
		tx, _ := c.Reply.Transaction()
		return tx != nil
	case c.Request == nil || c.RunsIn(route.InBranch|route.InFailure):
		return true
	}
	return c.Request.Invite != nil
}

// arm arms a route for the transaction of the message.
func arm(c *route.Ctx, kind route.RouteKind, n int) route.Result {
	if c.Request != nil {
		return route.Truth(c.Request.Arm(kind, n))
	}
	return route.Truth(c.Tx != nil && c.Shard.Core.ArmTx(c.Tx, kind, n))
}

// armed returns the number of the route that is armed, 0 if none is.
func armed(c *route.Ctx, kind route.RouteKind) int {
	switch {
	case c.Request != nil:
		return c.Request.Armed(kind)
	case c.Tx != nil:
		return c.Shard.Core.ArmedTx(c.Tx, kind)
	}
	return 0
}

// dropHow reads the argument of t_drop_replies.
func dropHow(s string) (route.DropHow, bool) {
	switch s {
	case "", "a", "all":
		return route.DropAll, true
	case "l", "last":
		return route.DropLast, true
	case "n", "none":
		return route.DropNone, true
	}
	return 0, false
}
