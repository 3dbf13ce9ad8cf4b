package route

import (
	"fmt"
	"net/netip"
	"time"

	"viaduct/parser"
)

// fakeStreams is the part of fakeHost that is about sockets, connections and edits.
type fakeStreams struct {
	socket, socketName []byte
	received           []byte
	advertised         []byte
	advertisedPort     int
	conn               int64
	tls                map[TLSField]string
	ignore             [2]BlockReasons
}

func (h *fakeHost) ForceSocket(socket []byte) int {
	if h.quiet {
		return 1
	}
	r := h.did("ForceSocket", string(socket))
	if r > 0 {
		h.socket = append([]byte(nil), socket...)
	}
	return r
}
func (h *fakeHost) ForceSocketName(name []byte) int {
	if h.quiet {
		return 1
	}
	r := h.did("ForceSocketName", string(name))
	if r > 0 {
		h.socketName = append([]byte(nil), name...)
	}
	return r
}
func (h *fakeHost) SendSocket() []byte                  { return h.socket }
func (h *fakeHost) SendSocketName() []byte              { return h.socketName }
func (h *fakeHost) ReceivedName() []byte                { return h.received }
func (h *fakeHost) Advertised() (host []byte, port int) { return h.advertised, h.advertisedPort }
func (h *fakeHost) SetAdvertised(host []byte, port int) int {
	if h.quiet {
		return 1
	}
	return h.did("SetAdvertised", string(host), port)
}
func (h *fakeHost) ForwardTo(dst RelayDst) int {
	if h.quiet {
		return 1
	}
	proto, _ := transportName(dst.Proto)
	return h.did("ForwardTo", dst.Set, string(proto), string(dst.Host), dst.Port)
}
func (h *fakeHost) AddLocalRPort() int { return h.did("AddLocalRPort") }
func (h *fakeHost) ForceRPort() int    { return h.did("ForceRPort") }
func (h *fakeHost) AliasConn(port int) int {
	if h.quiet {
		return 1
	}
	return h.did("AliasConn", port)
}
func (h *fakeHost) SetStreamFlag(flag StreamFlag) int {
	if h.quiet {
		return 1
	}
	return h.did("SetStreamFlag", uint8(flag))
}
func (h *fakeHost) ConnID() int64 { return h.conn }
func (h *fakeHost) ConnState(id int64) ConnState {
	if h.quiet {
		return ConnUp
	}
	return ConnState(h.did("ConnState", id))
}
func (h *fakeHost) SetConnLifetime(id int64, lifetime time.Duration) int {
	if h.quiet {
		return 1
	}
	return h.did("SetConnLifetime", id, lifetime)
}
func (h *fakeHost) SetConnKeepalive(id int64, idle time.Duration, count int, interval time.Duration) int {
	if h.quiet {
		return 1
	}
	return h.did("SetConnKeepalive", id, idle, count, interval)
}
func (h *fakeHost) CloseConn(id int64, status int, reason []byte) int {
	if h.quiet {
		return 1
	}
	return h.did("CloseConn", id, status, string(reason))
}

func (h *fakeHost) TLSInfo(field TLSField) []byte {
	if s, ok := h.tls[field]; ok {
		if h.quiet {
			return wssName
		}
		return []byte(s)
	}
	return nil
}
func (h *fakeHost) PeerVerified() bool { return h.answers["PeerVerified"] > 0 }

func (h *fakeHost) BlockSource(ttl time.Duration) int {
	if h.quiet {
		return 1
	}
	return h.did("BlockSource", ttl)
}
func (h *fakeHost) UnblockSource() int  { return h.did("UnblockSource") }
func (h *fakeHost) SourceBlocked() bool { return h.answers["SourceBlocked"] > 0 }
func (h *fakeHost) SetBlockIgnore(whose BlockWhose, mask BlockReasons) {
	h.ignore[whose] = mask
	if !h.quiet {
		h.calls = append(h.calls, fmt.Sprintf("SetBlockIgnore(%d,%d)", whose, mask))
	}
}
func (h *fakeHost) BlockIgnore(whose BlockWhose) BlockReasons { return h.ignore[whose] }

func (h *fakeHost) ReplaceContact(old parser.Span, text []byte) int {
	if h.quiet {
		return 1
	}
	return h.did("ReplaceContact", string(h.msg.Bytes(old)), string(text))
}
func (h *fakeHost) AddPath(user, params []byte, received bool) int {
	if h.quiet {
		return 1
	}
	return h.did("AddPath", string(user), string(params), received)
}
func (h *fakeHost) AppendToReply(rows []byte) int {
	if h.quiet {
		return 1
	}
	return h.did("AppendToReply", string(rows))
}

// from makes the message one that came over proto from addr.
func (h *fakeHost) from(proto Transport, addr string) *fakeHost {
	h.proto, h.src = proto, netip.MustParseAddrPort(addr)
	return h
}
