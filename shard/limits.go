package shard

import (
	"math"
	"time"

	"viaduct/netio"
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

	// maxWayBack is how many responses over a new connection a shard keeps to try another address;
	// maxWayBackBytes is the longest one kept.
	maxWayBack      = 64
	maxWayBackBytes = 16 << 10

	// timersPerRound is how many timers fire before the shard looks at its sockets again; 2,000 of
	// them are about a millisecond.
	timersPerRound = 2000

	// busyBatch is the batch size from which a shard looks at its sockets again without asking
	// epoll first: there is certainly more.
	busyBatch = 16

	// busyRounds bounds that, so that doorbells and socket errors are seen under constant load.
	busyRounds = 16

	// recoverEvery is how often a destination that calls found dead is asked whether it is back:
	// one OPTIONS a second.
	recoverEvery = time.Second

	// refuseAfter is for how long a shutdown leaves new calls that came by UDP without an answer,
	// in case a successor starts: the fourth INVITE, 3.5 s behind the first (RFC 3261 §17.1.1.2),
	// meets the successor, or a 503 that sends the call elsewhere.
	refuseAfter = 3 * time.Second

	// drainLinger is how long a shutdown waits behind the last final response: the ACK of a call
	// just answered is still on its way.
	drainLinger = 2 * time.Second

	// onceEvery is how often the kernel is asked how many datagrams it dropped, a system call per
	// socket, and how long shards waited for their processors. A shard to which nothing came
	// meanwhile does not ask.
	onceEvery = time.Second

	// never is after any time, ns.
	never = math.MaxInt64

	// So many datagrams in a second, and 1/strayShare of all, must have come to a wrong shard
	// before a listener is no longer steered by the kernel. Bundles bring half or more of theirs to
	// wrong ones; a stranger who hides his Call-IDs from the kernel needs as large a part of the
	// traffic.
	strayLeast = 256
	strayShare = 4

	// longBatch is from how many datagrams on a batch is worth asking how long the queue is: a
	// system call of 300 ns.
	longBatch = 64

	// New calls are refused when a socket's queue has not been less than queueHalf of its buffer
	// for standingAfter: none at queueHalf, all at queueFull. What was last worked off within that
	// time was a pause, not overload: 500 ms is also T1, after which peers send again. The share
	// falls by 1 in shareFalls at most.
	queueHalf     = 0.5
	queueFull     = 0.875
	standingAfter = 500 * time.Millisecond
	shareFalls    = time.Second

	// smallBuffer is below what the length of a queue says little: it holds less than four batches
	// of ordinary datagrams, each of which takes datagramOverhead besides its bytes (struct
	// sk_buff, struct skb_shared_info and rounding, Linux 6.18).
	smallBuffer      = 4 * netio.RecvBatch * 1280
	datagramOverhead = 576

	// A queue from which the kernel dropped something in the last lossQuiet is not short, and each
	// look that finds more of that adds shareOfLoss, or goes straight to the part that was lost.
	lossQuiet   = 100 * time.Millisecond
	shareOfLoss = 0.05

	// shedQuiet is how long no request may have been refused before the log says that this is over.
	shedQuiet = 10 * time.Second

	// starvedShare of its time, starvedSeconds in a row: so long may a shard be ready to work
	// without being let, before it leaves its CPU. A backup or a log rotation is over sooner.
	// restSeconds is how long it stays where it went at least, twice as long with each further
	// move, restDoublings times: strangers that come and go may send it around, but ever more
	// rarely. roamSeconds is after how long without a better place it is let go.
	starvedShare   = 0.2
	starvedSeconds = 2
	restSeconds    = 5
	restDoublings  = 10 // 85 minutes
	roamSeconds    = 10

	// A shard moves to where its share of a CPU is moreRoom times what it is; fewerStrangers times,
	// if it gets away from other programs there, and moreStrangers times, if it gets among them.
	// moreStrangers * fewerStrangers > 1, or one between two CPUs would come and go.
	moreRoom       = 1.25
	fewerStrangers = 0.6
	moreStrangers  = 2.0

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
