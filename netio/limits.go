package netio

import "time"

const (
	// RecvBatch is how many datagrams one Recv takes at most; the next one takes the rest. What
	// more brings is that more messages of a batch have the same destination and leave together
	// (segment.go): a call of lb.cfg took 15.8, 14.9 and 14.2 us of CPU with 64, 128 and 256
	// (medians of 4 alternating runs at saturation, 2 vCPU guest, Linux 6.18.44, 2026-11-26). A
	// batch is what has arrived meanwhile, so an idle shard's are as small as before. It costs
	// memory only where datagrams are long: 256 of 64 KiB have touched 16 MiB of frames for good.
	RecvBatch = 256

	// RecvMost is what Recv returns at most: all of a bundle that it has begun, 128 datagrams at
	// most (UDP_MAX_SEGMENTS, Linux 6.9).
	RecvMost = RecvBatch + 127

	// recvFrames is how many frames one recvmmsg reads at most: a batch of single datagrams is read
	// by eight calls, for 10 ns a datagram more than by one (328 against 318 ns, medians of three,
	// 2026-11-26). Each frame may be a bundle, and other sockets wait until all that was read is
	// handed out.
	recvFrames = 32

	// SendBatch is how many messages a listener's queue holds: with twice as many as were received,
	// what a batch of INVITEs causes (each goes on, and is answered 100) leaves in one piece. A
	// power of two.
	SendBatch = 2 * RecvBatch

	// gatherBytes is the memory in which a listener's queue joins segments: a full batch of 2 KiB
	// messages and the largest possible message behind it. A queue with less than oversizeBytes
	// left is sent early. Only the pages in use are touched.
	gatherBytes = SendBatch*2048 + oversizeBytes

	// oversizeBytes is the length from which the kernel refuses any UDP datagram (EMSGSIZE). Longer
	// messages are cut to it and refused.
	oversizeBytes = MaxDatagramBytes + 1

	// MaxDatagramBytes bounds what a frame holds: the 16-bit length field of UDP (RFC 768), header
	// included, so no datagram is ever cut. IPv6 jumbograms (RFC 2675) would be, and are reported
	// as Truncated.
	MaxDatagramBytes = 65535

	// defaultRecvBufferBytes is the cap for ListenConfig.RecvBufferBytes 0, in the kernel's count.
	// SIP servers usually take 256 KiB, which holds a hundred datagrams. 16 MiB hold some 10,000:
	// at 43,500 calls/s 40 ms, in which the kernel or a hypervisor may let the shard wait. With 4
	// MiB two of four such minutes lost some hundred datagrams (2026-11-26).
	defaultRecvBufferBytes = 16 << 20

	// maxRecvBufferBytes is the largest cap accepted. The kernel keeps the doubled value in an
	// int32.
	maxRecvBufferBytes = 1 << 30

	// sendBufferBytes is what each socket asks for sending, in the kernel's count; a clamp by
	// net.core.wmem_max is accepted silently, since what a full send buffer does not take waits
	// (Options.WriteQueue). It holds a batch of full-sized messages several times over.
	sendBufferBytes = 1 << 20

	// maxWriteQueueBytes bounds Options.WriteQueue: 16 MiB are a second and more of a shard's
	// sending. What it says beyond is not used.
	maxWriteQueueBytes = 16 << 20

	// aloneFor is how long after an ICMP error messages to its destination leave one by one: as
	// long as a transaction may send again, 64*T1 (RFC 3261 §17.1), and a little. 1<<aloneBits such
	// destinations are remembered.
	aloneFor  = 35 * time.Second
	aloneBits = 6

	// icmpBatch is how many error-queue entries one Errors call takes; the rest keeps the listener
	// in Events.Errored.
	icmpBatch = 16

	// icmpPayloadBytes is how much quoted payload an ICMPError keeps: enough for a request line and
	// the top Via, of which the branch names the transaction.
	icmpPayloadBytes = 512

	// egressSlots is the size of the mhomed cache, a power of two: 4096 × 40 bytes. Direct mapped:
	// a collision costs a new route lookup of some µs, no more.
	egressSlots = 4096

	// maxListeners bounds the listen addresses: Packet.Listener and SendFailure.Listener are 16
	// bits wide.
	maxListeners = 1 << 14

	// bindAttempts is how often a port chosen by the kernel (port 0) is given up for another
	// because somebody took it meanwhile.
	bindAttempts = 8
)
