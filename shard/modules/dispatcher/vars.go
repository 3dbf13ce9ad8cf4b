package dispatcher

import "viaduct/shard/route"

// destinationVars are the XAVP that shows the destinations chosen, one item each, the one at hand
// first: $xavp(_dsdst_=>uri).
type destinationVars struct {
	xavp  *string
	given *bool
	mode  *int
	empty *bool // attrs is there in any case
	// failover tells whether the program goes through the destinations: flags has 2. Without it they
	// are not shown either, as in Kamailio.
	failover func() bool
}

// Bits of xavp_dst_mode.
const (
	withoutAttrs = 1 << iota
	withSocket
	withSocketName
)

var (
	keyGroup  = route.KeyOf([]byte("grp"))
	keyURI    = route.KeyOf([]byte("uri"))
	keyID     = route.KeyOf([]byte("dstid"))
	keyAttrs  = route.KeyOf([]byte("attrs"))
	keySocket = route.KeyOf([]byte("socket"))
	keyName   = route.KeyOf([]byte("sockname"))
)

// none takes it away.
func (v *destinationVars) none(c *route.Ctx) {
	if *v.given {
		key := route.KeyOf([]byte(*v.xavp))
		c.Kept().RemoveAll(route.XAVPs, &key, true)
	}
}

// list writes it. What has no room is left out.
func (v *destinationVars) list(c *route.Ctx) {
	if !*v.given || !v.failover() {
		return
	}
	v.none(c)
	k, key := c.Kept(), route.KeyOf([]byte(*v.xavp))
	table := c.Shard.Core.Targets()
	for _, uid := range c.Request.ListedTargets() {
		t := table.Target(uid)
		if t == nil {
			continue
		}
		item := k.PushLast(route.XAVPs, &key, route.Null)
		if item == 0 {
			return
		}
		put := func(key *route.Key, text string, always bool) {
			if always || text != "" {
				k.PushLast(item, key, route.TextValue([]byte(text)))
			}
		}
		k.PushLast(item, &keyGroup, route.IntValue(int64(t.SetID)))
		put(&keyURI, t.URI, true)
		put(&keyID, t.Attrs.DUID, false)
		if *v.mode&withoutAttrs == 0 {
			put(&keyAttrs, t.Attrs.Body, *v.empty)
		}
		if *v.mode&withSocket != 0 {
			put(&keySocket, t.Attrs.Socket, false)
		}
		if *v.mode&withSocketName != 0 {
			put(&keyName, t.Attrs.SocketName, false)
		}
	}
}
