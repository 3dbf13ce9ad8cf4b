package main

import "testing"

const statsText = `time=2026-01-02 level=INFO msg="viaduct ready"
{"shard":0,"datagrams_in":10,"requests":6,"replies":4,"handed_off":1,"dropped":{"bad CSeq":2},"arena_used_bytes":4096,"go_heap_bytes":100}
something else { not json
{"level":"info"}
prefix {"shard":1,"datagrams_in":20,"requests":12,"replies":8,"handed_off":2,"arena_used_bytes":128,"go_heap_bytes":100}
{"shard":2,"datagrams_in":`

func TestParseStats(t *testing.T) {
	got := parseStats([]byte(statsText))
	if len(got) != 2 || *got[0].Shard != 0 || *got[1].Shard != 1 || got[0].Dropped["bad CSeq"] != 2 ||
		got[1].Requests != 12 {
		t.Fatalf("%+v", got)
	}
	if arenaUsed(got) != 4224 || goHeap(got) != 100 {
		t.Errorf("arena %d, heap %d", arenaUsed(got), goHeap(got))
	}
}

func TestSpread(t *testing.T) {
	shard := func(n int, requests, replies, handed uint64) shardStats {
		return shardStats{Shard: &n, Requests: requests, Replies: replies, HandedOff: handed}
	}
	busiest, mean, handed := spread([]shardStats{shard(0, 100, 0, 5), shard(1, 0, 0, 0)},
		[]shardStats{shard(1, 40, 60, 1), shard(0, 200, 40, 5)})
	if busiest != 140 || mean != 120 || handed != 1 {
		t.Errorf("busiest %g, mean %g, handed off %d", busiest, mean, handed)
	}
}

func TestArguments(t *testing.T) {
	f := func(key string, o serverOptions, want string) {
		t.Helper()
		c := findContender(key)
		got := ""
		for _, a := range c.arguments(o) {
			got += " " + a
		}
		if got[1:] != want {
			t.Errorf("%s: %s, want %s", key, got[1:], want)
		}
	}
	f("forwarder", serverOptions{}, "127.0.0.1 5060 6000 7000 8")
	f("forwarder-batched", serverOptions{}, "-b 127.0.0.1 5060 6000 7000 8")
	f("kamailio-lb", serverOptions{dir: "x"}, "-f lb.cfg -DD -E -w x -n 2 -m 4096 -M 16 -x tlsf -X tlsf")
	f("viaduct-lb", serverOptions{dir: "x", workers: 4, memory: 3072}, "-f lb.cfg -D -E -w x -n 4 -m 3072")
}
