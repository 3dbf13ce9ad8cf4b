package blocklist

import (
	"math/bits"
	"strings"

	"viaduct/netio"
	"viaduct/transport"
)

// Reason says why a destination is listed: flags with Kamailio's values, several at once.
type Reason uint8

// The reasons of Kamailio's dst_blocklist.h.
const (
	IPv6      Reason = 0x01 // the address is IPv6; set by Add itself
	SendError Reason = 0x02 // a send failed, or timed out on an established connection
	Connect   Reason = 0x04 // connect refused, unreachable, timed out
	// an ICMP error came back; Kamailio defines it and never sets it, hence Config.ICMP
	ICMP       Reason = 0x08
	Timeout    Reason = 0x10 // no response at all to a stateful request
	Busy503    Reason = 0x20 // it answered 503
	Prohibited Reason = 0x40 // an operator or the routing program said so
	Permanent  Reason = 0x80 // never ends, is kept by DeleteAll
)

var reasonNames = [...]string{"ipv6", "send", "connect", "icmp", "timeout", "503", "prohibited",
	"permanent"}

// String names the flags, "timeout,503". For a single one it allocates nothing.
func (r Reason) String() string {
	if r != 0 && r&(r-1) == 0 {
		return reasonNames[bits.TrailingZeros8(uint8(r))]
	}
	var all []string
	for i, name := range reasonNames {
		if r&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, ",")
}

// AnyProto stands for every protocol, in an entry or in a look-up.
const AnyProto = transport.None

// codeOf is a protocol as nodes hold it: 0 is the wildcard.
func codeOf(p netio.Proto) uint8 { return uint8(p) + 1 }

// knownProto tells whether a node can hold a protocol.
func knownProto(p netio.Proto) bool { return p == AnyProto || p.Served() }

// ProtoName is "udp", "tcp", "tls", "ws", "wss" or "any", as in Kamailio's answers.
func ProtoName(p netio.Proto) string {
	switch {
	case p == AnyProto:
		return "any"
	case p.Served():
		return string(p.Lower())
	}
	return "unknown"
}

// ParseProto is the way back, in any case of letters.
func ParseProto(name string) (netio.Proto, bool) {
	if strings.EqualFold(name, "any") {
		return AnyProto, true
	}
	p, ok := transport.Named(name)
	return p, ok && p.Served()
}

// Verdict is what became of an Add.
type Verdict uint8

// Each is counted, see Stats.
const (
	Added   Verdict = iota // a new entry
	Updated                // an entry there was: flags added, expiry set anew
	Off                    // the switch use_dst_blacklist is off
	Ignored                // every reason is in an ignore mask, or the address is none
	Full                   // no room, nor anything expired
	Busy                   // another holds the table; only from Add, which does not wait
)

var verdictNames = [...]string{"Added", "Updated", "Off", "Ignored", "Full", "Busy"}

func (v Verdict) String() string { return verdictNames[v] }

// Owner is who listed an entry last: "timeout", "admin", "rpc", a function of the routing program.
type Owner [OwnerBytes]byte

// OwnerOf cuts what is too long.
func OwnerOf(name string) (o Owner) {
	copy(o[:], name)
	return o
}

func (o Owner) String() string { return strings.TrimRight(string(o[:]), "\x00") }
