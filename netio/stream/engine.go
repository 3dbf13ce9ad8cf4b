package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
)

// Engine is all streams of the process. Its methods may be called from any goroutine.
type Engine struct {
	cfg    Config
	limits *Limits
	log    limitedLog
	began  time.Time
	// by number, nil where it is none of a stream; replaced as a whole, under opening
	listeners atomic.Pointer[[]*listener]
	opening   sync.Mutex
	tls       atomic.Pointer[TLS]
	http      atomic.Bool // see SetHTTP
	ports     []*Port
	loops     []*loop
	client    *gnet.Client
	watcher   *watcher

	table    table
	registry registry
	lastID   atomic.Uint64

	// all shards and loops write these three: apart from each other and the rest
	_        [64]byte
	queued   atomic.Int64 // bytes that peers refuse: Limits.WqMax
	_        [56]byte
	inflight atomic.Int64 // bytes that loops have not tried to write
	_        [56]byte
	inbound  atomic.Int64 // bytes in the shards' queues
	_        [56]byte

	opened    atomic.Int64 // connections: Limits.MaxConnections
	openedTLS atomic.Int64
	sources   sources
	gates     chan struct{} // see gate
	admitting atomic.Int64
	dials     dialer
	resumes   chan struct{}
	reserve   reserve
	stats     counters

	ctx      context.Context // ends dials and handshakes
	cancel   context.CancelFunc
	accept   sync.WaitGroup // acceptors
	pending  sync.WaitGroup // dials and admissions
	draining atomic.Bool
	stopping atomic.Bool
	stopped  chan struct{} // closed when the loops have ended
	broken   chan struct{} // closed when one has without having been asked
	fatality sync.Once
	closing  sync.Once
}

// listener is one of Config.Listeners.
type listener struct {
	netio.Listener
	proto  netio.Proto
	twin   int // number of the WebSocket listener of this address, -1 none
	ws     wslayer.Config
	from   prefixes
	socket *net.TCPListener // nil for a twin

	accepting bool // an acceptor runs; guarded by Engine.opening
}

// Start opens the listeners and runs the event loops. Either everything runs afterwards or nothing.
func Start(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	e := &Engine{cfg: cfg, limits: cfg.Limits, began: time.Now(), stopped: make(chan struct{}),
		broken:  make(chan struct{}),
		gates:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		resumes: make(chan struct{}, resumesAtOnce)}
	if e.limits == nil {
		e.limits = NewLimits()
	}
	e.log.to, e.log.base = cfg.Logger, e.began
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.listeners.Store(new([]*listener))
	e.SetTLS(cfg.TLS)
	e.SetHTTP(cfg.HTTP)
	e.table.init()
	e.registry.init()
	for shard := range cfg.Shards {
		e.ports = append(e.ports, newPort(e, shard))
	}
	if err := e.start(); err != nil {
		e.Close()
		return nil, err
	}
	e.Accept()
	return e, nil
}

func (e *Engine) start() (err error) {
	if err := e.reserve.open(); err != nil {
		return fmt.Errorf("cannot keep a file descriptor in reserve: %w", err)
	}
	if e.watcher, err = newWatcher(e); err != nil {
		return err
	}
	e.watcher.start()
	if err := e.startLoops(); err != nil {
		return fmt.Errorf("cannot start the event loops: %w", err)
	}
	_, err = e.Open(e.cfg.Base, e.cfg.Listeners)
	return err
}

// startLoops runs gnet's loops and finds out which is which: the balancer gives each new connection
// to the loop with the fewest, so of the first ones each gets its own.
func (e *Engine) startLoops() (err error) {
	e.client, err = gnet.NewClient(handler{e}, gnet.WithNumEventLoop(e.cfg.Loops),
		gnet.WithLockOSThread(false), gnet.WithReadBufferCap(readBytes),
		gnet.WithLogger(gnetLog{&e.log}), gnet.WithTCPNoDelay(gnet.TCPNoDelay))
	if err != nil {
		return err
	}
	if err := e.client.Start(); err != nil {
		e.client = nil
		return err
	}
	for i := range e.cfg.Loops {
		l := &loop{
			e: e, index: i, bell: -1, parked: make(map[*conn]struct{}),
			touched: make([]bool, e.cfg.Shards), hasRung: make([]bool, e.cfg.Shards),
		}
		l.emitPlain = func(b []byte) { l.plain(l.cur, b) }
		l.emitMessage = func(b []byte) { l.deliver(l.cur, b, Whole) }
		l.replyFrame = func(b []byte) { l.reply(l.cur, levelFramed, b) }
		l.now = e.now()
		l.wheel.tick, l.wheel.next, l.armed = l.now/int64(tickEvery), never, never
		l.timer = time.AfterFunc(time.Hour, l.tick)
		l.timer.Stop()
		e.loops = append(e.loops, l)
		if err := e.connectBell(l); err != nil {
			return err
		}
		for _, other := range e.loops[:i] {
			if other.el == l.el {
				return errors.New("two control connections came to one loop")
			}
		}
	}
	return nil
}

func (e *Engine) connectBell(l *loop) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		0)
	if err != nil {
		return err
	}
	l.bell = fds[0]
	f := os.NewFile(uintptr(fds[1]), "")
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return err
	}
	if _, err := e.client.EnrollContext(nc, &control{l}); err != nil {
		return err
	}
	if l.el == nil {
		return errNotOpened
	}
	return nil
}

func (e *Engine) loopOf(el gnet.EventLoop) *loop {
	for _, l := range e.loops {
		if l.el == el {
			return l
		}
	}
	panic("BUG: an event loop that is none of ours")
}

// now is ns since the engine's start, of the monotonic clock.
func (e *Engine) now() int64 { return int64(time.Since(e.began)) }

// fatal tells once that the engine cannot go on.
func (e *Engine) fatal(what string) {
	e.fatality.Do(func() {
		close(e.broken)
		err := errors.New("streams: " + what)
		if e.cfg.Fatal == nil {
			panic(err)
		}
		go e.cfg.Fatal(err)
	})
}

func (e *Engine) isBroken() bool {
	select {
	case <-e.broken:
		return true
	default:
		return false
	}
}

// SetTLS gives the configurations of TLS from now on, as Config.TLS does for the start.
func (e *Engine) SetTLS(t TLS) { e.tls.Store(&t) }

// Port gives the end of one shard. It belongs to the shard's goroutine from then on.
func (e *Engine) Port(shard int) *Port { return e.ports[shard] }

// Limits are those in use, to be read and changed.
func (e *Engine) Limits() *Limits { return e.limits }

// Listeners gives the listen addresses, those that were closed too; Index is their number in the
// process. The elements must not be written to.
func (e *Engine) Listeners() (all []*netio.Listener) {
	for _, l := range *e.listeners.Load() {
		if l != nil {
			all = append(all, &l.Listener)
		}
	}
	return all
}

// listener is the one with that number, nil if it is none of a stream.
func (e *Engine) listener(number int) *listener {
	if list := *e.listeners.Load(); number >= 0 && number < len(list) {
		return list[number]
	}
	return nil
}

func (e *Engine) protoOf(number int) netio.Proto {
	if l := e.listener(number); l != nil {
		return l.proto
	}
	return netio.TCP
}

// StopAccepting closes the listeners; connections stay.
func (e *Engine) StopAccepting() {
	if e.draining.Swap(true) {
		return
	}
	e.opening.Lock()
	for _, l := range *e.listeners.Load() {
		if l != nil && l.socket != nil {
			_ = l.socket.Close()
		}
	}
	e.opening.Unlock()
	e.await(&e.accept)
}

// await waits for goroutines that may wait for an event loop, unless those have ended against our
// will.
func (e *Engine) await(wg *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-e.broken:
	}
}

// Drain stops accepting and waits until everything queued is written, or ctx ends; then Close.
func (e *Engine) Drain(ctx context.Context) error {
	e.StopAccepting()
	t := time.NewTicker(tickEvery / 10)
	defer t.Stop()
	for e.queued.Load() != 0 || e.inflight.Load() != 0 {
		select {
		case <-ctx.Done():
			err := fmt.Errorf("cannot write %d bytes in time: %w",
				e.queued.Load()+e.inflight.Load(), ctx.Err())
			e.Close()
			return err
		case <-t.C:
		}
	}
	e.Close()
	return nil
}

// Close ends everything: listeners, dials, connections, loops. The Ports may be read afterwards,
// until Release.
func (e *Engine) Close() { e.closing.Do(e.close) }

func (e *Engine) close() {
	e.StopAccepting()
	e.stopping.Store(true)
	e.cancel()
	e.dials.stop()
	e.await(&e.pending)
	for _, c := range e.registry.some(int(^uint(0) >> 1)) {
		c.condemn(Stopping, 0)
	}
	// Every connection is in a loop by now, or on its way back to one; the loops close and release
	// them before they end.
	deadline := time.Now().Add(closeWait)
	for e.opened.Load() > 0 && !e.isBroken() && len(e.loops) == e.cfg.Loops &&
		time.Now().Before(deadline) {
		for _, l := range e.loops {
			l.ring()
		}
		time.Sleep(time.Millisecond)
	}
	if e.client != nil && !e.isBroken() { // gnet would close again what has been closed
		_ = e.client.Stop()
	}
	close(e.stopped)
	for _, l := range e.loops {
		l.closeBell()
	}
	if e.watcher != nil {
		e.watcher.close()
	}
	e.reserve.close()
}
