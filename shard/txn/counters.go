package txn

import "viaduct/shm"

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

// Counted describes the counters, from CounterBase+1 on.
var Counted = [...]shm.Count{
	{Name: "transactions_created", Help: "server transactions made"},
	{Name: "transactions_freed", Help: "server transactions given back"},
	{Name: "branches_created", Help: "client transactions, CANCELs included"},
	{Name: "retransmissions_absorbed",
		Help: "messages that were repeats of known ones and went no further"},
	{Name: "replies_resent",
		Help: "responses sent again, for repeated requests and by Timer G"},
	{Name: "requests_resent", Help: "requests sent again by Timers A and E"},
	{Name: "timeouts",
		Help: "destinations that did not answer in time (Timers B, C, F)"},
	{Name: "arena_full", Help: "records that the memory had no room for"},
	{Name: "unstored",
		Help: "messages sent without a copy to repeat them from, for want of memory"},
	{Name: "ack_missing",
		Help: "final responses to INVITE that were never acknowledged (Timer H)"},
	{Name: "stray_replies", Help: "responses that belong to nothing known"},
	{Name: "index_full",
		Help: "records that the table that finds them had no room for"},
	{Name: "transactions_local",
		Help: "of transactions_created, the ones of requests made here"},
	{Name: "final_2xx",
		Help: "server transactions that ended with a final response of 2xx"},
	{Name: "final_3xx",
		Help: "server transactions that ended with a final response of 3xx"},
	{Name: "final_4xx",
		Help: "server transactions that ended with a final response of 4xx"},
	{Name: "final_5xx",
		Help: "server transactions that ended with a final response of 5xx"},
	{Name: "final_6xx",
		Help: "server transactions that ended with a final response of 6xx"},
}
