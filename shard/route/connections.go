package route

import (
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Connections is what a program can do with single connections; stream.Engine implements it. A
// connection number is never used again. No method waits.
type Connections interface {
	State(conn uint64) stream.ConnState
	// Find returns the connection that a listener has with a peer. It returns 0 if there is none.
	Find(listener int, peer *netio.Addr) uint64
	// SetLifetime sets how long a connection stays open while nothing is sent or received.
	SetLifetime(conn uint64, d time.Duration) bool
	// SetKeepAlive sets SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPCNT and TCP_KEEPINTVL. An idle of 0
	// switches it off.
	SetKeepAlive(conn uint64, idle time.Duration, count int, interval time.Duration) bool
	// CloseGracefully closes a connection once what is queued is sent. Status and reason go into
	// the Close frame of a WebSocket (RFC 6455 §7.4); status 0 gives none.
	CloseGracefully(conn uint64, status int, reason []byte) bool
	// AliasOf lets the connection also serve requests to its peer's address and the given port (RFC
	// 5923). It returns false if there is no room, or if the alias belongs to another connection.
	AliasOf(conn uint64, port uint16) bool
	// AnswerHTTP, UpgradeHTTP and WebSocket are about HTTP requests; see stream.Engine.
	AnswerHTTP(conn uint64, request uint32, response []byte, last bool) bool
	UpgradeHTTP(conn uint64, request uint32, response []byte, upgrade *wslayer.Request) bool
	WebSocket(conn uint64) *wslayer.Config
	// TLSInfo returns what is known about the connection's TLS. It returns nil if it has none.
	TLSInfo(conn uint64) *stream.TLSInfo
}

var _ Connections = (*stream.Engine)(nil)

// Connection returns the number of the connection that the message came on. It returns 0 if there
// is none. A request that is read back from the arena, or was parked, gets the connection that is
// open with its source now.
func (c *Ctx) Connection() uint64 {
	if c.Shard.Conns == nil {
		return 0
	}
	src := c.Source()
	switch {
	case !src.Proto.Reliable():
		return 0
	case c.Conn != 0 && (c.Request == nil || !c.Request.Resumed()):
		return c.Conn
	}
	return c.Shard.Conns.Find(c.listener(), src) // Slow path
}

// TLSInfo returns what is known about the TLS of the message's connection. It returns nil if the
// message did not come over TLS.
func (c *Ctx) TLSInfo() *stream.TLSInfo {
	if conn := c.Connection(); conn != 0 {
		return c.Shard.Conns.TLSInfo(conn)
	}
	return nil
}

// conn returns connection id, or the message's connection if id is 0. It returns 0 if there is
// none.
func (c *Ctx) conn(id int64) uint64 {
	switch {
	case c.Shard.Conns == nil || id < 0:
		return 0
	case id == 0:
		return c.Connection()
	}
	return uint64(id)
}

// ConnState returns the state that tcp_conid_state() and tcp_conid_alive() ask for.
func (c *Ctx) ConnState(id int64) stream.ConnState {
	conn := c.conn(id)
	if conn == 0 {
		return stream.ConnGone
	}
	return c.Shard.Conns.State(conn)
}

// alias is force_tcp_alias(): the message's connection also serves requests to the source address
// and port, because the script says so. Port 0 stands for the port of the topmost Via.
func (c *Ctx) alias(port int) int {
	conn := c.Connection()
	if conn == 0 {
		return -1
	}
	if port == 0 {
		via, reason := c.Msg.TopVia()
		if reason != parser.OK || c.Request == nil {
			return -1 // a response's topmost Via is ours
		}
		if port = int(via.Port); port == 0 {
			port = int(netio.TCP.DefaultPort())
			if via.Transport == parser.TLS {
				port = int(netio.TLS.DefaultPort())
			}
		}
	}
	return truth(c.Shard.Conns.AliasOf(conn, uint16(port)))
}

// SetLifetime is tcp_set_connection_lifetime(). In this and the following functions, id 0 is the
// message's connection.
func (c *Ctx) SetLifetime(id int64, d time.Duration) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.SetLifetime(conn, d))
}

// SetKeepAlive is tcp_keepalive_enable(). With idle 0 it is tcp_keepalive_disable().
func (c *Ctx) SetKeepAlive(id int64, idle time.Duration, count int, interval time.Duration) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.SetKeepAlive(conn, idle, count, interval))
}

// CloseConn is tcp_close_connection() and ws_close(). With status 0 the Close frame has no status.
func (c *Ctx) CloseConn(id int64, status int, reason []byte) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.CloseGracefully(conn, status, reason))
}

// CloseRefused closes the connection of a request whose request_route ended as o if its result was
// below 0 and tcp_script_mode does not say otherwise. What is queued is sent before.
func (p *Program) CloseRefused(c *Ctx, o Outcome) {
	if o == Ended && c.Return < 0 && !p.keepRefused {
		c.CloseConn(0, 0, nil)
	}
}

// StreamFlag is a request of the script about the stream that a message leaves on.
type StreamFlag uint8

const (
	// ForwardNoConnect sends a request on an open connection or not at all
	// (set_forward_no_connect).
	ForwardNoConnect StreamFlag = iota
	// ForwardClose closes the connection once the request is sent (set_forward_close).
	ForwardClose
	// ReplyNoConnect sends the response on an open connection or not at all (set_reply_no_connect).
	ReplyNoConnect
	// ReplyClose closes the connection once the final response is sent (set_reply_close). A 100
	// does not close it, or the answer would be lost.
	ReplyClose
)

// setStreamFlag is set_forward_no_connect() and the three others. It is also true for a message
// that will not use a stream. In a reply route it concerns the current response only.
func (c *Ctx) setStreamFlag(flag StreamFlag) int {
	w := txn.NoConnect
	if flag == ForwardClose || flag == ReplyClose {
		w = txn.CloseAfter
	}
	switch ofReply := flag >= ReplyNoConnect; {
	case c.Request == nil:
		c.Reply.AddStreamOptions(w) // there is nothing else to forward
	case ofReply:
		c.Request.AddReplyOptions(w)
	default:
		c.Request.AddStreamOptions(w)
	}
	return 1
}
