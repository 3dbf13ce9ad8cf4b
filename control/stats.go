package control

import (
	"encoding/json"
	"fmt"
	"runtime/metrics"
)

// GoHeapBytes returns how much live and not yet collected Go objects take, read without stopping
// the world (runtime/metrics).
func GoHeapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// StatsLines returns one line of JSON per shard from the shards' own snapshots, each with the
// process's go_heap_bytes added.
func StatsLines[S any](shards []S) [][]byte {
	heap := GoHeapBytes()
	lines := make([][]byte, len(shards))
	for i := range shards {
		b, err := json.Marshal(&shards[i])
		if err != nil || len(b) < 3 || b[0] != '{' {
			panic(fmt.Sprintf("BUG: counters of shard %d are no JSON object: %q, %v", i, b, err))
		}
		lines[i] = fmt.Appendf(b[:len(b)-1], ",\"go_heap_bytes\":%d}", heap)
	}
	return lines
}
