package netio

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys does not have.
type mmsghdr struct {
	unix.Msghdr
	Len uint32 // bytes received or sent
	_   [4]byte
}

// frameStrideBytes is the distance of two frames. A frame holds any datagram, but only the pages
// that datagrams reach are ever touched: an ordinary message costs one page of the 16, a bundle all
// of them. So a shard's frames take 1 MiB, and up to 16 MiB where all of them have held bundles or
// long datagrams.
//
// Two segments per datagram (2 or 4 KiB of dense warm frames, the rest elsewhere) and strides that
// spread the frames over cache sets were tried: receiving and reading 400, 800 or 1,400 bytes took
// the same within 6 ns of 390 to 440 in every layout (paired medians of 400 runs, Xeon 6/207 guest,
// Linux 6.18, 2026-11-21).
const frameStrideBytes = 64 << 10

// recvBatch is everything one recvmmsg needs, built once. Frames are taken from the first on, so
// that small batches always meet the same warm ones.
//
// What its sender bundled (UDP_SEGMENT) may arrive in one frame: with UDP_GRO (Linux 5.0) the
// kernel leaves such a bundle whole on its way through this host. It also makes bundles itself, of
// datagrams in a row from one sender that a network card received, if they are of one length (the
// last may be shorter). That saves receives, and the kernel's buffers for what waits. Frames are
// cut up as Packets are asked for:
//
//	area     | 700 700 700 420 | 350 | 700 700 | free …
//	                   ^at      next=0         ^read=3
type recvBatch struct {
	area    []byte // mmap: RecvBatch frames, frameStrideBytes apart
	read    int    // frames that hold something, or that Packets refer to
	next    int    // the first of them that is not used up; next == read: all are
	at      int    // how much of it is
	given   int    // Packets handed out since the last Release
	dry     bool   // the kernel had nothing more when it was asked last
	hdrs    [RecvBatch]mmsghdr
	iovs    [RecvBatch]unix.Iovec
	names   [RecvBatch]unix.RawSockaddrInet6
	control [RecvBatch]bundleControl
	from    [RecvBatch]uint16 // listener
	packets [RecvMost]Packet
}

// bundleControl is the control message that comes with a bundle (struct cmsghdr, then an int,
// padded): the length of each datagram but the last.
type bundleControl struct {
	unix.Cmsghdr
	size int32
	_    [4]byte
}

// each is the length that the kernel gave. It is 0 if the frame is one datagram.
func (c *bundleControl) each(h *unix.Msghdr) int {
	if h.Controllen == 0 || c.Level != unix.IPPROTO_UDP || c.Type != unix.UDP_GRO {
		return 0
	}
	return int(c.size)
}

func (r *recvBatch) init() error {
	area, err := unix.Mmap(-1, 0, RecvBatch*frameStrideBytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("cannot map %d bytes for receiving: %w", RecvBatch*frameStrideBytes, err)
	}
	r.area = area
	for i := range r.hdrs {
		frame := area[i*frameStrideBytes:]
		r.iovs[i] = unix.Iovec{Base: &frame[0], Len: MaxDatagramBytes}
		h := &r.hdrs[i].Msghdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.Iovlen = 1
		h.Control = (*byte)(unsafe.Pointer(&r.control[i]))
		r.renew(h)
	}
	return nil
}

// renew says how much room there is: the kernel writes how much it used.
func (r *recvBatch) renew(h *unix.Msghdr) {
	h.Namelen = unix.SizeofSockaddrInet6
	h.Controllen = uint64(unsafe.Sizeof(bundleControl{}))
}

func (r *recvBatch) free() error {
	area := r.area
	r.area = nil
	return unix.Munmap(area)
}

// waiting tells whether a frame has something left.
func (r *recvBatch) waiting() bool { return r.next < r.read }

// Recv takes up to RecvBatch datagrams from a listener's socket, without waiting, and what is
// behind the last one in its bundle: RecvMost at most. They are leased until Release: a second Recv
// before it gets what is left of RecvBatch, and nothing once they are used up. What was read before
// comes first, whatever the listener: Packet.Listener says which. The result, in order of arrival,
// is valid until Release.
func (p *Port) Recv(listener int) []Packet {
	r := &p.rx
	first := r.given
	r.dry = false
	p.cutAll()
	// As many frames as there may be Packets, if they hold as much as those before. Few at a time:
	// what has been read is handed out before any other socket's.
	for r.given < RecvBatch && !r.dry && p.fill(listener,
		min(max((RecvBatch-r.given)/p.perFrame[listener], 1), recvFrames)) {
		read, given := r.read-r.next, r.given
		p.cutAll()
		if used := read - (r.read - r.next); used > 0 {
			p.perFrame[listener] = (r.given - given + used - 1) / used
		}
	}
	if first == r.given {
		return nil
	}
	p.stats.RecvBatches++
	return r.packets[first:r.given:r.given]
}

// More tells whether there may be more than the last Recv returned. It returns false if the kernel
// had no more when it was asked.
func (p *Port) More() bool { return !p.rx.dry }

// Waiting tells whether datagrams have been read that no Recv has returned yet.
func (p *Port) Waiting() bool { return p.rx.waiting() }

// fill reads up to so many frames. It returns false if there is nothing to read, or no frame to
// read it to before the next Release. All frames read before are used up.
func (p *Port) fill(listener, frames int) bool {
	r := &p.rx
	if r.given == 0 {
		r.read, r.next = 0, 0
	}
	frames = min(frames, RecvBatch-r.read)
	if frames == 0 {
		return false
	}
	n := p.recvmmsg(p.fds[listener], r.read, frames)
	r.dry = n < frames
	if n == 0 {
		return false
	}
	for i := range n {
		r.from[r.read+i] = uint16(listener)
	}
	r.read += n
	return true
}

// cutAll makes Packets of what was read: RecvBatch, and those behind in the same bundle, so that it
// need not be kept for later.
func (p *Port) cutAll() {
	r := &p.rx
	for r.waiting() && (r.given < RecvBatch || r.at > 0 && r.given < len(r.packets)) {
		p.cut()
	}
}

// cut makes the next Packet.
func (p *Port) cut() {
	r := &p.rx
	i := r.next
	h := &r.hdrs[i]
	length := min(int(h.Len), MaxDatagramBytes)
	end := length
	if size := r.control[i].each(&h.Msghdr); size > 0 && size < length {
		end = min(r.at+size, length)
		p.stats.RecvBundled++
	}
	start := i * frameStrideBytes
	pk := &r.packets[r.given]
	pk.Data = r.area[start+r.at : start+end : start+end]
	pk.Listener = r.from[i]
	readSockaddr(&r.names[i], &pk.Src)
	pk.Truncated = false
	p.stats.RecvDatagrams++
	p.stats.RecvBytes += uint64(end - r.at)
	r.given++
	r.at = end
	if end < length {
		return
	}
	if h.Flags&unix.MSG_TRUNC != 0 {
		pk.Truncated = true
		p.stats.RecvTruncated++
	}
	r.renew(&h.Msghdr)
	r.next, r.at = i+1, 0
}

// recvmmsg reads into at most so many frames from first on. An error pending on the socket (ICMP,
// see IP_RECVERR in ip(7)) is returned once in place of datagrams; it is in the error queue as
// well, so the call is repeated.
func (p *Port) recvmmsg(fd, first, most int) int {
	for range 4 {
		// The kernel writes to hdrs, names, control and frames while the call lasts; all of them
		// are part of p.rx or mapped until close.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&p.rx.hdrs[first])), uintptr(most), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case unix.EAGAIN:
			return 0
		}
	}
	return 0
}

// Release gives all leased datagrams back. Packets and their Data must not be used any more: Flush
// first if queued messages refer to them.
func (p *Port) Release() { p.rx.given = 0 }

// readSockaddr converts what the kernel wrote as a sender's address: struct sockaddr_in or
// sockaddr_in6, both no longer than 28 bytes.
func readSockaddr(sa *unix.RawSockaddrInet6, a *Addr) {
	port := (*[2]byte)(unsafe.Pointer(&sa.Port)) // network order, at the same place in both
	a.Port = uint16(port[0])<<8 | uint16(port[1])
	if sa.Family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa)) // 16 bytes of the 28
		a.IP = [16]byte{0: sa4.Addr[0], 1: sa4.Addr[1], 2: sa4.Addr[2], 3: sa4.Addr[3]}
		a.Family, a.Zone = 4, 0
		return
	}
	a.IP, a.Family, a.Zone = sa.Addr, 6, sa.Scope_id
}

// writeSockaddr is the reverse of readSockaddr and returns the length that the kernel wants to see.
// An address without family gets one that the kernel refuses: AF_UNSPEC would be taken for IPv4
// 0.0.0.0, which is this host.
func writeSockaddr(a *Addr, sa *unix.RawSockaddrInet6) (lengthBytes uint32) {
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	port[0], port[1] = byte(a.Port>>8), byte(a.Port)
	switch a.Family {
	case 4:
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		sa4.Family = unix.AF_INET
		sa4.Addr = [4]byte(a.IP[:4])
		return unix.SizeofSockaddrInet4
	case 6:
		sa.Family, sa.Flowinfo, sa.Addr, sa.Scope_id = unix.AF_INET6, 0, a.IP, a.Zone
	default:
		sa.Family = unix.AF_MAX
	}
	return unix.SizeofSockaddrInet6
}

// dropCount widens the kernel's 32-bit drop counter of one socket.
type dropCount struct {
	last  uint32
	total uint64
}

// RecvQueue is what the kernel says of a listener's receive queue.
type RecvQueue struct {
	UsedBytes, BufferBytes uint32 // in the kernel's count, which includes its bookkeeping
	// Drops is how many datagrams it has dropped there since Listen, because the buffer was full or
	// a checksum was wrong. A bundle counts as one.
	Drops uint64
}

// Fill is which part of the buffer is used; the last datagram may reach beyond it.
func (q RecvQueue) Fill() float64 { return float64(q.UsedBytes) / float64(max(q.BufferBytes, 1)) }

// The words of SO_MEMINFO (linux/sock_diag.h, Linux 4.12).
const (
	skMeminfoRmemAlloc = 0
	skMeminfoRcvbuf    = 1
	skMeminfoDrops     = 8
)

// RecvQueue asks the kernel, with one system call; do so at least once per 2³² drops. Without an
// answer nothing is used, and no more was dropped.
//
// SO_RXQ_OVFL would deliver the drops with each datagram. Its control message costs nothing while
// nothing was ever dropped, then 65 to 105 ns per datagram for ever after (BenchmarkDropMessages),
// when the machine is busy as it is; and a socket that gets no more datagrams never tells its last
// drops.
func (p *Port) RecvQueue(listener int) RecvQueue {
	var words [skMeminfoDrops + 1]uint32
	size := uint32(unsafe.Sizeof(words))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(p.fds[listener]), unix.SOL_SOCKET,
		unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&words)), uintptr(unsafe.Pointer(&size)), 0)
	d := &p.drops[listener]
	if errno != 0 || size != uint32(unsafe.Sizeof(words)) {
		return RecvQueue{Drops: d.total}
	}
	d.total += uint64(words[skMeminfoDrops] - d.last)
	d.last = words[skMeminfoDrops]
	return RecvQueue{
		UsedBytes: words[skMeminfoRmemAlloc], BufferBytes: words[skMeminfoRcvbuf], Drops: d.total,
	}
}
