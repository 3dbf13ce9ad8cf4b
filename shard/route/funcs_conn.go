package route

import (
	"time"
	"unicode/utf8"

	"viaduct/shard/route/syntax"
)

// The functions of tcpops. A connection's number comes first where there is one more argument than the others need.

// connArgs reads them: the numbers behind the connection's, each within 0 and its limit.
func (cc *compiler) connArgs(x *syntax.Call, what []string, limits []int64) (id intArg, rest []intArg, ok bool) {
	args := 0
	if len(x.Args) > len(what) {
		if id, ok = cc.intArg(x, 0, "the connection", 0, 1<<62); !ok {
			return id, nil, false
		}
		args = 1
	}
	for i, w := range what {
		a, ok := cc.intArg(x, args+i, w, 0, limits[i])
		if !ok {
			return id, nil, false
		}
		rest = append(rest, a)
	}
	return id, rest, true
}

// within reads a at run time; false when it is out of range.
func (a *intArg) within(c *Ctx, max int) (int, bool) {
	n := a.get(c)
	return n, n >= 0 && n <= max
}

func connAlive(cc *compiler, x *syntax.Call) callFn {
	id, ok := cc.intArg(x, 0, "the connection", 0, 1<<62)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if n <= 0 {
			return -1
		}
		return truth(c.connState(int64(n)) > 0)
	}
}

func connState(cc *compiler, x *syntax.Call) callFn {
	id, ok := cc.intArg(x, 0, "the connection", 0, 1<<62)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		if n <= 0 {
			return -1
		}
		return int(c.connState(int64(n)))
	}
}

func connLifetime(cc *compiler, x *syntax.Call) callFn {
	id, args, ok := cc.connArgs(x, []string{"the lifetime"}, []int64{maxSeconds})
	if !ok {
		return nil
	}
	life := args[0]
	return func(c *Ctx) int {
		n := id.get(c)
		t, ok := life.within(c, maxSeconds)
		if !ok {
			return -1
		}
		return c.setLifetime(int64(n), time.Duration(t)*time.Second)
	}
}

// Linux takes no larger values: tcp(7), MAX_TCP_KEEPIDLE, MAX_TCP_KEEPCNT and MAX_TCP_KEEPINTVL in include/net/tcp.h (6.1).
const maxKeepSeconds, maxKeepCount = 32767, 127

func connKeepalive(cc *compiler, x *syntax.Call) callFn {
	id, args, ok := cc.connArgs(x, []string{"the idle time", "the count", "the interval"}, []int64{maxKeepSeconds, maxKeepCount, maxKeepSeconds})
	if !ok {
		return nil
	}
	idle, tries, interval := args[0], args[1], args[2]
	return func(c *Ctx) int {
		n := id.get(c)
		i, ok1 := idle.within(c, maxKeepSeconds)
		k, ok2 := tries.within(c, maxKeepCount)
		v, ok3 := interval.within(c, maxKeepSeconds)
		if !ok1 || !ok2 || !ok3 {
			return -1
		}
		return c.setKeepAlive(int64(n), time.Duration(i)*time.Second, k, time.Duration(v)*time.Second)
	}
}

func connKeepaliveOff(cc *compiler, x *syntax.Call) callFn {
	id, _, ok := cc.connArgs(x, nil, nil)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		return c.setKeepAlive(int64(n), 0, 0, 0)
	}
}

func closeConn(cc *compiler, x *syntax.Call) callFn {
	id, _, ok := cc.connArgs(x, nil, nil)
	if !ok {
		return nil
	}
	return func(c *Ctx) int {
		n := id.get(c)
		return c.closeConn(int64(n), 0, nil)
	}
}

// wsClose is ws_close([status, reason[, connection]]).
func wsClose(cc *compiler, x *syntax.Call) callFn {
	if len(x.Args) == 0 {
		return func(c *Ctx) int { return c.closeConn(0, 1000, nil) } // normal closure (RFC 6455 §7.4.1)
	}
	if len(x.Args) == 1 {
		cc.ld.errorf(x.Pos, "ws_close takes no arguments, or a status and a reason, and then a connection")
		return nil
	}
	status, ok := cc.intArg(x, 0, "the status", 1000, 4999)
	reason := cc.textArg(x, 1)
	if !ok || reason == nil {
		return nil
	}
	if status.val == nil && !closeStatus(status.n) {
		cc.ld.errorf(x.Args[0].At(), "ws_close: no Close frame may carry the status %d (RFC 6455 §7.4.1)", status.n)
		return nil
	}
	id := intArg{}
	if len(x.Args) > 2 {
		if id, ok = cc.intArg(x, 2, "the connection", 0, 1<<62); !ok {
			return nil
		}
	}
	cc.scratch = true
	return func(c *Ctx) int {
		st, n := status.get(c), id.get(c)
		b, r := c.expand(reason)
		if r <= 0 {
			return r
		}
		if !closeStatus(st) {
			return -1
		}
		return c.closeConn(int64(n), st, closeReason(b))
	}
}

// closeStatus tells whether a Close frame may carry the status: 1004 has no meaning, and 1005, 1006 and 1015 say that there was no frame
// (RFC 6455 §7.4.1).
func closeStatus(n int) bool {
	return n >= 1000 && n <= 4999 && n != 1004 && n != 1005 && n != 1006 && n != 1015
}

// closeReason is what of b a Close frame can carry: UTF-8, and at most 123 bytes beside the status (RFC 6455 §5.5, §5.5.1).
func closeReason(b []byte) []byte {
	if !utf8.Valid(b) {
		return nil
	}
	n := len(b)
	if n > closeReasonBytes {
		for n = closeReasonBytes; !utf8.RuneStart(b[n]); n-- {
		}
	}
	return b[:n:n]
}
