// Package outside holds the tests that look at viaduct as its users do: the built program, real
// sockets, and peers that were not written here (SIPp, sipsak, Chromium with JsSIP, openssl), with
// the proxy Kamailio as proof that the scenarios themselves are right. It has no code of its own
// and nothing imports it.
//
//	           lb.cfg with other ports, dispatcher.list
//	                           │
//	caller ── UDP, TCP, ──▶ the built viaduct ── UDP, TCP, ──▶ callees
//	SIPp,     TLS, WS          │           │     TLS, WS       SIPp,
//	a socket,                  │           │                   a socket,
//	a browser                  │           └ DNS ──▶ unbound,  a browser
//	                           │                     dnsmasq ──▶ nameserver_test.go
//	                           └ stderr: "viaduct ready", and the counters at SIGUSR1
//
// Rules of the house: loopback only; every port is found free, never fixed; a program that was
// started is ended by its process number when its test ends; what needs a program that is missing
// skips and says which package brings it. Protocol rows are driven by sockets (matrix_*_test.go:
// TestRow26… shows row 26 of docs/conformance.md, and rows_test.go keeps the two in step), load and
// order by SIPp (calls_test.go), trouble by signals (failover, drain, full arena, kill -9).
// differential_test.go sends the same random messages through both proxies and explains each
// difference.
//
// Timers are watched on a clock of a fifth, and with -long, as `make soak` has it, on the RFC's
// own. The rows about forking and streams can be played through Kamailio too, to try the tests
// themselves: -against kamailio. It fails those where it is known to differ (rows 12, sips in Route
// alone; 24, no new branches; 50, broken Content-Length; 51, TCP refused; 57; 59) and cannot be
// pointed to a resolver of a test's own (rows 60 to 64, 88, 99).
//
// When not to add here: what needs an exact order of events belongs to the flows in shard/testdata,
// which run on a virtual clock.
package outside
