package trouble

import "time"

const (
	// MaxConnections bounds Idle: the descriptors of one process (fs.nr_open is 2^20 by default).
	MaxConnections = 1 << 20
	// MaxRate bounds Deaf's messages and Storm's handshakes per second.
	MaxRate = 20_000

	// together is how many connections Idle has on their way at a time. A server's backlog may be
	// as small as 128.
	together = 100
	// answerTimeout is how long Idle waits for one answer before it goes on without.
	answerTimeout = 3 * time.Second
	// longestWait bounds one wait for events, so that a stop is heard.
	longestWait = 50 * time.Millisecond

	// perSource is how many connections come from one address. The ports of one would suffice for
	// 28,000 (ip_local_port_range), but a server may bound the connections of one peer: Viaduct at
	// 1024 (tcp_accept_iplimit). Sources are 127.0.1.1 and on, sourcesPerNet for each third byte,
	// which is enough for MaxConnections.
	perSource     = 1000
	sourcesPerNet = 250

	// deafBuffer is asked for as the receive buffer of a peer that does not read, so that it is
	// soon full. The kernel doubles it.
	deafBuffer = 4096
	// paddingBytes makes Deaf's requests about as large as an INVITE.
	paddingBytes = 700
	// stepTime is how often Deaf and Storm do what is due.
	stepTime = 5 * time.Millisecond

	// stormTogether is how many handshakes Storm has under way at a time; one that is due when all
	// are taken is counted as skipped.
	stormTogether = 64
	// handshakeTime bounds one handshake.
	handshakeTime = 5 * time.Second
)
