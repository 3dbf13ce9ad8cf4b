// Package tlsdomains holds the TLS domains of a server: which certificate it shows to whom, and
// whom it trusts. It is no step of the packet's journey; the stream engine asks it when a
// connection begins, for incoming ones by Server and for outgoing ones by Client.
//
// Domains come from a tls.cfg as Kamailio's tls module reads it, or from that module's parameters;
// docs/tls.md has the keys and where this package differs.
//
// # Ownership
//
// A Store belongs to the process. Everything read at once (files, certificates, revocation lists)
// is one immutable snapshot behind an atomic pointer. Reload reads a new one aside and swaps it in,
// or changes nothing. A *tls.Config of Server looks the snapshot up during each handshake, so
// listeners keep the Config for good. A *tls.Config of Client is for one dial, and keeps its
// snapshot.
//
// # When not to use it
//
// To decide whether a peer may do something: Identities and Matches say who it is (RFC 5922); the
// rest is up to the routing program.
package tlsdomains
