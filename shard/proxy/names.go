package proxy

import "viaduct/netio"

// MaxEndpoints is how many addresses one look-up yields at most. A name with more addresses loses
// the last of its order, for one call.
const MaxEndpoints = 16

// NameQuery asks where a SIP URI leads whose host is a name (RFC 3263 §4).
type NameQuery struct {
	// Host is the name as written, in any case, with or without a trailing dot. It is valid during
	// the call.
	Host     []byte
	Port     uint16      // 0 means none written, so that SRV counts (§4.2)
	Proto    netio.Proto // if HasProto
	HasProto bool        // the URI has a transport parameter, so that NAPTR does not count (§4.1)
	Secure   bool        // the scheme is sips: TLS alone will do
	// Protos and Families are what our listeners can send by: bit 1<<Proto; and 1 for IPv4, 2 for
	// IPv6. Endpoints of other transports and families are left out.
	Protos   uint8
	Families uint8
	// Seed decides the choice by SRV weight (RFC 2782): the same seed gives the same order as long
	// as the records stay the same.
	Seed uint64
}

// Endpoint is one address to try.
type Endpoint struct {
	Addr  netio.Addr
	Proto netio.Proto
}

// Answer says what a Resolver knows.
type Answer uint8

// The answers.
const (
	Unknown  Answer = iota // nothing in the cache: Ask
	Resolved               // endpoints in the order to try them, one at least
	Nowhere                // the name does not exist, or leads nowhere we can send
	Failed                 // the servers did not answer: it may be different in a moment
)

// Resolver finds where names lead. The control plane has one. Its methods may be called by all
// shards at once and never block.
type Resolver interface {
	// Lookup answers from the cache alone, allocates nothing and takes no lock. out must have room
	// for MaxEndpoints; Lookup fills the first n. It may give an answer past its time to live while
	// the answer is renewed (stale-while-revalidate).
	Lookup(q *NameQuery, out []Endpoint) (n int, a Answer)
	// Ask starts to resolve q, or joins a resolution under way. It calls done exactly once, from
	// another goroutine and within a bounded time, when Lookup has an answer that is not Unknown.
	// done must not block. Ask returns false, and does not call done, if too many questions are
	// open.
	Ask(q *NameQuery, done func()) bool
}
