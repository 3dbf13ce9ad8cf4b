package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
)

// Config says what an Engine is to do.
type Config struct {
	// Base is the number of the first listener here, in the numbering of the whole process that
	// Packet.Listener and Begin use.
	Base int
	// Listeners are the addresses, in the order of their numbers.
	Listeners []Listen
	// Shards is the number of Ports, 1 to 1024. Loops is the number of event loops, 0 for one.
	Shards, Loops int
	// Owner names the shard of a message, 0 to Shards-1. It runs on the event loops, on several at
	// once, and must not keep the bytes.
	Owner func(message []byte) int
	// Ring wakes a shard; any goroutine. It is called after something was put where the Port finds
	// it.
	Ring func(shard int)
	// Fatal is told once if the event loops end without having been asked to. Nil panics instead:
	// nothing would come or go any more.
	Fatal func(error)
	// Limits are read while the engine runs; nil means NewLimits.
	Limits *Limits
	// TLS gives the configurations; nil if there is no TLS or WSS, and then none is dialled.
	TLS TLS
	// KeepAlive is the time without traffic after which the kernel probes the peer (tcp_keepidle),
	// KeepAliveInterval between probes (tcp_keepintvl), KeepAliveCount how many unanswered ones end
	// the connection (tcp_keepcnt). Zero leaves the kernel's; KeepAlive < 0 sends none.
	KeepAlive, KeepAliveInterval time.Duration
	KeepAliveCount               int
	// SynCount is how often a SYN is repeated (tcp_syncnt), FinWait how long an orphaned connection
	// stays in FIN-WAIT-2 (tcp_linger2); 0 leaves the kernel's. QuickAck sends the first
	// acknowledgements at once (the opposite of tcp_delayed_ack). DeferAccept wakes the acceptor
	// only when bytes are there, or so much time has passed (tcp_defer_accept); 0 is off.
	SynCount    int
	FinWait     time.Duration
	QuickAck    bool
	DeferAccept time.Duration
	// TOS is the byte TOS of IPv4 and the traffic class of IPv6 of what is sent (tos).
	TOS int
	// SourceIPv4 and SourceIPv6 are where connections we make come from (tcp_source_ipv4,
	// tcp_source_ipv6); invalid: the listener's address.
	SourceIPv4, SourceIPv6 netip.Addr
	// ListenPort lets them come from the listener's port too (tcp_reuse_port), where that is
	// possible: else, as when the pair of addresses and ports is in use, from any. It needs
	// SO_REUSEPORT on the listeners, which lets another process of the same user bind them
	// (socket(7)).
	ListenPort bool
	// NoCloseNotify ends TLS connections without close_notify (tls: send_close_notify=no), against
	// RFC 8446 §6.1.
	NoCloseNotify bool
	// AcceptControl takes an LF alone for a line end of a start line or header, and a CR alone for
	// a character like others (accept_ctrl_chars). False means that each is a Fault, and the
	// connection ends, since whoever reads them otherwise sees other messages behind.
	AcceptControl bool
	// HTTP takes HTTP requests on listeners of TCP and TLS (SetHTTP). Closed is told of each
	// WebSocket connection that has ended, by an event loop; nil means nobody is.
	HTTP   bool
	Closed func(Ended)
	// WS is for all WebSocket listeners.
	WS WebSocket
	// Backlog is the length of the listen queue (listen(2)); 0 means the kernel's
	// net.core.somaxconn.
	Backlog int
	// ReusePort sets SO_REUSEPORT on the listeners, so that a successor can open them meanwhile.
	ReusePort bool
	// Logger; nil means slog.Default(). Never one line per message; each kind at most once a
	// second.
	Logger *slog.Logger
}

// TLS gives configurations per connection, so that certificates can change while the engine runs.
// Its methods are called from many goroutines and must not block. A nil *tls.Config refuses the
// connection. A server's GetConfigForClient may be asked again after the handshake, with no more
// than the server's name.
type TLS interface {
	Server(listener int, local netio.Addr) *tls.Config
	// Client is for a connection to dst, whose certificate has to name domain ("" if the peer has
	// no name).
	Client(listener int, domain string, dst netio.Addr) *tls.Config
}

// Listen is one address to listen on.
type Listen struct {
	Proto netio.Proto // any but UDP
	// Addr is a concrete address: connections are opened from it too, and it goes into Via. Port 0
	// lets the kernel choose.
	Addr netip.AddrPort
	// AdvertiseHost and AdvertisePort are as in netio.ListenConfig.
	AdvertiseHost string
	AdvertisePort uint16
	// AllowWS on a TCP or TLS listener lets connections that begin with an HTTP request become
	// connections of listener WSListener, a number as Packet.Listener has it, of proto WS or WSS.
	// That listener has the same address and opens no socket.
	AllowWS    bool
	WSListener int
	// Name is netio.Listener's.
	Name string
	// Origins are the origins of web pages whose WebSocket connections are let in; empty lets all
	// in (wslayer.Config).
	Origins []string
	// ProxyFrom are the peers that must begin with a PROXY header (haproxy's proxy-protocol.txt).
	// From all others it is an error.
	ProxyFrom []netip.Prefix
}

// WebSocket are the settings of Kamailio's module websocket, which binds its parameters to them.
type WebSocket struct {
	Frames Frames // keepalive_mechanism
	// KeepAlive is how long nothing may come or go before a frame is sent (keepalive_timeout); 0
	// means none is. A Ping that nothing answers for as long ends the connection.
	KeepAlive time.Duration
	// Data is in these frames (ping_application_data), at most 125 bytes (RFC 6455 §5.5).
	Data string
	// CORS is what the answer to an upgrade says of its origin (cors_mode).
	CORS wslayer.CORS
}

// Frames is websocket's keepalive_mechanism, with its numbers: what is sent where nothing comes or
// goes.
type Frames int

// What is sent.
const (
	NoFrames Frames = iota
	Pings
	Pongs // nobody answers them (RFC 6455 §5.5.3)
)

// Validate tells what is wrong with the configuration.
func (c *Config) Validate() error {
	switch {
	case c.Shards < 1 || c.Shards > maxShards:
		return fmt.Errorf("cannot serve %d shards: 1 to %d are possible", c.Shards, maxShards)
	case c.Loops < 0 || c.Loops > maxLoops:
		return fmt.Errorf("cannot run %d event loops: 1 to %d are possible", c.Loops, maxLoops)
	case c.Owner == nil || c.Ring == nil:
		return errors.New("cannot run streams without Owner and Ring")
	case c.Base < 0 || c.Base+len(c.Listeners) > 1<<14:
		return fmt.Errorf("cannot number %d listeners from %d on: 16384 are possible in all",
			len(c.Listeners), c.Base)
	}
	if a := c.SourceIPv4; a.IsValid() && !a.Is4() {
		return fmt.Errorf("cannot connect from %s: it is no IPv4 address", a)
	}
	if a := c.SourceIPv6; a.IsValid() && !a.Is6() {
		return fmt.Errorf("cannot connect from %s: it is no IPv6 address", a)
	}
	if n := len(c.WS.Data); n > wslayer.ControlBytes || c.WS.KeepAlive < 0 {
		return fmt.Errorf("cannot keep WebSocket connections alive every %v with %d bytes: up to "+
			"%d are possible", c.WS.KeepAlive, n, wslayer.ControlBytes)
	}
	listed := make(map[netip.AddrPort]bool)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if err := c.validate(i); err != nil {
			return fmt.Errorf("cannot listen on %s %s: %w", strings.ToLower(l.Proto.String()),
				l.Addr, err)
		}
		if c.twinOf(i) >= 0 {
			continue
		}
		if listed[l.Addr] && l.Addr.Port() != 0 {
			return fmt.Errorf("cannot listen on %s: the address is listed twice", l.Addr)
		}
		listed[l.Addr] = true
	}
	return nil
}

func (c *Config) validate(i int) error {
	l := &c.Listeners[i]
	switch {
	case l.Proto == netio.UDP || l.Proto > netio.WSS:
		return errors.New("only tcp, tls, ws and wss are streams")
	case l.Proto.Secure() && c.TLS == nil:
		return errors.New("TLS needs a certificate")
	case !l.Addr.IsValid() || l.Addr.Addr().IsUnspecified() || l.Addr.Addr().IsMulticast():
		return errors.New("list the addresses themselves: this one cannot be the source of a " +
			"connection")
	case l.AdvertiseHost == "" && l.AdvertisePort != 0:
		return errors.New("an advertised port needs an advertised host")
	case strings.ContainsAny(l.AdvertiseHost, " \t\r\n;,?<>\"\x00"):
		return fmt.Errorf("the advertised host %q has characters that a header cannot carry",
			l.AdvertiseHost)
	}
	if l.AllowWS {
		t := l.WSListener - c.Base
		if t < 0 || t >= len(c.Listeners) || !pair(l.Proto, c.Listeners[t].Proto) {
			return fmt.Errorf("the WebSocket connections of this listener need one of the "+
				"matching proto, %d is none", l.WSListener)
		}
	}
	return nil
}

// pair tells whether connections of a listener of proto p may become those of proto ws.
func pair(p, ws netio.Proto) bool {
	return p == netio.TCP && ws == netio.WS || p == netio.TLS && ws == netio.WSS
}

// twinOf gives the index of the listener whose WebSocket connections become those of listener i. It
// returns -1 if i has a socket of its own.
func (c *Config) twinOf(i int) int {
	for j := range c.Listeners {
		if c.Listeners[j].AllowWS && c.Listeners[j].WSListener == c.Base+i {
			return j
		}
	}
	return -1
}
