package control

import (
	"encoding/json"
	"testing"
)

func TestStatsLines(t *testing.T) {
	type shard struct {
		Shard   int               `json:"shard"`
		Dropped map[string]uint64 `json:"dropped"`
	}
	lines := StatsLines([]shard{{0, map[string]uint64{"a": 1}}, {1, nil}})
	if len(lines) != 2 {
		t.Fatal(len(lines))
	}
	for i, line := range lines {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if v["shard"] != float64(i) || v["go_heap_bytes"].(float64) < 1000 {
			t.Errorf("%s", line)
		}
	}
}
