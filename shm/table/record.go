package table

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// record is the beginning of an entry; key and value follow in words. See the package document for
// the parts of each word.
//
// Readers load words atomically, since whoever reads may be overtaken by one who uses the record
// anew. Writers hold the lock of the record's stripe.
type record struct {
	chain uint64
	life  uint64
	size  uint64
}

const recordBytes = int(unsafe.Sizeof(record{}))

// Kind says what a value is.
type Kind uint8

// Kinds of values. They are the lowest byte of a life word, so 0 is none.
const (
	Int Kind = 1 + iota
	Text
)

func chainOf(next, hash uint32) uint64 { return uint64(next)<<32 | uint64(hash) }
func chainNext(chain uint64) uint32    { return uint32(chain >> 32) }
func chainHash(chain uint64) uint32    { return uint32(chain) }
func lifeKind(life uint64) Kind        { return Kind(life) }
func lifeVersion(life uint64) uint8    { return uint8(life >> 8) }
func lifeDeadline(life uint64) int64   { return int64(life >> 16) }
func lifeOver(life uint64, now int64) bool {
	return now >= lifeDeadline(life) && lifeDeadline(life) != never
}

func lifeOf(deadline int64, version uint8, kind Kind) uint64 {
	return uint64(deadline)<<16 | uint64(version)<<8 | uint64(kind)
}

func sizeOf(seq uint32, key, value int) uint64 {
	return uint64(value)<<48 | uint64(key)<<32 | uint64(seq)
}
func sizeSeq(size uint64) uint32 { return uint32(size) }
func sizeKey(size uint64) int    { return int(uint16(size >> 32)) }
func sizeValue(size uint64) int  { return int(size >> 48) }

// words is how many words n bytes take.
func words(n int) int { return (n + 7) / 8 }

// roomFor is the bytes of a record with such a key and value. A number's value is two words.
func roomFor(kind Kind, key, value int) int {
	if kind == Int {
		value = 16
	}
	return recordBytes + 8*(words(key)+words(value))
}

// word is word i behind the record. Whose memory: the table's region, until the arena is closed. In
// bounds: callers have checked that the record with its lengths ends inside the region.
func (r *record) word(i int) *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(r), recordBytes+8*i))
}

// keyIs tells whether the record's key, as long as key, is key.
func (r *record) keyIs(key []byte) bool {
	i := 0
	for ; len(key) >= 8; key = key[8:] {
		if atomic.LoadUint64(r.word(i)) != binary.LittleEndian.Uint64(key) {
			return false
		}
		i++
	}
	return len(key) == 0 || atomic.LoadUint64(r.word(i)) == tail(key)
}

// tail is the word of up to 7 bytes, filled up with zeros.
func tail(b []byte) uint64 {
	switch n := len(b); {
	case n >= 4:
		low, high := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[n-4:])
		return uint64(low) | uint64(high)<<(8*(n-4))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// write fills words from i on with b, and zeros up to a whole word.
func (r *record) write(i int, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		store(r.word(i), binary.LittleEndian.Uint64(b))
		i++
	}
	if len(b) > 0 {
		store(r.word(i), tail(b))
	}
}

// read copies the bytes from word i on into b.
func (r *record) read(i int, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, atomic.LoadUint64(r.word(i)))
		i++
	}
	if len(b) > 0 {
		w := atomic.LoadUint64(r.word(i))
		for j := range b {
			b[j] = byte(w >> (8 * j))
		}
	}
}

// textIs tells whether the value is this text. Under the lock.
func (r *record) textIs(text []byte) bool {
	i := words(sizeKey(r.size))
	if sizeValue(r.size) != len(text) {
		return false
	}
	for ; len(text) >= 8; text = text[8:] {
		if *r.word(i) != binary.LittleEndian.Uint64(text) {
			return false
		}
		i++
	}
	return len(text) == 0 || *r.word(i) == tail(text)
}

// number is the word of a number's value that counts under this life.
func (r *record) number(key int, life uint64) *uint64 {
	return r.word(words(key) + int(lifeVersion(life)&1))
}

// hash is keyed, so that nobody outside can aim at a bucket. Multiply and fold, 16 bytes at a time.
func (t *Table) hash(key []byte) uint32 {
	h := t.seed[0] ^ uint64(len(key))
	for ; len(key) >= 16; key = key[16:] {
		h = fold(binary.LittleEndian.Uint64(key)^t.seed[1], binary.LittleEndian.Uint64(key[8:])^h)
	}
	if len(key) >= 8 {
		h = fold(binary.LittleEndian.Uint64(key)^t.seed[1], h^t.seed[0])
		key = key[8:]
	}
	h = fold(tail(key)^t.seed[1], h^0x9e3779b97f4a7c15)
	return uint32(h ^ h>>32)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
