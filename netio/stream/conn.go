package stream

import (
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// Reason says why a message was not written, or a connection ended.
type Reason uint8

// The reasons. The zero value is none.
const (
	OK Reason = iota
	// there is none, and the message did not allow a new one, or no one can open one (WebSocket)
	NoConnection
	NoListener        // the listener is none of ours, or of another address family
	ConnectFailed     // refused or unreachable: see Errno
	ConnectTimeout    // Limits.ConnectTimeout passed
	HandshakeFailed   // TLS: a certificate, a version
	SendTimeout       // the peer took no byte for Limits.SendTimeout
	QueueFull         // Limits.ConnWqMax or WqMax would be exceeded
	TooMany           // Limits.MaxConnections or TLSMaxConnections
	TooManyFromSource // Limits.AcceptIPLimit or AcceptRate
	TooManyHandshakes // Limits.MaxAdmitting
	DialBusy          // too many connects under way
	Closed            // the connection ended before the message was written
	Reset             // the same, by a reset or a time-out of the kernel's: see Errno
	ClosedAfterSend   // it ended after that: the peer may have read the message, or not
	Idle              // Limits.Lifetime passed
	SlowMessage       // Limits.MessageTimeout passed
	BadFraming        // a message that could be answered, but not passed
	Junk              // what came is not SIP
	MessageTooLong    // headers beyond Limits.MaxMessage
	BadRecord         // TLS or WebSocket: a record or frame that breaks the rules
	Requested         // closed by us: an operator, a message's CloseAfter
	Stopping          // the engine stops
	Panicked          // a bug of ours
	NoDescriptor      // no file descriptor was left
	NotUnique         // Limits.AcceptUnique
	Unanswered        // a Ping of WebSocket.KeepAlive
	reasons
)

var reasonNames = [reasons]string{"none", "no_connection", "no_listener", "connect_failed",
	"connect_timeout", "handshake_failed", "send_timeout", "queue_full", "too_many_connections",
	"too_many_from_source", "too_many_handshakes",
	"dial_busy", "closed", "reset", "closed_after_send", "idle", "slow_message", "bad_framing",
	"junk", "message_too_long", "bad_record", "requested", "stopping", "panic", "no_descriptor",
	"not_unique", "unanswered"}

// String names the reason as metrics do.
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// state is the life of a connection:
//
//	         dial                 enrolled
//	opening ──────▶ connecting ──────────▶ open ─┐
//	   └───────────────(accepted)───────────▲    │ condemn, by anyone
//	   any ─────────────────────────────────────▶ dead ──▶ closed by its loop, else its dialer
type state uint8

const (
	connecting state = iota // dialled, or accepted and not in its loop yet
	open
	dead
)

// conn is one connection.
type conn struct {
	e        *Engine
	id       uint64
	k        key // addr is whom messages come from: the peer, or what its PROXY header said
	peer     netio.Addr
	local    netio.Addr
	proto    netio.Proto
	outgoing bool
	domain   string     // whose certificate the peer had to show
	born     int64      // ns
	ipBooked netio.Addr // the source whose AcceptIPLimit it counts for

	lifetime    atomic.Int64 // ns; 0 means Limits.Lifetime
	sendTimeout atomic.Int64 // ns; 0 means Limits.SendTimeout
	unused      atomic.Bool  // Limits.TLSUnused is the lifetime so far
	seen        atomic.Int64 // when a byte came or went last, ns. The loop writes, operators read.

	mu         sync.Mutex
	st         state
	lp         *loop // its loop; nil until it is in one
	head, tail *outMsg
	// bytes not yet taken by the kernel while blocked: those of Limits.ConnWqMax
	queued   int
	inflight int  // the same while not blocked: what the loop has not tried yet
	busy     bool // the loop has something of it to write: see direct
	// what is sent goes to the kernel as it is: no TLS, no WebSocket, and that is decided
	plain      bool
	blocked    bool        // the kernel, or the connect, has let us wait
	deadline   int64       // while blocked: when to give up
	aliases    []key       // besides k
	sent       []sentToken // written lately
	sentAt     int         // where the oldest stands once sent is full
	tlsInfo    *TLSInfo    // nil unless TLS, and its handshake over
	cancel     func()      // ends the dial under way
	closeAfter bool        // close when all is written
	closeWhy   Reason      // why then; OK: a sender asked for it
	why        Reason      // of the end, once dead
	errno      unix.Errno
	detail     string // of a handshake that failed

	opens        atomic.Uint32 // how often a loop took it
	resumeFailed atomic.Bool
	tasks        atomic.Pointer[task] // others': see ask

	waiting atomic.Bool // in its loop's list of those that have something
	next    *conn       // in that list

	// loop
	g                  gnet.Conn // nil while parked
	fd                 int       // of g, or the parked duplicate
	parking            bool
	released           bool
	userTimeoutNs      int64 // the TCP_USER_TIMEOUT of fd follows from it, ns; 0 means not set yet
	watched            bool  // the watcher has fd
	lingering          bool  // what comes is dropped
	answered, shut     bool  // while lingering: an answer left; the sending side is closed
	resuming           bool
	undecided          bool // a listener with AllowWS, and no byte came yet: in no table
	isParked           bool // g is nil, the loop keeps it in parked
	f                  framer
	partial            []byte   // the begin of a message, or what follows a stalled one
	stalled            []*inMsg // complete, and their shard has no room
	messageBy          int64    // when the message begun must be complete; 0 means none begun
	lingerBy           int64
	lingerWhy          Reason
	awaiting           bool    // an HTTP request is at work, and nothing behind it is looked at
	httpNumber         uint32  // of the last one
	pinged             bool    // a Ping of ours left, and nothing came since
	writing, writeTail *outMsg // taken from head; on their way as they are
	wheelNext          *conn
	wheelPrev          **conn
	wheelAt            int64
	layers             layers
}

type sentToken struct {
	token uint64
	at    int64
	shard int32
}

// remember keeps the token of a message that was written. mu is held.
func (c *conn) remember(token uint64, shard int32, now int64) {
	t := sentToken{token, now, shard}
	if len(c.sent) < sentRemembered {
		c.sent = append(c.sent, t)
		return
	}
	c.sent[c.sentAt] = t
	c.sentAt = (c.sentAt + 1) % sentRemembered
}

// condemn ends the connection for everybody who sends: it is out of the table, what is queued has
// failed. Its loop closes it next. It returns false if somebody did so before.
func (c *conn) condemn(why Reason, errno unix.Errno) bool {
	c.mu.Lock()
	if c.st == dead {
		c.mu.Unlock()
		return false
	}
	was := c.st
	c.st, c.why, c.errno = dead, why, errno
	lp := c.lp
	head := c.head
	c.head, c.tail = nil, nil
	outBytes := 0
	for m := head; m != nil; m = m.next {
		outBytes += len(m.data) - m.off
	}
	c.uncount(outBytes)
	aliases := c.aliases
	c.aliases = nil
	cancel := c.cancel
	k := c.k // an undecided connection's changes, under mu
	c.mu.Unlock()

	e := c.e
	e.table.drop(k, c)
	for _, k := range aliases {
		e.table.drop(k, c)
	}
	e.stats.ended(c, was, why, errno)
	c.failAll(head, failureReason(why), errno, was == open)
	if lp != nil {
		lp.wake(c)
		lp.ring()
	}
	if cancel != nil {
		cancel()
	}
	return true
}

// failureReason is what an unwritten message hears of the end of its connection.
func failureReason(why Reason) Reason {
	switch why {
	case ConnectFailed, ConnectTimeout, HandshakeFailed, SendTimeout, QueueFull, DialBusy,
		NoDescriptor, Reset, Stopping:
		return why
	}
	return Closed
}

// uncount takes back n bytes that are not queued any more. mu is held.
func (c *conn) uncount(n int) {
	if c.blocked {
		c.queued -= n
		c.e.queued.Add(-int64(n))
	} else {
		c.inflight -= n
		c.e.inflight.Add(-int64(n))
	}
}

// failure says what was wrong with the handshake, "" if nothing was.
func (c *conn) failure() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.detail
}

// failAll reports and frees the messages of a list.
func (c *conn) failAll(m *outMsg, why Reason, errno unix.Errno, established bool) {
	for m != nil {
		next := m.next
		if m.token != 0 || m.back {
			c.e.ports[m.shard].report(Failure{
				Token: m.token, Listener: int(c.k.listener), Dst: c.k.addr, Proto: c.proto,
				Reason: why, Errno: errno, Established: established, Outgoing: c.outgoing,
				Stuck: stuck(why), Detail: c.failure(), Message: m.giveBack(),
			})
		}
		m.free()
		m = next
	}
}

// alias lets the connection be found under k too.
func (c *conn) alias(k key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.st == dead || len(c.aliases) >= maxAliases+2 {
		return false
	}
	for _, a := range c.aliases {
		if a == k {
			return true
		}
	}
	c.aliases = append(c.aliases, k)
	c.e.table.put(k, c)
	return true
}

// release gives back what a connection holds in the books. The loop, or who made it if it never
// came to one; once.
func (c *conn) release() {
	if c.released {
		panic("BUG: a connection released twice")
	}
	c.released = true
	c.e.registry.drop(c)
	c.e.unbook(c)
}
