package shm

import (
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/cespare/xxhash/v2"
)

// ownLayout hashes what two programs must agree on to share an arena, besides the users' records.
var ownLayout = LayoutOf(arenaHeader{}, shardBlock{}, mailboxMem{}, chunk{}, Header{}, classSizes,
	[6]uint64{Align, chunkBytes, ringHeadBytes, ringSlopBytes, ringWordBytes,
		ringSkip}) ^ constHash(classSizes[:])

func constHash(n []uint32) uint64 {
	var d xxhash.Digest
	d.Reset()
	_ = binary.Write(&d, binary.LittleEndian, n) // a Digest does not fail
	return d.Sum64()
}

// LayoutOf hashes the layouts of record types, given as values: for Config.Layout, so that no
// process reads another's records by the wrong map. Names, types, offsets and sizes of all fields
// count, and the order of the records. It panics if a record holds an address, since an address
// means nothing to the next process.
func LayoutOf(records ...any) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, r := range records {
		hashType(&d, reflect.TypeOf(r))
	}
	return d.Sum64()
}

func hashType(d *xxhash.Digest, t reflect.Type) {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8,
		reflect.Uint16, reflect.Uint32,
		reflect.Uint64, reflect.Float32, reflect.Float64:
		fmt.Fprintf(d, "%s %d\n", t.Kind(), t.Size())
	case reflect.Array:
		fmt.Fprintf(d, "[%d]", t.Len())
		hashType(d, t.Elem())
	case reflect.Struct:
		fmt.Fprintf(d, "struct %d\n", t.Size())
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(d, "%s %d ", f.Name, f.Offset)
			hashType(d, f.Type)
		}
	default:
		// int, uint and uintptr differ between machines, the rest are addresses.
		panic(fmt.Sprintf("BUG: shm record field of type %s has no place in an arena", t))
	}
}
