package netio

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"viaduct/netio/steer"
)

// Sockets are those of all shards on one address that came after the start. Group.Open makes them,
// each shard takes its own with Port.Take and closes it with Port.Drop.
type Sockets struct {
	Listener *Listener
	fds      []int        // by shard
	batches  []*sendBatch // the same
}

// Open opens a socket of each shard on a further address, whose listener gets that number. Nobody
// reads them yet: what arrives waits. Any goroutine may call it.
func (g *Group) Open(number int, cfg *ListenConfig) (*Sockets, error) {
	s, err := g.openLater(number, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on udp %s: %w", cfg.Addr, err)
	}
	return s, nil
}

func (g *Group) openLater(number int, cfg *ListenConfig) (_ *Sockets, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if number >= maxListeners {
		return nil, fmt.Errorf("there were %d listeners since the start, and there is no number "+
			"for another: restart", number)
	}
	var program *steer.Program
	giveUp := func(err error) {
		if program != nil {
			program.Close()
			program = nil
		}
		g.opt.Logger.Info("datagrams are steered to their shard in user space", "listen", cfg.Addr,
			"reason", err.Error())
	}
	if g.programs != nil {
		if program, err = steer.Load(len(g.ports)); err != nil {
			if g.opt.Steer == SteerOn {
				return nil, fmt.Errorf("cannot steer in the kernel: %w", err)
			}
			program = nil
			giveUp(err)
		}
	}
	s := &Sockets{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
			if program != nil {
				program.Close()
			}
		}
	}()
	var addr netip.AddrPort
	if addr, err = probeFree(cfg.Addr); err != nil {
		return nil, err
	}
	if s.fds, err = g.bindShards(addr, g.opt.Steer, func() *steer.Program {
		return program
	}, giveUp); err != nil {
		return nil, err
	}
	s.Listener = newListener(number, addr, cfg)
	if err = s.Listener.tune(s.fds, cfg, g.opt.Logger); err != nil {
		return nil, err
	}
	for shard, fd := range s.fds {
		if !g.opt.NoSegment && program == nil {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // see open
		}
		p := g.ports[shard]
		b, err := newSendBatch(number, fd, &p.alone)
		if err != nil {
			return nil, err
		}
		s.batches = append(s.batches, b)
		b.segment.off = b.segment.off || p.noSegment
		if err := b.backlog.init(p.queueBytes); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.socket[number] = s.fds[0]
	if program != nil {
		g.later[number] = program
	}
	return s, nil
}

// Close closes sockets that no shard has taken.
func (s *Sockets) Close() error {
	var errs []error
	for _, fd := range s.fds {
		errs = append(errs, unix.Close(fd))
	}
	for _, b := range s.batches {
		errs = append(errs, b.free())
	}
	s.fds, s.batches = nil, nil
	return errors.Join(errs...)
}

// Forget lets go of what the Group knows of a listener whose sockets are about to be closed.
func (g *Group) Forget(number int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.socket, number)
	if program := g.later[number]; program != nil {
		_ = program.Close() // the sockets keep what they need of it
		delete(g.later, number)
	}
}

// Has tells whether the shard has a socket on the listener of that number.
func (p *Port) Has(number int) bool { return number < len(p.fds) && p.fds[number] >= 0 }

// Take makes the shard's socket on a further address one of the Port's, between two batches. It is
// sent by, and not received from before Listen: what one shard receives another may have to answer.
func (p *Port) Take(s *Sockets) error {
	n, fd := s.Listener.Index, s.fds[p.shard]
	for len(p.fds) <= n {
		p.fds, p.tx = append(p.fds, -1), append(p.tx, nil)
		p.drops, p.perFrame = append(p.drops, dropCount{}), append(p.perFrame, 1)
	}
	for len(p.quiet) <= n {
		p.quiet = append(p.quiet, false)
	}
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Fd: int32(n)}); err != nil {
		return fmt.Errorf("cannot watch a socket: %w", err)
	}
	p.fds[n], p.tx[n], p.quiet[n] = fd, s.batches[p.shard], true
	p.epollEvent = append(p.epollEvent, unix.EpollEvent{})
	return nil
}

// Listens tells whether the shard receives from the listener of that number.
func (p *Port) Listens(number int) bool {
	return p.Has(number) && (number >= len(p.quiet) || !p.quiet[number])
}

// Listen receives from a socket that was taken.
func (p *Port) Listen(number int) error {
	if !p.Has(number) || p.Listens(number) {
		return nil
	}
	p.quiet[number] = false
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, p.fds[number],
		&unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)}); err != nil {
		return fmt.Errorf("cannot watch a socket: %w", err)
	}
	return nil
}

// Drop closes the shard's socket on a listener, between two batches. What waits in it, or for it,
// is lost; messages begun for it from then on fail as those without a listener.
func (p *Port) Drop(number int) error {
	fd, b := p.fds[number], p.tx[number]
	p.fds[number], p.tx[number] = -1, nil
	p.dirty = slices.DeleteFunc(p.dirty, func(d *sendBatch) bool { return d == b })
	return errors.Join(unix.Close(fd), b.free())
}
