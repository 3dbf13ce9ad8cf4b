package tm

import (
	"time"

	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// parameters declares the parameters of tm, Kamailio 5.6 manual §3. Times there are milliseconds
// except the blst ones.
func parameters(m *route.Module) {
	t, s, list := &m.Settings().Txn, &m.Settings().Proxy, &m.Settings().Blocklist
	m.DurationVar(&t.B, "fr_timer", time.Millisecond, 1, route.MaxMillis,
		"How long an INVITE waits for any response, and others for a final one (Timers B and F).")
	m.DurationVar(&t.C, "fr_inv_timer", time.Millisecond, 1, route.MaxMillis,
		"How long an INVITE waits for a final response after a provisional one (Timer C).")
	m.DurationVar(&t.MaxInvite, "max_inv_lifetime", time.Millisecond, 0, route.MaxMillis,
		"Ends an INVITE transaction, whatever its state; 0: only Timer C does.")
	m.DurationVar(&t.MaxNonInvite, "max_noninv_lifetime", time.Millisecond, 0, route.MaxMillis,
		"Ends any other transaction.")
	m.DurationVar(&t.Wait, "wt_timer", time.Millisecond, 0, route.MaxMillis,
		"How long a completed transaction absorbs retransmissions (Timers D, J, L and M).")
	m.DurationVar(&t.T4, "t4_timer", time.Millisecond, 1, route.MaxMillis,
		"Viaduct's own: T4, for Timers I and K. Kamailio has no such timer.")
	m.DurationVar(&t.T1, "retr_timer1", time.Millisecond, 1, route.MaxMillis,
		"T1 (RFC 3261 §17.1.1.1).")
	m.DurationVar(&t.T2, "retr_timer2", time.Millisecond, 1, route.MaxMillis,
		"T2.")
	m.BoolVar(&t.RestartC, "restart_fr_on_each_reply",
		"Whether each provisional response begins fr_inv_timer anew (§16.7 item 2).")
	m.BoolVar(&s.AutoTrying, "auto_inv_100",
		"Whether t_relay sends a 100.")
	m.TextVar(&s.TryingReason, "auto_inv_100_reason",
		"The reason phrase of that 100.")
	m.IntVar((*int)(&s.FailureReplies), "failure_reply_mode", 0, 3,
		"What a failure_route sees of earlier branches.")
	failover := m.Text("failover_reply_codes", "",
		"The responses after which the next address is tried, such as class=5;code=408; empty: "+
			"503 and silence.")
	m.IntVar(&s.LocalPenalty, "faked_reply_prio", -1<<31, 1<<31-1,
		"Makes the 408 and 503 made here worse than responses that came, 1000 being a class of "+
			"responses; below 0 better. Of the same class what came is better already. Kamailio "+
			"5.6.3 obeys it only where another branch answers later than that one.")
	m.BoolVar(&s.Remap503, "remap_503_500",
		"Whether a 503 is passed on as 500 (§16.7 item 6).")
	m.BoolVar(&s.RetryRefused, "retry_refused",
		"Viaduct's own: whether a request that its only destination refuses by ICMP is sent once "+
			"more.")
	m.IntVar((*int)(&t.CancelBefore), "cancel_b_method", 0, 2,
		"0: a branch without a response counts as 487. 1: its CANCEL waits for one (§9.1). 2: it "+
			"is sent at once.")
	m.IntVar((*int)(&s.UnmatchedCancel), "unmatched_cancel", 0, 2,
		"How a CANCEL without a transaction is forwarded: 0 statefully, 1 statelessly (§16.10), 2 "+
			"not at all.")
	m.BoolVar(&s.AggregateChallenges, "aggregate_challenges",
		"Whether the challenges of all 401 and 407 are joined (§16.7 item 7).")
	m.BoolVar(&s.Disable6xxBlock, "disable_6xx_block",
		"Whether a 6xx is treated like any other failure.")
	noisy := m.Bool("noisy_ctimer", true,
		"0: an INVITE without failure route, whose only branch had no response at all, ends without a "+
			"final response.")
	m.BoolVar(&t.Relay100, "relay_100",
		"Whether a 100 is passed on, which §16.7 item 5 forbids.")
	m.BoolVar(&s.PassFormer, "pass_former_replies",
		"Viaduct's own: whether responses to what an earlier process sent are passed on by their "+
			"Via. Kamailio passes on every stray response.")
	m.BoolVar(&s.LocalReason, "local_cancel_reason",
		"Whether a CANCEL made here has a Reason (RFC 3326).")
	m.BoolVar(&s.E2EReason, "e2e_cancel_reason",
		"Whether the Reason of a received CANCEL is passed on.")
	m.TextVar(&t.HopHeaders, "ac_extra_hdrs",
		"A prefix: a CANCEL or ACK made here copies the headers whose names begin with it from "+
			"the INVITE.")
	m.IntVar(&s.DefaultCode, "default_code", 400, 699,
		"The status of the answer when the script gave none.")
	m.TextVar(&s.DefaultReason, "default_reason",
		"Its reason phrase.")
	m.IntVar(&s.TimeoutStatus, "reply_408_code", 400, 699,
		"The status sent instead of a 408 made here.")
	m.Each("on_sl_reply", func(name string) error {
		m.StrayReplyRoute(name)
		return nil
	}, "The onreply_route that runs for responses without a transaction; drop keeps one back.")
	m.BoolVar(&list.Use503, "blst_503",
		"Whether a 503 lists its sender as blocked.")
	m.DurationVar(&list.Def503, "blst_503_def_timeout", time.Second, 0, route.MaxSeconds,
		"For how many seconds a 503 without Retry-After does so.")
	m.DurationVar(&list.Min503, "blst_503_min_timeout", time.Second, 0, route.MaxSeconds,
		"The minimum number of seconds, whatever Retry-After says.")
	m.DurationVar(&list.Max503, "blst_503_max_timeout", time.Second, 0, route.MaxSeconds,
		"The maximum number of seconds, whatever Retry-After says.")
	m.BitsVar(&list.MethodsAdd, "blst_methods_add",
		"Methods whose failures list a destination, as bits.")
	m.BitsVar(&list.MethodsLookup, "blst_methods_lookup",
		"Methods that avoid listed destinations, as bits.")
	m.Check("failover_reply_codes", func(codes string, _ int64) string {
		if _, err := balance.ParseReplyCodes(codes); err != nil {
			return "failover_reply_codes: " + err.Error()
		}
		return ""
	})
	m.Ready(func() (err error) {
		s.SilentTimeout = !*noisy
		s.FailoverCodes, err = balance.ParseReplyCodes(*failover)
		return err
	})

	m.IdleInt("no module is told of provisional responses to requests made here",
		"pass_provisional_replies")
	m.IdleText("there are no scripts in other languages", "event_callback",
		"event_callback_lres_sent")
	m.IdleInt("CANCEL and ACK are always made of what was sent", "reparse_invite")
	m.IdleInt("the script answers when t_relay failed, always", "delayed_reply")
	m.IdleInt("a transaction is found by branch, sent-by and method (RFC 3261 §17.2.3)",
		"via1_matching", "ruri_matching", "callid_matching", "callid_cseq_matching")
	m.IdleInt("no Unix-socket transactions exist", "unix_tx_timeout")
	m.IdleInt("routes do not block, so that none is late", "exec_time_check")
	m.IdleInt("a branch is always built for the address it goes to", "reparse_on_dns_failover")
	m.IdleInt("DNS failover keeps the socket already", "dns_reuse_rcv_socket")
	m.IdleInt("there are no fake branches", "failure_exec_mode")
	m.IdleInt("a proxy sends no ACK to a 2xx of its own", "local_ack_mode")
	m.IdleInt("responses are relayed in the order of arrival: one call, one shard",
		"reply_relay_mode")
	m.IdleInt("contacts of a 3xx made here carry no parameters", "rich_redirect")
	m.IdleInt("requests of our own have their timers always", "enable_uac_fr")
	m.IdleText("the contacts are kept in the transaction, not in an XAVP", "contacts_avp")
	m.IdleText("the contacts are kept in the transaction, not in an XAVP", "contact_flows_avp")
	m.IdleText("timers by AVP are obsolete: t_set_fr", "fr_timer_avp")
	m.IdleText("timers by AVP are obsolete: t_set_fr", "fr_inv_timer_avp")
	m.IdleText("contacts carry no attributes yet", "xavp_contact")
}
