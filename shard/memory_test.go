package shard

import (
	"path"
	"testing"
)

// TestOpenCallMemory counts what calls that ring take of the arena: the transaction, the INVITE as
// it left, and of files whose routes run later, the INVITE as it came, and the $avp (stock.cfg and
// sbc.cfg set one). sbc.cfg makes the INVITE 300 bytes longer.
func TestOpenCallMemory(t *testing.T) {
	const calls = 2000
	bounds := map[string]uint64{"lb.cfg": 1536, "stateful.cfg": 1536, "stateless.cfg": 0,
		"htable.cfg": 1920, "stock.cfg": 1984, "sbc.cfg": 2176}
	for _, config := range callConfigs {
		most := bounds[path.Base(config)]
		c := newCaller(t, config)
		ring := func() {
			c.n++
			c.request(tmplInvite)
			c.expect("INVITE ")
			c.reply("SIP/2.0 180 Ringing\r\n", tmpl180)
			c.expect("SIP/2.0 180")
		}
		ring()
		before := c.w.slab.UsedBytes()
		for range calls {
			ring()
		}
		each := (c.w.slab.UsedBytes() - before) / calls
		t.Logf("%s: %d bytes for a call that rings, whose INVITE has %d", path.Base(config), each,
			len(tmplInvite))
		if each > most {
			t.Errorf("%s: %d bytes for a call that rings, want %d at most", path.Base(config), each,
				most)
		}
		c.close() // 256 MiB
	}
}
