package netio

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"viaduct/netio/steer"
)

// Group is all shards' sockets on all listen addresses, with their steering programs. Its methods
// may be called from any goroutine.
type Group struct {
	listeners []*Listener
	ports     []*Port
	programs  []*steer.Program // per listener; nil without kernel steering
	steering  string
	unsteered atomic.Int32 // listeners whose program was taken off again
	egress    *egress      // nil unless mhomed
	firstOf   [2]int       // first listener of IPv4 and IPv6, -1 none
	opt       Options
	// what Egress chooses from, by number; replaced as a whole
	choice atomic.Pointer[choice]

	// mu guards what Open adds to while others look: programs, and the first shard's sockets.
	mu     sync.Mutex
	socket map[int]int // by listener
	later  map[int]*steer.Program
}

// Listen opens shards sockets on each address, which may be none: then the Ports only wait and
// ring. Either all of them are open afterwards or none.
func Listen(cfgs []ListenConfig, shards int, opt Options) (*Group, error) {
	log := opt.Logger
	if log == nil {
		log = slog.Default()
	}
	if shards < 1 || shards > steer.MaxShards {
		return nil, fmt.Errorf("cannot serve %d shards: 1 to %d are possible", shards,
			steer.MaxShards)
	}
	if len(cfgs) > maxListeners {
		return nil, fmt.Errorf("cannot listen on %d addresses: up to %d are possible", len(cfgs),
			maxListeners)
	}
	listed := make(map[Addr]bool, len(cfgs))
	for i := range cfgs {
		if err := cfgs[i].validate(); err != nil {
			return nil, err
		}
		a := AddrFrom(cfgs[i].Addr)
		if listed[a] && a.Port != 0 {
			return nil, fmt.Errorf("cannot listen on %s: the address is listed twice", cfgs[i].Addr)
		}
		listed[a] = true
	}
	opt.Logger = log
	g := &Group{
		firstOf: [2]int{-1, -1}, opt: opt, socket: map[int]int{}, later: map[int]*steer.Program{},
	}
	if err := g.open(cfgs, shards, opt, log); err != nil {
		g.Close()
		return nil, err
	}
	g.Choose(g.listeners)
	return g, nil
}

func (c *ListenConfig) validate() error {
	switch {
	case !c.Addr.IsValid():
		return errors.New("cannot listen on an empty address")
	case c.Addr.Addr().IsUnspecified():
		return fmt.Errorf("cannot listen on %s: replies could leave from another address than "+
			"the request came to; list the addresses themselves", c.Addr)
	case c.Addr.Addr().IsMulticast():
		return fmt.Errorf("cannot listen on %s: multicast addresses are not supported", c.Addr)
	case c.RecvBufferBytes < 0 || c.RecvBufferBytes > maxRecvBufferBytes:
		return fmt.Errorf("cannot listen on %s: a receive buffer of %d bytes is out of range, 0 "+
			"to %d are possible", c.Addr, c.RecvBufferBytes, maxRecvBufferBytes)
	case c.SendBufferBytes < 0 || c.SendBufferBytes > maxRecvBufferBytes:
		return fmt.Errorf("cannot listen on %s: a send buffer of %d bytes is out of range, 0 to "+
			"%d are possible", c.Addr, c.SendBufferBytes, maxRecvBufferBytes)
	case c.TOS < 0 || c.TOS > 255:
		return fmt.Errorf("cannot listen on %s: the byte TOS is %d, out of range 0 to 255", c.Addr,
			c.TOS)
	case c.AdvertiseHost == "" && c.AdvertisePort != 0:
		return fmt.Errorf("cannot listen on %s: an advertised port needs an advertised host",
			c.Addr)
	case strings.ContainsAny(c.AdvertiseHost, " \t\r\n;,?<>\"\x00"):
		return fmt.Errorf("cannot listen on %s: the advertised host %q has characters that a "+
			"header cannot carry", c.Addr, c.AdvertiseHost)
	}
	return nil
}

func (g *Group) open(cfgs []ListenConfig, shards int, opt Options, log *slog.Logger) error {
	if err := g.loadSteering(len(cfgs), shards, opt.Steer, log); err != nil {
		return err
	}
	hasPwait2 := probeEpollPwait2()
	for shard := range shards {
		p, err := newPort(shard, len(cfgs), hasPwait2)
		if err != nil {
			return fmt.Errorf("cannot set up shard %d: %w", shard, err)
		}
		p.noSegment = opt.NoSegment
		if p.writeQueue = opt.WriteQueue; p.writeQueue != nil {
			p.queueBytes = int(min(max(p.writeQueue.Load(), 0), maxWriteQueueBytes))
		}
		g.ports = append(g.ports, p)
	}
	for i := range cfgs {
		if err := g.openListener(i, &cfgs[i], opt.Steer, log); err != nil {
			return fmt.Errorf("cannot listen on udp %s: %w", cfgs[i].Addr, err)
		}
	}
	// Where the kernel program steers, a bundle would go where its first datagram belongs.
	if !opt.NoSegment && g.programs == nil {
		for _, p := range g.ports {
			for _, fd := range p.fds {
				// before Linux 5.0 each arrives by itself
				_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
			}
		}
	}
	if opt.MHomed {
		e, err := newEgress()
		if err != nil {
			return fmt.Errorf("cannot watch routes for mhomed: %w", err)
		}
		g.egress = e
	}
	return nil
}

// loadSteering loads one program per listen address: a socket of another port in the map would be
// refused by the kernel at run time. Without them the kernel spreads datagrams by their 4-tuple and
// every shard hands foreign ones on; that is slower, never wrong.
func (g *Group) loadSteering(listeners, shards int, mode SteerMode, log *slog.Logger) error {
	switch {
	case shards == 1:
		g.steering = "none: one shard"
		return nil
	case mode == SteerOff:
		g.steering = "user: switched off"
		return nil
	}
	for range listeners {
		program, err := steer.Load(shards)
		if err == nil {
			g.programs = append(g.programs, program)
			continue
		}
		if mode == SteerOn {
			return fmt.Errorf("cannot steer in the kernel: %w", err)
		}
		g.giveUpSteering(err, log)
		return nil
	}
	g.steering = "kernel"
	return nil
}

func (g *Group) giveUpSteering(reason error, log *slog.Logger) {
	for _, program := range g.programs {
		program.Close()
	}
	g.programs = nil
	g.steering = "user: " + reason.Error()
	log.Info("datagrams are steered to their shard in user space", "reason", reason.Error())
}

// openListener opens every shard's socket on one address. A port chosen by the kernel may be taken
// between the probe and the first bind; then another is chosen.
func (g *Group) openListener(index int, cfg *ListenConfig, mode SteerMode, log *slog.Logger) error {
	var addr netip.AddrPort
	var fds []int
	for attempt := 1; ; attempt++ {
		var err error
		if addr, err = probeFree(cfg.Addr); err != nil {
			return err
		}
		if fds, err = g.bindShards(addr, mode, func() *steer.Program { return g.program(index) },
			func(err error) { g.giveUpSteering(err, log) }); err == nil {
			break
		}
		if cfg.Addr.Port() != 0 || !errors.Is(err, unix.EADDRINUSE) || attempt == bindAttempts {
			return err
		}
	}
	l := newListener(index, addr, cfg)
	g.socket[index] = fds[0]
	for shard, fd := range fds {
		if err := g.ports[shard].add(fd); err != nil {
			for _, rest := range fds[shard:] {
				unix.Close(rest)
			}
			return err
		}
	}
	if err := l.tune(fds, cfg, log); err != nil {
		return err
	}
	g.listeners = append(g.listeners, l)
	if f := (l.Addr.Family - 4) / 2; g.firstOf[f] < 0 {
		g.firstOf[f] = index
	}
	return nil
}

func newListener(index int, addr netip.AddrPort, cfg *ListenConfig) *Listener {
	l := &Listener{
		Index: index, Addr: AddrFrom(addr), AdvertiseHost: cfg.AdvertiseHost,
		AdvertisePort: cfg.AdvertisePort, Name: cfg.Name,
	}
	l.SentBy = sentBy(l)
	return l
}

// tune gives the sockets the TOS and, as far as the kernel lets us, the buffers that were asked
// for.
func (l *Listener) tune(fds []int, cfg *ListenConfig, log *slog.Logger) error {
	for _, fd := range fds {
		if err := SetTOS(fd, l.Addr.Family == 6, cfg.TOS); err != nil {
			return fmt.Errorf("cannot set the TOS to %d: %w", cfg.TOS, err)
		}
		if n := cfg.SendBufferBytes; n > 0 {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n/2); err != nil {
				return fmt.Errorf("cannot set the send buffer: %w", err)
			}
		}
	}
	wantBytes := cfg.RecvBufferBytes
	if wantBytes == 0 {
		wantBytes = defaultRecvBufferBytes
	}
	for _, fd := range fds {
		gotBytes, err := raiseRecvBuffer(fd, wantBytes)
		if err != nil {
			return fmt.Errorf("cannot set the receive buffer: %w", err)
		}
		l.RecvBufferBytes = gotBytes
	}
	if l.RecvBufferBytes < wantBytes/2*2 {
		warnClamped(log, l.Addr.AddrPort(), wantBytes, l.RecvBufferBytes)
	}
	return nil
}

// program is that of a listener of the start, nil without steering.
func (g *Group) program(index int) *steer.Program {
	if g.programs == nil {
		return nil
	}
	return g.programs[index]
}

// bindShards opens and binds one socket per shard, in shard order, with the program attached to the
// first before its bind: later members inherit it. program gives it, nil without, also once giveUp
// was told why it cannot be attached.
func (g *Group) bindShards(addr netip.AddrPort, mode SteerMode, program func() *steer.Program,
	giveUp func(error)) (fds []int, err error) {
	defer func() {
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
			fds = nil
		}
	}()
	_, sa := sockaddr(addr)
	for shard := range g.ports {
		fd, err := openSocket(addr)
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
		if p := program(); shard == 0 && p != nil {
			if err := p.Attach(fd); err != nil {
				if mode == SteerOn {
					return fds, fmt.Errorf("cannot steer in the kernel: %w", err)
				}
				giveUp(err)
			}
		}
		if err := unix.Bind(fd, sa); err != nil {
			return fds, explainBind(err)
		}
		if p := program(); p != nil {
			if err := p.SetSlot(shard, fd); err != nil {
				return fds, fmt.Errorf("cannot enter the socket of shard %d into the steering "+
					"map: %w", shard, err)
			}
		}
	}
	return fds, nil
}

// SentBy gives the text for Via and Record-Route of a listener whose other fields are set: for
// engines that make listeners of their own.
func SentBy(l *Listener) []byte { return sentBy(l) }

// sentBy gives the text for Via and Record-Route (RFC 3261 §25.1, sent-by): IPv6 in brackets, and a
// port only where one was configured or bound.
func sentBy(l *Listener) []byte {
	if l.AdvertiseHost == "" {
		return l.Addr.AppendTo(nil)
	}
	host := l.AdvertiseHost
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	if l.AdvertisePort == 0 {
		return []byte(host)
	}
	return appendUint(append([]byte(host), ':'), l.AdvertisePort)
}

// Port returns the sockets of one shard. They belong to the shard's goroutine from then on.
func (g *Group) Port(shard int) *Port { return g.ports[shard] }

// Shards returns the number of Ports.
func (g *Group) Shards() int { return len(g.ports) }

// Listeners returns the listen addresses in configured order. The slice and its elements must not
// be written to.
func (g *Group) Listeners() []*Listener { return g.listeners }

// Steering says who chooses the shard of a datagram, for start-up logs and metrics: "kernel",
// "none: one shard" or "user: " and the reason.
func (g *Group) Steering() string {
	if n := g.unsteered.Load(); n > 0 {
		return fmt.Sprintf("%s, but not for %d of %d listeners, where it brought most to wrong "+
			"shards", g.steering, n, len(g.listeners))
	}
	return g.steering
}

// Unsteer takes the kernel program off a listener's sockets, for all shards and for good: from then
// on the kernel spreads datagrams by their 4-tuple. Any goroutine may call it. It is for datagrams
// that arrive in bundles, which the program sees only the first of: steered, a call's messages come
// to its shard now straight and now through another shard, and overtake one another; unsteered,
// what one peer sends takes one way. Reports whether there was a program (SO_DETACH_REUSEPORT_BPF,
// Linux 5.3).
func (g *Group) Unsteer(listener int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	fd, open := g.socket[listener]
	if g.programs == nil || !open ||
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0) != nil {
		return false
	}
	g.unsteered.Add(1)
	return true
}

// SteerStats adds up the kernel programs' counters; zeros without them. A few µs per listener: read
// it every few seconds.
func (g *Group) SteerStats() (SteerStats, error) {
	var sum SteerStats
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, program := range slices.Concat(g.programs, slices.Collect(maps.Values(g.later))) {
		c, err := program.Counts()
		if err != nil {
			return sum, err
		}
		sum.Steered += c.Steered
		sum.NoKey += c.NoKey
		sum.NoSlot += c.NoSlot
	}
	return sum, nil
}

// Close closes all sockets and takes back all frames. The shards must have stopped: a Packet still
// in use would point to unmapped memory.
func (g *Group) Close() error {
	var errs []error
	if g.egress != nil {
		errs = append(errs, g.egress.close())
		g.egress = nil
	}
	for _, p := range g.ports {
		errs = append(errs, p.close())
	}
	g.ports = nil
	for _, program := range slices.Concat(g.programs, slices.Collect(maps.Values(g.later))) {
		errs = append(errs, program.Close())
	}
	g.programs, g.later = nil, nil
	return errors.Join(errs...)
}
