package traffic

import "time"

const (
	// MaxPorts is the largest number of caller ports, and of answerer ports. Each is a socket with
	// its own send queue.
	MaxPorts = 64

	// batchDatagrams is the most one recvmmsg or sendmmsg moves. The gain of a larger batch is
	// below 1 %, and latency is stamped per batch.
	batchDatagrams = 64

	// frameBytes holds one datagram. The largest message of the bench (200 with two Via,
	// Record-Route and SDP) is about 900 bytes; one that does not fit was grown by the server and
	// is counted as truncated.
	frameBytes = 2048

	// echoBytes holds, per call, the header lines that every response to the INVITE repeats (Via,
	// Record-Route, From, To, Call-ID, CSeq). At one million held calls it is the generator's
	// largest cost, 768 MB, which is why it is not frameBytes.
	echoBytes = 768

	// requestBytes holds, per call, the BYE as sent, from which its retransmission and a repeated
	// ACK are made.
	requestBytes = 1024

	// maxViaLines bounds the Via lines indexed in one message. The bench has two: the caller's and
	// the server's.
	maxViaLines = 8

	// maxRoutes bounds the Record-Route values indexed in one message. A server that records twice
	// (two sockets) makes two.
	maxRoutes = 8

	// MaxCalls is the most calls one generator keeps track of: the 32-bit slot number in the
	// Call-ID would allow more, memory does not.
	MaxCalls = 1 << 21

	// lingerSlots is added to the calls under way: a finished call that still misses a message (an
	// ACK overtaken by its BYE) keeps its slot until the message comes or lingerTime is over.
	lingerSlots = 8192

	// socketBufferBytes is asked for each socket, so that what is lost was lost by the server.
	// SO_RCVBUFFORCE needs CAP_NET_ADMIN; without it the kernel cuts it down to net.core.rmem_max.
	socketBufferBytes = 16 << 20

	// maxSockets bounds the sockets of one generator: a UDP socket or a listening one per port, and
	// the connections taken, of which a server opens one per answerer and, with several processes,
	// perhaps more. A further connection is closed and counted.
	maxSockets = 8 * MaxPorts

	// listenBacklog is what an answerer's port holds of connections not taken yet.
	listenBacklog = 256

	// connectTime bounds one connection's opening, handshakeTime its TLS handshake; after it the
	// run is not done.
	connectTime   = 5 * time.Second
	handshakeTime = 10 * time.Second

	// cipherBytes is read from a TLS connection at a time: four records.
	cipherBytes = 64 << 10

	// maxPendingBytes bounds what one connection has not been able to send. A server that takes
	// nothing for so long has its connection closed.
	maxPendingBytes = 16 << 20

	// DefaultT1 is RFC 3261 §17.1.1.1, Table 4.
	DefaultT1 = 500 * time.Millisecond

	// t2PerT1 gives T2, the longest interval between retransmissions of a non-INVITE request: 4 s
	// for the default T1.
	t2PerT1 = 8

	// giveUpPerT1 gives Timer B and F: a call that has not ended 64*T1 after its last request is
	// abandoned.
	giveUpPerT1 = 64

	// lingerPerT1 is how long a finished call waits for a message that is still missing before the
	// message counts as lost.
	lingerPerT1 = 4

	// rampInterval is between the first starts of a closed loop's calls: 128 INVITEs at once would
	// fill the receive buffer of a server that has not woken yet (128 kB of datagrams cost the
	// kernel 295 kB; Kamailio's buffer is 262).
	rampInterval = 500 * time.Microsecond

	// sweepInterval is how often timers are looked at: the resolution of retransmissions, 2 % of
	// T1.
	sweepInterval = 10 * time.Millisecond

	// maxSegmentedBytes bounds one segmented send: it is one IP datagram until the kernel cuts it,
	// and at most 64 pieces (UDP_MAX_SEGMENTS before Linux 6.9), which is batchDatagrams.
	maxSegmentedBytes = 65000

	// disturbedShare of a processor taken by others spoils a measurement. Kernel threads and the
	// timer interrupt take below 2 %.
	disturbedShare = 0.05

	// sendAttempts bounds the tries for one batch when the kernel takes none of it (a full queue, a
	// refused port reported late).
	sendAttempts = 8
)
