// Package pipelimit limits how many messages pass through pipes that a script names: Kamailio's
// module pipelimit. Pipes come from a table in the format of db_text, and are made where a script
// names one with an algorithm and a limit. The algorithms are those of package ratelimit.
package pipelimit

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/ratelimit"
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// Results of pl_check, those of Kamailio.
const (
	unlimited = 2
	noPipe    = -2
)

// maxName is the longest name of a pipe. Beyond: there is none.
const maxName = 255

// pipelimit is the module of one load.
type pipelimit struct {
	every  *time.Duration
	clean  *route.LiveInt
	code   *route.LiveInt
	reason *string

	// pipes are the pipes, ratelimit.Pipe.Number under their names, in the arena: what a script or
	// an operator gave one stays.
	pipes  *table.Table
	counts ratelimit.Counts
	load   *ratelimit.Load

	first   []named // those of the table
	refused *route.Counter
	unknown *route.Counter
}

// named is a pipe of the table.
type named struct {
	name string
	pipe ratelimit.Pipe
}

// Define is the module.
func Define(m *route.Module) { define(m) }

func define(m *route.Module) *pipelimit {
	x := &pipelimit{load: ratelimit.NewLoad()}
	x.every = m.Duration("timer_interval", time.Second, 10, 1, 3600,
		"Seconds over which messages are counted. Limits count the messages in one such interval.")
	x.clean = m.LiveInt("clean_unused", 0, 0, 1<<20,
		"A pipe that a script made is forgotten after this many intervals without a message. 0: "+
			"never.")
	x.code = m.LiveInt("reply_code", 503, 300, 699, "The status that pl_drop answers.")
	x.reason = m.Text("reply_reason", "Server Unavailable", "Its reason phrase.")
	fetch := m.Bool("load_fetch", true,
		"Whether the load of the machine is measured, for FEEDBACK and NETWORK.")
	most := m.Int("max_pipes", 16384, 64, table.MaxEntries,
		"Viaduct's own: how many pipes there may be. A pipe that finds no room limits nothing.")
	url := m.Text("db_url", "", "Where the table of pipes is: \"text:///FOLDER\".")
	tableName := m.Text("plp_table_name", "pl_pipes", "The table, a file in the folder of db_url.")
	id := m.Text("plp_pipeid_column", "pipeid", "The name of the column with the name.")
	limit := m.Text("plp_limit_column", "plimit", "The name of the column with the limit.")
	algorithm := m.Text("plp_algorithm_column", "algorithm",
		"The name of the column with the algorithm.")
	m.IdleInt("max_pipes says how many there may be", "hash_size")
	m.IdleInt("there is one kind of timer", "timer_mode")
	x.refused = m.Count("refused", "Messages that did not pass.")
	x.unknown = m.Count("not_counted", "Messages for a pipe that found no room.")

	m.Ready(func() (err error) {
		if *url != "" {
			x.first, err = read(*url, *tableName, *id, *algorithm, *limit)
		}
		if err == nil && len(x.first) > *most {
			err = fmt.Errorf("the table has %d pipes, and there may be %d: raise max_pipes",
				len(x.first), *most)
		}
		return err
	})
	x.counts.Every = x.every
	m.Open(func(s *route.State) error { return x.open(s, *most) })
	m.Beside(x.every, func(now int64) {
		if *fetch {
			x.load.Look()
		}
		x.counts.Forget(now)
		for done := false; !done; {
			_, done = x.pipes.Expire(now, 4096, nil)
		}
	})
	x.functions(m)
	x.commands(m)
	return x
}

// open opens the tables and puts the pipes of the file into them.
func (x *pipelimit) open(s *route.State, most int) (err error) {
	config := table.Config{Entries: most, MaxKey: maxName, MaxValue: 8}
	if x.pipes, err = s.Table("pipelimit", config); err != nil {
		return err
	}
	if x.counts.T, err = s.Table("pipelimit:counts", config); err != nil {
		return err
	}
	now := table.Now()
	for _, p := range x.first {
		v := x.pipes.Put([]byte(p.name), table.Number(p.pipe.Number()), table.Terms{}, now)
		if v != table.Done {
			return fmt.Errorf("pipe %s: %v", p.name, v)
		}
	}
	return nil
}

// read reads the table of pipes.
func read(url, name string, columns ...string) (all []named, err error) {
	t, err := dbtext.Read(url, name)
	if err != nil {
		return nil, err
	}
	at, err := t.Columns(columns...)
	if err != nil {
		return nil, err
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		a, ok := ratelimit.Named([]byte(r.Text(at[1])))
		limit, id := r.Int(at[2]), r.Text(at[0])
		switch {
		case !ok:
			return nil, t.Errorf(r, "there is no algorithm %q; there are %s", r.Text(at[1]),
				strings.Join(ratelimit.Names[:], ", "))
		case id == "" || len(id) > maxName:
			return nil, t.Errorf(r, "the name of a pipe has 1 to %d characters", maxName)
		case limit < 0 || limit > 1<<31-1:
			return nil, t.Errorf(r, "the limit is %d; it is a number from 0", limit)
		}
		all = append(all, named{id, ratelimit.Pipe{Algorithm: a, Limit: int32(limit)}})
	}
	return all, nil
}

func (x *pipelimit) functions(m *route.Module) {
	name := route.Text("name", "the name of the pipe")
	algorithm := route.Optional(route.Text("algorithm", "TAILDROP, RED, FEEDBACK, NETWORK or NOP"),
		nil)
	limit := route.Optional(route.Int("limit", 0, 1<<31-1, "its limit; 0 leaves it as it is"), 0)
	m.Func(route.Func{Name: "pl_check", In: route.Anywhere,
		Args: []route.AnyArg{name, algorithm, limit},
		Doc: "Counts the message for a pipe, which is made if an algorithm is given. -1: it does not " +
			"pass, -2: there is no such pipe or algorithm. 2: its algorithm is NOP.",
		Build: func(b *route.Build) route.Call {
			if b.Args() == 2 {
				b.Errorf(1, "pl_check wants an algorithm and a limit, or neither")
				return nil
			}
			name, ok1 := name.At(b, 0)
			algorithm, ok2 := algorithm.At(b, 1)
			limit, ok3 := limit.At(b, 2)
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				name, r1 := name.Get(c)
				algorithm, r2 := algorithm.Get(c)
				limit, r3 := limit.Get(c)
				if r := min(r1, r2, r3); r <= 0 {
					return r
				}
				return x.check(c, name, algorithm, int32(limit))
			}
		}})
	route.Func1(m, "pl_active", route.Anywhere, name, "Tells whether there is a pipe of that name.",
		func(c *route.Ctx, name []byte) route.Result {
			_, verdict := x.pipes.Get(name, c.NowMs(), nil)
			return route.Truth(verdict == table.Done)
		})

	least := route.Optional(route.Int("min", 0, 1<<31-1, "the smallest Retry-After in seconds; "+
		"without max, just this one"), -1)
	longest := route.Optional(route.Int("max", 0, 1<<31-1, "the largest Retry-After "+
		"in seconds"), -1)
	route.Func2(m, "pl_drop", route.InRequest|route.InFailure, least, longest,
		"Answers reply_code, with Retry-After if seconds are given.", x.drop).
		Soon(route.InBranch | route.InOnsend)
}

// check counts a message for a pipe and tells whether it passes.
func (x *pipelimit) check(c *route.Ctx, name, algorithm []byte, limit int32) route.Result {
	if len(name) == 0 || len(name) > maxName {
		return noPipe
	}
	now := c.NowMs()
	v, verdict := x.pipes.Get(name, now, nil)
	p := ratelimit.PipeOf(v.Int)
	switch {
	case verdict != table.Done:
		if algorithm == nil {
			return noPipe
		}
		a, ok := ratelimit.Named(algorithm)
		if !ok {
			return noPipe
		}
		p = ratelimit.Pipe{Algorithm: a, Limit: limit}
		verdict = x.pipes.Insert(name, table.Number(p.Number()), x.terms(now), now)
		if verdict == table.Full {
			x.unknown.Add(c)
			return 1 // rather one too many than none of a pipe that we cannot count
		}
	case algorithm != nil && limit > 0 && limit != p.Limit:
		p.Limit = limit
		x.pipes.CompareAndPut(name, v, table.Number(p.Number()), x.renewed(v, now), now)
	case v.Ends != 0 && v.Ends < x.terms(now).Ends-x.every.Milliseconds():
		x.pipes.SetDeadline(name, x.terms(now).Ends, now)
	}
	n, ok := x.counts.Add(name, now)
	switch {
	case p.Algorithm == ratelimit.NOP:
		return unlimited
	case !ok:
		x.unknown.Add(c)
		return 1
	case p.Passes(n, x.load):
		return 1
	}
	x.refused.Add(c)
	return -1
}

// terms say when a pipe that is made now is forgotten.
func (x *pipelimit) terms(now int64) (t table.Terms) {
	if n := x.clean.Get(); n > 0 {
		t.Ends = now + int64(n)*x.every.Milliseconds()
	}
	return t
}

// renewed are the terms of a pipe that is there: one of the table never ends.
func (x *pipelimit) renewed(v table.Value, now int64) table.Terms {
	if v.Ends == 0 {
		return table.Terms{}
	}
	return x.terms(now)
}

// drop is pl_drop.
func (x *pipelimit) drop(c *route.Ctx, least, most int) route.Result {
	if least >= 0 {
		after := least
		if most > least {
			after += rand.IntN(most - least + 1)
		}
		row := append(c.Room(), "Retry-After: "...)
		row = append(strconv.AppendInt(row, int64(after), 10), "\r\n"...)
		if v := c.Built(row); v.IsNull() || !c.Request.AppendToReply(v.S) {
			return -1
		}
	}
	return c.Answer(x.code.Get(), *x.reason, route.IfTransaction)
}
