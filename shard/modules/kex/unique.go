package kex

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"

	"viaduct/shard/route"
)

// uniqueIDs declares $sruid. What it gives is unlike all that this server, or another one, has
// given before: 64 random bits drawn at the start, the shard, and a count.
func uniqueIDs(m *route.Module) {
	type ids struct {
		prefix []byte
		n      uint64
	}
	all := route.NewPerShard(m, func(shard int) *ids {
		var start [8]byte
		rand.Read(start[:]) // never fails (crypto/rand)
		b := append(hex.AppendEncode([]byte("srid-"), start[:]), '-')
		return &ids{prefix: append(strconv.AppendUint(b, uint64(shard), 16), '-')}
	})
	m.Var(route.Var{Name: "sruid", Doc: "A unique text, a new one each time.",
		Place: route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
			x := all.Of(c)
			x.n++
			v := c.Built(strconv.AppendUint(append(c.Room(), x.prefix...), x.n, 16))
			return v.S, !v.IsNull()
		}}})
}
