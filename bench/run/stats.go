package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"syscall"
	"time"
)

// shardStats is one line that Viaduct writes per shard on SIGUSR1.
type shardStats struct {
	Shard                   *int              `json:"shard"`
	DatagramsIn             uint64            `json:"datagrams_in"`
	DatagramsOut            uint64            `json:"datagrams_out"`
	Requests                uint64            `json:"requests"`
	Replies                 uint64            `json:"replies"`
	Transactions            uint64            `json:"transactions"`
	RetransmissionsAbsorbed uint64            `json:"retransmissions_absorbed"`
	HandedOff               uint64            `json:"handed_off"`
	Dropped                 map[string]uint64 `json:"dropped"`
	ArenaUsedBytes          uint64            `json:"arena_used_bytes"`
	GoHeapBytes             uint64            `json:"go_heap_bytes"`
}

// stats asks a running Viaduct for its counters and waits for a line from each of its shards.
func (s *server) stats(shards int) ([]shardStats, error) {
	before := len(s.log.text())
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return nil, fmt.Errorf("cannot signal Viaduct: %w", err)
	}
	end := time.Now().Add(statsTime)
	for ; time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if found := parseStats(s.log.text()[before:]); len(found) >= shards {
			return found, nil
		}
	}
	return nil, fmt.Errorf("no counters of %d shards within %v of SIGUSR1", shards, statsTime)
}

// parseStats finds the JSON lines with a shard among other log lines. A line not ended yet is left
// for the next look.
func parseStats(text []byte) []shardStats {
	var out []shardStats
	for {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		if !ended {
			return out
		}
		text = rest
		open := bytes.IndexByte(line, '{')
		if open < 0 {
			continue
		}
		var st shardStats
		if json.Unmarshal(line[open:], &st) == nil && st.Shard != nil {
			out = append(out, st)
		}
	}
}

func arenaUsed(stats []shardStats) uint64 {
	var sum uint64
	for _, s := range stats {
		sum += s.ArenaUsedBytes
	}
	return sum
}

// goHeap is a figure of the process: every shard's line may repeat it.
func goHeap(stats []shardStats) uint64 {
	var most uint64
	for _, s := range stats {
		most = max(most, s.GoHeapBytes)
	}
	return most
}

// spread gives the messages worked on by the busiest shard and the mean over all.
func spread(before, after []shardStats) (busiest, mean float64, handedOff uint64) {
	base := map[int]shardStats{}
	for _, s := range before {
		base[*s.Shard] = s
	}
	for _, s := range after {
		b := base[*s.Shard]
		n := float64(s.Requests + s.Replies - b.Requests - b.Replies)
		busiest = max(busiest, n)
		mean += n / float64(len(after))
		handedOff += s.HandedOff - b.HandedOff
	}
	return busiest, mean, handedOff
}
