package proxy

// Counters this package keeps in the shard's counter block, from CounterBase on.
const (
	CounterBase = 96

	CountForwarded  = CounterBase + iota // requests forwarded, both ways, failover included
	CountStateless                       // requests forwarded without a transaction
	CountRepliesFwd                      // responses forwarded
	CountRepliesOwn                      // responses made here
	CountFailover                        // requests sent again to another destination
	// requests refused with 503 because arena or index are full
	CountShed
	CountScratchMiss // inserts that did not fit the batch's scratch
	CountAckAbsorbed // ACKs to responses that were made here
	// targets that lead nowhere: 478, or 503 where the resolver failed
	CountUnresolvable
	CountTooManyTargets // targets that append_branch() had no room for
	// targets of append_branch() that are no URI, or one too long to keep
	CountBadTarget
	// header rows of other messages (Reason, challenges) that did not fit into one sent here
	CountRowsLeftOut
	// destinations passed over because the blacklist names them
	CountBlocked
	CountWaited // relays that waited for a name
	// requests without a transaction that were set aside for a name
	CountParked
	// requests too long for a datagram, sent by TCP instead (udp_mtu)
	CountToStream
	// requests sent again to another address of the same name
	CountNextAddress
	CountLate // 2xx of INVITE branches that had been given up on
	// of those late 2xx, calls that were ended here with ACK and BYE, since another 2xx had gone up
	CountLateEnded
	// responses that lacked a Via or another field of their request, and were given it
	CountMended
	// responses to requests of a process before this one, passed on by their Via
	CountFormer
	CountHeld // runs that were held until an answer came
	// final responses that onsend_route kept back
	CountWithheld
	// INVITEs that ended without a final response, since noisy_ctimer is 0
	CountSilent
	// responses lost, since too many waited behind one whose reply route waits, or there was no
	// room
	CountQueueFull
	CountData // messages sent as they stood, beside requests and responses
	CounterEnd
)

// Failures have their own ranges: finals made here and failed branches by cause, and those whose
// code varies by code.
const (
	CountFinalCauses  = 256 // + Cause
	CountBranchCauses = CountFinalCauses + causeRoom
	// + code-300: finals that the routing program made
	CountProgramCodes    = CountBranchCauses + causeRoom
	CountDownstreamCodes = CountProgramCodes + numCodes    // + code-300: finals that ended branches
	FailureCounterEnd    = CountDownstreamCodes + numCodes // below len(shm.Counters)

	causeRoom = 64 // a Tx has six bits for a Cause
	numCodes  = 400
)

var _ [causeRoom - int(NumCauses)]struct{}

// CounterNames names the counters, from CounterBase+1 on.
var CounterNames = [...]string{
	"requests_forwarded", "requests_stateless", "replies_forwarded", "replies_own", "failovers",
	"shed",
	"scratch_misses", "acks_absorbed", "unresolvable", "too_many_targets", "bad_targets",
	"rows_left_out",
	"blocked", "waited_for_names", "parked_for_names", "sent_by_stream", "next_addresses",
	"late_answers", "late_answers_ended", "replies_mended", "replies_of_former", "runs_held",
	"replies_withheld",
	"invites_silent", "replies_queue_full", "data_sent",
}
