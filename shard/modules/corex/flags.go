package corex

import "viaduct/shard/route"

// The further flags of a transaction are kept with its variables, under names that no script can
// write.
var (
	extendedKey = route.KeyOf([]byte("\x00xflags"))
	internalKey = route.KeyOf([]byte("\x00iflags"))
)

// kept are the flags under a key.
func kept(c *route.Ctx, key *route.Key) uint64 {
	k := c.Kept()
	if i := k.Nth(route.AVPs, key, false, 0); i != 0 {
		return uint64(k.Value(i).Int())
	}
	return 0
}

// keep replaces them.
func keep(c *route.Ctx, key *route.Key, flags uint64) route.Result {
	k, v := c.Kept(), route.IntValue(int64(flags))
	if i := k.Nth(route.AVPs, key, false, 0); i != 0 {
		return route.Truth(k.Replace(i, v))
	}
	return route.Truth(k.Push(route.AVPs, key, v) != 0)
}

// flags declares setxflag and its like, msg_iflag_set and its like, and those of our Via.
func flags(m *route.Module) {
	beyond := func(n, _, _ int) (int, route.Result) { return n, -1 }
	flag := route.Int("flag", 0, 63, "the flag", beyond)
	route.Func1(m, "setxflag", route.Anywhere, flag,
		"Sets one of 64 further flags of the transaction.",
		func(c *route.Ctx, n int) route.Result {
			return keep(c, &extendedKey, kept(c, &extendedKey)|1<<n)
		})
	route.Func1(m, "resetxflag", route.Anywhere, flag,
		"Clears one of the further flags of the transaction.",
		func(c *route.Ctx, n int) route.Result {
			if f := kept(c, &extendedKey); f>>n&1 != 0 {
				return keep(c, &extendedKey, f&^(1<<n))
			}
			return 1
		})
	route.Func1(m, "isxflagset", route.Anywhere, flag,
		"Tells whether one of the further flags of the transaction is set.",
		func(c *route.Ctx, n int) route.Result { return route.Truth(kept(c, &extendedKey)>>n&1 != 0) })

	names := map[string]uint64{"USE_UAC_FROM": 1, "USE_UAC_TO": 2, "UAC_AUTH": 4}
	name := route.Text("flag", "USE_UAC_FROM, USE_UAC_TO or UAC_AUTH")
	route.Func1(m, "msg_iflag_set", route.Anywhere, name,
		"Sets an internal flag of the message, which only msg_iflag_is_set reads. False: there is "+
			"no such flag. Kamailio 5.6.3 is true then, and crashes when the message leaves.",
		func(c *route.Ctx, name []byte) route.Result {
			bit := names[string(name)]
			return route.Truth(bit != 0 && keep(c, &internalKey, kept(c, &internalKey)|bit) > 0)
		})
	route.Func1(m, "msg_iflag_reset", route.Anywhere, name,
		"Clears an internal flag of the message. False: there is no such flag.",
		func(c *route.Ctx, name []byte) route.Result {
			bit := names[string(name)]
			return route.Truth(bit != 0 && keep(c, &internalKey, kept(c, &internalKey)&^bit) > 0)
		})
	route.Func1(m, "msg_iflag_is_set", route.Anywhere, name,
		"Tells whether an internal flag of the message is set. -1: there is no such flag, -2: it "+
			"is not set.",
		func(c *route.Ctx, name []byte) route.Result {
			switch bit := names[string(name)]; {
			case bit == 0:
				return -1
			case kept(c, &internalKey)&bit == 0:
				return -2
			}
			return 1
		})

	on := route.Int("on", 0, 1, "1: on, 0: off", route.AsIs)
	route.Func1(m, "via_add_srvid", route.Anywhere, on,
		"Makes our Via in this request name the server, as srvid=N, if server_id is not 0.",
		func(c *route.Ctx, on int) route.Result {
			if c.Request != nil {
				c.Request.NameServer(on != 0)
			}
			return 1
		})
}
