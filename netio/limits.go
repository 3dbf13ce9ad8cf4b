package netio

const (
	// BatchDatagrams is how many datagrams one recvmmsg takes or one sendmmsg sends at most. Beyond it the next call takes the rest. The kernel's own limit is
	// UIO_MAXIOV, 1024; the gain per datagram is gone well before 64, and 64 hot frames still fit the second-level cache.
	BatchDatagrams = 64

	// gatherBytes is the memory in which a listener's queue joins segments: a full batch of 2 KiB messages and the largest possible message behind it. A queue with
	// less than oversizeBytes left is sent early. Only the pages in use are touched.
	gatherBytes = BatchDatagrams*2048 + oversizeBytes

	// oversizeBytes is the length from which the kernel refuses any UDP datagram (EMSGSIZE). Longer messages are cut to it and refused.
	oversizeBytes = MaxDatagramBytes + 1

	// MaxDatagramBytes bounds what a frame holds: the 16-bit length field of UDP (RFC 768), header included, so no datagram is ever cut.
	// IPv6 jumbograms (RFC 2675) would be, and are reported as Truncated.
	MaxDatagramBytes = 65535

	// defaultRecvBufferBytes is the cap for ListenConfig.RecvBufferBytes 0, in the kernel's count. SIP servers usually take 256 KiB, which holds a hundred datagrams.
	defaultRecvBufferBytes = 4 << 20

	// maxRecvBufferBytes is the largest cap accepted. The kernel keeps the doubled value in an int32.
	maxRecvBufferBytes = 1 << 30

	// sendBufferBytes is what each socket asks for sending, in the kernel's count; a clamp by net.core.wmem_max is accepted silently, since what a full send
	// buffer does not take waits (Options.WriteQueue). It holds a batch of full-sized messages several times over.
	sendBufferBytes = 1 << 20

	// maxWriteQueueBytes bounds Options.WriteQueue: 16 MiB are a second and more of a shard's sending. What it says beyond is not used.
	maxWriteQueueBytes = 16 << 20

	// icmpBatch is how many error-queue entries one Errors call takes; the rest keeps the listener in Events.Errored.
	icmpBatch = 16

	// icmpPayloadBytes is how much quoted payload an ICMPError keeps: enough for a request line and the top Via, of which the branch names the transaction.
	icmpPayloadBytes = 512

	// egressSlots is the size of the mhomed cache, a power of two: 4096 × 40 bytes. Direct mapped: a collision costs a new route lookup of some µs, no more.
	egressSlots = 4096

	// maxListeners bounds the listen addresses: Packet.Listener and SendFailure.Listener are 16 bits wide.
	maxListeners = 1 << 14

	// bindAttempts is how often a port chosen by the kernel (port 0) is given up for another because somebody took it meanwhile.
	bindAttempts = 8
)
