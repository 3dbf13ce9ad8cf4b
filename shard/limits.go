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
	// overtaken by our own.
	handedPerRound = netio.RecvBatch

	// A shard reads no sockets for holdFor at most while a ring to another one is more than half
	// full; it looks again after holdPause.
	holdFor   = 100 * time.Millisecond
	holdPause = 50 * time.Microsecond

	// streamsPerRound is the same for messages that came over streams.
	streamsPerRound = netio.RecvBatch

	// streamLoops is how many event loops the streams have at most without -N: a loop only copies
	// and writes, one keeps several shards busy.
	streamLoops = 4

	// closeStreamsWithin bounds how long a stop waits for what connections have not taken yet.
	closeStreamsWithin = 2 * time.Second

	// maxNames is how many domains of TLS peers a shard remembers as strings; beyond it it begins
	// anew.
	maxNames = 1024

	// mailsPerRound is the same for answers of the resolver.
	mailsPerRound = 64

	// mailAgain is when a mail is posted again that found the shard's mailbox full.
	mailAgain = 5 * time.Millisecond

	// maxParked and maxParkedBytes bound the messages without a transaction that a shard keeps
	// until a name is resolved: a second of 250 ACKs. Beyond them a message whose destination is
	// not known yet is refused, or dropped if nothing may be answered.
	maxParked      = 256
	maxParkedBytes = 1 << 20

	// maxReplyRetries is how many responses over a new connection a shard keeps to try another
	// address; maxReplyRetryBytes is the longest one kept.
	maxReplyRetries    = 64
	maxReplyRetryBytes = 16 << 10

	// timersPerRound is how many timers fire before the shard looks at its sockets again; 2,000 of
	// them are about a millisecond.
	timersPerRound = 2000

	// busyBatch is the batch size from which a shard looks at its sockets again without asking
	// epoll first: there is certainly more.
	busyBatch = 16

	// busyRounds bounds that, so that doorbells and socket errors are seen under constant load.
	busyRounds = 16

	// refuseAfter is for how long a shutdown leaves new calls that came by UDP without an answer,
	// in case a successor starts: the fourth INVITE, 3.5 s behind the first (RFC 3261 §17.1.1.2),
	// meets the successor, or a 503 that sends the call elsewhere.
	refuseAfter = 3 * time.Second

	// drainLinger is how long a shutdown waits behind the last final response: the ACK of a call
	// just answered is still on its way.
	drainLinger = 2 * time.Second

	// onceEvery is how often the kernel is asked how many datagrams it dropped, a system call per
	// socket, and place.Placement told that there is work. A shard to which nothing came meanwhile
	// does not ask.
	onceEvery = place.Every

	// never is after any time, ns.
	never = math.MaxInt64

	// shedQuiet is how long no request may have been refused before the log says that this is over.
	shedQuiet = 10 * time.Second

	// maxPosted is how much others may leave for a shard to do. Beyond: it is lost, and logged.
	maxPosted = 4096

	// maxKept is how many earlier programs are kept for the transactions they began. Each is some
	// 100 KB of Go memory. Who reloads more often than transactions end is told to wait, and what
	// runs is not touched.
	maxKept = 8

	// lingers is how long a listener of datagrams that a reload took out is there for what began
	// over it, if there is anything: 64*T1, in which a response is repeated and an answered call
	// settles. What lasts longer goes on by another listener. lingerLook is how often to see
	// whether it is needed.
	lingers    = 32 * time.Second
	lingerLook = 200 * time.Millisecond

	// takeWithin is how long a shard may take to come to the end of a batch before a reload says
	// so: a batch takes milliseconds, and a machine may stop for a second.
	takeWithin = 5 * time.Second

	// sendRounds bounds how often a batch is flushed again because failed sends were replaced by
	// others.
	sendRounds = 4

	// stacksPerSecond bounds the log of contained panics: each names its stack, and a thousand of
	// the same help nobody.
	stacksPerSecond = 1

	// failuresPerSecond bounds how many failed requests and branches a shard's log names in a
	// second; those beyond it are counted there. Ten calls show what is wrong, and a flood of
	// requests that cannot be served must not become one of lines.
	failuresPerSecond = 10

	// brokenRoundPause keeps a shard whose rounds panic outside of all steps from using up its
	// processor.
	brokenRoundPause = 10 * time.Millisecond
)
