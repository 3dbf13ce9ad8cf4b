// Package blst keeps a list of addresses that are not sent to: Kamailio's module blst.
package blst

import (
	"time"

	"viaduct/shard/blocklist"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	ttl := route.Int("time", 0, route.MaxSeconds, "seconds; 0: the default")
	route.Func1(m, "blst_add", route.Anywhere, route.Optional(ttl, 0),
		"Puts the source of the message on the list.",
		func(c *route.Ctx, ttl int) route.Result {
			return blockSource(c, time.Duration(ttl)*time.Second)
		})
	m.Func(route.Func{Name: "blst_add_retry_after", In: route.Anywhere,
		Args: []route.AnyArg{leastArg, mostArg}, Build: blockRetryAfter,
		Doc: "Lists the source for as long as Retry-After says, within both limits. False: there " +
			"is no such header."})
	route.Func0(m, "blst_del", route.Anywhere, "Takes the source off the list.",
		func(c *route.Ctx) route.Result { return unblockSource(c) })
	route.Func0(m, "blst_is_blocklisted", route.Anywhere, "Tells whether the source is listed.",
		func(c *route.Ctx) route.Result { return route.Truth(sourceBlocked(c)) })
	m.Alias("blst_is_blocklisted", "blst_is_blacklisted") // until 5.4
	ignore(m, "blst_set_ignore",
		"Sends the request to listed addresses too.", ofRequest, true)
	ignore(m, "blst_clear_ignore", "Ends what blst_set_ignore began.", ofRequest, false)
	ignore(m, "blst_rpl_set_ignore",
		"Sends responses to listed addresses too.", ofReply, true)
	ignore(m, "blst_rpl_clear_ignore", "Ends what blst_rpl_set_ignore began.", ofReply, false)
}

// ignore declares blst_set_ignore([reasons]) and its kin.
func ignore(m *route.Module, name, doc string, whose blockWhose, on bool) {
	mask := route.Optional(route.Int("mask", 0, 255,
		"the reasons of listing, as bits; without it, all"), 255)
	route.Func1(m, name, route.Anywhere, mask, doc, func(c *route.Ctx, mask int) route.Result {
		now := ignored(c, whose)
		if on {
			now |= blocklist.Reason(mask)
		} else {
			now &^= blocklist.Reason(mask)
		}
		setIgnored(c, whose, now)
		return 1
	})
}

var (
	leastArg = route.Int("least time", 0, route.MaxSeconds, "seconds")
	mostArg  = route.Int("longest time", 0, route.MaxSeconds, "seconds")
)

// blockRetryAfter is blst_add_retry_after(min, max).
func blockRetryAfter(b *route.Build) route.Call {
	least, ok1 := leastArg.At(b, 0)
	most, ok2 := mostArg.At(b, 1)
	if !ok1 || !ok2 {
		return nil
	}
	from, known1 := least.Known()
	to, known2 := most.Known()
	if known1 && known2 && from > to {
		b.Errorf(route.WholeCall,
			"blst_add_retry_after: the least time, %d, is above the longest, %d", from, to)
		return nil
	}
	return func(c *route.Ctx) int {
		from, r1 := least.Get(c)
		to, r2 := most.Get(c)
		if r1 <= 0 || r2 <= 0 || from > to {
			return -1
		}
		after, ok := retryAfter(c.Msg)
		if !ok {
			return -1
		}
		n := min(max(after, from), to)
		if n == 0 {
			return -1 // 0 would be the default time; the peer asks for none
		}
		return blockSource(c, time.Duration(n)*time.Second)
	}
}

// retryAfter is the number of seconds in Retry-After; a comment and parameters may follow it (RFC
// 3261 §20.33).
func retryAfter(m *route.Message) (int, bool) {
	at := m.HeaderByName("Retry-After", 0)
	if at < 0 {
		return 0, false
	}
	b := m.Bytes(m.Headers[at].Value)
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == 0 || i < len(b) && b[i] != ' ' && b[i] != '\t' && b[i] != '(' && b[i] != ';' {
		return 0, false
	}
	n := 0
	for _, d := range b[:i] {
		if n = n*10 + int(d-'0'); n > route.MaxSeconds {
			return route.MaxSeconds, true
		}
	}
	return n, true
}
