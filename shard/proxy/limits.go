package proxy

import (
	"time"

	"viaduct/netio"
	"viaduct/shard/txn"
)

// Limits of this package.
const (
	// maxLateData is how many messages of a shard that leave as they stand may wait for a name.
	// Reached: the function that sends one returns false.
	maxLateData = 64

	// maxEdits is how many places of one message may be edited. The proxy's own edits are at most
	// 17: leading line ends, Request-URI, head, received and rport of the Via (three),
	// Max-Forwards, Max-Breadth, up to eight Route values, the Route of a strict router, and
	// Content-Length. The others are the routing program's.
	maxEdits = maxScriptEdits + 24

	// maxScriptEdits is how many places of one message the routing program may edit; a row removed
	// or added is one. maxEditBytes bounds the text of one edit. Reached: the function returns
	// false.
	maxScriptEdits = 64
	maxEditBytes   = maxDatagramBytes

	// scratchBytes is the room for what is inserted into the messages of one batch: 2 KiB for each
	// message received. Beyond it each insert is allocated, and counted.
	scratchBytes = netio.RecvMost * 2048

	// maxDatagramBytes is the longest message sent. A request that our rows make
	// longer is refused with 513.
	maxDatagramBytes = txn.MaxPayloadBytes

	// maxStreamBytes is the longest message sent over a stream: tcp_rd_buf_size's default is 64 KiB
	// and its most is 16 MiB, and what we add is little. A longer one is refused with 513.
	maxStreamBytes = 1 << 20

	// maxPathBytes bounds user and parameters of our Path row. Reached: add_path returns false.
	maxPathBytes = 512

	// maxReplyRowsBytes bounds what append_to_reply adds to the responses to one request. Reached:
	// the function returns false.
	maxReplyRowsBytes = 2048

	// maxQueuedReplies is how many responses of a transaction may wait behind one whose reply route
	// waits. Reached: a provisional, or a 2xx to an INVITE, is lost as on the network, and counted;
	// its sender repeats it. Another final comes only once from each branch, and is queued all the
	// same.
	maxQueuedReplies = 8

	// maxReplyBodyBytes bounds what set_reply_body gives the responses to one request. Reached: the
	// function returns false.
	maxReplyBodyBytes = 8192

	// maxAdvertised bounds the sent-bys that set_advertised_address and set_advertised_port may
	// have shown since the start, of all listeners together: each response is compared with them.
	// Reached: the function returns false. maxSentByHost is the longest name (RFC 1035 §2.3.4).
	maxAdvertised = 64
	maxSentByHost = 255

	// maxViaParamsBytes bounds what via_add_xavp_params adds to our Via. Reached: the function
	// returns false.
	maxViaParamsBytes = 512

	// waitsBeyond is how often a relay may wait for names besides once for each further target: for
	// the first target, and once more where an answer was forgotten before it was used. Each wait
	// is bounded by dns_timeout.
	waitsBeyond = 2

	// longestWait is the lifetime that a transaction must have left for its relay to wait again: a
	// resolver answers within dns_timeout, 10 s.
	longestWait = 12 * time.Second

	// savingBytes is the room for what is kept of a request besides its bytes. A larger buffer is
	// allocated when needed, and kept up to maxSavingBytes.
	savingBytes    = 1024
	maxSavingBytes = 64 << 10

	// maxFutileRelays is how many failure routes in a row may relay without being able to send: as
	// many as a transaction may have branches, with Kamailio's most for max_branches. Reached: the
	// best response so far goes up.
	maxFutileRelays = 31

	// maxReasonBytes is how much of a CANCEL's Reason rows (RFC 3326) is passed on in ours: a row
	// for SIP and one for Q.850 need 100. Further rows are left out, and counted.
	maxReasonBytes = 1024

	// maxRecordBytes is how long user, addresses and parameters of our Record-Route may be
	// together. Reached: the function that adds to them returns false.
	maxRecordBytes = 2048

	// maxTargets is how many further targets append_branch may add for one relay: Kamailio's
	// default of max_branches. Reached: append_branch returns false.
	maxTargets = 12

	// maxPartingRoutes is how many proxies downstream may have recorded themselves in a call that
	// is ended here. Reached: the call is left to its own timers.
	maxPartingRoutes = 16

	// defaultBreadth is the Max-Breadth of a request that has none (RFC 5393 §5.3.3).
	defaultBreadth = 60

	// maxRouteValues is how many Route values of a request are looked at; a
	// longer list is a loop or an attack. Reached: 400.
	maxRouteValues = 64

	// reserveShare is the part of the arena's pool (1/reserveShare) that new calls may not take
	// from: requests inside a dialog, CANCEL and responses still find room when new calls are
	// refused with 503. The reserve is at least reserveLeast for each shard, which is a chunk of
	// 256 KiB for each of the recordClasses size classes that a request needs (transaction, branch,
	// copy, response). It is never more than half of the arena: LeastArenaBytes of a shard leave
	// twice as much for new calls.
	reserveShare  = 16
	reserveLeast  = recordClasses * 256 << 10
	recordClasses = 4

	// LeastArenaBytes is what a shard needs of the arena: the reserve, and two chunks for each
	// class that a new call needs.
	LeastArenaBytes = 3 * reserveLeast

	// retryAfterSeconds goes into a 503 made because there is no room: long enough for a second's
	// worth of transactions to end, and short enough not to keep the peer's calls away after a
	// short burst.
	retryAfterSeconds = 2

	// defaultPort is SIP's over UDP (RFC 3261 §19.1.2).
	defaultPort = 5060
)

// suspendedMargin is how long before the end of its transaction a suspended response to another
// request than INVITE goes up.
const suspendedMargin = time.Second
