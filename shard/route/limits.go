package route

import "time"

// Limits of this package. Each says what happens when it is reached.
const (
	// maxVars is how many different $var() names one program may have. Beyond: load error.
	maxVars = 1024

	// maxArmable is how many routes of one kind can be armed in a program, so that a route's number
	// fits into the record of a transaction. Beyond: load error.
	maxArmable = 255

	// maxProxyNets is how many networks tcp_proxy_from may name. Each new connection is compared
	// with all of them. Beyond: load error.
	maxProxyNets = 256

	// maxAdvertisedName is the longest advertised_address: a host name (RFC 1035 §2.3.4).
	maxAdvertisedName = 255

	// MaxMillis and MaxSeconds bound times that a file gives, so that arithmetic on them cannot
	// overflow: 24 days and 10 years. Beyond: load error.
	MaxMillis, maxMillis   = 1<<31 - 1, MaxMillis
	MaxSeconds, maxSeconds = 315360000, MaxSeconds

	// maxSteps is how many steps one run may make. A loop or a route counts with all its steps each
	// time. Beyond: Faulted. It amounts to some ten milliseconds; nested loops of max_while_loops
	// would go far beyond.
	maxSteps = 1 << 20

	// maxHeldBytes is how long a held run may be, with its variables and temporaries. Beyond: its
	// question is answered with ask.ErrTooLong at once.
	maxHeldBytes = 64 << 10

	// scratchBytes is the room that one run has for the strings of expressions. Each statement
	// frees what it used. Beyond: the run ends as Faulted, never with a cut string. It is larger
	// than the largest UDP message, so that $mb fits once.
	scratchBytes = 128 << 10
	// varBytes is the longest string that a $var() holds (Kamailio: pv_buffer_size, 8192). Beyond:
	// Faulted.
	varBytes = 64 << 10
	// maxKept and maxKeptBytes are how many variables of the transaction ($avp, $xavp and the like)
	// one run may have, and how many bytes their names and texts may take. Beyond: Faulted, as for
	// a value that is too long.
	maxKept      = 2048
	maxKeptBytes = 64 << 10
	// maxKeptDepth is how deep lists of variables may be nested when read back from the arena. A
	// script makes two levels of $xavp, and as many of $xavu as it writes.
	maxKeptDepth = 16

	// LineBytes is the longest line of xlog (Kamailio: modparam buf_size, 4096), and MaxLineBytes
	// the longest that the parameter may ask for: a message as long as a datagram. Beyond: the line
	// is cut and ends in "…". A log line may be cut, a URI may not.
	LineBytes, lineBytes = 4096, LineBytes
	MaxLineBytes         = 64 << 10

	// maxLinePrefix is how much of the line log_prefix may take. Beyond: the prefix is cut.
	maxLinePrefix = 1024

	// defaultRecursion and defaultWhileLoops: see CoreSettings.
	defaultRecursion  = 256
	defaultWhileLoops = 100
)

// complaintsPerSecond is how many errors of the program a shard logs in a second. Beyond: they are
// counted and reported in one line. A division by zero happens for everybody who sends that message
// again.
const complaintsPerSecond = 10

// maxRaised is how deep events may be raised within the routes of events. Beyond: no route runs.
const maxRaised = 8

// Command lines of exec().
const (
	// maxShellLines is how many may wait. Beyond: they are counted and not run.
	maxShellLines = 256
	// maxShellTime is how long one may take. Beyond: it is killed, and that is logged.
	maxShellTime = time.Minute
	// shellInterval is how often the queue is checked.
	shellInterval = 20 * time.Millisecond
)

// Names that addresses are compared with.
const (
	// hostInterval is how often the names are looked up.
	hostInterval = time.Minute
	// maxHostTime is how long the look-up of all names may take, at the start as well. Beyond: the
	// names not yet looked up keep their addresses.
	maxHostTime = 2 * time.Second
)

// Regular expressions.
const (
	// maxPatternBytes is the longest pattern. Beyond: load error. A pattern made at run time then
	// matches nothing.
	maxPatternBytes = 4096
	// maxPatterns is how many patterns made at run time one shard keeps. Beyond: all are forgotten,
	// and compiled again when they are met. A compiled pattern takes up to some 100 bytes for each
	// of its own, so this is 100 MiB if somebody sends patterns of 4 KiB, and 1 MiB as a rule.
	maxPatterns = 256
)

// Reason phrases made at run time are kept so that the same one is not allocated again.
const (
	// maxReasons is how many phrases one shard keeps. Beyond: the phrase is left empty.
	maxReasons = 256
	// maxReasonBytes is the longest phrase. Beyond: the phrase is left empty.
	maxReasonBytes = 128
)
