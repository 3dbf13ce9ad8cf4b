package tm

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// switches are the functions that say for one transaction what parameters say for all.
func switches(m *route.Module) {
	on := route.Int("on", 0, 1, "0 or 1", route.Clamped)
	const everywhere = route.WithTransaction
	either := func(name string, in route.Kinds, doc string, yes, no proxy.Switches) {
		route.Func1(m, name, in, on, doc, func(c *route.Ctx, on int) route.Result {
			set, clear := no, yes
			if on != 0 {
				set, clear = yes, no
			}
			if c.Request == nil {
				return route.Truth(c.Tx != nil && c.Shard.Core.SwitchTx(c.Tx, set, clear))
			}
			return route.Truth(c.Request.Switch(set, clear))
		})
	}
	either("t_set_auto_inv_100", route.InRequest,
		"Whether t_relay sends a 100, in the place of auto_inv_100.",
		proxy.TryingOn, proxy.TryingOff)
	either("t_set_disable_6xx", everywhere,
		"Whether a 6xx is a failure like others, in the place of disable_6xx_block.",
		proxy.SixFails, proxy.SixEnds)
	either("t_set_disable_failover", everywhere, "1: no other address of a name is tried.",
		proxy.NoSpares, 0)
	either("t_set_no_e2e_cancel_reason", everywhere,
		"1: a CANCEL does not take the caller's Reason along, whatever e2e_cancel_reason says.",
		proxy.NoCallerReason, proxy.CallerReason)
	route.Func1(m, "t_set_disable_internal_reply", everywhere, on,
		"Is true: a relay that fails answers nothing by itself, the script does.",
		func(*route.Ctx, int) route.Result { return 1 })

	invite := route.Int("invite", 0, route.MaxMillis, "milliseconds for an INVITE; 0: as it is")
	other := route.Int("other", 0, route.MaxMillis, "milliseconds for other requests; 0: as it is")
	route.Func2(m, "t_set_max_lifetime", route.InRequest|route.InFailure|route.InBranch, invite, other,
		"Says how long the transaction may take, in the place of max_inv_lifetime and "+
			"max_noninv_lifetime.",
		func(c *route.Ctx, invite, other int) route.Result {
			if c.Request.M.Method == parser.INVITE {
				other = invite
			}
			if other > 0 {
				c.Request.SetLifetime(time.Duration(other) * time.Millisecond)
			}
			return 1
		}).Soon(route.InReply)
	route.Func0(m, "t_reset_max_lifetime", route.InRequest|route.InFailure|route.InBranch,
		"Goes back to what those parameters say.",
		func(c *route.Ctx) route.Result { c.Request.SetLifetime(0); return 1 }).Soon(route.InReply)

	const fixed = "all transactions repeat by retr_timer1 and retr_timer2"
	t1 := route.Int("t1", 0, route.MaxMillis, "milliseconds")
	t2 := route.Int("t2", 0, route.MaxMillis, "milliseconds")
	noEffect := func(name string, args ...route.AnyArg) {
		m.Func(route.Func{Name: name, In: everywhere, Args: args,
			Doc: "Is true and does nothing: " + fixed + ".",
			Build: func(b *route.Build) route.Call {
				for i, a := range [...]route.Arg[int]{t1, t2} {
					if i < b.Args() {
						if _, ok := a.At(b, i); !ok {
							return nil
						}
					}
				}
				b.Warnf(route.WholeCall, "%s has no effect: %s", b.Name(), fixed)
				return func(*route.Ctx) route.Result { return 1 }
			}})
	}
	noEffect("t_set_retr", t1, t2)
	noEffect("t_reset_retr")
}
