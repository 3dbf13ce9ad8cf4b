package route

import (
	"fmt"

	"viaduct/shard/route/syntax"
)

const (
	noPing     = "there is no registrar whose contacts could be pinged"
	noMangling = "SDP is not changed"
)

var nathelperParams = map[string]*paramDef{
	"nat_addr_mode":     toggle(func(s *Settings) *bool { return &s.NAT.Reserved }),
	"alias_name":        contactAliasParam,
	"natping_interval":  idleNumber(noPing),
	"ping_nated_only":   idleNumber(noPing),
	"natping_processes": idleNumber(noPing), "natping_socket": idleText(noPing), "natping_disable_bflag": idleNumber(noPing),
	"sipping_bflag": idleNumber(noPing), "sipping_from": idleText(noPing), "sipping_method": idleText(noPing),
	"keepalive_timeout": idleNumber(noPing), "udpping_from_path": idleNumber(noPing), "filter_server_id": idleNumber(noPing),
	"force_socket": idleText(noPing), "received_avp": idleText("there are no AVPs, and no registrar to take them"),
	"nortpproxy_str": idleText(noMangling), "append_sdp_oldmediaip": idleNumber(noMangling),
}

var contactAliasParam = &paramDef{kind: stringParam,
	well: func(v syntax.Literal) string {
		if !IsToken(v.Str) || len(v.Str) > maxAliasName {
			return fmt.Sprintf("is %s; a parameter's name is up to 64 letters, digits and -.!%%*_+`'~", quote(clip(v.Str)))
		}
		return ""
	},
	set: func(s *Settings, v syntax.Literal) { s.NAT.AliasName = v.Str },
}
