package txn

// Counters this package keeps in the shard's counter block, from CounterBase on.
const (
	CounterBase = 64

	CountTx       = CounterBase + iota // server transactions made
	CountTxFreed                       // server transactions given back
	CountBranches                      // client transactions made, CANCELs included
	// requests and responses that were retransmissions and were absorbed
	CountAbsorbed
	CountResentReply  // responses sent again
	CountResentReq    // requests sent again by Timer A or E
	CountTimeouts     // client transactions that ended by Timer B, C or F
	CountArenaFull    // records or copies the arena had no room for
	CountUnstored     // messages sent without a copy to repeat them from
	CountNoAck        // INVITE server transactions that ended by Timer H
	CountStrayReplies // responses that match no client transaction
	CountIndexFull    // transactions that the index had no room for
	CountLocal        // server transactions of requests made here
	// CountFinal counts server transactions that ended with a 2xx. Those with a 3xx and so on to 6xx
	// have the next ones.
	CountFinal
	_
	_
	_
	_
	CounterEnd
)

// CounterNames names the counters, from CounterBase+1 on.
var CounterNames = [...]string{
	"transactions_created", "transactions_freed", "branches_created", "retransmissions_absorbed",
	"replies_resent", "requests_resent", "timeouts", "arena_full", "unstored", "ack_missing",
	"stray_replies", "index_full", "transactions_local", "final_2xx", "final_3xx", "final_4xx",
	"final_5xx", "final_6xx",
}
