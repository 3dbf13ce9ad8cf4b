package main

import (
	"cmp"
	"slices"

	"viaduct/bench/traffic"
)

// Results is what a run of the harness found. A scenario that did not run left its part nil or
// empty.
type Results struct {
	Machine  Machine
	Commit   string
	Date     string // of the run, UTC
	Versions []string
	Missing  []string // contenders and scenarios left out, and why
	Config   Config

	Saturation, Fixed, Keepalive *Comparison
	// as Saturation, the generator sending each datagram by itself
	Single *Comparison
	// as Saturation, with other files
	Language       *Comparison
	Waiting        *Waiting
	Reloads        *Reloads
	Tables         *Tables
	Shards         *ShardTable
	Spread         *Spread
	Held           []Held
	Loss, Overload []Soak
	Stopped        []Stopped
	TCP, TLS       *Streams
	Rest           []Rest
	Idle           []Idle
	Stuck          []Stuck
}

// Streams is the call over TCP or TLS, in the two ways of Saturation and Fixed.
type Streams struct {
	Saturation, Fixed *Comparison
}

// Comparison is several contenders under the same load, one run of each per round.
type Comparison struct {
	Args []string // of the generator
	Rows []Row
}

// Row is one contender.
type Row struct {
	Key, Name string
	Group     int
	Runs      []traffic.Outcome
}

// values gives one figure of every run.
func (r *Row) values(figure func(*traffic.Outcome) float64) []float64 {
	out := make([]float64, len(r.Runs))
	for i := range r.Runs {
		out[i] = figure(&r.Runs[i])
	}
	return out
}

func (r *Row) sum(figure func(*traffic.Outcome) uint64) uint64 {
	var n uint64
	for i := range r.Runs {
		n += figure(&r.Runs[i])
	}
	return n
}

func callsPerSecond(o *traffic.Outcome) float64 { return o.CallsPerSecond }
func cpuPerCall(o *traffic.Outcome) float64     { return o.ServerCPUUsPerCall }
func ringP50(o *traffic.Outcome) float64        { return o.Ringing.P50Us }
func ringP99(o *traffic.Outcome) float64        { return o.Ringing.P99Us }

// disturbed counts runs that others disturbed.
func (c *Comparison) disturbed() int {
	n := 0
	for i := range c.Rows {
		for j := range c.Rows[i].Runs {
			if c.Rows[i].Runs[j].Disturbed() {
				n++
			}
		}
	}
	return n
}

// row finds a contender; nil if it was not measured.
func (c *Comparison) row(key string) *Row {
	for i := range c.Rows {
		if c.Rows[i].Key == key {
			return &c.Rows[i]
		}
	}
	return nil
}

// ratio is the median over the rounds of a's figure by b's figure of the same round: the machine's
// speed divides out. It is 0 if not known.
func (c *Comparison) ratio(a, b *Row, figure func(*traffic.Outcome) float64) float64 {
	if a == nil || b == nil {
		return 0
	}
	var out []float64
	over, under := a.values(figure), b.values(figure)
	for i := range min(len(over), len(under)) {
		if under[i] > 0 {
			out = append(out, over[i]/under[i])
		}
	}
	return median(out)
}

// ShardTable is calls per second by server and number of shards.
type ShardTable struct{ Rows []ShardRow }

// ShardRow is one server with one number of shards, or children.
type ShardRow struct {
	Name   string
	Shards int
	Runs   []traffic.Outcome
}

func (t *ShardTable) add(name string, shards int, o traffic.Outcome) {
	for i := range t.Rows {
		if r := &t.Rows[i]; r.Name == name && r.Shards == shards {
			r.Runs = append(r.Runs, o)
			return
		}
	}
	t.Rows = append(t.Rows, ShardRow{name, shards, []traffic.Outcome{o}})
	slices.SortStableFunc(t.Rows, func(a, b ShardRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Shards, b.Shards))
	})
}

// Spread is how one source port's calls spread over shards, in messages.
type Spread struct {
	Shards        int
	Busiest, Mean float64
	HandedOff     uint64
	Run           traffic.Outcome
}

// Held is the memory scenario of one server. Resident is VmRSS, for several processes the sum of
// their shares (Pss). Arena and Heap are Viaduct's own figures.
type Held struct {
	Name                                        string
	Calls, MemoryMB                             int
	ResidentBefore, ResidentHeld, ResidentAfter int64
	ArenaBefore, ArenaHeld, ArenaAfter          uint64
	HeapBefore, HeapHeld, HeapAfter             uint64
	Run                                         traffic.Outcome
}

// perCall is the memory that one held call took: of the arena where known, else resident.
func (h *Held) perCall() float64 {
	if h.ArenaHeld > 0 {
		return (float64(h.ArenaHeld) - float64(h.ArenaBefore)) / float64(h.Calls)
	}
	return float64(h.ResidentHeld-h.ResidentBefore) / float64(h.Calls)
}

// Soak is a long run at a rate, a share of the saturation just before.
type Soak struct {
	Name             string
	Saturation, Rate float64 // calls/s
	Seconds          float64
	Run              traffic.Outcome
}

// Stopped is the same load with all destinations and with one stopped.
type Stopped struct {
	Name     string
	All, One traffic.Outcome
}

func sorted(v []float64) []float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}

// median is the middle value, or the mean of the middle two; 0 for none.
func median(v []float64) float64 {
	s := sorted(v)
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

func lowest(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return slices.Min(v)
}

func highest(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return slices.Max(v)
}
