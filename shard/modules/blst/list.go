package blst

import (
	"time"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// blockWhose says which message's destinations a mask of blst_set_ignore() and its kin is for.
type blockWhose uint8

const (
	ofRequest blockWhose = iota
	ofReply
)

// blockTries is how often a shard asks for the table's lock: others hold it for a bounded number of
// entries at a time.
const blockTries = 4

// listed is the list, nil if it is off.
func listed(c *route.Ctx) *blocklist.Table {
	if l := c.Shard.Blocked; l != nil && l.Enabled() {
		return l
	}
	return nil
}

// blockedAs is where the message at hand came from, as the list has it.
func blockedAs(c *route.Ctx) (netio.Proto, netio.Addr) {
	a := *c.Source()
	proto := a.Proto
	a.Proto = 0
	return proto, a
}

// blockSource puts the source of the message on the list. ttl 0: Settings.Blocklist.Expire. It is
// false if the list is full or off, or ignores this reason for this protocol.
func blockSource(c *route.Ctx, ttl time.Duration) int {
	list := listed(c)
	if list == nil {
		return -1
	}
	proto, addr := blockedAs(c)
	cause := blocklist.Cause{Reasons: blocklist.Prohibited, TTL: ttl, Owner: "script",
		Ignore: ignored(c, ofRequest)}
	for range blockTries {
		switch list.Add(proto, &addr, cause, c.Shard.Core.Now()/1e6) {
		case blocklist.Added, blocklist.Updated:
			return 1
		case blocklist.Busy:
			continue
		}
		break
	}
	return -1
}

// unblockSource is blst_del(). It is false if the source was not on the list.
func unblockSource(c *route.Ctx) int {
	list := listed(c)
	if list == nil {
		return -1
	}
	proto, addr := blockedAs(c)
	return route.Truth(list.Delete(proto, &addr))
}

// sourceBlocked is blst_is_blocklisted().
func sourceBlocked(c *route.Ctx) bool {
	list := listed(c)
	if list == nil {
		return false
	}
	proto, addr := blockedAs(c)
	return list.Listed(proto, &addr, c.Shard.Core.Now()/1e6)
}

// setIgnored says which reasons put no destination of this request, or of the reply to it, on
// the list. No response ever lists its destination here, so that its mask is only remembered. In
// the reply route of a branch the mask of the request is the branch's.
func setIgnored(c *route.Ctx, whose blockWhose, mask blocklist.Reason) {
	switch {
	case whose == ofReply:
		c.ReplyIgnore = mask
	case c.Request != nil:
		c.Request.Ignore(mask)
	case c.Branch != nil:
		proxy.IgnoreOf(c.Branch, mask)
	}
}

func ignored(c *route.Ctx, whose blockWhose) blocklist.Reason {
	switch {
	case whose == ofReply:
		return c.ReplyIgnore
	case c.Request != nil:
		return c.Request.Ignored()
	case c.Branch != nil:
		return proxy.IgnoredOf(c.Branch)
	}
	return 0
}
