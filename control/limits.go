package control

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// logQueueLines bounds the lines waiting for stderr or syslog. A slow or stuck log (disk full,
	// stopped terminal) must not hold anything up: further lines are dropped and counted, and the
	// count is logged when the queue moves again. At 200 bytes a line this is 0.8 MB.
	logQueueLines = 4096

	// historyLines is how many of the last warnings and errors are kept for viaduct.history, of
	// historyLineBytes each at most.
	historyLines     = 256
	historyLineBytes = 2048

	// logFlushTimeout bounds how long a leaving process waits for its last lines.
	logFlushTimeout = 2 * time.Second

	// MaxCommandBytes is the longest line that a client of the FIFO or socket may send, its line
	// feed included: four of the longest values of a table. A longer line is answered with a fault
	// that ends the connection; on the FIFO it is skipped, and logged. If several clients write to
	// the FIFO, lines longer than 4,096 bytes may be mixed (PIPE_BUF, pipe(7)); the socket has no
	// such limit.
	MaxCommandBytes = 64 << 10

	// documentPause is how long a JSON-RPC document on a FIFO may stop in its midst. Reached: it is
	// skipped, and logged.
	documentPause = 2 * time.Second

	// documentRetry is how often it is tried to open the FIFO of a client that does not read yet.
	documentRetry = 20 * time.Millisecond

	// commandRoomBytes is the room for a line that a connection begins with: it grows up to
	// MaxCommandBytes.
	commandRoomBytes = 4096

	// viewRecords bounds the records of one answer: 2 MB of JSON. A last record tells that some
	// were left out. viewPage is how many are copied at a time.
	viewRecords = 10_000
	viewPage    = 256

	// checkWait is how long viaduct.check waits for shards that do not come to the end of a batch.
	checkWait = 2 * time.Second

	// statusClients bounds the connections served at once on the status socket; the next one waits
	// in the backlog.
	statusClients = 64

	// statusFirstLine is how long a client may take to send its first line: one that connects and
	// says nothing must not keep others out for long. The command itself may take longer.
	statusFirstLine = 3 * time.Second

	// statusIdleTimeout is how long a connection may go without a command, or without its client
	// reading an answer, before it is closed.
	statusIdleTimeout = 30 * time.Second

	// releaseTimeout bounds how long a successor waits for a draining process to end: streams may
	// take 2 s to write what is queued.
	releaseTimeout = 5 * time.Second

	// maxSocketPath is the longest path of a Unix socket: sun_path less its final zero (unix(7)).
	maxSocketPath = 107

	// maxPath is the longest path of a file: PATH_MAX less its final zero (pathname(7)).
	maxPath = unix.PathMax - 1

	// maxDatagram is the longest packet of UDP over IPv4 (RFC 768, RFC 791), and what is taken of a
	// Unix datagram.
	maxDatagram = 65507

	// pidFileBytes is the most that is read of a pid file: a number of at most seven digits and a
	// line feed (pid_max ≤ 4194304, proc(5)).
	pidFileBytes = 32
)
