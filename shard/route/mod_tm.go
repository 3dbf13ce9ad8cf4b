package route

import "time"

// tmParams are the parameters of tm, Kamailio 5.6 manual §3. Times there are milliseconds except the blst ones.
var tmParams = map[string]*paramDef{
	"fr_timer":         span(time.Millisecond, 1, maxMillis, func(s *Settings) *time.Duration { return &s.TM.FrTimer }),
	"fr_inv_timer":     span(time.Millisecond, 1, maxMillis, func(s *Settings) *time.Duration { return &s.TM.FrInvTimer }),
	"max_inv_lifetime": span(time.Millisecond, 0, maxMillis, func(s *Settings) *time.Duration { return &s.TM.MaxInvLifetime }),
	"max_noninv_lifetime": span(time.Millisecond, 0, maxMillis,
		func(s *Settings) *time.Duration { return &s.TM.MaxNonInvLifetime }),
	"wt_timer":                 span(time.Millisecond, 0, maxMillis, func(s *Settings) *time.Duration { return &s.TM.WtTimer }),
	"t4_timer":                 span(time.Millisecond, 1, maxMillis, func(s *Settings) *time.Duration { return &s.TM.T4 }), // not Kamailio's, which has no such timer
	"retr_timer1":              span(time.Millisecond, 1, maxMillis, func(s *Settings) *time.Duration { return &s.TM.T1 }),
	"retr_timer2":              span(time.Millisecond, 1, maxMillis, func(s *Settings) *time.Duration { return &s.TM.T2 }),
	"restart_fr_on_each_reply": toggle(func(s *Settings) *bool { return &s.TM.FrInvRestart }),
	"auto_inv_100":             toggle(func(s *Settings) *bool { return &s.TM.AutoInv100 }),
	"auto_inv_100_reason":      text(func(s *Settings) *string { return &s.TM.AutoInv100Reason }),
	"failure_reply_mode":       number(0, 3, func(s *Settings) *int { return &s.TM.FailureReplyMode }),
	"failover_reply_codes":     text(func(s *Settings) *string { return &s.TM.FailoverReplyCodes }),
	"faked_reply_prio":         number(-1<<31, 1<<31-1, func(s *Settings) *int { return &s.TM.FakedReplyPrio }),
	"remap_503_500":            toggle(func(s *Settings) *bool { return &s.TM.Remap503 }),
	"retry_refused":            toggle(func(s *Settings) *bool { return &s.TM.RetryRefused }), // not Kamailio's
	"cancel_b_method":          number(0, 2, func(s *Settings) *int { return &s.TM.CancelBMethod }),
	"unmatched_cancel":         number(0, 2, func(s *Settings) *int { return &s.TM.UnmatchedCancel }),
	"aggregate_challenges":     toggle(func(s *Settings) *bool { return &s.TM.AggregateChallenges }),
	"disable_6xx_block":        toggle(func(s *Settings) *bool { return &s.TM.Disable6xxBlock }),
	"noisy_ctimer":             toggle(func(s *Settings) *bool { return &s.TM.NoisyCTimer }),
	"relay_100":                toggle(func(s *Settings) *bool { return &s.TM.Relay100 }),
	"pass_provisional_replies": toggle(func(s *Settings) *bool { return &s.TM.PassProvisionalReplies }),
	"pass_former_replies":      toggle(func(s *Settings) *bool { return &s.TM.PassFormerReplies }), // not Kamailio's, which passes every stray on
	"reparse_invite":           toggle(func(s *Settings) *bool { return &s.TM.ReparseInvite }),
	"local_cancel_reason":      toggle(func(s *Settings) *bool { return &s.TM.LocalCancelReason }),
	"e2e_cancel_reason":        toggle(func(s *Settings) *bool { return &s.TM.E2ECancelReason }),
	"ac_extra_hdrs":            text(func(s *Settings) *string { return &s.TM.ACExtraHeaders }),
	"default_code":             number(400, 699, func(s *Settings) *int { return &s.TM.DefaultCode }),
	"default_reason":           text(func(s *Settings) *string { return &s.TM.DefaultReason }),
	"reply_408_code":           number(400, 699, func(s *Settings) *int { return &s.TM.Reply408Code }),
	"delayed_reply":            toggle(func(s *Settings) *bool { return &s.TM.DelayedReply }),
	"on_sl_reply":              text(func(s *Settings) *string { return &s.TM.OnSLReply }),
	"blst_503":                 toggle(func(s *Settings) *bool { return &s.TM.Blst503 }),
	"blst_503_def_timeout":     span(time.Second, 0, maxSeconds, func(s *Settings) *time.Duration { return &s.TM.BlstDef }),
	"blst_503_min_timeout":     span(time.Second, 0, maxSeconds, func(s *Settings) *time.Duration { return &s.TM.BlstMin }),
	"blst_503_max_timeout":     span(time.Second, 0, maxSeconds, func(s *Settings) *time.Duration { return &s.TM.BlstMax }),
	"blst_methods_add":         bits(func(s *Settings) *uint32 { return &s.TM.BlstMethodsAdd }),
	"blst_methods_lookup":      bits(func(s *Settings) *uint32 { return &s.TM.BlstMethodsLookup }),
	"via1_matching":            toggle(func(s *Settings) *bool { return &s.TM.Via1Matching }),
	"ruri_matching":            toggle(func(s *Settings) *bool { return &s.TM.RURIMatching }),
	"callid_matching":          toggle(func(s *Settings) *bool { return &s.TM.CallIDMatching }),
	"callid_cseq_matching":     toggle(func(s *Settings) *bool { return &s.TM.CallIDCSeqMatching }),

	"unix_tx_timeout":         idleNumber("no Unix-socket transactions exist"),
	"exec_time_check":         idleNumber("routes do not block, so that none is late"),
	"reparse_on_dns_failover": idleNumber("a branch is always built for the address it goes to"),
	"dns_reuse_rcv_socket":    idleNumber("DNS failover keeps the socket already"),
	"failure_exec_mode":       idleNumber("there are no fake branches"),
	"local_ack_mode":          idleNumber("a proxy sends no ACK to a 2xx of its own"),
	"reply_relay_mode":        idleNumber("responses are relayed in the order of arrival: one call, one shard"),
	"rich_redirect":           idleNumber("contacts of a 3xx made here carry no parameters"),
	"enable_uac_fr":           idleNumber("requests of our own have their timers always"),
	"contacts_avp":            idleText("the contacts are kept in the transaction, not in an XAVP"),
	"contact_flows_avp":       idleText("the contacts are kept in the transaction, not in an XAVP"),
	"fr_timer_avp":            idleText("timers by AVP are obsolete: t_set_fr"),
	"fr_inv_timer_avp":        idleText("timers by AVP are obsolete: t_set_fr"),
	"xavp_contact":            idleText("contacts carry no attributes yet"),
}

var tmxParams = map[string]*paramDef{
	"precheck_trans": toggle(func(s *Settings) *bool { return &s.TM.PrecheckTrans }),
}
