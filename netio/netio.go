// Package netio is steps 1 and 6 of the packet's journey: it receives batches of datagrams on the
// shard's own sockets and sends the plans that the shard made.
//
// Every shard has a Port: its own SO_REUSEPORT socket on each listen address and one epoll
// instance. A Port belongs to one goroutine; none of its methods may be called from another. The
// Listeners are shared and never change. Received bytes are leased frames: they stay valid until
// Port.Release, then the kernel writes over them, and nobody may assume that the memory is Go's (a
// later backend may hand out frames of an AF_XDP ring). Sent bytes may be referenced instead of
// copied: segments must stay as they are from Append to Flush.
//
// Use it for datagrams only; streams are another engine's work. To resolve names per message use
// the resolver of the control plane: Expand is for start-up.
package netio

import (
	"log/slog"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"viaduct/netio/steer"
	"viaduct/transport"
)

// Proto is the transport of a listener, and hence of what arrives and leaves by it.
type Proto = transport.Proto

// The transports of RFC 3261 §18 and RFC 7118. The zero value is UDP.
const (
	UDP = transport.UDP
	TCP = transport.TCP
	TLS = transport.TLS
	WS  = transport.WS
	WSS = transport.WSS
)

// ListenConfig is one address to listen on.
type ListenConfig struct {
	// Addr is a concrete address; a wildcard is refused, since replies must leave from the address
	// the request came to (RFC 3261 §18.2.2): see Expand. Port 0 lets the kernel choose;
	// Listener.Addr tells what it chose.
	Addr netip.AddrPort
	// AdvertiseHost is the host name or address literal written into Via instead of Addr's; ""
	// writes Addr. It is not verified.
	AdvertiseHost string
	// AdvertisePort goes with AdvertiseHost; 0 writes no port, which lets peers use SRV (RFC 3263
	// §4.2).
	AdvertisePort uint16
	// Name is what the operator calls the listener, "" for nothing.
	Name string
	// RecvBufferBytes is the cap up to which the receive buffer is raised (-b), as the kernel
	// counts it: twice the payload it can hold (socket(7)). 0 means 16 MiB. A default of the kernel
	// above the cap is left alone.
	RecvBufferBytes int
	// SendBufferBytes is what the send buffer is set to (maxsndbuffer), as the kernel counts it; 0
	// means 1 MiB. The kernel cuts what is above net.core.wmem_max.
	SendBufferBytes int
	// TOS is the byte TOS of IPv4 and the traffic class of IPv6 of what is sent (tos).
	TOS int
}

// SteerMode says whether the kernel may choose the shard of a datagram.
type SteerMode uint8

const (
	// use the kernel program if it loads, else log the reason once and go on without
	SteerAuto SteerMode = iota
	SteerOn             // demand the kernel program: its failure is Listen's error
	SteerOff            // never load it
)

// Options are the settings of a Group as a whole.
type Options struct {
	Steer SteerMode // one shard never needs steering and gets none, whatever is set here
	// NoSegment sends each message by itself even where several could leave together (UDP_SEGMENT),
	// and receives each by itself (UDP_GRO).
	NoSegment bool
	// WriteQueue bounds the bytes that wait for one socket of one shard whose send buffer is full;
	// nil or 0: none do. There is memory for as much as it says at start: later it may be lowered,
	// and raised to that again.
	WriteQueue *atomic.Int64
	// choose the sending listener by the route to the destination: see Group.Egress
	MHomed bool
	Logger *slog.Logger // start-up notes only, never per packet; nil means slog.Default()
}

// Listener describes one listen address. It is shared by all shards and immutable.
type Listener struct {
	Index int   // position in Group.Listeners, the number that Recv, Queue and Packet use
	Proto Proto // UDP for those of a Group
	Addr  Addr  // the bound address with its real port
	// "host:port" or "host" as it goes into Via and Record-Route: the advertised name, else Addr;
	// not to be written to
	SentBy []byte
	// AdvertiseHost and AdvertisePort are the configured ones ("" and 0 if none).
	AdvertiseHost string
	AdvertisePort uint16
	Name          string // the configured one
	// Leaving: nothing new begins over it, and it will be closed. Gone: it is closed. Both are for
	// who keeps a list in which numbers stay; a Group's own never say so.
	Leaving, Gone bool
	// RecvBufferBytes is what getsockopt(SO_RCVBUF) reports for each of the sockets.
	RecvBufferBytes int
}

// Packet is one received datagram. Data and the Packet itself are valid until Port.Release.
type Packet struct {
	Data     []byte // the payload, capped; cut at the frame's end if Truncated
	Src      Addr   // who sent it
	Listener uint16 // index of the listener that received it
	// the datagram was longer than any UDP datagram may be (MSG_TRUNC): count and drop it
	Truncated bool
}

// Events is what Wait saw. The slices are valid until the next Wait.
type Events struct {
	Ready    []uint16 // listeners with datagrams to Recv
	Errored  []uint16 // listeners with ICMP errors to read by Errors
	Doorbell bool     // at least one of the doorbells rang
	Errno    unix.Errno
}

// SendFailure tells that one message did not leave.
type SendFailure struct {
	Token    uint64 // what Begin or Queue was given
	Dst      Addr   // where it should have gone
	Listener int16  // through which listener; -1 if none was given
	// EAGAIN: the socket's send buffer is full, and its queue; else what the kernel said (EPERM,
	// ENETUNREACH, EHOSTUNREACH, EMSGSIZE, EAFNOSUPPORT …)
	Errno unix.Errno
}

// ICMPError is one entry of a socket's error queue (IP_RECVERR, IPV6_RECVERR in ip(7)): a datagram
// of ours that was refused later on. Type and Code are those of RFC 792 or RFC 4443. Payload is
// what the ICMP message quoted of our datagram, often nothing at all (routers need to quote 8 bytes
// only); valid until the next Errors on the same Port.
type ICMPError struct {
	Dst        Addr       // where our datagram was going
	From       Addr       // who complained; zero if the kernel itself did (Origin 1)
	Errno      unix.Errno // ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE …
	Origin     uint8      // SO_EE_ORIGIN_LOCAL 1, _ICMP 2, _ICMP6 3
	Type, Code uint8
	MTUBytes   uint32 // path MTU if Errno is EMSGSIZE, else 0
	Payload    []byte
}

// PortStats are totals since Listen. Single writer: the Port's goroutine, which is also the only
// one allowed to read them; it copies them to its counters.
type PortStats struct {
	RecvDatagrams, RecvBatches, RecvTruncated, RecvBytes uint64
	// datagrams of those that arrived together with others (UDP_GRO)
	RecvBundled uint64
	// datagrams and bytes the kernel took
	SentDatagrams, SendBatches, SentBytes uint64
	// datagrams of those that left together with others (UDP_SEGMENT)
	SentSegmented uint64
	// messages that did not leave, and those of them with EAGAIN: the socket is full, and
	// Options.WriteQueue reached
	SendFailed, SendAgain uint64
	// messages that had to wait for a full socket
	SendQueued uint64
	// sends repeated because the first try returned an error, perhaps another datagram's
	SendRetried uint64
	ICMPErrors  uint64
}

// SteerStats are the counters of the kernel program of all listeners together.
type SteerStats = steer.Counts
