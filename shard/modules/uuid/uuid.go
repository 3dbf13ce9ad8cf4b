// Package uuid makes universally unique identifiers: Kamailio's module uuid (RFC 9562).
package uuid

import (
	crypto "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	makers := route.NewPerShard(m, newMaker)
	m.Var(route.Var{Name: "uuid", Inner: "TYPE",
		Doc: "A new identifier each time: g or r, of random bits; t or s, of time and random bits.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			timed := false
			switch inner {
			case "g", "r":
			case "t", "s":
				timed = true
			default:
				b.Errorf("there is no $uuid(%s); there are g, r, t and s", inner)
			}
			return route.Place{Any: func(c *route.Ctx) route.Value {
				x := makers.Of(c)
				var id [16]byte
				if timed {
					id = x.timed(time.Now())
				} else {
					id = x.random()
				}
				return c.Built(appendID(c.Room(), &id))
			}}
		}})
}

// maker makes identifiers on one shard, without asking the kernel for each.
type maker struct {
	source *rand.ChaCha8
	last   int64 // the time of the last one, in units of 100 ns
	node   [8]byte
}

func newMaker(int) *maker {
	var seed [32]byte
	crypto.Read(seed[:])
	x := &maker{source: rand.NewChaCha8(seed)}
	binary.BigEndian.PutUint64(x.node[:], x.source.Uint64())
	x.node[0] = x.node[0]&0x3f | 0x80 // the variant
	x.node[2] |= 1                    // a node that is no network card's (§6.10)
	return x
}

// random is a UUID of version 4 (§5.4).
func (x *maker) random() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], x.source.Uint64())
	binary.BigEndian.PutUint64(id[8:], x.source.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// epoch is how many seconds before 1970 the time of version 1 begins: on 15 October 1582.
const epoch = 12219292800

// timed is a UUID of version 1 (§5.1). Two of one shard never have the same time.
func (x *maker) timed(now time.Time) (id [16]byte) {
	t := (now.Unix()+epoch)*1e7 + int64(now.Nanosecond())/100
	if t <= x.last {
		t = x.last + 1
	}
	x.last = t
	binary.BigEndian.PutUint32(id[:], uint32(t))
	binary.BigEndian.PutUint16(id[4:], uint16(t>>32))
	binary.BigEndian.PutUint16(id[6:], uint16(t>>48)&0x0fff|0x1000)
	copy(id[8:], x.node[:])
	return id
}

// appendID writes an identifier as text (§4).
func appendID(dst []byte, id *[16]byte) []byte {
	from := 0
	for _, to := range [...]int{4, 6, 8, 10, 16} {
		if from > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[from:to])
		from = to
	}
	return dst
}
