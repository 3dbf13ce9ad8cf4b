package netio

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backlog keeps what a socket's full buffer did not take (EAGAIN), in order, until the kernel says
// that there is room (EPOLLOUT). Datagrams behind it wait too, so that none overtakes another to
// the same destination. It costs nothing while it is empty but one comparison for each batch.
//
// The memory is one anonymous mapping made at start, of which only the pages in use are touched: a
// ring of records, each a header and the datagram, that never wrap:
//
//	      head                tail                         head       wrap
//	┌─────┬───────────────────┬──────┐    ┌──────────┬──────┬──────────┬───┐
//	│     │ record  record    │      │    │ record   │      │ record   │   │
//	└─────┴───────────────────┴──────┘    └──────────┴──────┴──────────┴───┘
//	                                                 tail
type backlog struct {
	memory     []byte // nil means nothing is kept
	count      int    // records
	head, tail int    // where the oldest begins, and where the next would
	// where the records end that were put before tail began anew; only while tail <= head
	wrap  int
	bytes int // of the datagrams in it: what the limit is about
}

// kept is the header of a record. What it holds has no pointers, so it may lie in memory that the
// garbage collector does not know.
type kept struct {
	token   uint64
	name    unix.RawSockaddrInet6
	namelen uint32
	size    uint32 // of the datagram behind it
}

const keptBytes = (int(unsafe.Sizeof(kept{})) + 7) &^ 7

func (q *backlog) init(bytes int) (err error) {
	if bytes == 0 {
		return nil
	}
	// A short datagram needs a header as long again; those beyond are refused earlier than the
	// limit says.
	q.memory, err = unix.Mmap(-1, 0, 2*bytes+keptBytes+8, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("cannot map %d bytes for what a full socket leaves: %w", bytes, err)
	}
	return nil
}

func (q *backlog) free() error {
	if q.memory == nil {
		return nil
	}
	memory := q.memory
	q.memory = nil
	return unix.Munmap(memory)
}

// put copies a datagram behind the others. It returns false if limit or memory does not allow it.
// first is the first of the datagram's n bytes, which its owner keeps until Flush.
func (q *backlog) put(k kept, first *byte, n, limit int) bool {
	need := keptBytes + (n+7)&^7
	if q.bytes+n > limit {
		return false
	}
	at := q.tail
	switch {
	case q.count == 0:
		q.head, at = 0, 0
		if need > len(q.memory) {
			return false
		}
	case q.tail > q.head && q.tail+need <= len(q.memory):
	case q.tail > q.head && need <= q.head:
		// tail == head with records in between would be a full ring.
		q.wrap, at = q.tail, 0
	case q.tail <= q.head && q.tail+need <= q.head:
	default:
		return false
	}
	k.size = uint32(n)
	// at is a multiple of 8 below len(memory)-need; the mapping is page-aligned and lives as long
	// as the Port.
	*(*kept)(unsafe.Pointer(&q.memory[at])) = k
	if n > 0 {
		copy(q.memory[at+keptBytes:], unsafe.Slice(first, n))
	}
	q.tail = at + need
	q.count++
	q.bytes += n
	return true
}

// oldest gives the record at the head; only with count > 0. Valid until drop.
func (q *backlog) oldest() (k *kept, data []byte) {
	k = (*kept)(unsafe.Pointer(&q.memory[q.head]))
	return k, q.memory[q.head+keptBytes:][:k.size]
}

// drop takes the record at the head out.
func (q *backlog) drop() {
	k, _ := q.oldest()
	q.head += keptBytes + (int(k.size)+7)&^7
	q.count--
	q.bytes -= int(k.size)
	if q.count > 0 && q.tail <= q.head && q.head == q.wrap {
		q.head = 0
	}
}

// keep is what becomes of the messages of b from i on, whose socket takes nothing: they wait, or
// fail with EAGAIN beyond the limit. Slow path.
func (p *Port) keep(b *sendBatch, i int) {
	for ; i < b.n; i++ {
		p.keepOne(b, i)
	}
}

func (p *Port) keepOne(b *sendBatch, i int) {
	q, v := &b.backlog, &b.iovs[i]
	was := q.count
	if v.Len < oversizeBytes && q.memory != nil &&
		q.put(kept{token: b.tokens[i], name: b.names[i], namelen: b.hdrs[i].Namelen}, v.Base,
			int(v.Len), int(p.writeQueue.Load())) {
		p.stats.SendQueued++
		if was == 0 {
			p.watchRoom(b, true)
		}
		return
	}
	p.stats.SendAgain++
	p.fail(b, i, unix.EAGAIN)
}

// watchRoom asks epoll for the moment when the socket has room again, or no more.
func (p *Port) watchRoom(b *sendBatch, on bool) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(b.listener)}
	if on {
		ev.Events |= unix.EPOLLOUT
	}
	// It cannot fail: the descriptor is in the set, and a change needs no memory (epoll_ctl(2)).
	// Were it to, the next batch tries first what waits.
	_ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, b.fd, &ev)
}

// drain sends what waits, oldest first, until the socket is full again. It returns true if nothing
// waits any more. One that fails is reported and skipped, as in send.
func (p *Port) drain(b *sendBatch) bool {
	q := &b.backlog
	h := &b.late
	tried := false
	for q.count > 0 {
		k, data := q.oldest()
		b.lateIov = unix.Iovec{}
		if len(data) > 0 {
			b.lateIov.Base, b.lateIov.Len = &data[0], uint64(len(data))
		}
		h.Msghdr = unix.Msghdr{
			Name: (*byte)(unsafe.Pointer(&k.name)), Namelen: k.namelen, Iov: &b.lateIov, Iovlen: 1,
		}
		n, errno := b.kernel(h, 1)
		switch {
		case errno == 0 && n == 1:
			p.stats.SendBatches++
			p.stats.SentDatagrams++
			p.stats.SentBytes += uint64(len(data))
		case errno == unix.EAGAIN:
			return false
		case !tried:
			tried = true // perhaps the error of another datagram, see send
			p.stats.SendRetried++
			continue
		default:
			p.failed(k.token, b.listener, errno, &k.name)
		}
		tried = false
		q.drop()
	}
	p.watchRoom(b, false)
	return true
}
