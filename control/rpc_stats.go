package control

import (
	"fmt"
	"strconv"
	"strings"
)

// Statistic is a number by the name that Kamailio gives it, GROUP:NAME.
type Statistic struct {
	Group, Name string
	Value       uint64
}

// RegisterStatistics adds the methods stats.*, over what read returns, in its order.
func RegisterStatistics(r *RPC, read func() []Statistic) {
	params := []Param{{Name: "name", Repeated: true}}
	register := func(name, help string, answer func([]Statistic) any) {
		r.Register(&Method{Name: name,
			Help:   help + " A name is NAME, GROUP:NAME, GROUP: for all of it, or all.",
			Params: params, Call: func(a Args) (any, error) {
				var asked []Statistic
				all := read()
				for i := range a.Len() {
					for _, s := range all {
						if s.meant(a.Text(i)) {
							asked = append(asked, s)
						}
					}
				}
				return answer(asked), nil
			}})
	}
	register("stats.get_statistics", "Reads statistics, a line each.", func(all []Statistic) any {
		lines := make([]string, 0, len(all))
		for _, s := range all {
			lines = append(lines, fmt.Sprintf("%s:%s = %d", s.Group, s.Name, s.Value))
		}
		return lines
	})
	register("stats.fetch", "Reads statistics as texts by name.", func(all []Statistic) any {
		m := map[string]string{}
		for _, s := range all {
			m[s.Group+"."+s.Name] = strconv.FormatUint(s.Value, 10)
		}
		return m
	})
	register("stats.fetchn", "Reads statistics as numbers by name.", func(all []Statistic) any {
		m := map[string]uint64{}
		for _, s := range all {
			m[s.Group+"."+s.Name] = s.Value
		}
		return m
	})
}

// meant reports whether a word of a question is about the statistic.
func (s *Statistic) meant(word string) bool {
	if group, ok := strings.CutSuffix(word, ":"); ok {
		return group == s.Group
	}
	if group, name, ok := strings.Cut(word, ":"); ok {
		return group == s.Group && name == s.Name
	}
	return word == "all" || word == s.Name || word == s.Group+"."+s.Name
}

// RegisterTransactions adds tm.stats, whose answer read returns.
func RegisterTransactions(r *RPC, read func() any) {
	r.Register(&Method{Name: "tm.stats", Help: "Reads the counters of transactions.",
		Call: func(Args) (any, error) { return read(), nil }})
}
