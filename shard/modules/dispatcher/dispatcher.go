// Package dispatcher chooses where a request goes among sets of destinations: Kamailio's module
// dispatcher. Package balance has the lists and the algorithms.
package dispatcher

import (
	"strings"
	"time"

	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	m.Event("dispatcher:dst-down", "A destination has become inactive; the request is one to it.")
	m.Event("dispatcher:dst-up", "A destination is active again; the request is one to it.")
	d := &m.Settings().Dispatcher
	m.TextVar(&d.ListFile, "list_file",
		"The file with the destinations. A relative path starts at the working directory.")
	m.BoolVar(&d.ListOptional, "list_optional",
		"A list_file that is not there is an empty list and no error. Not Kamailio's.")
	m.IntVar(&d.Flags, "flags", 0, 3, "1: hash the user part only. 2: failover.")
	m.BoolVar(&d.ForceDst, "force_dst", "Overwrite a $du that is set already.")
	m.BoolVar(&d.UseDefault, "use_default",
		"Keep the last destination of a set for when nothing else is left.")
	m.TextVar(&d.HashPVar, "hash_pvar", "The text with variables that algorithm 7 hashes.")

	m.DurationVar(&d.PingInterval, "ds_ping_interval", time.Second, 0, route.MaxSeconds,
		"Seconds between probes; 0: none are sent.")
	m.TextVar(&d.PingMethod, "ds_ping_method", "The method of probes.")
	m.TextVar(&d.PingFrom, "ds_ping_from", "From of probes.")
	m.TextVar(&d.PingReplyCodes, "ds_ping_reply_codes",
		`Responses that count as success, as "class=2;code=403"; empty: 2xx.`)
	m.BoolVar(&d.PingLatency, "ds_ping_latency_stats", "Keep latency figures.")
	m.IntVar(&d.LatencyAlpha, "ds_latency_estimator_alpha", 1, 999,
		"How much the latencies before weigh, in thousandths.")
	m.IntVar(&d.ProbingMode, "ds_probing_mode", 0, 3,
		"Which destinations are probed; 0: those marked P.")
	m.IntVar(&d.ProbingThreshold, "ds_probing_threshold", 1, 1<<31-1,
		"So many failures make a destination inactive.")
	m.IntVar(&d.InactiveThreshold, "ds_inactive_threshold", 1, 1<<31-1,
		"So many successes make it active again.")

	m.IntVar(&d.HashSize, "ds_hash_size", 0, 24,
		"Exponent of the table of calls of algorithm 10; 0: there is none.")
	m.DurationVar(&d.HashExpire, "ds_hash_expire", time.Second, 1, route.MaxSeconds,
		"Seconds that a call stays in that table.")
	m.DurationVar(&d.HashInitExpire, "ds_hash_initexpire", time.Second, 1, route.MaxSeconds,
		"The same for a call that is not answered.")
	m.DurationVar(&d.HashCheckInterval, "ds_hash_check_interval", time.Second, 1, route.MaxSeconds,
		"Seconds between looks for such calls.")
	m.TextVar(&d.OutboundProxy, "outbound_proxy", "Where probes go.")
	m.TextVar(&d.DefaultSocket, "ds_default_socket", "What probes leave from.")
	m.DurationVar(&d.ReloadDelta, "reload_delta", time.Second, 0, route.MaxSeconds,
		"The least seconds between two reloads of the list.")
	m.NotYet("flags", "force_dst", "ds_default_socket", "outbound_proxy", "hash_pvar",
		"ds_hash_size", "ds_hash_expire", "ds_hash_initexpire", "ds_hash_check_interval")

	m.IdleText("the failover list is kept in the transaction, not in an XAVP", "xavp_dst",
		"xavp_ctx")
	m.IdleInt("the failover list is kept in the transaction, not in an XAVP", "xavp_dst_mode",
		"xavp_ctx_mode")
	m.IdleInt("probes have their own goroutine already", "ds_timer_mode")
	m.IdleInt("attributes are not exported to variables yet", "ds_attrs_none")
	m.IdleInt("a list with a bad line is refused as a whole", "ds_load_mode")
	m.IdleInt("names are resolved when a call needs them, from a cache", "ds_dns_mode",
		"ds_dns_interval", "ds_dns_ttl")

	const in = route.InRequest | route.InFailure
	m.Func(selection("ds_select_dst",
		"Chooses a destination of a set and makes it $du. False: there is none.", false))
	m.Func(selection("ds_select_domain",
		"Chooses a destination of a set for host and port of the Request-URI. False: there is "+
			"none.", true))
	route.Func0(m, "ds_next_dst", in,
		"Makes the next destination of the list that ds_select_dst made $du. False: there is "+
			"none left.",
		func(c *route.Ctx) route.Result {
			return c.Moved(route.Truth(c.Request.NextTarget(false)))
		})
	route.Func0(m, "ds_next_domain", in, "The same for what ds_select_domain chose.",
		func(c *route.Ctx) route.Result { return c.Moved(route.Truth(c.Request.NextTarget(true))) })
	state := route.Parsed("state", "a state",
		`is no state: "a", "i", "d" or "t", and "p" for probing`,
		`"a" active, "i" inactive, "d" disabled, "t" trying, and "p" behind it: probed`, dstState)
	route.Func1(m, "ds_mark_dst", in, route.Optional(state, "i"),
		"Sets the state of the destination that was used last.",
		func(c *route.Ctx, state string) route.Result {
			return c.MarkDst(state)
		}).Soon(route.InReplies)
}

// selection is ds_select_dst and ds_select_domain. A choice that is known at load is held against
// the algorithms there are, and noted for who has the list.
func selection(name, doc string, setURI bool) route.Func {
	set := route.Int("set", 0, 1<<31-1, "the number of the set in the list", route.AsIs)
	algorithm := route.Int("algorithm", 0, 1<<31-1,
		"how to choose: 0, by Call-ID; 4, in turn; 8, the first; 9, by weight", route.AsIs)
	limit := route.Optional(route.Int("limit", 0, 1<<31-1,
		"the most destinations kept for failover; 0: all", route.AsIs), 0)
	return route.Func{Name: name, In: route.InRequest | route.InFailure,
		Args: []route.AnyArg{set, algorithm, limit}, Doc: doc,
		Build: func(b *route.Build) route.Call {
			set, ok1 := set.At(b, 0)
			algorithm, ok2 := algorithm.At(b, 1)
			limit, ok3 := limit.At(b, 2)
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			s, setKnown := set.Known()
			a, algKnown := algorithm.Known()
			l, limitKnown := limit.Known()
			if alg := balance.Algorithm(a); algKnown && !alg.Available() {
				b.Errorf(1, "%s", (&balance.UnavailableError{Algorithm: alg}).Error())
				return nil
			}
			if algKnown {
				sel := route.Selection{Pos: b.Pos(), Set: -1, Algorithm: a}
				if setKnown {
					sel.Set = s
				}
				b.Selects(sel)
			}
			if setKnown && algKnown && limitKnown {
				return func(c *route.Ctx) route.Result {
					return c.Moved(route.Truth(c.Request.SelectTarget(s, balance.Algorithm(a), l,
						setURI)))
				}
			}
			return func(c *route.Ctx) route.Result {
				s, _ := set.Get(c)
				a, _ := algorithm.Get(c)
				l, _ := limit.Get(c)
				return c.Moved(route.Truth(c.Request.SelectTarget(s, balance.Algorithm(a), l,
					setURI)))
			}
		}}
}

// dstState brings a state into the form of balance.ParseMark. "p" alone is active and probed, as in
// Kamailio.
func dstState(s string) (string, bool) {
	if s == "" {
		return "i", true
	}
	state, probing := "", ""
	for _, ch := range strings.ToLower(s) {
		switch {
		case ch == 'p' && probing == "":
			probing = "p"
		case strings.ContainsRune("aidt", ch) && state == "":
			state = string(ch)
		default:
			return "", false
		}
	}
	if state == "" {
		state = "a"
	}
	return state + probing, true
}
