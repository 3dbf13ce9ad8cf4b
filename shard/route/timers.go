package route

import (
	"strconv"
	"time"
)

// What happens by the clock, and what others have done on a shard.

// Where says on which shards a timer fires.
type Where uint8

const (
	// OneShard: the first one.
	OneShard Where = iota
	// EachShard: every one, each by itself.
	EachShard
)

// Timer is a function that is called every so often. Every is read when the server starts. 0
// means never.
type Timer struct {
	Every *time.Duration
	Where Where
	F     func(c *Ctx)
	// Name tells the timers of a module apart, for TimerID. It is the timer's number until the
	// module gives it another one.
	Name   string
	module string
}

// TimerID says which timers are the same before and behind a reload: those go on, the others begin
// anew.
type TimerID struct {
	module, name string
	every        time.Duration
}

// ID is the timer's. Its interval is known when the file is read.
func (t *Timer) ID() TimerID { return TimerID{t.module, t.Name, *t.Every} }

// ID is the timer's, as that of a Timer.
func (t *BesideTimer) ID() TimerID { return TimerID{t.module, t.name, *t.Every} }

// Every has f called on shards, between messages: it may do what a function of a script may, and
// raise events. It must be short. A shard that has nothing else to do is woken for it.
func (m *Module) Every(every *time.Duration, where Where, f func(c *Ctx)) *Timer {
	t := &Timer{Every: every, Where: where, F: f, Name: strconv.Itoa(len(m.timers)),
		module: m.name}
	m.timers = append(m.timers, t)
	return t
}

// Beside has f called beside the shards, from a goroutine of its own, with the time as tables take
// it: for what takes long, such as a walk through a table.
func (m *Module) Beside(every *time.Duration, f func(nowMs int64)) {
	m.beside = append(m.beside, &BesideTimer{Every: every, F: f,
		name: strconv.Itoa(len(m.beside)), module: m.name})
}

// BesideTimer is a function that is called every so often, beside the shards.
type BesideTimer struct {
	Every        *time.Duration
	F            func(nowMs int64)
	module, name string
}

// Started has f called on the first shard when the server has started, before the first message. A
// reload does not call it.
func (m *Module) Started(f func(c *Ctx)) { m.started = append(m.started, f) }

// Timers are those of the modules that the file loads, Beside those beside the shards.
func (p *Program) Timers() (all []*Timer) {
	for _, o := range p.opens {
		all = append(all, o.m.timers...)
	}
	return all
}

// Beside are the functions that are called beside the shards.
func (p *Program) Beside() (all []*BesideTimer) {
	for _, o := range p.opens {
		all = append(all, o.m.beside...)
	}
	return all
}

// Started tells the modules and the script that the server has started. It is for the first shard.
func (p *Program) Started(c *Ctx) {
	for _, o := range p.opens {
		for _, f := range o.m.started {
			f(c)
		}
	}
	p.core.begun.Raise(c, nil)
}
