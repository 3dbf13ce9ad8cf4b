package txn

import (
	"viaduct/netio"
	"viaduct/shm"
)

// Kinds of arena slots this package owns. They are written into shm.Header.Kind
// and are part of the arena's layout.
const (
	KindTx      = 0x10 // a Tx
	KindBranch  = 0x11 // a Branch
	KindMessage = 0x12 // bytes of a message that may be sent again
	KindKey     = 0x13 // a match key too long for its Tx
	KindSaved   = 0x14 // a Saved: a request and the decisions about it
	KindSpares  = 0x15 // Spares: further addresses of one branch's destination
	KindVars    = 0x16 // variables of the routing program, bytes that package route reads
	KindHeld    = 0x17 // a Held: a run of the routing program that waits
)

// State is a state of one of the four machines of RFC 3261 §17; the names are
// those of its figures 5 to 8 and of RFC 6026 §7.
type State uint8

// The zero State is no state: a record that was just reserved.
const (
	Calling    State = iota + 1 // figure 5, INVITE client
	Trying                      // figures 6 and 8, non-INVITE
	Proceeding                  // all four
	Accepted                    // RFC 6026 §7.1 and §7.2, INVITE after a 2xx
	Completed                   // all four
	Confirmed                   // figure 7, INVITE server after the ACK
	Terminated                  // all four
)

var stateNames = [...]string{"None", "Calling", "Trying", "Proceeding", "Accepted", "Completed",
	"Confirmed", "Terminated"}

func (s State) String() string { return stateNames[s] }

// node is the part of a record that the timer wheel uses: the first fields of Tx and Branch alike.
type node struct {
	shm.Header
	due        int64   // deadline in ns of the shard's clock; 0 means not armed
	next, prev shm.Off // neighbours in the wheel's slot
	slot       uint16  // wheel slot while armed
	flags      uint16
	live       uint8 // Tx: branches not ended. Branch: brSentAgain and the flags behind it
	state      State
	method     uint8 // parser.Method of the request
	lostRoute  uint8 // Branch: the user's, see LostRoute
}

// Flags of a Tx.
const (
	txCanceled   = 1 << iota // a CANCEL for it was accepted
	txUnmatched              // no longer in the hash index
	txAnswered               // a final response went upstream
	txExpired                // its lifetime is over: no further destination is tried
	txNoConnect              // its responses leave on an existing connection, see StreamOptions
	txCloseAfter             // its final response closes the connection
	txSecure                 // its request leaves over TLS alone
	txLifetime               // it has a lifetime of its own, see SetLifetime
	txOurs                   // its request was made here, see SetOurs
	txUncounted              // see Uncount
	txReplicated             // its branches are copies: see SetReplicated
	txAwaitsAck              // it keeps a 2xx made here, and is in the index by that: see Answer
)

// Flags of a Branch.
const (
	// this record is the CANCEL of an INVITE branch, or the BYE to one whose 2xx nobody wants
	brCancel        = 1 << iota
	brCancelPending // to be cancelled as soon as a provisional arrives (§9.1)
	brCancelled     // its CANCEL was sent
	brFinal         // a final response was received
	brEnded         // given back; the record only waits for Reclaim
	// its CANCEL was made a second time, after a panic stopped the first
	brCancelAgain
	brProvisional // a provisional response came, a 100 included
	// it timed out or its request did not arrive: that is its outcome, whatever still comes
	brLost
	// an INVITE that timed out and is kept for a while longer, see giveUp
	brKept
	brDismissed // its 2xx came late and was ended here with ACK and BYE
	brHeld      // its request stays beyond a 2xx, see Hold
)

// Flags in node.live of a Branch: second chances that it had, and what else is known of its errors.
const (
	brSentAgain    = 1 << iota // sent again over another connection, since the first broke
	brErrorIgnored             // an ICMP error about it was passed over
	brTaken                    // a connection took its request, and broke: it may have arrived
)

// keyInlineBytes is the longest match key kept inside a Tx. SIPp's and
// Kamailio's keys need 50 to 70 bytes; a longer one gets a slot of its own.
const keyInlineBytes = 66

// userBytes is the room a Tx keeps for its user.
const userBytes = 48

// Tx is a server transaction and the root of the branches it was relayed on:
// 256 bytes in the arena.
//
//	Tx ── first ─→ Branch ── next ─→ Branch ── …
//	 │                │
//	 ├─ reply         ├─ request   (bytes sent, for Timer A/E, CANCEL, ACK)
//	 │  (bytes)       └─ cancel ─→ Branch (brCancel)
//	 ├─ best, challenges   (bytes) only while several branches are tried
//	 ├─ spares → …         (Spares) only where a name has several addresses
//	 └─ saved ─→ vars, held → …    (Saved) only with a route armed; vars only if it has variables,
//	                               held (Held) only while runs wait
type Tx struct {
	node
	key        uint64  // hash of the match key, keyed per process
	first      shm.Off // branches, oldest first
	reply      shm.Off // last response sent, for retransmissions; 0 means none
	keyExtra   shm.Off // the match key when it is longer than keyInlineBytes
	replyTo    netio.Addr
	endAt      int64  // Timers H, I, J, L, or the life guard
	retransAt  int64  // Timer G; for a non-INVITE when the 100 of RFC 4320 is due; 0 means none
	loop       uint32 // hash of what the request was routed by, see SetLoop
	call       uint32 // where it is in the index of calls, see calls.go; 0 means nowhere
	intervalMs uint32 // Timer G's present interval
	listener   uint16
	status     uint16 // last status sent upstream; 0 means none
	keyLen     uint16
	total      uint8   // branches ever made
	UserFlags  uint8   // the user's own, see User
	saved      shm.Off // the request and what was decided about it; 0 means not kept
	user       [userBytes]byte
	best       shm.Off // the best final response so far, if it had to wait
	challenges shm.Off // WWW-Authenticate and Proxy-Authenticate rows of others
	spares     shm.Off // further addresses, one Spares for each branch that has some
	// bestWord is the status of the best response so far, 0 if there is none; its high six bits are
	// the user's word about it.
	bestWord  uint16
	keyInline [keyInlineBytes]byte
}

// Branch is a client transaction: 128 bytes in the arena.
type Branch struct {
	node
	tx         shm.Off
	nextBranch shm.Off
	cookie     uint64 // the secret part of our Via branch
	dst        netio.Addr
	request    shm.Off // the bytes sent
	cancel     shm.Off // the Branch of its CANCEL, or of the BYE that ended it
	endAt      int64   // Timers B, C, D, F, K, M
	retransAt  int64   // Timers A, E; 0 means none
	sentAt     int64   // when it was made, which is when its request was first sent
	intervalMs uint32  // present interval of Timer A or E; once dismissed, see SetDismissed
	listener   uint16
	target     uint16 // the user's name for the destination; 0 means none
	breadth    uint16 // share of the request's Max-Breadth (RFC 5393 §5.3); 0 means none counted
	status     uint16 // last status received
	replyRoute uint16 // the user's, see ReplyRoute
	index      uint8  // number in its transaction, from 0
	marks      uint8  // the user's, see Marks
}

// Sizes of the records; a test compares them with the structs.
const (
	txBytes     = 256
	branchBytes = 128
)
