package shm

import "testing"

// TestShardOf: whose memory an offset is in is told for those that are handed out, and for strangers
// that none is.
func TestShardOf(t *testing.T) {
	a, err := Create(Config{Bytes: 8 << 20, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for shard := range 2 {
		off, ok := a.Slab(shard).Alloc(1, 256)
		if !ok {
			t.Fatal("no room")
		}
		a.Slab(shard).Publish(off)
		if got := a.ShardOf(off); got != shard {
			t.Errorf("%d is of shard %d, want %d", off, got, shard)
		}
	}
	for _, off := range []Off{0, 1, 1 << 31, 1<<32 - 1, Off(a.firstOff + uint32(a.g.chunks-1)*chunkUnits)} {
		if got := a.ShardOf(off); got != -1 {
			t.Errorf("%d is of shard %d, want none", off, got)
		}
	}
}
