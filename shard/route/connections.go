package route

import (
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Connections are what a program does with single connections, by number; stream.Engine has them.
// Numbers are not used again. None of the methods waits.
type Connections interface {
	State(conn uint64) stream.ConnState
	// Find is the connection that a listener has with a peer. It is 0 if there is none.
	Find(listener int, peer *netio.Addr) uint64
	// SetLifetime is how long a connection stays when nothing is sent or received.
	SetLifetime(conn uint64, d time.Duration) bool
	// SetKeepAlive is SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPCNT and TCP_KEEPINTVL; idle 0
	// switches it off.
	SetKeepAlive(conn uint64, idle time.Duration, count int, interval time.Duration) bool
	// CloseGracefully sends what is queued before. Status and reason go into the Close frame of a
	// WebSocket (RFC 6455 §7.4), status 0: none is given.
	CloseGracefully(conn uint64, status int, reason []byte) bool
	// AliasOf lets the connection serve requests to its peer's address and that port, too (RFC
	// 5923). It returns false if there is no room, or the alias is another connection's.
	AliasOf(conn uint64, port uint16) bool
	// AnswerHTTP, UpgradeHTTP and WebSocket are about HTTP requests, see stream.Engine.
	AnswerHTTP(conn uint64, request uint32, response []byte, last bool) bool
	UpgradeHTTP(conn uint64, request uint32, response []byte, upgrade *wslayer.Request) bool
	WebSocket(conn uint64) *wslayer.Config
	// TLSInfo is what is known of the connection's TLS, nil if it has none.
	TLSInfo(conn uint64) *stream.TLSInfo
}

var _ Connections = (*stream.Engine)(nil)

// Connection is the number of the message's connection. It is 0 if it has none. Where the engine
// brought the message that is known. A request that is read back from the arena, or was parked, has
// the one that is open with its source now.
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

// TLSInfo is what is known of the TLS connection that the message came on, nil if it came on none.
func (c *Ctx) TLSInfo() *stream.TLSInfo {
	if conn := c.Connection(); conn != 0 {
		return c.Shard.Conns.TLSInfo(conn)
	}
	return nil
}

// conn is connection id, that of the message for 0. It is 0 if there is none.
func (c *Ctx) conn(id int64) uint64 {
	switch {
	case c.Shard.Conns == nil || id < 0:
		return 0
	case id == 0:
		return c.Connection()
	}
	return uint64(id)
}

// ConnState is what tcp_conid_state() and tcp_conid_alive() ask.
func (c *Ctx) ConnState(id int64) stream.ConnState {
	conn := c.conn(id)
	if conn == 0 {
		return stream.ConnGone
	}
	return c.Shard.Conns.State(conn)
}

// alias is force_tcp_alias(): the connection the message came on also serves requests to the source
// address and port, by decree of the script. port 0: that of the topmost Via.
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

// SetLifetime is tcp_set_connection_lifetime(). Here and below id 0 is the connection of the
// message.
func (c *Ctx) SetLifetime(id int64, d time.Duration) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.SetLifetime(conn, d))
}

// SetKeepAlive is tcp_keepalive_enable(), with idle 0 tcp_keepalive_disable().
func (c *Ctx) SetKeepAlive(id int64, idle time.Duration, count int, interval time.Duration) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.SetKeepAlive(conn, idle, count, interval))
}

// CloseConn is tcp_close_connection() and ws_close(). Status 0: none is given.
func (c *Ctx) CloseConn(id int64, status int, reason []byte) int {
	conn := c.conn(id)
	return truth(conn != 0 && c.Shard.Conns.CloseGracefully(conn, status, reason))
}

// StreamFlag is a wish about the stream a message leaves on.
type StreamFlag uint8

const (
	// ForwardNoConnect: a request leaves on a connection that is there, or not at all
	// (set_forward_no_connect).
	ForwardNoConnect StreamFlag = iota
	// ForwardClose: the connection is closed once the request is sent (set_forward_close).
	ForwardClose
	// ReplyNoConnect: the response leaves on a connection that is there, or not at all
	// (set_reply_no_connect).
	ReplyNoConnect
	// ReplyClose: the connection is closed once the final response is sent (set_reply_close): who
	// hangs up after a 100 keeps the answer.
	ReplyClose
)

// setStreamFlag is set_forward_no_connect() and its kin. It is true for a message that will not use
// a stream, too. What a reply route says is for its response alone.
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
