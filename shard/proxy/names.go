package proxy

import "viaduct/netio"

// MaxEndpoints is how many addresses one look-up yields at most. A name with more
// of them loses the last of its order, for one call.
const MaxEndpoints = 16

// NameQuery asks where a SIP URI leads whose host is a name (RFC 3263 §4).
type NameQuery struct {
	// as written, without trailing dot or not, in any case; valid during the call
	Host     []byte
	Port     uint16      // 0 means none written, so that SRV counts (§4.2)
	Proto    netio.Proto // if HasProto
	HasProto bool        // the URI has a transport parameter, so that NAPTR does not count (§4.1)
	Secure   bool        // the scheme is sips: TLS alone will do
	// Protos and Families are what our listeners can send by: bit 1<<Proto, and 1 for IPv4, 2 for
	// IPv6. Other endpoints are left out.
	Protos   uint8
	Families uint8
	// Seed makes the choice by SRV weight (RFC 2782): the same seed, the same order, as long as the
	// records stay.
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

// Resolver finds where names lead. The control plane has one; its methods may be
// called by all shards at once and never block.
type Resolver interface {
	// Lookup answers from the cache alone. It allocates nothing and takes no lock. out has room for
	// MaxEndpoints; n of it are filled. An answer past its time to live may be given while it is
	// renewed (stale-while-revalidate).
	Lookup(q *NameQuery, out []Endpoint) (n int, a Answer)
	// Ask starts to resolve q, or joins a resolution under way, and calls done exactly once from
	// another goroutine when Lookup will have an answer that is not Unknown, within a bounded time.
	// done must not block. It returns false if too many questions are open; done is not called.
	Ask(q *NameQuery, done func()) bool
}
