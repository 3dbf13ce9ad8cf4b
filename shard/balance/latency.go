package balance

import (
	"math"
	"sync"
	"sync/atomic"
)

// Latency is what probes measured of a target, as `dispatcher.list` shows it.
type Latency struct {
	AvgMs float64 // mean of all answers
	StdMs float64 // their standard deviation
	// exponentially weighted mean, see Config.LatencyKept
	EstMs    float64
	MaxMs    int64
	Answers  uint64
	Timeouts uint64
}

// latencyCell is written by the prober once per probe and read by operators' commands; a lock is
// cheap enough for both.
type latencyCell struct {
	mu      sync.Mutex
	l       Latency
	squares float64 // sum of squared distances from the mean (Welford 1962)

	est, avg atomic.Uint64 // the bits of l.EstMs and l.AvgMs, for selections, which take no lock
}

// now returns the estimated latency, and mean the average of all answers, in ms.
func (c *latencyCell) now() float64  { return math.Float64frombits(c.est.Load()) }
func (c *latencyCell) mean() float64 { return math.Float64frombits(c.avg.Load()) }

// publish lets selections see l.
func (c *latencyCell) publish() {
	c.est.Store(math.Float64bits(c.l.EstMs))
	c.avg.Store(math.Float64bits(c.l.AvgMs))
}

func (c *latencyCell) answer(ms int64, kept float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, l := float64(ms), &c.l
	if l.Answers == 0 && l.EstMs == 0 {
		l.EstMs = x
	}
	l.Answers++
	d := x - l.AvgMs
	l.AvgMs += d / float64(l.Answers)
	c.squares += d * (x - l.AvgMs)
	l.StdMs = math.Sqrt(c.squares / float64(l.Answers))
	l.EstMs = kept*l.EstMs + (1-kept)*x
	l.MaxMs = max(l.MaxMs, ms)
	c.publish()
}

func (c *latencyCell) timeout() {
	c.mu.Lock()
	c.l.Timeouts++
	c.mu.Unlock()
}

// Latency returns what probes measured so far; EstMs begins with the latency attribute.
func (t *Target) Latency() Latency {
	c := &t.live.latency
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.l
}

// inherit takes over what another cell measured.
func (c *latencyCell) inherit(from *latencyCell) {
	from.mu.Lock()
	l, squares := from.l, from.squares
	from.mu.Unlock()
	c.l, c.squares = l, squares
	c.publish()
}
