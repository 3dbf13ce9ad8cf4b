package netio

import (
	"math/bits"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Messages of a batch that go to the same destination may leave as one buffer which the kernel cuts
// up again behind routing, netfilter and queueing (UDP_SEGMENT, Linux 4.18: generic segmentation
// offload; a network card that can do it cuts even later). On the wire each message is a datagram
// of its own. The kernel cuts at one size and lets the last piece be shorter. So the messages of a
// destination leave the longest first, and any two of them fit:
//
//	to A: 420 700 350 700 420  as queued: 420 | 700 350 | 700 420    sorted: 700 700 420 | 420 350
//
// Order is kept where it means something: messages of one flow (see [Port.Flow]) to one destination
// leave in the order of their Begin, and so does whatever belongs to no flow. Messages of different
// flows may overtake one another within a batch, as may those to different destinations. So what is
// sorted is a rank: the first messages of all flows to a destination, then the second ones of those
// that have two, and so on. A 180 and the 200 behind it have two ranks, and all the 180s of a batch
// leave together, then all the 200s:
//
//	to A: 180 of a, 200 of a, 180 of b, 200 of b
//	leave as: 180 of a, 180 of b | 200 of a, 200 of b
//
// Receipt: see docs/design.md, Sending; BenchmarkSegmentation has the cost per datagram of either
// way. How much it brings depends on how many messages of a batch go to the same peer.
//
// What goes where an ICMP error came from leaves message by message for a while: of a bundle the
// error names only the first, and the others would not learn of it.
type segmenter struct {
	off      bool // the kernel does not know the option, or the device cannot checksum
	n        int  // groups
	groups   [SendBatch]group
	hdrs     [SendBatch]mmsghdr
	iovs     [SendBatch]unix.Iovec
	control  [SendBatch]segmentControl
	nextInto [SendBatch]uint16 // message behind this one in its group, + 1

	// index in dests + 1, by hash, the next free slot on collision; of n messages the first power
	// of two beyond 2n-1: never full
	slots  [2 * SendBatch]uint16
	nDests int
	dests  [SendBatch]destination
	nextTo [SendBatch]uint16 // message behind this one to the same destination, + 1

	alone *aloneList // the Port's
	now   int64      // of this plan, ns; only while alone has something

	flows [2 * SendBatch]uint16 // newest message of a flow to a destination, + 1, as slots
	toOf  [SendBatch]uint16     // its destination
	rank  [SendBatch]uint16
	keys  [SendBatch]uint64
}

// destination is the messages of a batch to one address, linked through nextTo.
type destination struct {
	first, last, count uint16
	floor              uint16 // the lowest rank for what comes: above all that has no flow
	top                uint16 // the highest rank there is
	alone              bool   // nothing there leaves together
}

// group is the messages that leave together, linked through nextInto.
type group struct {
	first, last uint16
	count       uint16
	closed      bool   // the last one was shorter: nothing may follow
	size        uint32 // of each but the last
	bytes       uint32
}

// segmentControl is the control message that carries the size (struct cmsghdr, then a 16-bit
// number, padded).
type segmentControl struct {
	unix.Cmsghdr
	size uint16
	_    [6]byte
}

const (
	// segmentBytesMax is the longest message that joins a group: above the path's MTU the kernel
	// refuses to cut (EINVAL), and 1,400 bytes pass wherever Ethernet does, tunnels aside. Longer
	// messages leave singly, fragmented if need be.
	segmentBytesMax = 1400

	// groupBytesMax bounds a group: the kernel's own limit is a 16-bit IP length.
	groupBytesMax = 60000

	// segmentsMax bounds it as well: the kernel's UDP_MAX_SEGMENTS, 64 until Linux 6.9 made it 128.
	segmentsMax = 64

	// The tables of a plan are cut to a power of two, and its indexes are 16 bits wide.
	_ = uint(-(SendBatch & (SendBatch - 1)))
	_ = uint(1<<14 - SendBatch)

	controlBytes = uint64(unsafe.Sizeof(unix.Cmsghdr{})) + 8
)

// init asks whether the kernel knows the option. Without asking, one from before 4.18 would take a
// group for one long datagram.
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
		switch d := &s.dests[k]; {
		case d.count == 1:
			s.group(b, d.first)
		case d.alone:
			for next := d.first + 1; next != 0; next = s.nextTo[next-1] {
				s.group(b, next-1)
			}
		default:
			s.groupAll(b, d)
		}
	}
	return s.n < b.n
}

// sort makes the list of destinations and ranks their messages.
func (s *segmenter) sort(b *sendBatch) {
	width := bits.Len(uint(2*b.n - 1))
	slots, flows, shift := s.slots[:1<<width], s.flows[:1<<width], 32-width
	clear(slots)
	clear(flows)
	s.nDests = 0
	if s.alone.n > 0 {
		s.now = time.Now().UnixNano()
	}
	for i := range uint16(b.n) {
		k := s.destination(b, slots, shift, i)
		s.toOf[i] = k
		d := &s.dests[k]
		if b.flows[i] == 0 {
			if d.count > 1 {
				d.top++
			}
			s.rank[i], d.floor = d.top, d.top+1
			continue
		}
		rank := d.floor
		slot := s.flowSlot(b, flows, shift, i)
		if last := *slot; last != 0 {
			rank = max(rank, s.rank[last-1]+1)
		}
		*slot = i + 1
		s.rank[i], d.top = rank, max(d.top, rank)
	}
}

// destination finds where message i goes, and adds it there.
func (s *segmenter) destination(b *sendBatch, slots []uint16, shift int, i uint16) uint16 {
	s.nextTo[i] = 0
	for slot := hash(destinationWord(&b.names[i]), shift); ; slot = (slot + 1) & (len(slots) - 1) {
		k := slots[slot]
		if k == 0 {
			s.dests[s.nDests] = destination{
				first: i, last: i, count: 1, alone: s.alone.n > 0 &&
					s.alone.has(&b.names[i], s.now),
			}
			s.nDests++
			slots[slot] = uint16(s.nDests)
			return uint16(s.nDests - 1)
		}
		if d := &s.dests[k-1]; sameDestination(b, int(d.first), int(i)) {
			s.nextTo[d.last] = i + 1
			d.last = i
			d.count++
			return k - 1
		}
	}
}

// flowSlot is where the newest message of i's flow to its destination is noted, empty if there
// is none.
func (s *segmenter) flowSlot(b *sendBatch, flows []uint16, shift int, i uint16) *uint16 {
	for slot := hash(b.flows[i]^uint32(s.toOf[i])<<16,
		shift); ; slot = (slot + 1) & (len(flows) - 1) {
		p := &flows[slot]
		if *p == 0 || b.flows[*p-1] == b.flows[i] && s.toOf[*p-1] == s.toOf[i] {
			return p
		}
	}
}

// groupAll sorts the messages of a destination by rank, then by length, the longest first, then as
// they came, and groups them. Only the newest group may be added to: everything in it leaves
// before.
func (s *segmenter) groupAll(b *sendBatch, d *destination) {
	keys := s.keys[:0]
	for next := d.first + 1; next != 0; next = s.nextTo[next-1] {
		i := next - 1
		short := 1<<16 - min(b.iovs[i].Len, 1<<16)
		keys = append(keys, uint64(s.rank[i])<<48|short<<16|uint64(i))
	}
	slices.Sort(keys)
	g := (*group)(nil)
	for _, key := range keys {
		i := uint16(key)
		size := uint32(b.iovs[i].Len)
		if g == nil || g.closed || size > g.size || size == 0 || g.bytes+size > groupBytesMax ||
			g.count == segmentsMax {
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
}

// group starts a group with message i.
func (s *segmenter) group(b *sendBatch, i uint16) *group {
	size := uint32(b.iovs[i].Len)
	g := &s.groups[s.n]
	*g = group{first: i, last: i, count: 1, size: size, bytes: size, closed: size > segmentBytesMax}
	s.nextInto[i] = 0
	s.n++
	return g
}

// hash spreads words over 1<<(32-shift) slots.
func hash(word uint32, shift int) int { return int(word * 0x9e3779b1 >> shift) }

// destinationWord is what of a destination is hashed: mostly they differ in port or in the last
// bytes of the address.
func destinationWord(n *unix.RawSockaddrInet6) uint32 {
	h := uint32(n.Port) ^ n.Flowinfo // IPv4: the address lies where IPv6 has Flowinfo
	if n.Family != unix.AF_INET {
		// behind an IPv4 address the last user's bytes are still there
		h ^= uint32(n.Addr[14])<<8 ^ uint32(n.Addr[15])
	}
	return h
}

func sameDestination(b *sendBatch, i, j int) bool {
	return b.hdrs[i].Namelen == b.hdrs[j].Namelen && sameName(&b.names[i], &b.names[j])
}

// sameName compares addresses of one family, or of two.
func sameName(a, b *unix.RawSockaddrInet6) bool {
	if a.Family == unix.AF_INET { // behind an IPv4 address there is what the last user left
		return b.Family == unix.AF_INET && a.Port == b.Port && a.Flowinfo == b.Flowinfo
	}
	return *a == *b
}

// aloneList is the destinations to which messages leave one by one, a table of one slot for each
// hash: a newcomer takes the place of another, whose messages leave together again.
type aloneList struct {
	n     int // slots ever used; 0 means none is
	slots [1 << aloneBits]struct {
		name  unix.RawSockaddrInet6
		until int64 // ns
	}
}

func (a *aloneList) add(dst *Addr, now int64) {
	var name unix.RawSockaddrInet6
	writeSockaddr(dst, &name)
	slot := &a.slots[hash(destinationWord(&name), 32-aloneBits)]
	if slot.until == 0 {
		a.n++
	}
	slot.name, slot.until = name, now+int64(aloneFor)
}

func (a *aloneList) has(name *unix.RawSockaddrInet6, now int64) bool {
	slot := &a.slots[hash(destinationWord(name), 32-aloneBits)]
	return now < slot.until && sameName(name, &slot.name)
}

// fill writes the groups as the kernel wants them.
func (s *segmenter) fill(b *sendBatch) {
	v := 0
	for k := range s.n {
		g, h := &s.groups[k], &s.hdrs[k].Msghdr
		*h = unix.Msghdr{
			Name: b.hdrs[g.first].Name, Namelen: b.hdrs[g.first].Namelen, Iov: &s.iovs[v],
			Iovlen: uint64(g.count),
		}
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

// sendGrouped is send for a batch in which messages leave together. A group that fails is sent
// again message by message, in order, so that each failure is the message's own.
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
