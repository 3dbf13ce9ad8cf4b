// Package ratelimit limits how many requests pass: Kamailio's module ratelimit. Each method has a
// queue, and each queue leads to a pipe, which has an algorithm and a limit. Module pipelimit has
// the same algorithms from here.
package ratelimit

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// pipes is how many pipes there are, as in Kamailio.
const pipes = 32

// maxQueues is how many queues a file may have. Kamailio has room for 10.
const maxQueues = 256

// queue leads a method to a pipe; * is all.
type queue struct {
	pipe   int
	method string
}

// ratelimit is the module of one load.
type ratelimit struct {
	every  *time.Duration
	pipes  [pipes]atomic.Int64 // Pipe.Number
	queues atomic.Pointer[[]queue]
	mu     sync.Mutex // held by who changes them
	counts Counts
	load   *Load

	refused *route.Counter
	debug   atomic.Bool
	logger  *slog.Logger
}

// Define is the module.
func Define(m *route.Module) { define(m) }

func define(m *route.Module) *ratelimit {
	x := &ratelimit{load: NewLoad()}
	x.queues.Store(&[]queue{})
	x.every = m.Duration("timer_interval", time.Second, 10, 1, 3600,
		"Seconds over which messages are counted.")
	m.Each("pipe", x.pipe, "A pipe, \"NUMBER:ALGORITHM:LIMIT\", numbers 0 to 31: TAILDROP and RED "+
		"limit messages a second, FEEDBACK the load of the processors in percent, NETWORK the "+
		"bytes that wait in sockets.")
	m.Each("queue", x.queue, "A queue, \"PIPE:METHOD\"; the method * is all. The first one that "+
		"fits is used.")
	x.refused = m.Count("refused", "Messages that did not pass.")
	m.Ready(func() error {
		for _, q := range *x.queues.Load() {
			if PipeOf(x.pipes[q.pipe].Load()).Algorithm == NOP {
				return fmt.Errorf("queue \"%d:%s\": there is no pipe %d: write modparam(\"ratelimit\","+
					" \"pipe\", \"%d:TAILDROP:100\")", q.pipe, q.method, q.pipe, q.pipe)
			}
		}
		return nil
	})
	x.counts.Every = x.every
	m.Open(func(s *route.State) (err error) {
		x.logger = s.Logger
		x.counts.T, err = s.Table("ratelimit",
			table.Config{Entries: pipes, MaxKey: 1, MaxValue: 8})
		return err
	})
	m.Beside(x.every, x.tick)

	number := route.Optional(route.Int("pipe", -1<<31, 1<<31-1,
		"the number of a pipe; without it, that of the queue of the method", route.AsIs), -1)
	for _, name := range []string{"rl_check", "rl_check_pipe"} {
		route.Func1(m, name, route.Anywhere, number,
			"Counts the message for a pipe. False: it does not pass, or there is no such pipe.",
			x.check)
	}
	x.commands(m)
	return x
}

// pipe reads NUMBER:ALGORITHM:LIMIT.
func (x *ratelimit) pipe(s string) error {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return fmt.Errorf("pipe %q: write NUMBER:ALGORITHM:LIMIT, such as 0:TAILDROP:200", s)
	}
	n, err1 := strconv.Atoi(strings.TrimSpace(parts[0]))
	limit, err2 := strconv.Atoi(strings.TrimSpace(parts[2]))
	algorithm, ok := Named([]byte(strings.TrimSpace(parts[1])))
	switch {
	case err1 != nil || n < 0 || n >= pipes:
		return fmt.Errorf("pipe %q: %q is no number from 0 to %d", s, parts[0], pipes-1)
	case !ok || algorithm == NOP:
		return fmt.Errorf("pipe %q: there is no algorithm %q; there are %s", s, parts[1],
			strings.Join(Names[1:], ", "))
	case err2 != nil || limit < 0 || limit > 1<<31-1:
		return fmt.Errorf("pipe %q: the limit is %q; it is a number from 0", s, parts[2])
	}
	x.pipes[n].Store(Pipe{algorithm, int32(limit)}.Number())
	return nil
}

// queue reads PIPE:METHOD.
func (x *ratelimit) queue(s string) error {
	pipe, method, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(strings.TrimSpace(pipe))
	method = strings.TrimSpace(method)
	all := append(*x.queues.Load(), queue{n, method})
	switch {
	case method == "" || err != nil || n < 0 || n >= pipes:
		return fmt.Errorf("queue %q: write PIPE:METHOD, such as 0:INVITE, pipes 0 to %d", s, pipes-1)
	case len(all) > maxQueues:
		return fmt.Errorf("queue %q: %d queues are possible", s, maxQueues)
	}
	x.queues.Store(&all)
	return nil
}

// check counts a message for a pipe, or with -1 for that of its method.
func (x *ratelimit) check(c *route.Ctx, n int) route.Result {
	if n == -1 {
		n = x.pipeOf(c)
	}
	if n < 0 || n >= pipes {
		return -1
	}
	p := PipeOf(x.pipes[n].Load())
	if p.Algorithm == NOP {
		return -1
	}
	count, _ := x.counts.Add([]byte{byte(n)}, c.NowMs())
	if x.perInterval(p).Passes(count, x.load) {
		return 1
	}
	x.refused.Add(c)
	return -1
}

// pipeOf is the pipe of the message's method, -1 if there is none.
func (x *ratelimit) pipeOf(c *route.Ctx) int {
	method, ok := c.Method()
	if !ok {
		return -1
	}
	for _, q := range *x.queues.Load() {
		if q.method == "*" || q.method == string(method) {
			return q.pipe
		}
	}
	return -1
}

// perInterval is a pipe whose limit, where it is one of messages, is that of an interval.
func (x *ratelimit) perInterval(p Pipe) Pipe {
	if p.Algorithm == TailDrop || p.Algorithm == RED {
		p.Limit = int32(min(int64(p.Limit)*int64(*x.every/time.Second), 1<<31-1))
	}
	return p
}

// tick looks at the load, where a pipe wants it. It runs beside the shards.
func (x *ratelimit) tick(int64) {
	for i := range x.pipes {
		if a := PipeOf(x.pipes[i].Load()).Algorithm; a == Feedback || a == Network {
			x.load.Look()
			break
		}
	}
	if x.debug.Load() && x.logger != nil {
		for _, line := range x.lines() {
			x.logger.Warn("ratelimit", "pipe", line)
		}
	}
}
