package place

import (
	"time"

	"viaduct/netio"
)

const (
	// Every is how often Placement looks how long shards waited for their processors. A shard looks
	// as often at what is too dear for each round.
	Every = time.Second

	// So many datagrams in Every, and 1/foreignShare of all, must have come to a wrong shard before
	// a listener is no longer steered by the kernel. Bundles bring half or more of theirs to wrong
	// ones; a stranger who hides his Call-IDs from the kernel needs as large a part of the traffic.
	foreignLeast = 256
	foreignShare = 4

	// LongBatch is from how many datagrams on a batch is worth asking how long the queue is: a
	// system call of 300 ns.
	LongBatch = 64

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
)
