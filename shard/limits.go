package shard

import (
	"math"
	"time"

	"viaduct/netio"
	"viaduct/shard/place"
)

// Limits of this package.
const (
	// MaxShards is the most shards a server may have: the kernel program's socket map has 256
	// slots, and each pair of shards has a ring in the arena.
	MaxShards = 64

	// handedPerRound is how many datagrams of one ring a shard takes before it looks at its own
	// sockets again: as many as of a socket, so that what another shard hands on in a batch is not
	// overtaken by this shard's own.
	handedPerRound = netio.RecvBatch

	// holdFor is how long a shard reads no sockets, at most, while a ring to another shard is more
	// than half full; it looks again after each holdPause.
	holdFor   = 100 * time.Millisecond
	holdPause = 50 * time.Microsecond

	// streamsPerRound is how many messages that came over streams a shard takes in a round.
	streamsPerRound = netio.RecvBatch

	// streamLoops is how many event loops the streams have at most without -N: a loop only copies
	// and writes, and one keeps several shards busy.
	streamLoops = 4

	// closeStreamsWithin bounds how long a stop waits for connections to take what is queued for
	// them.
	closeStreamsWithin = 2 * time.Second

	// maxNames is how many domains of TLS peers a shard remembers as strings. Reached: it forgets
	// all of them and starts over.
	maxNames = 1024

	// mailsPerRound is how many mails, such as answers of the resolver, a shard takes in a round.
	mailsPerRound = 64

	// mailAgain is when a mail is posted again that found the shard's mailbox full.
	mailAgain = 5 * time.Millisecond

	// maxParked and maxParkedBytes bound the messages without a transaction that a shard keeps
	// until a name is resolved: a second of 250 ACKs. Beyond them a message whose destination is
	// not known yet is refused, or dropped if nothing may be answered.
	maxParked      = 256
	maxParkedBytes = 1 << 20

	// maxReplyRetries is how many responses sent over a new connection a shard keeps, to try
	// another address if that fails; maxReplyRetryBytes is the longest one kept.
	maxReplyRetries    = 64
	maxReplyRetryBytes = 16 << 10

	// timersPerRound is how many timers fire before the shard looks at its sockets again; 2,000 of
	// them are about a millisecond.
	timersPerRound = 2000

	// busyBatch is the batch size from which a shard looks at its sockets again without asking
	// epoll first: there is certainly more.
	busyBatch = 16

	// busyRounds is how many rounds in a row do so, so that doorbells and socket errors are seen
	// under constant load.
	busyRounds = 16

	// refuseAfter is how long a shutdown leaves new calls that came by UDP without an answer, in
	// case a successor starts: the fourth INVITE, 3.5 s behind the first (RFC 3261 §17.1.1.2),
	// meets the successor, or a 503 that sends the call elsewhere.
	refuseAfter = 3 * time.Second

	// drainLinger is how long a shutdown waits after the last final response: the ACK of a call
	// just answered is still on its way.
	drainLinger = 2 * time.Second

	// onceEvery is how often the kernel is asked how many datagrams it dropped, which is a system
	// call per socket, and place.Placement is told that there is work. A shard that received
	// nothing meanwhile does neither.
	onceEvery = place.Every

	// never is after any time, ns.
	never = math.MaxInt64

	// shedQuiet is how long no request may have been refused before the log says that the refusing
	// is over.
	shedQuiet = 10 * time.Second

	// maxPosted is how many functions others may leave for a shard to call. Reached: further ones
	// are lost, and logged.
	maxPosted = 4096

	// maxKept is how many earlier programs are kept for the transactions they began. Each takes
	// some 100 KB of Go memory. Reached: a reload fails and asks the operator to wait, and what
	// runs is not touched.
	maxKept = 8

	// lingers is how long a listener of datagrams that a reload took out stays for the transactions
	// that began over it: 64*T1, in which a response is repeated and an answered call settles.
	// Transactions that last longer go on by another listener. lingerLook is how often to check
	// whether the listener is still needed.
	lingers    = 32 * time.Second
	lingerLook = 200 * time.Millisecond

	// takeWithin is how long a shard may take to finish a batch before a reload logs that it is
	// late: a batch takes milliseconds, and a machine may stop for a second.
	takeWithin = 5 * time.Second

	// sendRounds bounds how often a batch is flushed again because failed sends were replaced by
	// others.
	sendRounds = 4

	// stacksPerSecond bounds the log lines of contained panics. Each has its stack, and a thousand
	// of the same help nobody.
	stacksPerSecond = 1

	// failuresPerSecond bounds how many failed requests and branches a shard logs in a second; the
	// log counts those beyond it. Ten calls show what is wrong, and a flood of requests that cannot
	// be served must not become a flood of lines.
	failuresPerSecond = 10

	// brokenRoundPause keeps a shard whose rounds panic outside of all steps from using up its
	// processor.
	brokenRoundPause = 10 * time.Millisecond
)
