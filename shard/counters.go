package shard

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// The shard's counter block in the arena (shm.Counters): one writer, the shard;
// any reader. txn and proxy have their own ranges in it.
//
//	  0… 63  shard     (counters and gauges below)
//	 64… 95  txn
//	 96…127  proxy
//	128…191  datagrams dropped, by Reason
//	192…255  requests refused with a status, by Reason
//	256…     proxy: failures by cause and by code
const (
	CountDatagramsIn  = 1 + iota
	CountDatagramsOut // taken by the kernel
	CountRequests
	CountReplies
	CountHandedOff // datagrams given to their owner
	CountTakenOver // datagrams received from other shards
	CountRingFull  // hand-offs that found the ring full: dropped
	CountSendFailed
	CountICMPErrors
	// datagrams the kernel dropped because our receive buffer was full (SO_RXQ_OVFL's count, which
	// has one for a bundle)
	CountKernelDrops
	CountBundled // datagrams that arrived together with others (UDP_GRO)
	CountBatches
	CountPanics
	CountBytesIn
	CountBytesOut
	CountProbesSent
	CountSendQueued   // datagrams that had to wait, since our send buffer was full
	CountQueueFull    // datagrams not sent, since udp_wq_max had been reached
	CountStreamsIn    // messages that came over streams
	CountReopened     // responses whose connection was gone, sent over a new one (§18.2.2)
	CountNoWayBack    // responses whose connection was gone, and no other could be opened
	CountAsked        // questions that runs of the routing program asked of a service
	CountAsksRefused  // questions that could not be asked: too many were under way
	CountLate         // questions asked that were answered too late or not at all
	CountUnwanted     // answers that nobody waited for any more
	CountForeignRuns  // runs that were held by another routing program: 503
	CountHTTP         // HTTP requests
	CountHTTPIgnored  // HTTP requests that the routing program ended without an answer
	GaugeTransactions // server transactions alive
	GaugeUnanswered   // server transactions without a final response
	GaugeArenaUsed    // bytes of this shard's slots in use
	countEnd

	dropBase   = 128
	refuseBase = 192
)

var counterNames = map[int]string{
	CountDatagramsIn: "datagrams_in", CountDatagramsOut: "datagrams_out", CountRequests: "requests",
	CountReplies:   "replies",
	CountHandedOff: "handed_off", CountTakenOver: "taken_over", CountRingFull: "ring_full",
	CountSendFailed: "send_failed",
	CountICMPErrors: "icmp_errors", CountKernelDrops: "kernel_drops",
	CountBundled: "datagrams_bundled", CountBatches: "batches", CountPanics: "panics",
	CountBytesIn: "bytes_in", CountBytesOut: "bytes_out", CountProbesSent: "probes_sent",
	CountSendQueued: "datagrams_queued", CountQueueFull: "datagram_queue_full",
	CountStreamsIn: "stream_messages_in", CountReopened: "connections_reopened",
	CountNoWayBack: "no_way_back",
	CountAsked:     "questions_asked", CountAsksRefused: "questions_refused",
	CountLate:        "answers_late",
	CountUnwanted:    "answers_unwanted",
	CountForeignRuns: "runs_of_other_programs",
	CountHTTP:        "http_requests", CountHTTPIgnored: "http_unanswered",
	GaugeTransactions: "transactions", GaugeUnanswered: "transactions_unanswered",
	GaugeArenaUsed: "arena_used_bytes",
}

// Reason is why a datagram was dropped or a request refused: first the parser's reasons, then the
// shard's.
type Reason uint8

// The shard's reasons.
const (
	Truncated = Reason(parser.NumReasons) + iota // longer than a datagram may be
	RingFull                                     // its owner's ring had no room
	// a response whose top Via we did not write (§18.1.2)
	ViaNotOurs
	// a response whose only Via is ours (§16.7 step 3)
	NoViaLeft
	// a response no transaction waits for (RFC 6026 §7.3)
	StrayResponse
	StrayAck // an ACK the routing program did not send on
	// a bad request whose Via does not say where an answer goes
	Unanswerable
	ProxyRequire // an extension we do not have (§16.3 step 5)
	// the request was here before, unchanged (RFC 5393 §4.2)
	LoopDetected
	BadMaxBreadth // no number, or twice (RFC 5393 §5.3)
	Draining      // new calls while shutting down
	// new calls while more arrives than can be handled
	Overloaded
	// the routing program neither answered nor forwarded
	ProgramDrop
	ProgramFault // the routing program ran into a limit
	// a stream's message without Content-Length (§18.3)
	MissingLength
	// a stream's message whose Content-Length is no number, or occurs twice
	BadLength
	TooLong  // a stream's message longer than tcp_rd_buf_size
	Panicked // handling it panicked: contained, counted
	numReasons
)

// The ranges above must hold the reasons.
var _ [refuseBase - dropBase - int(numReasons)]struct{}
var _ [64 - int(countEnd)]struct{}
var _ [96 - int(txn.CounterEnd)]struct{}
var _ [128 - int(proxy.CounterEnd)]struct{}
var _ [len(shm.Counters{}) - proxy.FailureCounterEnd]struct{}

var reasonNames = [...]string{
	"truncated", "ring full", "Via not ours", "no Via left", "stray response", "stray ACK",
	"unanswerable",
	"unsupported Proxy-Require", "loop detected", "bad Max-Breadth", "draining", "overloaded",
	"dropped by program", "program fault", "missing Content-Length on a stream",
	"bad Content-Length on a stream", "longer than tcp_rd_buf_size", "panic",
}

// String returns the reason's name in the statistics.
func (r Reason) String() string {
	if r < Truncated {
		return parser.Reason(r).String()
	}
	return reasonNames[r-Truncated]
}
