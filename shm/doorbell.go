package shm

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// States of a bell.
const (
	bellAwake uint32 = iota // the shard looks at its rings by itself
	bellArmed               // it sleeps, or is about to
	bellRung                // someone woke it
)

// Doorbell wakes one shard: an eventfd in its epoll set, and a word that says whether writing to it
// is needed. The shard:
//
//	Arm
//	a last look at rings and mailbox: Empty? else do not wait
//	epoll_wait
//	Disarm
//
// Others put something into a ring or mailbox and call Ring: a load while the shard is awake, one
// eventfd write (200–260 ns) by the first who finds it sleeping.
type Doorbell struct {
	word *bellWord // in the arena, until Close
	fd   int
	owed uint64 // rings whose write had not come when Disarm read; the shard's
}

func (d *Doorbell) init(w *bellWord) { d.word, d.fd = w, -1 }

// open makes this process's eventfd; the bell rings in one process at a time.
func (d *Doorbell) open() (err error) {
	d.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return err
}

func (d *Doorbell) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

// FD is the eventfd, for the shard's epoll set (EPOLLIN). It belongs to the Doorbell, until the
// arena's Close.
func (d *Doorbell) FD() int { return d.fd }

// Ring wakes the shard if it sleeps; any goroutine, after having made its message visible.
func (d *Doorbell) Ring() {
	if atomic.LoadUint32(&d.word.state) == bellArmed &&
		atomic.CompareAndSwapUint32(&d.word.state, bellArmed, bellRung) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		// It cannot block: the counter is at most the rings the shard has not read, and those are
		// one per sleep.
		for {
			if _, err := unix.Write(d.fd, one[:]); err != unix.EINTR {
				return
			}
		}
	}
}

// Arm says that the shard is about to sleep. Whoever rings from here on writes.
func (d *Doorbell) Arm() { atomic.StoreUint32(&d.word.state, bellArmed) }

// Disarm says that the shard is awake, and empties the eventfd if it was rung.
func (d *Doorbell) Disarm() {
	if atomic.SwapUint32(&d.word.state, bellAwake) == bellRung {
		d.owed++
	}
	if d.owed != 0 {
		// Slow path: once per wake-up. The write may come later than the state: then the next wait
		// ends at once, for nothing, and the Disarm after it reads.
		var n [8]byte
		if _, err := unix.Read(d.fd, n[:]); err == nil {
			d.owed -= min(d.owed, binary.NativeEndian.Uint64(n[:]))
		}
	}
}
