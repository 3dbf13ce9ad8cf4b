package netio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Messages of a batch that go to the same destination may leave as one buffer which the kernel cuts up again behind routing, netfilter and queueing
// (UDP_SEGMENT, Linux 4.18: generic segmentation offload; a network card that can do it cuts even later). On the wire each message is a datagram of its own.
// The kernel cuts at one size and lets the last piece be shorter. So the messages of a destination leave the longest first, and any two of them fit:
//
//	to A: 420 700 350 700 420  as queued: 420 | 700 350 | 700 420    sorted: 700 700 420 | 420 350
//
// Order is kept where it means something: messages of one flow (see [Port.Flow]) to one destination leave in the order of their Begin, and so does whatever
// belongs to no flow. Messages of different flows may overtake one another within a batch, as may those to different destinations.
//
// Receipt: a call of lb.cfg at saturation took 35.1 us of CPU with groups of neighbours instead of 40.3 us without groups (medians of 4 alternating runs, eight
// callers, eight destinations, loopback, Xeon 2.5 GHz 2-vCPU guest, Linux 6.18.44, 2026-11-21); BenchmarkSegmentation has the cost per datagram of
// either way. How much it brings depends on how many messages of a batch go to the same peer.
type segmenter struct {
	off      bool // the kernel does not know the option, or the device cannot checksum
	n        int  // groups
	groups   [BatchDatagrams]group
	hdrs     [BatchDatagrams]mmsghdr
	iovs     [BatchDatagrams]unix.Iovec
	control  [BatchDatagrams]segmentControl
	nextInto [BatchDatagrams]uint8 // message behind this one in its group, + 1

	slots  [destinationSlots]uint8 // index in dests + 1, by hash, the next free slot on collision
	nDests int
	dests  [BatchDatagrams]destination
	nextTo [BatchDatagrams]uint8 // message behind this one to the same destination, + 1
	run    [BatchDatagrams]uint8 // messages of one destination and of different flows
}

// destination is the messages of a batch to one address, linked through nextTo.
type destination struct{ first, last, count uint8 }

// group is the messages that leave together, linked through nextInto.
type group struct {
	first, last uint8
	count       uint8
	closed      bool   // the last one was shorter: nothing may follow
	size        uint32 // of each but the last
	bytes       uint32
}

// segmentControl is the control message that carries the size (struct cmsghdr, then a 16-bit number, padded).
type segmentControl struct {
	unix.Cmsghdr
	size uint16
	_    [6]byte
}

const (
	// segmentBytesMax is the longest message that joins a group: above the path's MTU the kernel refuses to cut (EINVAL), and 1,400 bytes pass
	// wherever Ethernet does, tunnels aside. Longer messages leave singly, fragmented if need be.
	segmentBytesMax = 1400

	// groupBytesMax bounds a group: the kernel's own limit is a 16-bit IP length.
	groupBytesMax = 60000

	// destinationSlots is the size of the hash table of a batch's destinations: twice the messages, so that it is never full.
	destinationSlots = 2 * BatchDatagrams

	controlBytes = uint64(unsafe.Sizeof(unix.Cmsghdr{})) + 8
)

// init asks whether the kernel knows the option. Without asking, one from before 4.18 would take a group for one long datagram.
func (s *segmenter) init(fd int) {
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	s.off = err != nil
	for i := range s.control {
		c := &s.control[i]
		c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
	}
}

// plan groups the messages of b and reports whether any two of them leave together.
func (s *segmenter) plan(b *sendBatch) bool {
	s.sort(b)
	s.n = 0
	for k := range s.nDests {
		d := &s.dests[k]
		if d.count == 1 {
			s.group(b, d.first)
			continue
		}
		// A run ends in front of a message whose flow is in it already, or that has none.
		run, g := s.run[:0], (*group)(nil)
		for i := d.first; ; i = s.nextTo[i] - 1 {
			if s.inRun(b, run, i) {
				g = s.groupRun(b, run, g)
				run = run[:0]
			}
			run = append(run, i)
			if s.nextTo[i] == 0 {
				break
			}
		}
		s.groupRun(b, run, g)
	}
	return s.n < b.n
}

// sort makes the list of destinations.
func (s *segmenter) sort(b *sendBatch) {
	clear(s.slots[:])
	s.nDests = 0
	for i := range b.n {
		s.nextTo[i] = 0
		for slot := destinationHash(&b.names[i]); ; slot = (slot + 1) % destinationSlots {
			k := s.slots[slot]
			if k == 0 {
				s.dests[s.nDests] = destination{uint8(i), uint8(i), 1}
				s.nDests++
				s.slots[slot] = uint8(s.nDests)
				break
			}
			if d := &s.dests[k-1]; sameDestination(b, int(d.first), i) {
				s.nextTo[d.last] = uint8(i) + 1
				d.last = uint8(i)
				d.count++
				break
			}
		}
	}
}

// inRun tells whether message i must not be in the same run as those before it.
func (s *segmenter) inRun(b *sendBatch, run []uint8, i uint8) bool {
	if len(run) == 0 {
		return false
	}
	f := b.flows[i]
	if f == 0 || b.flows[run[len(run)-1]] == 0 {
		return true
	}
	for _, j := range run {
		if b.flows[j] == f {
			return true
		}
	}
	return false
}

// groupRun sorts a run by length, the longest first, and groups it. Those of one length keep their order. g is the destination's newest group, the only one
// that may be added to: everything in it left before; nil: none. The newest one is returned.
func (s *segmenter) groupRun(b *sendBatch, run []uint8, g *group) *group {
	for n := 1; n < len(run); n++ {
		i, k := run[n], n
		for size := b.iovs[i].Len; k > 0 && b.iovs[run[k-1]].Len < size; k-- {
			run[k] = run[k-1]
		}
		run[k] = i
	}
	for _, i := range run {
		size := uint32(b.iovs[i].Len)
		if g == nil || g.closed || size > g.size || size == 0 || g.bytes+size > groupBytesMax {
			g = s.group(b, i)
			continue
		}
		s.nextInto[g.last] = i + 1
		s.nextInto[i] = 0
		g.last = i
		g.count++
		g.bytes += size
		g.closed = size < g.size
	}
	return g
}

// group starts a group with message i.
func (s *segmenter) group(b *sendBatch, i uint8) *group {
	size := uint32(b.iovs[i].Len)
	g := &s.groups[s.n]
	*g = group{first: i, last: i, count: 1, size: size, bytes: size, closed: size > segmentBytesMax}
	s.nextInto[i] = 0
	s.n++
	return g
}

// destinationHash spreads destinations over the slots: mostly they differ in port or in the last bytes of the address.
func destinationHash(n *unix.RawSockaddrInet6) uint32 {
	h := uint32(n.Port) ^ n.Flowinfo // IPv4: the address lies where IPv6 has Flowinfo
	if n.Family != unix.AF_INET {
		h ^= uint32(n.Addr[14])<<8 ^ uint32(n.Addr[15]) // behind an IPv4 address the last user's bytes are still there
	}
	return h * 0x9e3779b1 >> 25
}

func sameDestination(b *sendBatch, i, j int) bool {
	if b.hdrs[i].Namelen != b.hdrs[j].Namelen {
		return false
	}
	if b.names[i].Family == unix.AF_INET {
		return b.names[i].Port == b.names[j].Port && b.names[i].Flowinfo == b.names[j].Flowinfo
	}
	return b.names[i] == b.names[j]
}

// fill writes the groups as the kernel wants them.
func (s *segmenter) fill(b *sendBatch) {
	v := 0
	for k := range s.n {
		g, h := &s.groups[k], &s.hdrs[k].Msghdr
		*h = unix.Msghdr{Name: b.hdrs[g.first].Name, Namelen: b.hdrs[g.first].Namelen, Iov: &s.iovs[v], Iovlen: uint64(g.count)}
		if g.count > 1 {
			s.control[k].size = uint16(g.size)
			h.Control = (*byte)(unsafe.Pointer(&s.control[k]))
			h.Controllen = controlBytes
		}
		for i := g.first; ; i = s.nextInto[i] - 1 {
			s.iovs[v] = b.iovs[i]
			v++
			if s.nextInto[i] == 0 {
				break
			}
		}
	}
}

// sendGrouped is send for a batch in which messages leave together. A group that fails is sent again message by message, in order, so that each failure is the
// message's own.
func (p *Port) sendGrouped(b *sendBatch) {
	s := &b.segment
	s.fill(b)
	for k := 0; k < s.n; {
		n, errno := 0, unix.EAGAIN
		if b.backlog.count == 0 { // else what comes behind waits too
			n, errno = b.kernel(&s.hdrs[k], s.n-k)
		}
		if errno == 0 {
			p.stats.SendBatches++
			for end := k + n; k < end; k++ {
				g := &s.groups[k]
				p.stats.SentDatagrams += uint64(g.count)
				p.stats.SentBytes += uint64(g.bytes)
				if g.count > 1 {
					p.stats.SentSegmented += uint64(g.count)
				}
			}
			continue
		}
		if errno == unix.EIO || errno == unix.EOPNOTSUPP {
			s.off = true // the device cannot checksum what it cuts: it will not learn to
		}
		g := &s.groups[k]
		for i := g.first; ; i = s.nextInto[i] - 1 {
			p.sendSingly(b, int(i))
			if s.nextInto[i] == 0 {
				break
			}
		}
		k++
	}
	b.n, b.used = 0, 0
}

// Slow path: sendSingly tries one message, and once more after the error of another (see send).
func (p *Port) sendSingly(b *sendBatch, i int) {
	for try := 0; ; try++ {
		n, errno := 0, unix.EAGAIN
		if b.backlog.count == 0 {
			n, errno = b.kernel(&b.hdrs[i], 1)
		}
		switch {
		case errno == 0 && n == 1:
			p.stats.SendBatches++
			p.stats.SentDatagrams++
			p.stats.SentBytes += uint64(b.hdrs[i].Len)
			return
		case errno == unix.EAGAIN:
			p.keepOne(b, i)
			return
		case try > 0:
			p.fail(b, i, errno)
			return
		}
		p.stats.SendRetried++
	}
}
