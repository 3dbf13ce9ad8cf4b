// Package trouble stands beside the packet's path, on the bench: it is the neighbours that a server
// has besides those whose calls are measured.
//
//   - Idle opens many connections and leaves them alone
//   - Deaf has the server send to peers that never read
//   - Storm makes TLS handshakes and hangs up
//
// Each is bounded in number, rate and time, counts what it did and what the server did to it, and
// is for loopback only: do not point it at a network.
package trouble
