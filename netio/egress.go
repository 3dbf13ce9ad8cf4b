package netio

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// egress answers which of our addresses the kernel would use towards a destination, from a cache
// that all shards share.
//
// An entry is valid as long as the host's routing is unchanged: generation is raised by every
// route, rule, address or link message of the kernel (rtnetlink(7)), which is exact and costs the
// shards one atomic load. A lifetime instead would be wrong for its length after each failover and
// ask again for nothing ever after; it is used, with a second, only where a container forbids
// netlink.
type egress struct {
	generation atomic.Uint64
	slots      [egressSlots]egressSlot
	watch      *routeWatch
}

// egressSlot is one cached answer, guarded by a sequence number that is odd while somebody writes.
// All words are atomic: readers and writers are any shards.
//
//	reader                                writer
//	s1 = seq, odd: miss                   seq even → odd by CAS, else give up
//	read words                            write words
//	seq != s1: miss                       seq → even
type egressSlot struct {
	seq        atomic.Uint64
	ip         [2]atomic.Uint64
	zoneFamily atomic.Uint64
	answer     atomic.Uint64 // generation<<16 | listener+1
}

func newEgress() (*egress, error) {
	e := &egress{}
	e.generation.Store(1)
	var err error
	e.watch, err = watchRoutes(func() { e.generation.Add(1) })
	return e, err
}

func (e *egress) close() error { return e.watch.close() }

// Egress returns the listener that a message to dst should leave from, -1 if there is none of its
// family.
//
// Without mhomed it is recvListener if that has dst's family, else the first listener of that
// family; recvListener is -1 for messages of our own. With mhomed it is the listener whose address
// the kernel's routing chooses as source towards dst, whatever its port; if several have it,
// recvListener or else the first; if none has, the first of the family. The answer is cached per
// destination address until the routing of the host changes. Any goroutine may ask.
func (g *Group) Egress(dst *Addr, recvListener int) int {
	if dst.Family != 4 && dst.Family != 6 {
		return -1
	}
	from := g.choice.Load()
	in := from.at(recvListener)
	if g.egress == nil {
		if in != nil && in.Addr.Family == dst.Family {
			return recvListener
		}
		return from.firstOf[(dst.Family-4)/2]
	}
	listener, ok := g.egress.cached(dst)
	if !ok {
		listener = g.egress.ask(dst, from)
	}
	if out := from.at(listener); in != nil && out != nil && in.Addr.SameIP(&out.Addr) {
		return recvListener
	}
	return listener
}

// choice is what Egress chooses from.
type choice struct {
	listeners []*Listener // by number; nil for those not of datagrams, or leaving
	firstOf   [2]int      // of IPv4 and IPv6, -1 none
}

// at is the listener of that number, nil if it is none to choose.
func (c *choice) at(number int) *Listener {
	if number < 0 || number >= len(c.listeners) {
		return nil
	}
	return c.listeners[number]
}

// Choose makes those of list that are for datagrams, and stay, the ones that Egress chooses from. A
// listener's number is its place in the list.
func (g *Group) Choose(list []*Listener) {
	c := &choice{make([]*Listener, len(list)), [2]int{-1, -1}}
	for i, l := range list {
		if l.Proto != UDP || l.Leaving || l.Gone {
			continue
		}
		c.listeners[i] = l
		if f := (l.Addr.Family - 4) / 2; c.firstOf[f] < 0 {
			c.firstOf[f] = i
		}
	}
	g.choice.Store(c)
	if g.egress != nil {
		g.egress.generation.Add(1) // what is known was chosen from others
	}
}

// egressKey is the destination without its port: routing by port exists (ip-rule(8), dport) but
// nobody sends one host's SIP through two of our addresses by it, and clients behind NAT differ in
// nothing but their port.
func egressKey(dst *Addr) (ip [2]uint64, zoneFamily uint64) {
	ip = [2]uint64{binary.LittleEndian.Uint64(dst.IP[:8]), binary.LittleEndian.Uint64(dst.IP[8:])}
	return ip, uint64(dst.Zone)<<8 | uint64(dst.Family)
}

func (e *egress) slot(ip [2]uint64, zoneFamily uint64) *egressSlot {
	h := (ip[0] ^ ip[1]*0x9e3779b97f4a7c15 ^ zoneFamily) * 0xbf58476d1ce4e5b9
	return &e.slots[h>>32%egressSlots]
}

func (e *egress) cached(dst *Addr) (listener int, ok bool) {
	ip, zoneFamily := egressKey(dst)
	s := e.slot(ip, zoneFamily)
	seq := s.seq.Load()
	same := s.ip[0].Load() == ip[0] && s.ip[1].Load() == ip[1] && s.zoneFamily.Load() == zoneFamily
	answer := s.answer.Load()
	if seq&1 != 0 || s.seq.Load() != seq || !same || answer>>16 != e.generation.Load()&(1<<48-1) {
		return 0, false
	}
	return int(answer&0xffff) - 1, true
}

// ask lets the kernel choose. Slow path: four system calls, once per destination and routing
// change. The generation is read first, so that a change meanwhile makes the answer stale at once.
func (e *egress) ask(dst *Addr, from *choice) int {
	generation := e.generation.Load()
	listener := from.firstOf[(dst.Family-4)/2]
	if source, err := sourceTowards(dst); err == nil {
		for i, l := range from.listeners {
			if l != nil && l.Addr.SameIP(&source) {
				listener = i
				break
			}
		}
	}
	e.remember(dst, generation, listener)
	return listener
}

// remember gives up if another shard is writing the same slot: the next message asks again.
func (e *egress) remember(dst *Addr, generation uint64, listener int) {
	ip, zoneFamily := egressKey(dst)
	s := e.slot(ip, zoneFamily)
	seq := s.seq.Load()
	if seq&1 == 0 && s.seq.CompareAndSwap(seq, seq+1) {
		s.ip[0].Store(ip[0])
		s.ip[1].Store(ip[1])
		s.zoneFamily.Store(zoneFamily)
		s.answer.Store(generation<<16 | uint64(listener+1))
		s.seq.Store(seq + 2)
	}
}

// sourceTowards connects an unbound UDP socket, which sends nothing, and looks at the address it
// got. A fresh socket for each question: a connected one keeps its first source address for the
// next destination.
func sourceTowards(dst *Addr) (Addr, error) {
	to := *dst
	if to.Port == 0 {
		to.Port = 5060 // any will do
	}
	family, sa := sockaddr(to.AddrPort())
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Addr{}, err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, sa); err != nil {
		return Addr{}, err
	}
	ap, err := boundAddr(fd)
	return AddrFrom(ap), err
}
