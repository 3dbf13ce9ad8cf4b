package proxy

import (
	"time"

	"viaduct/shm"
)

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

// FirstResponseUnit is the unit of HistogramFirstResponse, whose buckets reach from it to 65 s.
const FirstResponseUnit = 250 * time.Microsecond

// Failures have their own ranges: finals made here and failed branches by cause, and those whose
// code varies by code.
const (
	CountFinalCauses  = 256 // + Cause
	CountBranchCauses = CountFinalCauses + causeRoom
	// + code-300: finals that the routing program made
	CountProgramCodes    = CountBranchCauses + causeRoom
	CountDownstreamCodes = CountProgramCodes + numCodes // + code-300: finals that ended branches
	// + class: responses made here without a transaction, from 1 on
	CountStatelessClasses = CountDownstreamCodes + numCodes - 1
	CountStatelessCodes   = CountStatelessClasses + 7 // + index of CountedCodes
	// of those, the ones that could not be sent
	CountStatelessFailed = CountStatelessCodes + len(StatelessCodes{})
	FailureCounterEnd    = CountStatelessFailed + 1

	// HistogramFirstResponse is how long a destination took for its first response to an INVITE, a
	// 100 included, in FirstResponseUnit.
	HistogramFirstResponse = FailureCounterEnd
	RangesEnd              = HistogramFirstResponse + shm.HistogramWords // below len(shm.Counters)

	causeRoom = 64 // a Tx has six bits for a Cause
	numCodes  = 400
)

var _ [causeRoom - int(NumCauses)]struct{}

// StatelessCodes has room for the statuses of responses without a transaction that have a counter.
type StatelessCodes [13]uint16

// CountedCodes are those statuses, in the order of their counters.
var CountedCodes = StatelessCodes{200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500}

// countStateless counts a response made here without a transaction.
func (c *Core) countStateless(code int) {
	c.count[CountStatelessClasses+code/100]++
	for i, counted := range CountedCodes {
		if int(counted) == code {
			c.count[CountStatelessCodes+i]++
			return
		}
	}
}

// StatelessFailed counts a response without a transaction that the program asked for and that could
// not be sent.
func (c *Core) StatelessFailed() { c.count[CountStatelessFailed]++ }

// Counted describes the counters, from CounterBase+1 on.
var Counted = [...]shm.Count{
	{Name: "requests_forwarded",
		Help: "requests sent on, in both directions; another destination counts again"},
	{Name: "requests_stateless",
		Help: "requests sent on without a transaction: ACK to a 2xx, and what forward() " +
			"sends"},
	{Name: "replies_forwarded", Help: "responses passed on"},
	{Name: "replies_own", Help: "responses made here"},
	{Name: "failovers",
		Help: "requests sent again to another destination of their set"},
	{Name: "shed", Help: "requests refused with 503 for want of memory: raise -m"},
	{Name: "scratch_misses",
		Help: "edits that did not fit a batch's scratch memory and took the slower way"},
	{Name: "acks_absorbed", Help: "ACKs to responses that were made here"},
	{Name: "unresolvable",
		Help: "targets that could not be made an address to send to (all of 478 and 504), " +
			"and responses whose next Via leads nowhere"},
	{Name: "too_many_targets",
		Help: "destinations of append_branch() there was no room for"},
	{Name: "bad_targets", Help: "destinations of append_branch() that are no URI"},
	{Name: "rows_left_out",
		Help: "header rows of others that did not fit into a message of ours (Reason, " +
			"challenges)"},
	{Name: "blocked",
		Help: "destinations passed over because the blocklist names them"},
	{Name: "waited_for_names",
		Help: "requests that waited for a name, with a transaction"},
	{Name: "parked_for_names", Help: "requests that waited for a name, without one"},
	{Name: "sent_by_stream",
		Help: "requests too long for a datagram, sent by a stream (udp_mtu)"},
	{Name: "next_addresses",
		Help: "requests sent again to another address of the same name"},
	{Name: "late_answers", Help: "2xx of INVITE branches that had been given up on"},
	{Name: "late_answers_ended",
		Help: "of late_answers, calls ended here with ACK and BYE, since another 2xx had " +
			"gone up"},
	{Name: "replies_mended",
		Help: "responses that lacked a Via or another field of their request, and were " +
			"given it"},
	{Name: "replies_of_former",
		Help: "responses to what a process before this one sent, passed on by their Via " +
			"(pass_former_replies)"},
	{Name: "runs_held",
		Help: "runs of the routing program that waited for an answer, or for time to pass"},
	{Name: "replies_withheld",
		Help: "final responses that onsend_route dropped: their caller hears nothing"},
	{Name: "invites_silent",
		Help: "INVITEs that ended without a final response: nobody said anything, and " +
			"noisy_ctimer is 0"},
	{Name: "replies_queue_full",
		Help: "responses lost while another of their transaction waited in its reply route, " +
			"since eight were waiting behind it, or for want of memory"},
	{Name: "data_sent",
		Help: "messages that were sent as they stood, by send_udp, send_data and their like"},
}
