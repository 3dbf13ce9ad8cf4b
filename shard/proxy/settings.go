package proxy

import (
	"viaduct/netio"
	"viaduct/shard/balance"
)

// Settings are what the operator's parameters say about the proxy. Each field names its parameter.
// Modules bind their fields; the others are parameters of the core. Start from DefaultSettings.
type Settings struct {
	AutoTrying   bool   // an INVITE gets a 100 from us (auto_inv_100 of tm)
	TryingReason string // its reason phrase (auto_inv_100_reason); with "" no 100 is sent

	// Module path: LooseRoute goes where our Route's received parameter says (use_received), which
	// has that name (received_name) and is written as an alias (received_format); there are two
	// Path rows, of both listeners (enable_r2), which say their names (sockname_mode).
	UseReceived, PathAlias, PathR2, PathNames bool
	PathReceived                              string

	FullLR        bool // ";lr=on" instead of ";lr" (enable_full_lr of rr)
	AppendFromtag bool // ";ftag=" in Record-Route (append_fromtag)
	// DoubleRR says when a request gets two Record-Routes (enable_double_rr).
	DoubleRR   DoubleRR
	IgnoreSips bool // Record-Route is never sips (ignore_sips)
	// ForceSendSocket makes the request leave by the listener of our Route even if there is only
	// one such Route (force_send_socket).
	ForceSendSocket bool
	// SignRoutes puts a mark into Record-Route that LooseRoute requires: only requests of calls
	// that were set up through this host follow their Route. The parameter is Viaduct's own
	// (sign_routes).
	SignRoutes bool

	LocalRPort bool // our own Via asks for rport (RFC 3581 §3; local_rport)
	ForceRPort bool // every request is taken as if its Via had rport (force_rport)
	// UDPMTU is the length in bytes beyond which a request goes by a stream if it can (§18.1.1;
	// udp_mtu); 0 means never. MTUProto is TCP or TLS (udp_mtu_try_proto).
	UDPMTU   int
	MTUProto netio.Proto

	Remap503 bool // a 503 goes upstream as a 500 (§16.7 step 6; remap_503_500 of tm)
	// PassFormer passes on by its Via a response to a request of a process before this one, so that
	// a phone that rang across a restart is heard. The parameter is Viaduct's own
	// (pass_former_replies).
	PassFormer bool
	// RetryRefused sends a request whose only destination refuses it by ICMP once more before it
	// fails. The parameter is Viaduct's own (retry_refused).
	RetryRefused    bool
	UnmatchedCancel UnmatchedCancel // unmatched_cancel
	TimeoutStatus   int             // status for an INVITE that nobody answered (reply_408_code)
	DefaultCode     int             // status if its routes decided nothing (default_code)
	DefaultReason   string          // its phrase (default_reason)
	FailureReplies  ReplyMode       // failure_reply_mode
	// Disable6xxBlock makes a 6xx a failure like any other (§16.7 item 5 says otherwise;
	// disable_6xx_block).
	Disable6xxBlock bool
	// SilentTimeout ends an INVITE whose only destination said nothing at all without a final
	// response (noisy_ctimer 0).
	SilentTimeout bool
	// LocalPenalty makes finals made here worse than others, in thousandths of a class
	// (faked_reply_prio).
	LocalPenalty int
	// FailoverCodes are the finals besides 503 after which the next address of a name is tried
	// (failover_reply_codes).
	FailoverCodes balance.ReplyCodes
	// AggregateChallenges makes a 401 or 407 go up with the challenges of all branches (§16.7 step
	// 7; aggregate_challenges).
	AggregateChallenges bool
	LocalReason         bool // a CANCEL of ours says why (RFC 3326; local_cancel_reason)
	E2EReason           bool // a CANCEL takes the caller's Reason along (e2e_cancel_reason)

	// Extensions are the option tags that Proxy-Require may ask for (RFC 3261 §16.3 step 5;
	// proxy_require of sanity).
	Extensions []string
}

// DefaultSettings returns the settings of an empty configuration file. They differ from Kamailio's
// where the RFC requires it.
func DefaultSettings() Settings {
	return Settings{
		AutoTrying: true, TryingReason: "trying -- your call is important to us",
		PathReceived: "received", AppendFromtag: true, DoubleRR: DoubleWhereNeeded, MTUProto: netio.TCP,
		Remap503: true, PassFormer: true, UnmatchedCancel: PassStateless,
		TimeoutStatus: 408, DefaultCode: 500, DefaultReason: "Server Internal Error",
		FailureReplies: KeepLastLeg, AggregateChallenges: true,
		LocalReason: true, E2EReason: true,
	}
}

// DoubleRR is rr's enable_double_rr, with its numbers: when there are two Record-Routes, one for
// each side.
type DoubleRR int

// The values.
const (
	SingleRR          DoubleRR = iota // never
	DoubleWhereNeeded                 // if a request leaves by another listener than it came by
	DoubleEverywhere                  // always, each with its transport
)

// UnmatchedCancel is tm's unmatched_cancel, with its numbers: what becomes of a CANCEL without its
// INVITE.
type UnmatchedCancel int

// What may become of it.
const (
	PassStateful  UnmatchedCancel = iota // it is forwarded with a transaction
	PassStateless                        // it is forwarded without one, as §16.10 says
	DropUnmatched                        // it is dropped
)
