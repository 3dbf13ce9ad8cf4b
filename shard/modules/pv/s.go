package pv

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math"
	"strconv"

	"viaduct/shard/route"
)

// texts are the transformations {s.…}.
func texts(m *route.Module) {
	number := func(name string, f func(b []byte) int64, doc string) {
		route.Transform0(m, name, doc, func(c *route.Ctx, v route.Value) route.Value {
			return route.IntValue(f(c.TextOf(v)))
		})
	}
	number("s.len", func(b []byte) int64 { return int64(len(b)) }, "The number of bytes.")
	route.Transform0(m, "s.int", "The text as a number; an empty text is 0.", toInt)
	cuts(m)
	changes(m)
	escapes(m)
	codes(m)
	made(m, "s.md5", "The MD5 of the text, in hexadecimal digits.",
		hashed(func(dst, b []byte) []byte {
			sum := md5.Sum(b)
			return hex.AppendEncode(dst, sum[:])
		}))
	made(m, "s.sha256", "The SHA-256 of the text, in hexadecimal digits.",
		hashed(func(dst, b []byte) []byte {
			sum := sha256.Sum256(b)
			return hex.AppendEncode(dst, sum[:])
		}))
	made(m, "s.sha384", "The SHA-384 of the text, in hexadecimal digits.",
		hashed(func(dst, b []byte) []byte {
			sum := sha512.Sum384(b)
			return hex.AppendEncode(dst, sum[:])
		}))
	made(m, "s.sha512", "The SHA-512 of the text, in hexadecimal digits.",
		hashed(func(dst, b []byte) []byte {
			sum := sha512.Sum512(b)
			return hex.AppendEncode(dst, sum[:])
		}))
	size := route.Optional(route.Int("size", math.MinInt32, math.MaxInt32,
		"how many values there may be, a power of 2; 0: 2^32"), 0)
	route.Transform1(m, "s.corehash", size, "The hash of the text, computed as Kamailio's core "+
		"does.",
		corehash)
	format := route.Text("format", "as in strftime(3)")
	route.Transform1(m, "s.ftime", route.Rest(format),
		"The time given by the text, in seconds since 1970.", ftime)
}

// made declares a transformation whose text is built: f appends it to what it is given, and says
// false if there is none. most is how long it can get.
func made(m *route.Module, name, doc string, f maker) {
	route.Transform0(m, name, doc,
		func(c *route.Ctx, v route.Value) route.Value { return f.of(c, v) })
}

// maker appends a text made of b. It says false if there is none.
type maker struct {
	make func(dst, b []byte) ([]byte, bool)
	// most is how many bytes are made of n at most.
	most func(n int) int
}

// of runs f. What may have no room is not begun.
func (f *maker) of(c *route.Ctx, v route.Value) route.Value {
	b := c.TextOf(v)
	room := c.Room()
	if f.most(len(b)) > cap(room) {
		return c.TooLong()
	}
	out, ok := f.make(room, b)
	if !ok {
		return route.Null
	}
	return c.Built(out)
}

// times is a most: so many bytes for each, and a few more.
func times(factor, more int) func(int) int { return func(n int) int { return n*factor + more } }

// always is a maker that always makes one.
func always(f func(dst, b []byte) []byte, most func(int) int) maker {
	return maker{func(dst, b []byte) ([]byte, bool) { return f(dst, b), true }, most}
}

func hashed(f func(dst, b []byte) []byte) maker {
	return always(f, times(0, 2*sha512.Size))
}

func toInt(_ *route.Ctx, v route.Value) route.Value {
	b := v.S
	if !v.IsText() {
		return v
	}
	if v.Counts() {
		return route.IntValue(v.Int())
	}
	// Kamailio takes what is empty, or a sign, for 0.
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	if len(digits) == 0 {
		return route.NoNumber
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return route.Null
		}
	}
	if len(bytes.TrimLeft(digits, "0")) > 18 {
		return route.Null
	}
	var n int64
	for _, d := range digits {
		n = n*10 + int64(d-'0')
	}
	if len(b) > 0 && b[0] == '-' {
		n = -n
	}
	return route.IntValue(n)
}

// corehash is core_hash() of Kamailio: a text, as there. A size is taken as a mask.
func corehash(c *route.Ctx, v route.Value, size int) route.Value {
	h := CoreHash(c.TextOf(v), nil)
	if size != 0 {
		h &= uint32(size) - 1
	}
	return c.Built(strconv.AppendUint(c.Room(), uint64(h), 10))
}

// CoreHash is the hash of one text, or of two one after the other.
func CoreHash(a, b []byte) uint32 {
	h := hashOf(0, a)
	if len(b) > 0 {
		h = hashOf(h, b)
	}
	return h + h>>11 + h>>13 + h>>23
}

// hashOf takes four bytes at a time, and what is left as one number. A byte has a sign, as on the
// machines that Kamailio is built for.
func hashOf(h uint32, b []byte) uint32 {
	at := func(i int) uint32 { return uint32(int8(b[i])) }
	for ; len(b) >= 4; b = b[4:] {
		v := at(0)<<24 + at(1)<<16 + at(2)<<8 + at(3)
		h += v ^ v>>3
	}
	var v uint32
	for i := range b {
		v = v<<8 + at(i)
	}
	return h + (v ^ v>>3)
}
