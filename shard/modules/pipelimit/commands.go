package pipelimit

import (
	"cmp"
	"fmt"
	"slices"

	"viaduct/shard/modules/ratelimit"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// maxListed is how many pipes a command shows.
const maxListed = 10_000

// shown is a pipe as pl.list shows it, in Kamailio's words.
type shown struct {
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"`
	Limit     int32  `json:"limit"`
	Counter   uint32 `json:"counter"`
	Last      uint32 `json:"last_counter"`

	rate int
}

// commands declares pl.*.
func (x *pipelimit) commands(m *route.Module) {
	m.View("pl.list", "Shows all pipes, or one.", command.Words("[name]"),
		func(a command.Args) (any, error) {
			if a.Len() == 0 {
				return x.all(), nil
			}
			v, verdict := x.pipes.Get([]byte(a.Text(0)), table.Now(), nil)
			if verdict != table.Done {
				return nil, command.Faultf(400, "Unknown pipe id %s", a.Text(0))
			}
			return x.shown([]byte(a.Text(0)), v.Int, table.Now()), nil
		})
	m.View("pl.stats", "Shows what each pipe counted in the last interval.", nil,
		func(command.Args) (any, error) {
			var all []string
			for _, s := range x.all() {
				all = append(all, fmt.Sprintf("PIPE: id=%s load=%d counter=%d", s.Name, s.rate,
					s.Last))
			}
			return all, nil
		})
	m.View("pl.get_pipes", "Shows the pipes, a line each.", nil,
		func(command.Args) (any, error) {
			var all []string
			for _, s := range x.all() {
				all = append(all, fmt.Sprintf("PIPE: id=%s algorithm=%s limit=%d counter=%d", s.Name,
					s.Algorithm, s.Limit, s.Counter))
			}
			return all, nil
		})
	m.Command("pl.set_pipe", "Gives a pipe another algorithm and limit.",
		command.Words("name", "algorithm", "#limit:0..2147483647"), x.setPipe)
	ratelimit.LoadCommands(m, "pl", x.load)
}

// shown is what commands show of a pipe.
func (x *pipelimit) shown(name []byte, number, now int64) shown {
	p, n := ratelimit.PipeOf(number), x.counts.Get(name, now)
	return shown{string(name), p.Algorithm.String(), p.Limit, n.Curr, n.Prev, p.Rate(n, x.load)}
}

// all are the pipes by name.
func (x *pipelimit) all() []shown {
	all := []shown{}
	now := table.Now()
	for at := uint32(0); ; {
		at = x.pipes.View(at, now, 100, func(e *table.Entry) {
			all = append(all, x.shown(e.Key, e.Int, now))
		})
		if at == 0 || len(all) >= maxListed {
			break
		}
	}
	slices.SortFunc(all, func(a, b shown) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (x *pipelimit) setPipe(a command.Args) (any, error) {
	algorithm, ok := ratelimit.Named([]byte(a.Text(1)))
	if !ok {
		return nil, command.Faultf(400, "Unknown algorithm")
	}
	name, now := []byte(a.Text(0)), table.Now()
	p := ratelimit.Pipe{Algorithm: algorithm, Limit: int32(a.Int(2, 0))}
	for {
		v, verdict := x.pipes.Get(name, now, nil)
		if verdict != table.Done {
			return nil, command.Faultf(400, "Unknown pipe id %s", name)
		}
		verdict = x.pipes.CompareAndPut(name, v, table.Number(p.Number()), x.renewed(v, now), now)
		switch verdict {
		case table.Done:
			return nil, nil
		case table.Full:
			return nil, command.Faultf(500, "there is no room: %v", verdict)
		}
	}
}
