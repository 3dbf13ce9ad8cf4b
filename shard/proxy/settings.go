package proxy

import (
	"viaduct/netio"
	"viaduct/shard/balance"
)

// Settings are what the operator's parameters say of the proxy. Modules bind its fields, and each
// names its parameter; the others are those of the core. Start from DefaultSettings.
type Settings struct {
	AutoTrying   bool   // an INVITE gets a 100 from us (auto_inv_100 of tm)
	TryingReason string // its reason phrase (auto_inv_100_reason); "": it is not sent

	UseReceived   bool // LooseRoute goes where our Route's received parameter says (path)
	FullLR        bool // ";lr=on" instead of ";lr" (enable_full_lr of rr)
	AppendFromtag bool // ";ftag=" in Record-Route (append_fromtag)
	// DoubleRR is where there are two Record-Routes (enable_double_rr).
	DoubleRR   DoubleRR
	IgnoreSips bool // Record-Route is never sips (ignore_sips)
	// LooseRoute has the request leave by the listener of our Route even where that is but one
	// (force_send_socket)
	ForceSendSocket bool
	// SignRoutes puts a mark into Record-Route that LooseRoute asks for: only requests of calls
	// that were set up through this host follow their Route. It is a parameter of ours
	// (sign_routes).
	SignRoutes bool

	LocalRPort bool // our own Via asks for rport (RFC 3581 §3; local_rport)
	ForceRPort bool // every request is taken as if its Via had rport (force_rport)
	// UDPMTU is in bytes: a longer request goes by a stream if it can (§18.1.1; udp_mtu); 0 means
	// never. MTUProto is TCP or TLS (udp_mtu_try_proto).
	UDPMTU   int
	MTUProto netio.Proto

	Remap503 bool // a 503 goes upstream as a 500 (§16.7 step 6; remap_503_500 of tm)
	// PassFormer: a response to what a process before this one sent is passed on by its Via: who
	// rang across a restart is heard. It is a parameter of ours (pass_former_replies).
	PassFormer bool
	// RetryRefused: a request whose only destination refuses it by ICMP is sent once more before it
	// fails. It is a parameter of ours (retry_refused).
	RetryRefused    bool
	UnmatchedCancel UnmatchedCancel // unmatched_cancel
	TimeoutStatus   int             // what an INVITE nobody answered gets (reply_408_code)
	DefaultCode     int             // what one gets whose routes decided nothing (default_code)
	DefaultReason   string          // its phrase (default_reason)
	FailureReplies  ReplyMode       // failure_reply_mode
	// Disable6xxBlock: a 6xx is like any other failure (§16.7 item 5 says otherwise;
	// disable_6xx_block).
	Disable6xxBlock bool
	// SilentTimeout: an INVITE whose only destination said nothing at all ends without a final
	// response (noisy_ctimer 0).
	SilentTimeout bool
	// LocalPenalty makes finals made here worse than others, by so many thousandths of a class
	// (faked_reply_prio).
	LocalPenalty int
	// FailoverCodes are the finals besides 503 that try the next address of a name
	// (failover_reply_codes).
	FailoverCodes balance.ReplyCodes
	// AggregateChallenges: a 401 or 407 goes up with the challenges of all of them (§16.7 step 7;
	// aggregate_challenges).
	AggregateChallenges bool
	LocalReason         bool // a CANCEL of ours says why (RFC 3326; local_cancel_reason)
	E2EReason           bool // a CANCEL takes the caller's Reason along (e2e_cancel_reason)

	// Extensions are the option tags that Proxy-Require may ask for (RFC 3261 §16.3 step 5;
	// proxy_require of sanity).
	Extensions []string
}

// DefaultSettings are those of an empty configuration file. Where they are not Kamailio's, the RFC
// wants it so.
func DefaultSettings() Settings {
	return Settings{
		AutoTrying: true, TryingReason: "trying -- your call is important to us",
		AppendFromtag: true, DoubleRR: DoubleWhereNeeded, MTUProto: netio.TCP,
		Remap503: true, PassFormer: true, UnmatchedCancel: PassStateless,
		TimeoutStatus: 408, DefaultCode: 500, DefaultReason: "Server Internal Error",
		FailureReplies: KeepLastLeg, AggregateChallenges: true,
		LocalReason: true, E2EReason: true,
	}
}

// DoubleRR is rr's enable_double_rr, with its numbers: two Record-Routes, one for each side.
type DoubleRR int

// Where there are two.
const (
	SingleRR          DoubleRR = iota // nowhere
	DoubleWhereNeeded                 // where a request leaves by another listener
	DoubleEverywhere                  // everywhere, each with its transport
)

// UnmatchedCancel is tm's unmatched_cancel, with its numbers: what becomes of a CANCEL without its
// INVITE.
type UnmatchedCancel int

// What may become of it.
const (
	PassStateful  UnmatchedCancel = iota // it is passed on, with a transaction
	PassStateless                        // without one, as §16.10 says
	DropUnmatched                        // it goes nowhere
)
