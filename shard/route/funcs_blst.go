package route

import (
	"time"

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
		return c.Host.BlockSource(time.Duration(n) * time.Second)
	}
}

// blockRetryAfter is blst_add_retry_after(min, max): for as long as Retry-After says, within the
// two. Without Retry-After it is false.
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
		return c.Host.BlockSource(time.Duration(n) * time.Second)
	}
}

// retryAfter is the number of seconds in Retry-After; a comment and parameters may follow it (RFC
// 3261 §20.33).
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
			now := c.Host.BlockIgnore(whose)
			if on {
				now |= BlockReasons(n)
			} else {
				now &^= BlockReasons(n)
			}
			c.Host.SetBlockIgnore(whose, now)
			return 1
		}
	}
}
