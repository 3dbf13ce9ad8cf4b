package resolve

import "time"

const (
	// flightsMax bounds the queries being resolved at once, over all shards. Reached: Ask refuses
	// the next one. Renewals stop at three quarters of it, so that callers who wait go first.
	flightsMax = 1024

	// waitersMax bounds the callers waiting for all flights together: 24 bytes each. Reached: Ask
	// refuses the next one.
	waitersMax = 65536

	// questionsMax bounds the (name, type) pairs being asked for at once. The next one counts as
	// failed, for this query only.
	questionsMax = 4096

	// socketsMax bounds the sockets open to servers at once: one a question under way. The next
	// question waits for one, within its time. It is a quarter of the usual soft limit of 1024
	// descriptors.
	socketsMax = 256

	// questionsPerQuery bounds what one query may ask of the servers, so that a zone cannot make us
	// an amplifier: NAPTR, a few SRV, and two a target. Targets beyond it stay out of that answer.
	questionsPerQuery = 64

	// chainMax bounds a chain of CNAMEs. A longer one, or a loop, counts as a failure of the server
	// (RFC 1034 §3.6.2 leaves the number open).
	chainMax = 8

	// recordsMax bounds the records kept of one set, and with it the targets of one priority, which
	// Lookup keeps in a 64-bit set. Of more SRV or NAPTR records the best by priority stay.
	recordsMax = 64

	// endpointsMax bounds the endpoints one plan holds (28 bytes each), for Lookup to draw
	// proxy.MaxEndpoints of. Many targets share it evenly, so that each may be drawn.
	endpointsMax = 512

	// strayMax is how many datagrams that do not answer the question are read before the server
	// counts as silent: a forger gets that many guesses.
	strayMax = 16

	// udpPayloadBytes is the answer size offered by EDNS0: what passes every usual path
	// unfragmented (DNS flag day 2020). Larger answers come over TCP.
	udpPayloadBytes = 1232

	// serversMax bounds the nameserver lines that count; searchMax the domains of the search list,
	// as resolv.conf(5) did until glibc 2.26.
	serversMax = 8
	searchMax  = 6

	// confBytes and hostsBytes bound what is read of resolv.conf and hosts. A longer file is
	// refused as a whole, since using half of it would mislead without a word.
	confBytes  = 64 << 10
	hostsBytes = 4 << 20

	// entryBytes is what a set costs beyond itself, in maps and allocation, as the memory cap
	// counts it.
	entryBytes = 96

	// staticMax bounds the records operators add by hand; they count as memory, yet are never
	// evicted.
	staticMax = 4096

	// buckets is the fixed width of the plan table: 8 bytes each. The cache's memory cap keeps
	// chains short (4 MiB hold about 8000 plans).
	buckets = 4096

	// nameBytes is the longest host that is looked up (RFC 1035 §2.3.4, in text without the last
	// dot). A longer one leads nowhere.
	nameBytes = 253
)

const (
	// clockTick is the resolution of Lookup's clock, and the longest a renewal waits to be started.
	clockTick = 100 * time.Millisecond

	// clockRest is how long after the last look-up the clock stops, so that a process without
	// traffic sleeps.
	clockRest = time.Second

	// fileTick is how often resolv.conf and hosts are looked at for changes.
	fileTick = time.Second

	// failureHold is how long a failure without any older answer stays: callers meanwhile get
	// Failed at once, then the servers are asked again.
	failureHold = time.Second

	// partialHold is when an answer that lacks a part the servers did not give in time is renewed.
	partialHold = 5 * time.Second

	// staleHold is the life of a stale answer before the servers are tried again (RFC 8767 §4: 30
	// seconds).
	staleHold = 30 * time.Second

	// grace is how long past its time to live an answer is still given while it is renewed in the
	// background. After that the caller waits.
	grace = 30 * time.Second

	// noSOAHold is the life of a "does not exist" without SOA, which RFC 2308 §5 forbids to cache
	// for long.
	noSOAHold = 5 * time.Second

	// restTimeout is how long the other questions of a parallel set may take once one of them was
	// answered with records (RFC 8305 §3 waits 50 ms for the other family; a call that would lose
	// half its targets may wait longer).
	restTimeout = 300 * time.Millisecond

	// serverRestMax bounds how long a silent server is passed over; its rest doubles from one
	// second.
	serverRestMax = 30 * time.Second

	// fileLife is the life of an answer from the hosts file or from static records; both start a
	// new epoch when they change.
	fileLife = time.Hour
)
