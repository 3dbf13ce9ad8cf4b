package main

import (
	"context"
	"fmt"
	"time"

	"viaduct/bench/procfs"
)

// Of the scenario rest.
const (
	restWorkers  = 2
	restMemoryMB = 64
	restSettle   = 3 * time.Second // behind the one request that shows that the server serves
	restWindow   = 20 * time.Second
)

// rest starts servers, leaves them alone, and looks what they use all the same.
func rest(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb", "viaduct-built-in")
	if len(field) == 0 {
		return errAbsent
	}
	length := restWindow
	if b.cfg.Quick {
		length = 2 * time.Second
	}
	for round := range b.cfg.Rounds {
		for i, c := range field {
			if round == 0 {
				r.Rest = append(r.Rest, Rest{Name: c.name})
			}
			row := &r.Rest[i]
			if err := b.restWith(ctx, c, length, row); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			b.say("rest %s: %.3f %% of a processor, %.0f times a second it slept", c.name,
				row.Percent[round], row.SleepsPerSecond[round])
		}
	}
	return nil
}

func (b *bench) restWith(ctx context.Context, c contender, length time.Duration, row *Rest) error {
	s, err := b.start(ctx, c, serverOptions{
		workers: restWorkers, memory: restMemoryMB, cores: []int{b.cfg.ServerCore, b.cfg.LoadCore},
	})
	if err != nil {
		return err
	}
	defer s.stop()
	wait := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return fmt.Errorf("ended while it was left alone; its last words:\n%s", s.log.tail())
		case <-time.After(d):
			return nil
		}
	}
	if err := wait(restSettle); err != nil {
		return err
	}
	before, began := procfs.Threads(s.pids()), time.Now()
	if err := wait(length); err != nil {
		return err
	}
	after, span := procfs.Threads(s.pids()), time.Since(began)
	row.Percent = append(row.Percent, 100*(after.Ran-before.Ran).Seconds()/span.Seconds())
	row.SleepsPerSecond = append(row.SleepsPerSecond,
		float64(after.Sleeps-before.Sleeps)/span.Seconds())
	return nil
}

// Rest is what one server used without traffic, by round.
type Rest struct {
	Name            string
	Percent         []float64 // of one processor
	SleepsPerSecond []float64 // of all threads: each began with a wake-up
}

func (r *Results) printRest(p *printer) {
	if len(r.Rest) == 0 {
		return
	}
	p.f("\n## Rest\n\nNo traffic, %d shards (Kamailio: children): what the server uses in %d s, "+
		"from /proc/PID/task/TID/schedstat, in per cent of one processor.\n",
		restWorkers, int(restWindow.Seconds()))
	p.table("| | % of a processor | sleeps/s |", "|---|---|---|")
	for i := range r.Rest {
		d := &r.Rest[i]
		p.f("| %s | %s | %s |\n", d.Name, triple(d.Percent, 2), triple(d.SleepsPerSecond, 0))
	}
}
