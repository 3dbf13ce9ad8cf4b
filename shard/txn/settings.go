package txn

import "time"

// Settings are what tm's parameters and max_branches of the core say about transactions. Modules
// bind its fields. Start from DefaultSettings.
type Settings struct {
	Timers
	// CancelBefore says how a branch is cancelled that has not had a provisional.
	CancelBefore CancelBefore
	// RestartC makes each provisional response start Timer C anew (§16.7 item 2;
	// restart_fr_on_each_reply). Otherwise it runs from the first one on.
	RestartC bool
	// Relay100 passes a 100 to an INVITE to the user as well, although §16.7 step 5 forbids
	// forwarding it (relay_100).
	Relay100 bool
	// HopHeaders is a prefix of header names: ACK and CANCEL repeat rows of the INVITE whose name
	// begins so (ac_extra_hdrs). "" means none.
	HopHeaders string
	// MaxBranches is how many branches a transaction may have (max_branches). 0, or more than the
	// package's own limit, means that limit.
	MaxBranches int
	// FindCalls keeps an index of transactions by Call-ID and CSeq number, for FindCall.
	FindCalls bool
}

// Relays100 reports whether a 100 is passed to the user.
func (t *Table) Relays100() bool { return t.relay100 }

// DefaultSettings returns the settings of an empty configuration file.
func DefaultSettings() Settings {
	return Settings{Timers: DefaultTimers(), CancelBefore: CancelWaits, RestartC: true,
		MaxBranches: 12}
}

// Timers are the durations of RFC 3261 table 4 and RFC 6026, as tm's parameters set them, in steps
// of a millisecond. All must be positive except MaxInvite and MaxNonInvite. Timer H is 64·T1.
type Timers struct {
	T1 time.Duration // retr_timer1: first interval of Timers A, E and G
	// T2 is the longest interval of Timers E and G (retr_timer2). One below T1 counts as T1, since
	// it would repeat without a pause.
	T2 time.Duration
	T4 time.Duration // t4_timer: Timers I and K: how long a message may linger in the network

	B time.Duration // fr_timer: an INVITE without any response (Timer B), and Timer F
	// C is for an INVITE after a provisional response (fr_inv_timer): §16.6 item 11 wants more than
	// 3 minutes.
	C time.Duration
	// Wait is how long a finished transaction absorbs repetitions (wt_timer): Timers D, J, L and M
	// (RFC 6026 §7.1).
	Wait time.Duration

	// MaxInvite bounds a whole INVITE transaction (max_inv_lifetime); 0 means that only Timer C
	// does. Kamailio's 180 s would cut a call that rings on with 180s.
	MaxInvite time.Duration
	// MaxNonInvite bounds a whole non-INVITE transaction (max_noninv_lifetime); 0 means that only
	// Timer F does.
	MaxNonInvite time.Duration
}

// DefaultTimers returns the RFC's values.
func DefaultTimers() Timers {
	const t1 = 500 * time.Millisecond
	return Timers{
		T1: t1, T2: 4 * time.Second, T4: 5 * time.Second,
		B: 64 * t1, C: 181 * time.Second, Wait: 64 * t1, MaxNonInvite: 64 * t1,
	}
}

// CancelBefore is tm's cancel_b_method, with its numbers: how a branch is cancelled that has had no
// provisional response.
type CancelBefore int

// How it is cancelled.
const (
	// its CANCEL waits for the provisional, but the branch counts as answered with 487 at once
	CancelFakes  CancelBefore = iota
	CancelWaits               // its CANCEL waits for the provisional, as §9.1 asks for
	CancelLeaves              // its CANCEL is sent at once
)
