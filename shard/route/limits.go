package route

import "time"

// Limits of this package. Each says what happens when it is reached.
const (
	// maxVars is how many different $var() names one program may have. Beyond: load error.
	maxVars = 1024

	// maxArmable is how many routes of one kind a program may have, so that the number of one fits
	// a transaction's record. Beyond: load error.
	maxArmable = 255

	// maxProxyNets is how many networks tcp_proxy_from may name: each new connection is held
	// against all of them. Beyond: load error.
	maxProxyNets = 256

	// maxAdvertisedName is the longest advertised_address: a host name (RFC 1035 §2.3.4).
	maxAdvertisedName = 255

	// MaxMillis and MaxSeconds bound times that a file gives, so that arithmetic on them cannot
	// overflow: 24 days and 10 years. Beyond: load error.
	MaxMillis, maxMillis   = 1<<31 - 1, MaxMillis
	MaxSeconds, maxSeconds = 315360000, MaxSeconds

	// maxSteps is how many steps one run may make, loops and routes counted whole each time.
	// Beyond: Faulted. It is some ten milliseconds, and loops of max_while_loops within each other
	// go far beyond.
	maxSteps = 1 << 20

	// maxHeldBytes is how long a run may be that waits: its variables and temporaries. Beyond: what
	// it asks is answered with ask.ErrTooLong, at once.
	maxHeldBytes = 64 << 10

	// scratchBytes is the room of one run for the strings an expression makes; it is given back
	// after each statement. Beyond: the run ends as Faulted, never with a cut string. Larger than
	// the largest UDP message so that $mb fits once.
	scratchBytes = 128 << 10
	// varBytes is the longest string a $var() holds (Kamailio: pv_buffer_size, 8192). Beyond:
	// Faulted.
	varBytes = 64 << 10
	// maxKept and maxKeptBytes are how many variables of the transaction one run may have, $avp,
	// $xavp and their like, and how long their names and texts are together. Beyond: Faulted, as
	// for a value that is too long.
	maxKept      = 2048
	maxKeptBytes = 64 << 10
	// maxKeptDepth is how deep lists of them are read back from the arena. A script makes two
	// levels of $xavp, and as many of $xavu as it writes.
	maxKeptDepth = 16

	// LineBytes is the longest line of xlog (Kamailio: modparam buf_size, 4096), MaxLineBytes the
	// longest that the parameter may ask for: a message as long as a datagram. Beyond: the line is
	// cut and ends in "…", which a log may do and a URI may not.
	LineBytes, lineBytes = 4096, LineBytes
	MaxLineBytes         = 64 << 10

	// maxLinePrefix is how much of it log_prefix may take. Beyond: it is cut.
	maxLinePrefix = 1024

	// defaultRecursion, defaultWhileLoops: see CoreSettings.
	defaultRecursion  = 256
	defaultWhileLoops = 100
)

// complaintsPerSecond is how many errors of the program a shard logs in a second. Beyond: they are
// counted, and told as one line. What divides by zero does so for whoever sends the message again.
const complaintsPerSecond = 10

// maxRaised is how deep events may be raised by the routes of events. Beyond: they are not heard.
const maxRaised = 8

// Command lines of exec().
const (
	// maxShellLines is how many may wait. Beyond: they are not run, and counted.
	maxShellLines = 256
	// maxShellTime is how long one may take. Beyond: it is killed, and the log says so.
	maxShellTime = time.Minute
	// shellInterval is how often it is looked whether one waits.
	shellInterval = 20 * time.Millisecond
)

// Names that addresses are compared with.
const (
	// hostInterval is how often they are looked up.
	hostInterval = time.Minute
	// maxHostTime is how long that may take for all of them, at the start as well. Beyond: those
	// left have the addresses they had.
	maxHostTime = 2 * time.Second
)

// Regular expressions.
const (
	// maxPatternBytes is the longest one. Beyond: load error; if it is made at run time it matches
	// nothing.
	maxPatternBytes = 4096
	// maxPatterns is how many that were made at run time one shard keeps. Beyond: all are forgotten
	// and compiled again as they are met. A compiled one has up to some 100 bytes for each of its
	// own, so this is 100 MiB where somebody sends patterns of 4 KiB, and 1 MiB as a rule.
	maxPatterns = 256
)

// Reason phrases made at run time are kept so that the same one is not allocated again.
const (
	// maxReasons is how many one shard keeps. Beyond: the phrase is left empty.
	maxReasons = 256
	// maxReasonBytes is the longest one. Beyond: likewise.
	maxReasonBytes = 128
)
