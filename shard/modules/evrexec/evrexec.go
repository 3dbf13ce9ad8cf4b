// Package evrexec runs event routes at the start, and when a command asks for it: Kamailio's module
// evrexec.
package evrexec

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

const (
	// prefix begins the names of the events.
	prefix = "evrexec:"
	// maxWorkers is how often a task is run at most. Beyond: an error at load.
	maxWorkers = 64
	// maxData is the longest data of evrexec.run in bytes. Beyond: the command fails.
	maxData = 4096
)

// task is one value of the parameter exec.
type task struct {
	name    string // of the event, without prefix
	wait    time.Duration
	workers int
}

// module is what one load has.
type module struct {
	event *route.Event
	tasks []task
	first atomic.Pointer[route.Shard] // that runs the routes
	data  route.Value                 // $evr(data): of what was run last, by that shard
}

// Define is the module.
func Define(m *route.Module) {
	h := &module{}
	h.event = m.Event(prefix+"NAME",
		"A task of the parameter exec or of the command evrexec.run begins, on the first shard.")
	m.Each("exec", h.declare,
		"\"name=evrexec:NAME;wait=MICROSECONDS;workers=N\": a task whose event route runs at the "+
			"start, after wait, N times one after another. If the route waits, no shard waits "+
			"with it.")
	m.Started(func(c *route.Ctx) {
		h.first.Store(c.Shard)
		for _, t := range h.tasks {
			e := h.event.Named(t.name)
			for range t.workers {
				if t.wait == 0 {
					h.run(c, e, nil)
					continue
				}
				s := c.Shard
				time.AfterFunc(t.wait, func() {
					s.Later(func(c *route.Ctx) { h.run(c, e, nil) })
				})
			}
		}
	})
	m.Var(route.Var{Name: "evr", Inner: "data", Compile: h.variable,
		Doc: "The data given to evrexec.run; null in a task of exec."})
	m.Command("evrexec.run", "Runs an event route on the first shard, with data for $evr(data).",
		command.Words("event", "[data]"), h.command)
}

// declare takes a value of exec.
func (h *module) declare(s string) error {
	t := task{workers: 1}
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		n, err := strconv.Atoi(value)
		switch key {
		case "name":
			t.name = value
		case "wait":
			if err != nil || n < 0 {
				return fmt.Errorf("has a wait of %s: write a number of microseconds", route.Quote(value))
			}
			t.wait = time.Duration(n) * time.Microsecond
		case "workers":
			if err != nil || n < 0 || n > maxWorkers {
				return fmt.Errorf("has %s workers: write 0 to %d", route.Quote(value), maxWorkers)
			}
			t.workers = max(n, 1)
		case "sockaddr":
			return fmt.Errorf("has a sockaddr: no event route hears a socket here; have the data sent as " +
				"the body of a SIP request")
		default:
			return fmt.Errorf("has no attribute %s%s", route.Quote(key),
				route.DidYouMean(key, []string{"name", "wait", "workers"}))
		}
	}
	name, ok := strings.CutPrefix(t.name, prefix)
	if !ok || name == "" {
		return fmt.Errorf("is %s; it is such as \"name=evrexec:NAME;wait=1000;workers=1\", with "+
			"event_route[evrexec:NAME]", route.Quote(s))
	}
	t.name = name
	h.tasks = append(h.tasks, t)
	return nil
}

// run runs an event route with data.
func (h *module) run(c *route.Ctx, e *route.Event, data []byte) {
	h.data = route.Null
	if data != nil {
		h.data = route.TextValue(data)
	}
	e.Raise(c, nil)
}

// variable is $evr(data).
func (h *module) variable(b *route.VarBuild, inner, _ string) route.Place {
	if inner != "data" {
		b.Errorf("$evr has data, not %s", route.Quote(inner))
		return route.Place{}
	}
	return route.Place{NoRoom: true, Any: func(c *route.Ctx) route.Value {
		if c.Shard != h.first.Load() {
			return route.Null
		}
		return h.data
	}}
}

// command is evrexec.run.
func (h *module) command(a command.Args) (any, error) {
	name, ok := strings.CutPrefix(a.Text(0), prefix)
	e, s := h.event.Named(name), h.first.Load()
	switch {
	case !ok || !e.HasRoute():
		return nil, command.Faultf(404, "there is no event_route[%s] of the module evrexec", a.Text(0))
	case s == nil || s.Later == nil:
		return nil, command.Faultf(500, "the server is not started yet")
	case len(a.Text(1)) > maxData:
		return nil, command.Faultf(400, "the data has %d bytes: %d are possible", len(a.Text(1)), maxData)
	}
	data := []byte(a.Text(1))
	s.Later(func(c *route.Ctx) { h.run(c, e, data) })
	return "queued", nil
}
