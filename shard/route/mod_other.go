package route

var rrParams = map[string]*paramDef{
	"enable_full_lr":                 toggle(func(s *Settings) *bool { return &s.RR.EnableFullLR }),
	"append_fromtag":                 toggle(func(s *Settings) *bool { return &s.RR.AppendFromtag }),
	"enable_double_rr":               number(0, 2, func(s *Settings) *int { return &s.RR.EnableDoubleRR }),
	"add_username":                   toggle(func(s *Settings) *bool { return &s.RR.AddUsername }),
	"enable_socket_mismatch_warning": toggle(func(s *Settings) *bool { return &s.RR.EnableSocketMismatchWarning }),
	"force_send_socket":              toggle(func(s *Settings) *bool { return &s.RR.ForceSendSocket }),
	"sign_routes":                    toggle(func(s *Settings) *bool { return &s.RR.SignRoutes }),
	"custom_user_avp":                text(func(s *Settings) *string { return &s.RR.CustomUserAVP }),
	"ignore_sips":                    idleNumber("Record-Route is sips when the Request-URI is (RFC 3261 §16.6 item 4)"),
	"sockname_mode":                  idleNumber("Record-Route carries addresses, not socket names"),
}

var siputilsParams = map[string]*paramDef{
	"options_accept":          text(func(s *Settings) *string { return &s.SIPUtils.Accept }),
	"options_accept_encoding": text(func(s *Settings) *string { return &s.SIPUtils.AcceptEncoding }),
	"options_accept_language": text(func(s *Settings) *string { return &s.SIPUtils.AcceptLanguage }),
	"options_support":         text(func(s *Settings) *string { return &s.SIPUtils.Supported }),
}

var sanityParams = map[string]*paramDef{
	"default_checks": bits(func(s *Settings) *uint32 { return &s.Sanity.DefaultMsgChecks }),
	"uri_checks":     bits(func(s *Settings) *uint32 { return &s.Sanity.DefaultURIChecks }),
	"proxy_require":  text(func(s *Settings) *string { return &s.Sanity.ProxyRequire }),
	"autodrop":       toggle(func(s *Settings) *bool { return &s.Sanity.AutoDrop }),
	"noreply":        toggle(func(s *Settings) *bool { return &s.Sanity.NoReply }),
}

var xlogParams = map[string]*paramDef{
	"buf_size":       number(1, lineBytes, func(s *Settings) *int { return &s.XLog.BufBytes }),
	"prefix":         text(func(s *Settings) *string { return &s.XLog.Prefix }),
	"force_color":    idleNumber("lines are not coloured"),
	"long_format":    idleNumber("lines carry no process id: the logger adds what it wants"),
	"prefix_mode":    idleNumber("the prefix is plain text"),
	"log_facility":   idleText("one facility serves all lines"),
	"log_colors":     idleText("lines are not coloured"),
	"methods_filter": idleNumber("all methods are logged"),
}

// ctlParams and jsonrpcsParams are accepted so that a stock configuration starts; viaductctl has its own socket.
var ctlParams = map[string]*paramDef{
	"binrpc": idleText(ownSocket), "fifo": idleText(ownSocket),
	"mode": idleNumber(ownSocket), "user": idleAny(ownSocket), "group": idleAny(ownSocket),
	"autoconversion": idleNumber(ownSocket), "binrpc_buffer_size": idleNumber(ownSocket),
	"binrpc_max_body_size": idleNumber(ownSocket), "binrpc_struct_max_body_size": idleNumber(ownSocket),
}

var jsonrpcsParams = map[string]*paramDef{
	"pretty_format": idleNumber(ownSocket), "transport": idleNumber(ownSocket), "fifo_name": idleText(ownSocket),
	"fifo_mode": idleAny(ownSocket), "fifo_group": idleAny(ownSocket), "fifo_user": idleAny(ownSocket), "fifo_reply_dir": idleText(ownSocket),
	"dgram_socket": idleText(ownSocket), "dgram_workers": idleNumber(ownSocket), "dgram_mode": idleAny(ownSocket),
	"dgram_group": idleAny(ownSocket), "dgram_user": idleAny(ownSocket), "dgram_timeout": idleNumber(ownSocket),
}

var corexParams = map[string]*paramDef{
	"alias_subdomains": idleText(noCorex), "dns_cache": idleText(noCorex), "evcb_reply_out": idleText(noCorex),
	"nio_intercept": idleNumber(noCorex), "nio_min_msg_len": idleNumber(noCorex), "nio_msg_avp": idleText(noCorex),
}

const noCorex = "of corex only append_branch and set_send_socket are there"

const ownSocket = "viaductctl has its own socket"
