package ratelimit

// Algorithm says when a pipe is full.
type Algorithm uint8

// The algorithms, by Kamailio's numbers.
const (
	NOP      Algorithm = iota // never
	RED                       // each nth message passes, if the interval before had n times the limit
	TailDrop                  // the limit passes in each interval, and no more
	Feedback                  // what passes follows the load, to be the limit percent
	Network                   // while more bytes than the limit wait in the sockets
)

// Names are what they are called.
var Names = [...]string{"NOP", "RED", "TAILDROP", "FEEDBACK", "NETWORK"}

func (a Algorithm) String() string { return Names[a] }

// Named is the algorithm of a name.
func Named(name []byte) (Algorithm, bool) {
	for i, s := range Names {
		if s == string(name) {
			return Algorithm(i), true
		}
	}
	return NOP, false
}

// Pipe is what a pipe has been given. A NOP of limit 0 is a pipe that nobody defined.
type Pipe struct {
	Algorithm Algorithm
	Limit     int32
}

// Number is a pipe as a number, PipeOf the other way round.
func (p Pipe) Number() int64 { return int64(p.Algorithm)<<32 | int64(uint32(p.Limit)) }

// PipeOf is the pipe that a number stands for.
func PipeOf(n int64) Pipe { return Pipe{Algorithm(n >> 32), int32(uint32(n))} }

// Passes tells whether a message that has been counted passes. The limit is one of messages in an
// interval, where it is one of messages.
func (p Pipe) Passes(n Count, l *Load) bool {
	limit := uint32(max(p.Limit, 0))
	switch p.Algorithm {
	case TailDrop:
		return n.Curr <= limit
	case RED:
		return limit > 0 && (n.Prev < 2*limit || n.Curr%(n.Prev/limit) == 0)
	case Feedback:
		// 37 is prime to 100: the ones refused are spread over each hundred.
		return n.Curr*37%100 >= l.Refused(p.Limit)
	case Network:
		return l.waiting.Load() <= int64(limit)
	}
	return true
}

// Rate is what Kamailio shows as a pipe's drop rate, or load.
func (p Pipe) Rate(n Count, l *Load) int {
	switch p.Algorithm {
	case TailDrop, RED:
		if p.Limit <= 0 {
			return 0
		}
		return int(n.Prev) / int(p.Limit)
	case Feedback:
		return int(l.Refused(p.Limit))
	case Network:
		if l.waiting.Load() > int64(p.Limit) {
			return 1
		}
		return -1
	}
	return 0
}
