package ratelimit

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Load is what FEEDBACK and NETWORK look at: how busy the processors are, and how many bytes wait
// in the sockets. It is read once in an interval, beside the shards.
type Load struct {
	waiting atomic.Int64
	// refused is how many of a hundred messages are refused so that the load comes to be that many
	// percent, a controller for each.
	refused [101]atomic.Uint32

	mu         sync.Mutex
	ki, kp, kd float64
	sum, last  [101]float64
	busy, all  uint64 // of the processors, when they were last looked at
}

// NewLoad makes one, with Kamailio's constants of the controller.
func NewLoad() *Load { return &Load{ki: -25} }

// Refused is how many of a hundred messages are refused for a limit in percent.
func (l *Load) Refused(percent int32) uint32 {
	return l.refused[min(max(percent, 0), 100)].Load()
}

// Look looks at the machine. It runs beside the shards.
func (l *Load) Look() {
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		if load, ok := l.processors(b); ok {
			l.Push(load)
		}
	}
	var sum int64
	for _, name := range [...]string{"udp", "udp6", "tcp", "tcp6"} {
		if b, err := os.ReadFile("/proc/self/net/" + name); err == nil {
			sum += waiting(b)
		}
	}
	l.waiting.Store(sum)
}

// processors is the load since the last look, from /proc/stat (proc_stat(5)).
func (l *Load) processors(stat []byte) (load float64, ok bool) {
	line, _, _ := bytes.Cut(stat, []byte{'\n'})
	words := strings.Fields(string(line))
	if len(words) < 6 || words[0] != "cpu" {
		return 0, false
	}
	var all, idle uint64
	for i, w := range words[1:min(len(words), 9)] { // guests are part of user
		n, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return 0, false
		}
		all += n
		if i == 3 || i == 4 { // idle and iowait
			idle += n
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	busy, total := all-idle-l.busy, all-l.all
	first := l.all == 0
	l.busy, l.all = all-idle, all
	if first || total == 0 || total > 1<<62 {
		return 0, false
	}
	return min(float64(busy)/float64(total), 1), true
}

// waiting is the sum of the receive queues in a table of sockets (/proc/net/udp), but for
// listening ones, whose number is one of connections.
func waiting(table []byte) (sum int64) {
	for line := range bytes.Lines(table) {
		words := bytes.Fields(line)
		if len(words) < 5 || bytes.Equal(words[3], []byte("0A")) {
			continue
		}
		if _, queue, ok := bytes.Cut(words[4], []byte{':'}); ok {
			n, _ := strconv.ParseInt(string(queue), 16, 64)
			sum += n
		}
	}
	return sum
}

// Push has the controllers take a load, of 0 to 1, for that of an interval.
func (l *Load) Push(load float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.sum {
		err := float64(i)/100 - load
		// What has been summed up is not more than it takes to refuse all, or nothing: else it would
		// be long after the load has changed that the refusals do.
		l.sum[i] += err
		if out := l.ki * l.sum[i]; out < 0 {
			l.sum[i] = 0
		} else if out > 100 {
			l.sum[i] = 100 / l.ki
		}
		out := l.ki*l.sum[i] + l.kp*err + l.kd*(err-l.last[i])
		l.last[i] = err
		l.refused[i].Store(uint32(math.Round(min(max(out, 0), 100))))
	}
}

// SetPID sets the constants of the controllers: integral, proportional, derivative.
func (l *Load) SetPID(ki, kp, kd float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ki, l.kp, l.kd = ki, kp, kd
	l.sum, l.last = [101]float64{}, [101]float64{}
}

// PID shows them as Kamailio does.
func (l *Load) PID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("ki[%f] kp[%f] kd[%f]", l.ki, l.kp, l.kd)
}
