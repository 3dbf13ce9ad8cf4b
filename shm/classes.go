package shm

// class is one slot size. All are multiples of Align.
type class struct {
	bytes uint32 // slot size, header included
	units uint32 // the same in units of Off
	slots uint32 // slots in one chunk
}

// classSizes is dense up to 1024 bytes, where transactions and most SIP messages are: a slot wastes
// 63 bytes at most there, and a fifth of itself up to 2048.
// Each class in use pins at least one chunk per shard, so there are no more than that. The last
// three divide a chunk by 4, 3 and 2.
var classSizes = [...]uint32{
	64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1024, 1152, 1280, 1536,
	1792, 2048, 2560, 3072, 4096,
	6144, 8192, 12288, 16384, 32768, 65536, 87360, maxClassBytes,
}

const (
	numClasses = uint8(len(classSizes))
	// spanClass in Header.Class marks a slot of whole chunks.
	spanClass = numClasses
)

var classes = func() (t [numClasses]class) {
	for i, n := range classSizes {
		t[i] = class{bytes: n, units: n / Align, slots: chunkBytes / n}
	}
	return t
}()

// classOf maps a size, in units of Align rounded up, to its class: 2 KiB of which a SIP proxy
// touches the first line.
var classOf = func() (t [maxClassBytes/Align + 1]uint8) {
	c := uint8(0)
	for u := range t {
		if uint32(u) > classSizes[c]/Align {
			c++
		}
		t[u] = c
	}
	return t
}()

// SlotBytes is what Alloc of n bytes takes from the arena: the size of the class, or of the span,
// that n falls into.
func SlotBytes(n int) int {
	if n <= maxClassBytes {
		return int(classSizes[classOf[(n+Align-1)/Align]])
	}
	return (n + chunkBytes - 1) / chunkBytes * chunkBytes
}
