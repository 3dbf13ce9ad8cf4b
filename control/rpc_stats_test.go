package control

import (
	"strings"
	"testing"
)

func TestStatistics(t *testing.T) {
	r := NewRPC()
	RegisterStatistics(r, func() []Statistic {
		return []Statistic{{"core", "rcv_requests", 3}, {"core", "rcv_replies", 2}, {"htable", "full", 1}}
	})
	f := func(line, want string) {
		t.Helper()
		if got := strings.TrimSpace(string(r.Call(line))); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	f("stats.get_statistics all", `["core:rcv_requests = 3","core:rcv_replies = 2","htable:full = 1"]`)
	f("stats.get_statistics core:", `["core:rcv_requests = 3","core:rcv_replies = 2"]`)
	f("stats.get_statistics full core:rcv_replies nix", `["htable:full = 1","core:rcv_replies = 2"]`)
	f("stats.fetch htable:", `{"htable.full":"1"}`)
	f("stats.fetchn htable.full rcv_requests", `{"core.rcv_requests":3,"htable.full":1}`)
	f("stats.fetch nix", `{}`)
	if got := string(r.Call("stats.fetch")); !strings.Contains(got, "name is missing") {
		t.Error(got)
	}
}
