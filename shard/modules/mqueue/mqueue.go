// Package mqueue has queues of keys and values that all shards share: Kamailio's module mqueue.
package mqueue

import (
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// module is what one load declares.
type module struct {
	queues []*queue // in the order of the file
	byName map[string]*queue
	last   *route.PerShard[map[*queue]*item]
}

// item is what a shard has fetched last from a queue.
type item struct {
	there      bool
	buf        []byte // a record: key and value are parts of it
	key, value []byte
}

// Define is the module.
func Define(m *route.Module) {
	h := &module{byName: map[string]*queue{}}
	m.Each("mqueue", h.declare,
		"A queue, \"name=NAME;size=N;addmode=MODE\". It holds `size` items, 8,192 without that, "+
			"and then drops the oldest for each new one. MODE 1: a key that is already waiting is "+
			"not added; 2: it replaces the waiting one.")
	size := m.Int("mqueue_size", 0, 0, maxItems,
		"The size of the queues that later lines declare with mqueue_name; 0 means 8,192.")
	mode := m.Int("mqueue_addmode", 0, 0, 2,
		"The addmode of the queues that later lines declare with mqueue_name.")
	m.Each("mqueue_name", func(name string) error {
		return h.add(&queue{name: name, items: *size, mode: *mode}, name)
	}, "A queue, by its name alone.")
	m.IdleText("queues stay in memory over a restart; no database is needed", "db_url")
	h.last = route.NewPerShard(m, func(int) *map[*queue]*item {
		all := map[*queue]*item{}
		for _, q := range h.queues {
			all[q] = &item{}
		}
		return &all
	})
	dropped := m.Count("dropped",
		"Items that were dropped because the queue was full or they were too long.")
	m.Open(func(s *route.State) error {
		for _, q := range h.queues {
			if err := q.open(s); err != nil {
				return err
			}
		}
		return nil
	})

	name := route.Text("name", "the queue")
	route.Func3(m, "mq_add", route.Anywhere, name, route.Text("key", "the item's key"),
		route.Text("value", "the item's value"), "Adds an item to a queue.",
		func(c *route.Ctx, name, key, value []byte) route.Result {
			q := h.byName[string(name)]
			if q == nil {
				return -1
			}
			ok, lost := q.add(c.Room(), key, value, c.NowMs())
			for range lost {
				dropped.Add(c)
			}
			return route.Truth(ok)
		})
	route.Func1(m, "mq_fetch", route.Anywhere, name,
		"Removes the oldest item of a queue, for $mqk and $mqv. -2: the queue is empty.",
		func(c *route.Ctx, name []byte) route.Result {
			q := h.byName[string(name)]
			if q == nil {
				return -1
			}
			x := (*h.last.Of(c))[q]
			if x.there = q.fetch(x, c.NowMs()); !x.there {
				return -2
			}
			return 1
		})
	route.Func1(m, "mq_pv_free", route.Anywhere, name, "Forgets the item that mq_fetch has "+
		"removed.",
		func(c *route.Ctx, name []byte) route.Result {
			if q := h.byName[string(name)]; q != nil {
				(*h.last.Of(c))[q].there = false
			}
			return 1
		})
	route.Func1(m, "mq_size", route.Anywhere, name,
		"Returns how many items a queue has; -1: none, -2: there is no such queue.",
		func(c *route.Ctx, name []byte) route.Result {
			q := h.byName[string(name)]
			if q == nil {
				return -2
			}
			if n := q.size(); n > 0 {
				return n
			}
			return -1
		})
	h.variable(m, "mqk", "The key of the item that mq_fetch has removed from a queue.",
		func(x *item) []byte { return x.key })
	h.variable(m, "mqv", "The value of the item that mq_fetch has removed from a queue.",
		func(x *item) []byte { return x.value })

	m.Var(route.Var{Name: "mq_size", Inner: "NAME", Doc: "How many items a queue has.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			q := h.byName[inner]
			if q == nil {
				b.Warnf("$mq_size(%s) is null: modparam(\"mqueue\", \"mqueue\", ...) declares no such "+
					"queue", inner)
				return route.Place{NoRoom: true, Any: func(*route.Ctx) route.Value { return route.Null }}
			}
			return route.Place{NoRoom: true,
				Int: func(*route.Ctx) (int64, bool) { return int64(q.size()), true }}
		}})

	m.View("mqueue.get_sizes", "Shows how many items the queues have.", nil,
		func(command.Args) (any, error) {
			all := map[string]int{}
			for _, q := range h.queues {
				all[q.name] = q.size()
			}
			return all, nil
		})
	m.Command("mqueue.fetch", "Removes the oldest item of a queue and "+
		"shows it.", command.Words("name"),
		func(a command.Args) (any, error) {
			q := h.byName[a.Text(0)]
			if q == nil {
				return nil, command.Faultf(404, "no such queue")
			}
			var x item
			if !q.fetch(&x, table.Now()) {
				return nil, command.Faultf(404, "the queue is empty")
			}
			return map[string]string{"key": string(x.key), "val": string(x.value)}, nil
		})
	m.View("mqueue.get_size", "Shows how many items a queue has.", command.Words("name"),
		func(a command.Args) (any, error) {
			q := h.byName[a.Text(0)]
			if q == nil {
				return nil, command.Faultf(404, "no such queue")
			}
			return map[string]any{"name": q.name, "size": q.size()}, nil
		})
}

// variable declares one of the variables of what was fetched.
func (h *module) variable(m *route.Module, name, doc string, part func(*item) []byte) {
	m.Var(route.Var{Name: name, Inner: "NAME", Doc: doc,
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			q := h.byName[inner]
			if q == nil {
				b.Warnf("$%s(%s) is null: modparam(\"mqueue\", \"mqueue\", ...) declares no such "+
					"queue", name, inner)
			}
			return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
				if q == nil {
					return nil, false
				}
				x := (*h.last.Of(c))[q]
				if !x.there {
					return nil, false
				}
				text := part(x)
				return text, len(text) > 0 // an empty one is null (5.6.3)
			}, NoRoom: true}
		}})
}
