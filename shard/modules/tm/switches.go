package tm

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// switches declares the functions that say for one transaction what parameters say for all.
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
		"Says whether t_relay sends a 100, in the place of auto_inv_100.",
		proxy.TryingOn, proxy.TryingOff)
	either("t_set_disable_6xx", everywhere,
		"Says whether a 6xx is a failure like others, in the place of disable_6xx_block.",
		proxy.SixFails, proxy.SixEnds)
	either("t_set_disable_failover", everywhere, "Says whether no further address of a name is tried.",
		proxy.NoSpares, 0)
	either("t_disable_e2e_cancel_reason", everywhere,
		"Is t_set_no_e2e_cancel_reason, as older versions call it.",
		proxy.NoCallerReason, proxy.CallerReason)
	either("t_set_no_e2e_cancel_reason", everywhere,
		"Says whether a CANCEL leaves the caller's Reason behind, in the place of "+
			"e2e_cancel_reason.",
		proxy.NoCallerReason, proxy.CallerReason)
	route.Func1(m, "t_set_disable_internal_reply", everywhere, on,
		"Is always true, since a relay that fails answers nothing by itself. The script does.",
		func(*route.Ctx, int) route.Result { return 1 })

	invite := route.Int("invite", 0, route.MaxMillis, "milliseconds for an INVITE; 0: as it is")
	other := route.Int("other", 0, route.MaxMillis, "milliseconds for other requests; 0: as it is")
	route.Func2(m, "t_set_max_lifetime", everywhere, invite, other,
		"Says how long the transaction may take, in the place of max_inv_lifetime and "+
			"max_noninv_lifetime.",
		func(c *route.Ctx, invite, other int) route.Result {
			if tx := c.Transaction(); tx != nil && tx.Invite() ||
				tx == nil && c.Request != nil && c.Request.M.Method == parser.INVITE {
				other = invite
			}
			if other > 0 {
				setLifetime(c, time.Duration(other)*time.Millisecond)
			}
			return 1
		})
	route.Func0(m, "t_reset_max_lifetime", everywhere,
		"Goes back to what those parameters say.",
		func(c *route.Ctx) route.Result { setLifetime(c, 0); return 1 })

	t1 := route.Int("t1", 0, route.MaxMillis, "milliseconds to the first repetition; 0: as it is")
	t2 := route.Int("t2", 0, route.MaxMillis, "the longest interval in milliseconds, of INVITE too, "+
		"whose intervals otherwise double without end (RFC 3261 §17.1.1.2); 0: as it is")
	route.Func2(m, "t_set_retr", everywhere, t1, t2,
		"Says how what the transaction sends is repeated, in the place of retr_timer1 and "+
			"retr_timer2. What is under way follows behind its next repetition.",
		func(c *route.Ctx, t1, t2 int) route.Result {
			d1, d2 := time.Duration(t1)*time.Millisecond, time.Duration(t2)*time.Millisecond
			if c.Request == nil {
				return route.Truth(c.Tx != nil && c.Shard.Core.SetTxRetransmits(c.Tx, d1, d2))
			}
			return route.Truth(c.Request.SetRetransmits(d1, d2))
		})
	route.Func0(m, "t_reset_retr", everywhere, "Goes back to what those parameters say.",
		func(c *route.Ctx) route.Result {
			if c.Request == nil {
				return route.Truth(c.Tx != nil && c.Shard.Core.ResetTxRetransmits(c.Tx))
			}
			return route.Truth(c.Request.ResetRetransmits())
		})
}

// setLifetime says how long the transaction of the message may take. With 0 it may take as long as
// the parameters say.
func setLifetime(c *route.Ctx, d time.Duration) {
	switch {
	case c.Request != nil:
		c.Request.SetLifetime(d)
	case c.Tx != nil:
		c.Shard.Core.SetTxLifetime(c.Tx, d)
	}
}
