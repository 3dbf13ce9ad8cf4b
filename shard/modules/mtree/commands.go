package mtree

import (
	"errors"
	"maps"
	"slices"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// maxListed is how many prefixes a command shows.
const maxListed = 10_000

// What commands answer with, in Kamailio's words.
type (
	listed struct {
		Tree   string   `json:"tname"`
		Prefix string   `json:"tprefix"`
		Values []string `json:"tvalue"`
	}
	summary struct {
		Table string      `json:"table"`
		Item  summaryItem `json:"item"`
	}
	summaryItem struct {
		Kind  int   `json:"ttype"`
		Nodes int   `json:"nrnodes"`
		Items int   `json:"nritems"`
		Count int   `json:"reload_count"`
		Time  int64 `json:"reload_time"`
	}
	matched struct {
		Prefix string `json:"PREFIX"`
		Value  string `json:"TVALUE"`
	}
)

func (x *mtree) commands(m *route.Module) {
	m.View("mtree.list", "Shows the prefixes of all trees, or of one.", command.Words("[mtree]"),
		func(a command.Args) (any, error) {
			all := []listed{}
			for _, t := range x.named(a.Text(0)) {
				t.each(*x.chars, func(prefix string, values []value) {
					if len(all) >= maxListed {
						return
					}
					l := listed{Tree: t.name, Prefix: prefix}
					for _, v := range values {
						l.Values = append(l.Values, string(v.text))
					}
					all = append(all, l)
				})
			}
			return all, nil
		})
	m.View("mtree.summary", "Shows a summary of all trees, or of one.", command.Words("[mtree]"),
		func(a command.Args) (any, error) {
			all := []summary{}
			for _, t := range x.named(a.Text(0)) {
				all = append(all, summary{t.name, summaryItem{t.kind, len(t.values) - 1, t.items,
					t.times, t.read.Unix()}})
			}
			return all, nil
		})
	m.View("mtree.match", "Shows the value of the longest prefix of a text; with mode 2, the "+
		"values of all.",
		command.Words("mtree", "text", "[#mode]"), func(a command.Args) (any, error) {
			t := (*x.trees.Load())[a.Text(0)]
			if t == nil {
				return nil, command.Faultf(404, "Tree not found")
			}
			all := []matched{}
			t.walk([]byte(a.Text(1)), func(n int, values []value) {
				for i, v := range values {
					all = slices.Insert(all, i, matched{a.Text(1)[:n], string(v.text)})
				}
			})
			switch {
			case len(all) == 0:
				return nil, command.Faultf(404, "Prefix not found")
			case a.Int(2, 0) != 2:
				return all[0], nil
			}
			return all, nil
		})
	m.Command("mtree.reload", "Reads the tables of all trees again, or of one. A table with a "+
		"mistake changes nothing.", command.Words("[mtree]"), func(a command.Args) (any, error) {
		if err := x.reload(a.Text(0)); err != nil {
			var f *command.Fault
			if errors.As(err, &f) {
				return nil, f
			}
			return nil, command.Faultf(500, "%s", err)
		}
		return nil, nil
	})
}

// reload reads all trees again, or one.
func (x *mtree) reload(only string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	was := *x.trees.Load()
	if only != "" && was[only] == nil {
		return command.Faultf(404, "Tree not found")
	}
	all, err := x.read(only)
	if err != nil {
		return err
	}
	if only != "" {
		one := all[only]
		if all = maps.Clone(was); one == nil {
			delete(all, only)
		} else {
			all[only] = one
		}
	}
	x.trees.Store(&all)
	return nil
}

// named are all trees by name, or the one of a name.
func (x *mtree) named(name string) (all []*tree) {
	trees := *x.trees.Load()
	for _, n := range slices.Sorted(maps.Keys(trees)) {
		if name == "" || n == name {
			all = append(all, trees[n])
		}
	}
	return all
}
