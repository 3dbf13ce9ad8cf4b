package stream

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// counters are totals since Start.
type counters struct {
	accepted, connected, connectFailed, localReject   atomic.Uint64
	acceptFailed                                      atomic.Uint64
	conTimeout, conReset, sendTimeout, sendqFull      atomic.Uint64
	bytesIn, bytesOut, messagesIn, messagesOut, pings atomic.Uint64
	keepAlives                                        atomic.Uint64
	faults, panics, parked, stalledLost               atomic.Uint64
	http, httpRefused                                 atomic.Uint64
	handshakes, handshakesFailed                      atomic.Uint64
	admitsRefused, admitTimeouts, proxyErrors         atomic.Uint64
	established                                       atomic.Int64
	byReason                                          [reasons]atomic.Uint64
	rejectedBy                                        [reasons]atomic.Uint64
}

func (s *counters) opened(c *conn) {
	s.established.Add(1)
	if c.outgoing {
		s.connected.Add(1)
	}
}

func (s *counters) rejected(why Reason) {
	s.localReject.Add(1)
	s.rejectedBy[why].Add(1)
}

// ended counts the end of a connection once, by why.
func (s *counters) ended(c *conn, was state, why Reason, errno unix.Errno) {
	if was == open {
		s.established.Add(-1)
	}
	s.byReason[why].Add(1)
	switch why {
	case ConnectFailed, ConnectTimeout, HandshakeFailed, NoDescriptor, DialBusy:
		if c.outgoing {
			s.connectFailed.Add(1)
		}
	case Idle:
		s.conTimeout.Add(1)
	case Reset:
		s.conReset.Add(1)
	case SendTimeout:
		s.sendTimeout.Add(1)
	case QueueFull:
		s.sendqFull.Add(1)
	}
}

// Stats are totals since Start, and gauges. The first block has Kamailio's names (group tcp of its
// statistics) in Go's spelling.
type Stats struct {
	Established        int64  // gauge: connections that are up
	PassiveOpen        uint64 // accepted
	ConnectSuccess     uint64
	ConnectFailed      uint64
	LocalReject        uint64 // refused for a limit of ours, accepted or wanted
	ConTimeout         uint64 // closed because idle
	ConReset           uint64
	SendTimeout        uint64
	SendqFull          uint64
	CurrentOpened      int64 // gauge: connections, with those not up yet
	CurrentOpenedTLS   int64
	CurrentWriteQueued int64  // gauge: bytes that peers do not take
	CurrentInflight    int64  // gauge: bytes that wait for their event loop
	CurrentInbound     int64  // gauge: bytes that wait for their shard
	AcceptFailed       uint64 // accept(2) failed: descriptors, memory
	BytesIn, BytesOut  uint64
	MessagesIn         uint64
	MessagesOut        uint64
	Pings              uint64
	KeepAlives         uint64 // Pings and Pongs of WebSocket.KeepAlive
	Faults             uint64 // messages with a Fault
	Panics             uint64
	Parked             uint64 // times a connection had to wait for a full shard
	StalledLost        uint64 // messages lost because their connection ended while they waited
	Handshakes         uint64
	HandshakesFailed   uint64
	AdmitsRefused      uint64 // closed because of Limits.MaxAdmitting
	AdmitTimeouts      uint64 // closed because the handshake took too long
	ProxyErrors        uint64
	HTTPRequests       uint64          // given to shards
	HTTPRefused        uint64          // answered here, since they could not be framed
	FailuresLost       uint64          // failures that a shard never took
	Ended              [reasons]uint64 // connections, by why they ended
	Rejected           [reasons]uint64 // connections refused, by why
}

// Stats adds up.
func (e *Engine) Stats() Stats {
	s := &e.stats
	t := Stats{
		Established: s.established.Load(), PassiveOpen: s.accepted.Load(),
		ConnectSuccess: s.connected.Load(), ConnectFailed: s.connectFailed.Load(),
		LocalReject: s.localReject.Load(), ConTimeout: s.conTimeout.Load(),
		ConReset: s.conReset.Load(), SendTimeout: s.sendTimeout.Load(),
		SendqFull:     s.sendqFull.Load(),
		CurrentOpened: e.opened.Load(), CurrentOpenedTLS: e.openedTLS.Load(),
		CurrentWriteQueued: e.queued.Load(), CurrentInflight: e.inflight.Load(),
		CurrentInbound: e.inbound.Load(),
		AcceptFailed:   s.acceptFailed.Load(), BytesIn: s.bytesIn.Load(),
		BytesOut:   s.bytesOut.Load(),
		MessagesIn: s.messagesIn.Load(), MessagesOut: s.messagesOut.Load(),
		Pings: s.pings.Load(), KeepAlives: s.keepAlives.Load(), Faults: s.faults.Load(),
		Panics: s.panics.Load(), Parked: s.parked.Load(), StalledLost: s.stalledLost.Load(),
		Handshakes: s.handshakes.Load(), HandshakesFailed: s.handshakesFailed.Load(),
		AdmitsRefused: s.admitsRefused.Load(), AdmitTimeouts: s.admitTimeouts.Load(),
		ProxyErrors: s.proxyErrors.Load(), HTTPRequests: s.http.Load(),
		HTTPRefused: s.httpRefused.Load(),
	}
	for i := range s.byReason {
		t.Ended[i], t.Rejected[i] = s.byReason[i].Load(), s.rejectedBy[i].Load()
	}
	for _, p := range e.ports {
		p.out.mu.Lock()
		t.FailuresLost += p.out.lost
		p.out.mu.Unlock()
	}
	return t
}

// Info describes one connection for operators (core.tcp_list).
type Info struct {
	ID       uint64
	Proto    netio.Proto
	Listener int
	State    string // CONN_CONNECT, CONN_ACCEPT, CONN_OK, CONN_BAD: Kamailio's names
	Outgoing bool
	Timeout  time.Duration // until it is closed for idleness
	Lifetime time.Duration
	Queued   int        // bytes
	Src, Dst netio.Addr // the peer's and ours; Client is what a PROXY header said, else Src
	Client   netio.Addr
}

// List describes up to limit connections, in no order.
func (e *Engine) List(limit int) []Info {
	conns := e.registry.some(limit)
	infos := make([]Info, len(conns))
	now := e.now()
	for i, c := range conns {
		infos[i] = c.info(now)
	}
	return infos
}

func (c *conn) info(now int64) Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	lifetime := c.lifetimeNs()
	i := Info{
		ID: c.id, Proto: c.proto, Listener: int(c.k.listener), Outgoing: c.outgoing,
		Lifetime: time.Duration(lifetime), Queued: c.queued + c.inflight, Src: c.peer,
		Client: c.k.addr,
	}
	switch {
	case c.st == dead:
		i.State = "CONN_BAD"
	case c.st == open:
		i.State = "CONN_OK"
	case c.outgoing:
		i.State = "CONN_CONNECT"
	default:
		i.State = "CONN_ACCEPT"
	}
	if c.st == open {
		i.Timeout = time.Duration(c.seen.Load() + lifetime - now)
		i.Dst = c.local
	}
	return i
}

// CloseConn ends one connection. It returns false if there is none of this number.
func (e *Engine) CloseConn(id uint64) bool {
	c := e.registry.get(id)
	return c != nil && c.condemn(Requested, 0)
}
