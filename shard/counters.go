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
//	256…     proxy: failures by cause and by code, stateless responses
//	1204…    shard: messages by their kinds, see kinds.go
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

// counted describes the counters of the shard.
var counted = map[int]shm.Count{
	CountDatagramsIn: {Name: "datagrams_in",
		Help: "datagrams taken from the sockets"},
	CountDatagramsOut: {Name: "datagrams_out",
		Help: "datagrams that the kernel took"},
	CountRequests: {Name: "requests", Help: "requests read, by whatever transport"},
	CountReplies:  {Name: "replies", Help: "responses read, by whatever transport"},
	CountHandedOff: {Name: "handed_off",
		Help: "datagrams of another shard's calls, given to it"},
	CountTakenOver: {Name: "taken_over",
		Help: "datagrams of this shard's calls that another one received"},
	CountRingFull: {Name: "ring_full",
		Help: "datagrams dropped, since the ring to their shard was full"},
	CountSendFailed: {Name: "send_failed", Help: "sends that the kernel refused"},
	CountICMPErrors: {Name: "icmp_errors",
		Help: "errors that came back for what was sent: port or host unreachable"},
	CountKernelDrops: {Name: "kernel_drops",
		Help: "datagrams that the kernel dropped from a full socket, of a bundle one for " +
			"all. Raise -b, or there is more than the machine can do"},
	CountBundled: {Name: "datagrams_bundled",
		Help: "datagrams that arrived together with others (UDP_GRO), see --segment"},
	CountBatches: {Name: "batches",
		Help: "reads of a socket that brought something: datagrams_in / batches is how many " +
			"came at once"},
	CountPanics: {Name: "panics",
		Help: "bugs of ours that were contained, each at the cost of one call: please " +
			"report"},
	CountBytesIn:  {Name: "bytes_in", Help: "bytes of datagrams_in"},
	CountBytesOut: {Name: "bytes_out", Help: "bytes of datagrams_out"},
	CountProbesSent: {Name: "probes_sent",
		Help: "requests that asked destinations whether they live"},
	CountSendQueued: {Name: "datagrams_queued",
		Help: "datagrams that waited, since the socket took no more"},
	CountQueueFull: {Name: "datagram_queue_full",
		Help: "datagrams not sent, since udp_wq_max bytes were waiting"},
	CountStreamsIn: {Name: "stream_messages_in",
		Help: "of requests and replies, those that came over streams"},
	CountReopened: {Name: "connections_reopened",
		Help: "responses whose connection was gone, sent over a new one"},
	CountNoWayBack: {Name: "no_way_back",
		Help: "responses whose connection was gone, and that had no way"},
	CountAsked: {Name: "questions_asked",
		Help: "questions that held runs asked of a service"},
	CountAsksRefused: {Name: "questions_refused",
		Help: "questions that could not be asked, since too much was under way"},
	CountLate: {Name: "answers_late", Help: "questions without an answer in time"},
	CountUnwanted: {Name: "answers_unwanted",
		Help: "answers that came when nobody waited any more"},
	CountForeignRuns: {Name: "runs_of_other_programs",
		Help: "runs that a process before this one held in another routing program: 503, or " +
			"for a response that it goes up as it is"},
	CountHTTP: {Name: "http_requests",
		Help: "HTTP requests for event_route[xhttp:request]"},
	CountHTTPIgnored: {Name: "http_unanswered",
		Help: "HTTP requests that event_route[xhttp:request] ended without an answer"},
	GaugeTransactions: {Name: "transactions", Gauge: true,
		Help: "server transactions there are, those that only wait for repeats included"},
	GaugeUnanswered: {Name: "transactions_unanswered", Gauge: true,
		Help: "server transactions without a final response. What a drain waits for"},
	GaugeArenaUsed: {Name: "arena_used_bytes", Gauge: true,
		Help: "memory of call state in use"},
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
var _ [len(shm.Counters{}) - proxy.RangesEnd]struct{}

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
