package trouble

import "time"

const (
	// MaxConnections bounds Idle: the descriptors of one process (fs.nr_open is 2^20 by default).
	MaxConnections = 1 << 20
	// MaxRate bounds Deaf's messages and Storm's handshakes per second.
	MaxRate = 20_000

	// together is how many connections Idle has on their way at a time. A server's backlog may be as small as 128.
	together = 100
	// patience is how long Idle waits for one answer before it goes on without.
	patience = 3 * time.Second
	// longestWait bounds one wait for events, so that a stop is heard.
	longestWait = 50 * time.Millisecond

	// portsSpared of the local port range are left to others: each source address has its own, but listeners on all addresses share them.
	portsSpared = 2000
	// firstSource is the last byte of the first source address, 127.0.0.32, and maxSources how many there may be.
	firstSource = 32
	maxSources  = 200

	// deafBuffer is asked for as the receive buffer of a peer that does not read, so that it is soon full. The kernel doubles it.
	deafBuffer = 4096
	// paddingBytes makes Deaf's requests about as large as an INVITE.
	paddingBytes = 700
	// stepTime is how often Deaf and Storm do what is due.
	stepTime = 5 * time.Millisecond

	// stormTogether is how many handshakes Storm has under way at a time; one that is due when all are taken is counted as skipped.
	stormTogether = 64
	// handshakeTime bounds one handshake.
	handshakeTime = 5 * time.Second
)
