package route

import (
	"time"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
)

// blockSource is blst_add([seconds]).
func blockSource(cc *compiler, x *syntax.Call) callFn {
	ttl := intArg{}
	if len(x.Args) > 0 {
		var ok bool
		if ttl, ok = cc.intArg(x, 0, "the time", 0, maxSeconds); !ok {
			return nil
		}
	}
	return func(c *Ctx) int {
		n, ok := ttl.within(c, maxSeconds)
		if !ok {
			return -1
		}
		return c.blockSource(time.Duration(n) * time.Second)
	}
}

// blockRetryAfter is blst_add_retry_after(min, max): for as long as Retry-After says, within the two. Without Retry-After it is false.
func blockRetryAfter(cc *compiler, x *syntax.Call) callFn {
	least, ok1 := cc.intArg(x, 0, "the least time", 0, maxSeconds)
	most, ok2 := cc.intArg(x, 1, "the longest time", 0, maxSeconds)
	if !ok1 || !ok2 {
		return nil
	}
	if least.val == nil && most.val == nil && least.n > most.n {
		cc.ld.errorf(x.Pos, "blst_add_retry_after: the least time, %d, is above the longest, %d", least.n, most.n)
		return nil
	}
	return func(c *Ctx) int {
		from, ok1 := least.within(c, maxSeconds)
		to, ok2 := most.within(c, maxSeconds)
		if !ok1 || !ok2 || from > to {
			return -1
		}
		after, ok := c.retryAfter()
		if !ok {
			return -1
		}
		n := min(max(after, from), to)
		if n == 0 {
			return -1 // 0 would be the default time; the peer asks for none
		}
		return c.blockSource(time.Duration(n) * time.Second)
	}
}

// retryAfter is the number of seconds in Retry-After; a comment and parameters may follow it (RFC 3261 §20.33).
func (c *Ctx) retryAfter() (int, bool) {
	b, ok := readHdr(c, "Retry-After", 0)
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if !ok || i == 0 || i < len(b) && b[i] != ' ' && b[i] != '\t' && b[i] != '(' && b[i] != ';' {
		return 0, false
	}
	n := 0
	for _, d := range b[:i] {
		if n = n*10 + int(d-'0'); n > maxSeconds {
			return maxSeconds, true
		}
	}
	return n, true
}

// blockIgnore is blst_set_ignore([reasons]) and its kin: without reasons all of them.
func blockIgnore(whose BlockWhose, on bool) func(cc *compiler, x *syntax.Call) callFn {
	return func(cc *compiler, x *syntax.Call) callFn {
		mask := intArg{n: 255}
		if len(x.Args) > 0 {
			var ok bool
			if mask, ok = cc.intArg(x, 0, "the mask", 0, 255); !ok {
				return nil
			}
		}
		return func(c *Ctx) int {
			n, ok := mask.within(c, 255)
			if !ok {
				return -1
			}
			now := c.blockIgnore(whose)
			if on {
				now |= blocklist.Reason(n)
			} else {
				now &^= blocklist.Reason(n)
			}
			c.setBlockIgnore(whose, now)
			return 1
		}
	}
}

// BlockWhose says which message's destinations a mask of blst_set_ignore() and its kin is for.
type BlockWhose uint8

const (
	OfRequest BlockWhose = iota
	OfReply
)

// blockTries is how often a shard asks for the table's lock: others hold it for a bounded number of
// entries at a time.
const blockTries = 4

// listed is the list, nil if it is off.
func (c *Ctx) listed() *blocklist.Table {
	if l := c.Shard.Blocked; l != nil && l.Enabled() {
		return l
	}
	return nil
}

// blockedAs is where the message at hand came from, as the list has it.
func (c *Ctx) blockedAs() (netio.Proto, netio.Addr) {
	a := *c.source()
	proto := a.Proto
	a.Proto = 0
	return proto, a
}

// blockSource puts the source of the message on the list. ttl 0: Settings.Blocklist.Expire. It is
// false if the list is full or off, or ignores this reason for this protocol.
func (c *Ctx) blockSource(ttl time.Duration) int {
	list := c.listed()
	if list == nil {
		return -1
	}
	proto, addr := c.blockedAs()
	cause := blocklist.Cause{Reasons: blocklist.Prohibited, TTL: ttl, Owner: "script", Ignore: c.blockIgnore(OfRequest)}
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
func (c *Ctx) unblockSource() int {
	list := c.listed()
	if list == nil {
		return -1
	}
	proto, addr := c.blockedAs()
	return truth(list.Delete(proto, &addr))
}

// sourceBlocked is blst_is_blocklisted().
func (c *Ctx) sourceBlocked() bool {
	list := c.listed()
	if list == nil {
		return false
	}
	proto, addr := c.blockedAs()
	return list.Listed(proto, &addr, c.Shard.Core.Now()/1e6)
}

// setBlockIgnore says which reasons put no destination of this request, or of the reply to it, on the
// list. No response ever lists its destination here, so that its mask is only remembered. In the reply
// route of a branch the mask of the request is the branch's.
func (c *Ctx) setBlockIgnore(whose BlockWhose, mask blocklist.Reason) {
	switch {
	case whose == OfReply:
		c.replyIgnore = mask
	case c.Request != nil:
		c.Request.Ignore(uint8(mask))
	case c.Branch != nil:
		proxy.IgnoreOf(c.Branch, uint8(mask))
	}
}

func (c *Ctx) blockIgnore(whose BlockWhose) blocklist.Reason {
	switch {
	case whose == OfReply:
		return c.replyIgnore
	case c.Request != nil:
		return blocklist.Reason(c.Request.Ignored())
	case c.Branch != nil:
		return blocklist.Reason(proxy.IgnoredOf(c.Branch))
	}
	return 0
}
