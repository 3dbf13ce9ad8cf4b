package route

import (
	"strconv"
	"time"
)

// What runs by the clock, beside the shards or at the start.

// Where says on which shards a timer fires.
type Where uint8

const (
	// OneShard is the first shard only.
	OneShard Where = iota
	// EachShard is every shard, each by itself.
	EachShard
)

// Timer is a function that is called periodically. Every is read when the server starts; 0 means
// never.
type Timer struct {
	Every *time.Duration
	Where Where
	F     func(c *Ctx)
	// Name distinguishes the timers of a module, for TimerID. It is the number of the timer unless
	// the module changes it.
	Name   string
	module string
}

// TimerID is the identity of a timer over a reload. A timer whose ID the new program has too goes
// on, and any other begins anew.
type TimerID struct {
	module, name string
	every        time.Duration
}

// ID returns the identity of t. It must be called after the file is read, when the interval is
// known.
func (t *Timer) ID() TimerID { return TimerID{t.module, t.Name, *t.Every} }

// ID returns the identity of t, like Timer.ID.
func (t *BesideTimer) ID() TimerID { return TimerID{t.module, t.name, *t.Every} }

// Every has f called periodically on shards, between messages. f may do what a function of a script
// may, and raise events. It must be short. A shard that sleeps is woken for it.
func (m *Module) Every(every *time.Duration, where Where, f func(c *Ctx)) *Timer {
	t := &Timer{Every: every, Where: where, F: f, Name: strconv.Itoa(len(m.timers)),
		module: m.name}
	m.timers = append(m.timers, t)
	return t
}

// Beside has f called periodically beside the shards, on a goroutine of its own. nowMs is the time
// as tables take it. It is for long work, such as a walk through a table.
func (m *Module) Beside(every *time.Duration, f func(nowMs int64)) {
	m.beside = append(m.beside, &BesideTimer{Every: every, F: f,
		name: strconv.Itoa(len(m.beside)), module: m.name})
}

// BesideTimer is a function that is called periodically beside the shards.
type BesideTimer struct {
	Every        *time.Duration
	F            func(nowMs int64)
	module, name string
}

// Started has f called on the first shard when the server has started, before the first message. A
// reload does not call it.
func (m *Module) Started(f func(c *Ctx)) { m.started = append(m.started, f) }

// Timers returns the timers of the modules that the file loads. Beside returns those beside the
// shards.
func (p *Program) Timers() (all []*Timer) {
	for _, o := range p.opens {
		all = append(all, o.m.timers...)
	}
	return all
}

// Beside returns the functions that are called beside the shards.
func (p *Program) Beside() (all []*BesideTimer) {
	for _, o := range p.opens {
		all = append(all, o.m.beside...)
	}
	return all
}

// Started tells the modules and the script that the server has started. It must be called on the
// first shard.
func (p *Program) Started(c *Ctx) {
	for _, o := range p.opens {
		for _, f := range o.m.started {
			f(c)
		}
	}
	p.core.begun.Raise(c, nil)
}
