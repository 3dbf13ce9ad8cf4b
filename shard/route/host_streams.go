package route

import (
	"time"

	"viaduct/parser"
)

// StreamHost are the doors to sockets, connections and addresses. All of them are called in any
// kind of route; what the message at hand cannot be asked for is below 0, false or nothing. A
// choice made in request_route or a failure route is for all branches of the next Relay, one made
// in a branch route for that branch, and one made in a reply route for that response.
type StreamHost interface {
	// ForceSocket is force_send_socket(), set_send_socket() and $fs =: requests leave from the
	// listener written as [proto:]host[:port]. Without protocol UDP is meant, without port 5060
	// (TLS 5061). Empty: as if none had been forced. Below 0: there is no such listener.
	ForceSocket(socket []byte) int
	// ForceSocketName is set_send_socket_name() and $fsn =: likewise by the name of a listen line.
	ForceSocketName(name []byte) int
	// SendSocket is $fs, "proto:host:port" of the listener forced, and SendSocketName is $fsn, its
	// name; empty when there is none.
	SendSocket() []byte
	SendSocketName() []byte
	// ReceivedName is $Rn: the name of the listener the message came in on, empty when it has none.
	ReceivedName() []byte
	// Advertised is what that listener shows in Via and Record-Route; host is empty when it shows
	// its own address, port 0 when it shows none.
	Advertised() (host []byte, port int)
	// SetAdvertised is set_advertised_address() and set_advertised_port(): the sent-by of our Via
	// in this request. host nil or port 0: that part stays as it is. Below 0: no room, or no host.
	SetAdvertised(host []byte, port int) int
	// ForwardTo is forward(), forward_udp() and so on with a destination: as Forward, but to dst,
	// which is valid until ForwardTo returns.
	ForwardTo(dst RelayDst) int
	// AddLocalRPort is add_local_rport(): our Via in this request asks for rport (RFC 3581 §3).
	AddLocalRPort() int
	// ForceRPort is force_rport(): the response to this request goes to its source, and Via says
	// so, as if it had carried rport. Below 0: a transaction has noted already where it goes
	// (t_newtran).
	ForceRPort() int

	// AliasConn is force_tcp_alias(): the connection the message came on also serves requests to
	// the source address and port (RFC 5923, by decree of the script). port 0: that of the topmost
	// Via. Below 0: no stream, no room, or the alias is taken by another connection.
	AliasConn(port int) int
	// SetStreamFlag is set_forward_no_connect() and its kin. Above 0 for a message that will not
	// use a stream, too.
	SetStreamFlag(flag StreamFlag) int
	// ConnID is $conid: the number of the connection the message came on, 0 when it came in a
	// datagram. Numbers are not used again.
	ConnID() int64
	// ConnState is what tcp_conid_state() and tcp_conid_alive() ask: see ConnState. Id 0: that of
	// the message.
	ConnState(id int64) ConnState
	// SetConnLifetime is tcp_set_connection_lifetime(): how long connection id stays when nothing
	// is sent or received. Id 0: that of the message. Below 0: there is none; likewise in
	// SetConnKeepalive and CloseConn.
	SetConnLifetime(id int64, lifetime time.Duration) int
	// SetConnKeepalive is tcp_keepalive_enable(): SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPCNT and
	// TCP_KEEPINTVL; idle 0 switches it off (tcp_keepalive_disable).
	SetConnKeepalive(id int64, idle time.Duration, count int, interval time.Duration) int
	// CloseConn is tcp_close_connection() and ws_close(): status and reason go into the Close frame
	// of a WebSocket (RFC 6455 §7.4), status 0: none is given. What is queued is sent before.
	CloseConn(id int64, status int, reason []byte) int

	// TLSInfo is what is known of the TLS connection the message came on, as text; nil when it came
	// on none or there is no such thing.
	TLSInfo(field TLSField) []byte
	// PeerVerified is is_peer_verified(): the peer showed a certificate and it was verified.
	PeerVerified() bool
}

// BlocklistHost are the doors to the destination blocklist, module blst.
type BlocklistHost interface {
	// BlockSource is blst_add(): puts the source of the message on the list. ttl 0:
	// Settings.Blocklist.Expire. Below 0: the list is full or off, or it ignores this reason for
	// this protocol.
	BlockSource(ttl time.Duration) int
	// UnblockSource is blst_del(). Below 0: it was not on the list.
	UnblockSource() int
	// SourceBlocked is blst_is_blocklisted().
	SourceBlocked() bool
	// SetBlockIgnore is blst_set_ignore(), blst_rpl_set_ignore() and their opposites: which reasons
	// (see BlockReasons) put no destination of this request, or of the reply to it, on the list.
	// mask replaces what was set before.
	SetBlockIgnore(whose BlockWhose, mask BlockReasons)
	BlockIgnore(whose BlockWhose) BlockReasons
}

// EditHost are the doors to changes in what is passed on of the message.
type EditHost interface {
	// ReplaceContact puts text in place of old, which lies in a value of a Contact header field of
	// Msg, in what is sent of the message. The Host copies text. A second call with the same old
	// replaces the first. Below 0: no room, or old overlaps another edit.
	ReplaceContact(old parser.Span, text []byte) int
	// AddPath is add_path() and add_path_received(): prepends a Path header field (RFC 3327 §5.1)
	// with our address; user is its user part, params goes behind ";lr" as it is, and received adds
	// ";received=" with the source as a URI, escaped ("sip:192.0.2.1:5070%3Btransport%3Dtcp",
	// 5.6.3). Below 0: no room, or not possible with this message.
	AddPath(user, params []byte, received bool) int
	// AppendToReply is append_to_reply(): header rows for every response that is made here to this
	// request from now on; those of request_route also for what comes later, by a failure route or
	// a timer. The Host copies rows, and ends the last one if it is not ended. Below 0: no room, or
	// they are no header rows.
	AppendToReply(rows []byte) int
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

// ConnState is the state of a connection, in the numbers of tcp_conid_state().
type ConnState int

const (
	ConnUp         ConnState = 1
	ConnAccepting  ConnState = 2 // accepted, TLS or WebSocket handshake under way
	ConnConnecting ConnState = 3
	ConnGone       ConnState = -1 // closed, or never was
	ConnEOF        ConnState = -2 // the peer will send no more
	ConnFailed     ConnState = -3
	ConnBad        ConnState = -4 // about to be closed
)

// BlockReasons is why a destination is on the blocklist, as bits. Kamailio has the same numbers.
type BlockReasons uint8

const (
	BlockIPv6       BlockReasons = 1 << iota // no reason: the address is IPv6
	BlockSend                                // sending failed
	BlockConnect                             // connecting failed
	BlockICMP                                // the network said unreachable
	BlockTimeout                             // a transaction had no response at all
	Block503                                 // 503 came from there
	BlockProhibited                          // the script or the operator said so
	BlockPermanent                           // never expires
)

// BlockWhose says which message's destinations a mask of SetBlockIgnore is for.
type BlockWhose uint8

const (
	OfRequest BlockWhose = iota
	OfReply
)

// TLSField names a piece of what TLSInfo knows. Peer is the other side's certificate, My our own.
type TLSField uint8

const (
	TLSVersion    TLSField = iota // "TLSv1.3"
	TLSCipherInfo                 // the cipher suite
	TLSCipherBits                 // of the cipher's key, a decimal number
	TLSServerName                 // the name the peer asked for (RFC 6066 §3)
	TLSPeerVerified
	TLSPeerRevoked    // these four are "1" or "0"
	TLSPeerExpired    //
	TLSPeerSelfSigned //
	TLSPeerVersion    // X.509 version, a decimal number
	TLSMyVersion
	TLSPeerSerial // decimal
	TLSMySerial
	TLSPeerSubject // the whole name
	TLSMySubject
	TLSPeerIssuer
	TLSMyIssuer
	TLSPeerSubjectCN
	TLSMySubjectCN
	TLSPeerIssuerCN
	TLSMyIssuerCN
	TLSPeerSubjectOrganization
	TLSMySubjectOrganization
	TLSPeerIssuerOrganization
	TLSMyIssuerOrganization
	TLSPeerSANHostname // the first subjectAltName of that kind
	TLSMySANHostname
	TLSPeerSANURI
	TLSMySANURI
	TLSPeerSANEmail
	TLSMySANEmail
	TLSPeerSANIP
	TLSMySANIP
)
