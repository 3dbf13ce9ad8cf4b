// Package traffic stands at both ends of the packet's path: it places SIP calls through a server
// and answers them.
//
// One Engine is callers and answerers in one loop on one thread, over UDP, TCP or TLS, so that
// every message has its sender and its receiver in one table and the account is exact: what left
// one end and did not reach the other is lost, what came twice is duplicated. The call is
//
//	caller           server          answerer
//	  | INVITE (SDP)   |                |
//	  |--------------->|--------------->|
//	  |  100 (maybe)   |                |
//	  |<---------------|      180       |
//	  |<---------------|<---------------|
//	  |                |    200 (SDP)   |
//	  |<---------------|<---------------|
//	  | ACK            |                |
//	  |--------------->|--------------->|
//	  | BYE            |                |
//	  |--------------->|--------------->|
//	  |                |      200       |
//	  |<---------------|<---------------|
//
// with retransmission by both ends as in RFC 3261 §17 and §13.3.1.4. It is made to outrun the
// server on one core: requests are copied from templates and patched, system calls move up to 64
// datagrams or what a connection's peer has sent meanwhile, nothing is allocated between the first
// call and the last (but by crypto/tls).
//
// It checks what a careful endpoint would check and no more; it is not a conformance test, and
// trusts nothing but loopback speed: do not point it at a network.
package traffic
