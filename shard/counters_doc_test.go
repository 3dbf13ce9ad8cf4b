package shard

import (
	"os"
	"strings"
	"testing"

	"viaduct/shard/proxy"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// TestCountersPage: docs/counters.md says of each counter what its declaration says.
func TestCountersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/counters.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []shm.Count
	for n := 1; n < countEnd; n++ {
		all = append(all, counted[n])
	}
	for _, c := range append(append(all, txn.Counted[:]...), proxy.Counted[:]...) {
		if c.Name == "" || c.Help == "" {
			t.Errorf("%+v has no name or no text", c)
		}
		row := "| `" + c.Name + "` | "
		if c.Gauge {
			row += "gauge: "
		}
		if row += c.Help + " |"; !strings.Contains(string(page), "\n"+row+"\n") {
			t.Errorf("docs/counters.md lacks the row\n%s", row)
		}
	}
	if len(proxy.Counted) != int(proxy.CounterEnd-proxy.CounterBase-1) ||
		len(txn.Counted) != int(txn.CounterEnd-txn.CounterBase-1) {
		t.Error("a counter has no description")
	}
}
