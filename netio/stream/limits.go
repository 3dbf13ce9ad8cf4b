package stream

import (
	"math"
	"sync/atomic"
	"time"

	"viaduct/netio"
)

// Limits are those an operator may change while the engine runs; each is read anew wherever it
// matters. The zero value is not usable: see NewLimits. The names of Kamailio's parameters stand in
// brackets (its core cookbook, "TCP Parameters").
type Limits struct {
	// ConnWqMax [tcp_conn_wq_max] bounds the bytes that one connection's peer has not let us write;
	// WqMax [tcp_wq_max] those of all together. A message that would bring the sum above is
	// refused, and its connection closed: bytes of a message are never left out.
	ConnWqMax, WqMax atomic.Int64
	// SendTimeout [tcp_send_timeout]: how long a blocked connection may let no byte leave.
	// ConnectTimeout [tcp_connect_timeout]: from the first message to the established connection,
	// TLS included.
	SendTimeout, ConnectTimeout Duration
	// Lifetime [tcp_connection_lifetime]: a connection with nothing read or written for so long is
	// closed.
	Lifetime Duration
	// MessageTimeout [tcp_msg_read_timeout]: from the first byte of a message to its last. It is
	// not renewed by single bytes.
	MessageTimeout Duration
	// AdmitTimeout bounds PROXY header and TLS handshake of an accepted connection, waiting
	// included [tls: handshake timeouts]. ProxyTimeout [tcp_wait_data] is for the header alone; 0
	// leaves AdmitTimeout.
	AdmitTimeout, ProxyTimeout Duration
	// TLSUnused [tls: connection_timeout] is in place of Lifetime for a TLS connection on which
	// nothing came or went since its handshake; 0 leaves Lifetime.
	TLSUnused Duration
	// MaxConnections [tcp_max_connections] bounds the connections, TLSMaxConnections
	// [tls_max_connections] those of them with TLS. One more is refused.
	MaxConnections, TLSMaxConnections atomic.Int64
	// MaxAdmitting [tcp_handshake_max, of ours] bounds the accepted connections before the end of
	// PROXY header and handshake. More are closed: in a storm of reconnecting peers it is better
	// that some get through than that each waits until it gives up and tries again. Those under way
	// share half of the processors (see gate).
	MaxAdmitting atomic.Int64
	// AcceptIPLimit [tcp_accept_iplimit] bounds the accepted connections of one source address; 0
	// is no limit. AcceptRate does so for new ones in a second.
	AcceptIPLimit, AcceptRate atomic.Int64
	// MaxMessage [rd_buf_size] is the length of a message from which on it is refused (513).
	MaxMessage atomic.Int64
	// ConnsPerDestination is how many connections are opened to one destination: shard i uses the
	// one of number i modulo this.
	ConnsPerDestination atomic.Int64
	// CRLFPing [tcp_crlf_ping] answers double CRLFs (RFC 5626 §4.4.1); false drops them. A
	// WebSocket's are answered always (RFC 7118 §6).
	CRLFPing atomic.Bool
	// AcceptNoCL [tcp_accept_no_cl] takes a message without Content-Length for one without a body,
	// against RFC 3261 §18.3. Without it that is a Fault.
	AcceptNoCL atomic.Bool
	// AcceptUnique [tcp_accept_unique] refuses a connection from an address and port that has one
	// already, to another listener of ours.
	AcceptUnique atomic.Bool
	// NoConnect [tcp_no_connect]: no connection is made, so that what has none fails at once.
	NoConnect atomic.Bool
}

// Duration is a time.Duration that may be changed while others read it.
type Duration struct{ ns atomic.Int64 }

// Load gives the duration.
func (d *Duration) Load() time.Duration { return time.Duration(d.ns.Load()) }

// Store sets it.
func (d *Duration) Store(v time.Duration) { d.ns.Store(int64(v)) }

// NewLimits gives the defaults, Kamailio's but for MaxMessage, which is what the parser takes.
func NewLimits() *Limits {
	l := &Limits{}
	l.ConnWqMax.Store(32 << 10)
	l.WqMax.Store(10 << 20)
	l.SendTimeout.Store(10 * time.Second)
	l.ConnectTimeout.Store(10 * time.Second)
	l.Lifetime.Store(120 * time.Second)
	l.MessageTimeout.Store(20 * time.Second)
	l.AdmitTimeout.Store(10 * time.Second)
	l.MaxConnections.Store(2048)
	l.TLSMaxConnections.Store(2048)
	l.MaxAdmitting.Store(1024)
	l.AcceptIPLimit.Store(1024)
	l.MaxMessage.Store(netio.MaxDatagramBytes)
	l.ConnsPerDestination.Store(1)
	l.CRLFPing.Store(true)
	return l
}

const (
	// maxLoops bounds Config.Loops: that of gnet (gnet.go, determineEventLoops).
	maxLoops = 256

	// maxShards bounds Config.Shards.
	maxShards = 1024

	// queueMessages is the length of a shard's queue, a power of two. A full one parks the
	// connections that have more for it, until half of it is taken. A short message may occupy
	// pooledBytes, so a full queue holds 32 MiB at most, besides what inboundBytes counts.
	queueMessages = 4096

	// inboundBytes bounds the messages in all shards' queues together; beyond it as if the queue
	// were full.
	inboundBytes = 64 << 20

	// stalledBytes bounds the begin of a message, or what follows one whose shard has no room: one
	// read of the event loop (readBytes) and a message or TLS record begun before it. It is far
	// above both, and beyond it the connection is closed.
	stalledBytes = 1 << 20

	// readBytes is what an event loop reads at once, for all its connections into the same memory.
	readBytes = 64 << 10

	// inflightConnBytes and inflightBytes bound what shards have sent and the event loop has not
	// tried to write yet, per connection and in all. ConnWqMax and WqMax do not hold for it: they
	// are for bytes that the peer's side refuses, not for those of one batch. Beyond it the
	// connection is closed as if its queue were full.
	inflightConnBytes = 1 << 20
	inflightBytes     = 64 << 20

	// writeSegments is how many messages one write takes: beyond 64 the gain per message is gone.
	writeSegments = 64

	// dialsAtOnce bounds the connects and handshakes under way, each a goroutine; dialsWaiting
	// those that wait for one of them to end, beyond which a message fails at once.
	dialsAtOnce  = 1024
	dialsWaiting = 4096

	// failuresKept bounds the failures a shard has not taken. Beyond it they are counted and lost:
	// the transaction's timers see to it.
	failuresKept = 64 << 10

	// sentRemembered and sentRememberFor are how many written tokens a connection remembers and for
	// how long: Timer B and F, 64 × T1 (RFC 3261 §17.1). The oldest is forgotten first.
	sentRemembered  = 64
	sentRememberFor = 32 * time.Second

	// maxAliases bounds the alias ports of one connection (Kamailio has 12, TCP_CON_MAX_ALIASES).
	// Further ones are refused.
	maxAliases = 12

	// tasksPerConn bounds what others have asked of a connection's loop and it has not done yet.
	// Beyond it they are told that it was not done.
	tasksPerConn = 16

	// closeReasonBytes is what a Close frame holds beside the status (RFC 6455 §5.5). A longer
	// reason is cut.
	closeReasonBytes = 123

	// cacheConns bounds a Port's own list of connections; a full one is thrown away, and refilled
	// from the table of all.
	cacheConns = 16 << 10

	// maxSources bounds the table of AcceptRate. A full one is emptied: for at most a second some
	// sources get more than their share.
	maxSources = 64 << 10

	// lingerFor is how long a connection stays after a message that cannot be framed, so that its
	// answer can be sent; it reads and drops meanwhile, which keeps the kernel from resetting the
	// connection under the answer (RFC 9112 §9.6 has the same for HTTP).
	lingerFor = 2 * time.Second

	// httpHeadBytes is the longest header of an HTTP request, its first line included. Beyond: 431,
	// and the connection closes.
	httpHeadBytes = 16 << 10

	// httpAnswerBytes is the longest HTTP response. Beyond: a 500 in its place.
	httpAnswerBytes = 1<<20 - 4096

	// tickEvery is the resolution of a loop's timers, and how often it looks at them at most;
	// wheelSlots × tickEvery how far its wheel reaches. Later ones are looked at once per turn.
	tickEvery  = 100 * time.Millisecond
	wheelSlots = 512

	// never is after any tick.
	never = math.MaxInt64

	// partialStep is how much is added at a time to a message begun whose length is not known yet,
	// so that what follows it is rarely copied twice.
	partialStep = 2048

	// pooledBytes is the longest buffer that is kept for the next message.
	pooledBytes = 8 << 10

	// spareBytes is how much more than twice its length a message may occupy while it waits for its
	// peer.
	spareBytes = 256

	// resumesAtOnce bounds the parked connections that are on their way back to their event loop;
	// the next ones follow at the next tick.
	resumesAtOnce = 64

	// acceptBackoffMax is the longest pause of an acceptor without descriptors, acceptBackoffMin
	// the first; each is twice the one before.
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second

	// userTimeoutSpare is by how much the kernel's time-out for unacknowledged bytes is longer than
	// Limits.SendTimeout: ours, which is looked at every tick, should come first. The kernel's
	// begins with the first byte that is not acknowledged, and comes up to userTimeoutSlack after
	// the last one written.
	userTimeoutSpare = 200 * time.Millisecond
	userTimeoutSlack = 2 * time.Second

	// closeWait bounds how long Close waits for the loops to close what they have.
	closeWait = 5 * time.Second

	// logEvery bounds each kind of log line.
	logEvery = time.Second

	// proxyLineBytes is the longest PROXY header of version 1 (proxy-protocol.txt §2.1);
	// proxyBinaryBytes what follows the length of version 2 at most: its addresses and TLVs. The
	// 16-bit field allows 64 KiB, nobody sends a tenth of it.
	proxyLineBytes   = 107
	proxyBinaryBytes = 4096
)
