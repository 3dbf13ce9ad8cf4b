package stream

import (
	"bytes"
	"testing"

	"github.com/valyala/bytebufferpool"
)

// BenchmarkMessagePool is what it costs to take a message for a shard's queue and to give it back:
// ours, a record with its bytes in one pool, against a pool of buffers beside a pool of records.
func BenchmarkMessagePool(b *testing.B) {
	text := bytes.Repeat([]byte("x"), 700)
	b.Run("ours", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m := newInMsg(text)
				if len(m.data) != len(text) {
					b.Fail()
				}
				m.free()
			}
		})
	})
	b.Run("bytebufferpool", func(b *testing.B) {
		type record struct {
			_   inMsg
			buf *bytebufferpool.ByteBuffer
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m := record{buf: bytebufferpool.Get()} // the record itself for nothing
				m.buf.B = append(m.buf.B, text...)
				if len(m.buf.B) != len(text) {
					b.Fail()
				}
				bytebufferpool.Put(m.buf)
			}
		})
	})
}
