package shard

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/balance"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// lines is a log that a test looks at.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), text)
}

// TestClockwork starts a server of two shards with a module that has timers, events and counters,
// and lets another program take over.
func TestClockwork(t *testing.T) {
	var each *route.Counter
	var beside, panics sync.WaitGroup
	beside.Add(1)
	panics.Add(1)
	var once, oncePanic sync.Once
	define := func(m *route.Module) {
		ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
		k := m.Count("each", "Ticks.")
		each = k
		tick := m.Event("clock:tick", "It ticks.")
		m.Started(func(c *route.Ctx) { c.Shard.Log.Log(-1, []byte("module begins")) })
		m.Every(ms(5), route.EachShard, func(c *route.Ctx) { k.Add(c) })
		m.Every(ms(5), route.OneShard, func(c *route.Ctx) { tick.Raise(c, nil) })
		m.Every(ms(7), route.OneShard, func(*route.Ctx) {
			oncePanic.Do(panics.Done)
			panic("of a module")
		})
		m.Every(ms(0), route.EachShard, func(*route.Ctx) { panic("a timer of 0 fired") })
		m.Beside(ms(5), func(int64) { once.Do(beside.Done) })
	}
	list := append([]route.Declared{{Name: "clock", Define: define}}, modules.All...)
	load := func(word string) (*route.Program, *route.Settings) {
		t.Helper()
		p, set, _, err := route.Load("x.cfg", []byte(`loadmodule "clock.so" loadmodule "xlog.so" loadmodule "dispatcher.so"
request_route { exit; }
event_route[core:worker-one-init] { xlog("L_ERR", "script begins\n"); }
event_route[clock:tick] { xlog("L_ERR", "`+word+` $ru\n"); }
event_route[dispatcher:dst-down] { xlog("L_ERR", "down $ru\n"); }`), route.Options{Modules: list})
		if err != nil {
			t.Fatal(err)
		}
		return p, set
	}
	wait := func(what string, there func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !there(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within 10 s", what)
			}
		}
	}
	log := &lines{}
	p, set := load("first")
	s, err := Start(Config{Shards: 2, Program: p, Settings: set, Steer: netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	wait("both shards tick", func() bool { return each.Of(0) > 2 && each.Of(1) > 2 })
	wait("the event of the timer", func() bool { return log.count("first sip:you@kamailio.org") > 2 })
	beside.Wait()
	panics.Wait()
	if m, b := log.count("module begins"), log.count("script begins"); m != 1 || b != 1 {
		t.Errorf("the start was told %d and %d times, want once", m, b)
	}
	if v := s.Stats()[1].Value("clock:each"); v == 0 {
		t.Error("the statistics lack the module's counter")
	}
	before := each.Of(1)
	p, set = load("second")
	if err := s.Reload(Next{Program: p, Settings: set}); err != nil {
		t.Fatal(err)
	}
	wait("the event of the new program", func() bool { return log.count("second sip:you@kamailio.org") > 2 })
	if n := each.Of(1); n < before {
		t.Errorf("a counter fell from %d to %d with a reload", before, n)
	}
	if log.count("script begins") != 1 {
		t.Error("a reload began the script again")
	}
	at := log.count("first ")
	time.Sleep(50 * time.Millisecond)
	if n := log.count("first "); n != at {
		t.Error("a timer of the former program goes on")
	}
	s.shared.targetEvent(&balance.Target{URI: "sip:127.0.0.1:7999"}, balance.Down, "test")
	wait("the event of a destination", func() bool { return log.count("down sip:127.0.0.1:7999") == 1 })
}

// TestTimersOutliveReloads reloads more often than timers are due: they come when they would have.
func TestTimersOutliveReloads(t *testing.T) {
	const every = 400 * time.Millisecond
	var first, each, beside atomic.Int64
	load := func() (*route.Program, *route.Settings) {
		t.Helper()
		p, set, _, err := route.Load("x.cfg", []byte(`loadmodule "clock.so" request_route { exit; }`),
			route.Options{Modules: []route.Declared{{Name: "clock", Define: func(m *route.Module) {
				d := every
				m.Every(&d, route.OneShard, func(*route.Ctx) { first.Add(1) }).Name = "named"
				m.Every(&d, route.EachShard, func(*route.Ctx) { each.Add(1) })
				m.Beside(&d, func(int64) { beside.Add(1) })
			}}}})
		if err != nil {
			t.Fatal(err)
		}
		return p, set
	}
	p, set := load()
	s, err := Start(Config{Shards: 2, Program: p, Settings: set, Steer: netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	began := time.Now()
	for first.Load() < 2 || each.Load() < 4 || beside.Load() < 2 {
		if time.Since(began) > 20*every {
			t.Fatalf("in %s they were called %d, %d and %d times, due every %s", time.Since(began),
				first.Load(), each.Load(), beside.Load(), every)
		}
		time.Sleep(every / 8)
		p, set := load()
		if err := s.Reload(Next{Program: p, Settings: set}); err != nil {
			t.Fatal(err)
		}
	}
	if most := int64(time.Since(began)/every) + 1; first.Load() > most || beside.Load() > most {
		t.Errorf("in %s they were called %d and %d times, due every %s", time.Since(began),
			first.Load(), beside.Load(), every)
	}
}

// TestOwnRunWaits lets the route of an event sleep. Nobody sent its request, so nobody hears a 500
// when it ends, and the log does not call it a failure.
func TestOwnRunWaits(t *testing.T) {
	define := func(m *route.Module) {
		begun := m.Event("clock:begun", "The server has started.")
		m.Started(func(c *route.Ctx) { begun.Raise(c, nil) })
	}
	list := append([]route.Declared{{Name: "clock", Define: define}}, modules.All...)
	p, set, _, err := route.Load("x.cfg", []byte(`loadmodule "clock.so" loadmodule "xlog.so" loadmodule "cfgutils.so"
request_route { exit; }
event_route[clock:begun] { usleep("20000"); xlog("L_ERR", "awake\n"); }`), route.Options{Modules: list})
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	s, err := Start(Config{Shards: 1, Program: p, Settings: set, Steer: netio.SteerOff,
		Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Arena:   shm.Config{Bytes: 16 << 20}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); log.count("awake") == 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the route did not wake within 10 s")
		}
	}
	s.Stop()
	if log.count("awake") != 1 || log.count("request failed") != 0 {
		t.Errorf("want it awake once, and no failure:\n%s", &log.all)
	}
}
