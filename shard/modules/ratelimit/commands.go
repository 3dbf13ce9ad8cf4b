package ratelimit

import (
	"fmt"
	"slices"
	"strconv"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// commands declares rl.*.
func (x *ratelimit) commands(m *route.Module) {
	m.View("rl.stats", "Shows each pipe: messages in the last interval, limit, drop rate.", nil,
		func(command.Args) (any, error) {
			var all []string
			x.each(func(i int, p Pipe, n Count) {
				all = append(all, fmt.Sprintf("PIPE[%d]: %d/%d (drop rate: %d)", i, n.Prev, p.Limit,
					x.perInterval(p).Rate(n, x.load)))
			})
			return all, nil
		})
	m.View("rl.get_pipes", "Shows the pipes that are defined.", nil,
		func(command.Args) (any, error) { return x.lines(), nil })
	m.Command("rl.set_pipe", "Gives a pipe an algorithm and a limit, until the next reload.",
		command.Words("#pipe", "algorithm", "#limit"), x.setPipe)
	m.View("rl.get_queues", "Shows the queues.", nil, func(command.Args) (any, error) {
		var all []string
		for i, q := range *x.queues.Load() {
			all = append(all, fmt.Sprintf("QUEUE[%d]: %d:%s", i, q.pipe, q.method))
		}
		return all, nil
	})
	m.Command("rl.set_queue", "Gives a queue another method and pipe, until the next reload.",
		command.Words("#queue", "method", "#pipe"), x.setQueue)
	m.Command("rl.set_dbg", "1 logs the pipes after each interval, 0 stops that.",
		command.Words("#dbg:0..1"), func(a command.Args) (any, error) {
			x.debug.Store(a.Int(0, 0) != 0)
			return nil, nil
		})
	LoadCommands(m, "rl", x.load)
}

// LoadCommands declares the commands of a load: GROUP.set_pid and its like.
func LoadCommands(m *route.Module, group string, l *Load) {
	m.View(group+".get_pid", "Shows the constants of the controllers of FEEDBACK.", nil,
		func(command.Args) (any, error) { return l.PID(), nil })
	m.Command(group+".set_pid", "Sets them, until the next reload: integral, proportional, "+
		"derivative.",
		command.Words("ki", "kp", "kd"), func(a command.Args) (any, error) {
			var k [3]float64
			for i := range k {
				f, err := strconv.ParseFloat(a.Text(i), 64)
				if err != nil || f-f != 0 {
					return nil, command.Faultf(400, "%q is no number", a.Text(i))
				}
				k[i] = f
			}
			l.SetPID(k[0], k[1], k[2])
			return nil, nil
		})
	m.Command(group+".push_load", "Gives the controllers a load from 0 to 1 for one interval, to "+
		"try FEEDBACK.",
		command.Words("load"), func(a command.Args) (any, error) {
			f, err := strconv.ParseFloat(a.Text(0), 64)
			if err != nil || f < 0 || f > 1 {
				return nil, command.Faultf(400, "value out of range: 0.0 to 1.0")
			}
			l.Push(f)
			return nil, nil
		})
}

// each calls f with all pipes.
func (x *ratelimit) each(f func(i int, p Pipe, n Count)) {
	now := table.Now()
	for i := range x.pipes {
		f(i, PipeOf(x.pipes[i].Load()), x.counts.Get([]byte{byte(i)}, now))
	}
}

// lines shows the pipes that are defined.
func (x *ratelimit) lines() (all []string) {
	x.each(func(i int, p Pipe, n Count) {
		if p.Algorithm != NOP {
			all = append(all, fmt.Sprintf("PIPE[%d]: %d:%s %d/%d (drop rate: %d) [%d]", i,
				p.Algorithm, p.Algorithm, n.Prev, p.Limit, x.perInterval(p).Rate(n, x.load),
				n.Curr))
		}
	})
	return all
}

func (x *ratelimit) setPipe(a command.Args) (any, error) {
	algorithm, ok := Named([]byte(a.Text(1)))
	n, limit := a.Int(0, 0), a.Int(2, 0)
	switch {
	case !ok:
		return nil, command.Faultf(400, "Unknown algorithm")
	case n < 0 || n >= pipes:
		return nil, command.Faultf(400, "Unknown pipe")
	case limit < 0 || limit > 1<<31-1:
		return nil, command.Faultf(400, "Wrong limit")
	}
	x.pipes[n].Store(Pipe{algorithm, int32(limit)}.Number())
	return nil, nil
}

func (x *ratelimit) setQueue(a command.Args) (any, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := *x.queues.Load()
	n, pipe := a.Int(0, 0), a.Int(2, 0)
	switch {
	case n < 0 || int(n) >= len(all):
		return nil, command.Faultf(400, "MAX_QUEUES reached")
	case pipe < 0 || pipe >= pipes:
		return nil, command.Faultf(400, "Invalid pipe number")
	}
	all = slices.Clone(all)
	all[n] = queue{int(pipe), a.Text(1)}
	x.queues.Store(&all)
	return nil, nil
}
