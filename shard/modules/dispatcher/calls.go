package dispatcher

import (
	"sync/atomic"
	"time"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// calls are those that algorithm 10 has given to destinations, by Call-ID: a table in the arena, so
// that they are known after a kill. What a destination has under way is counted beside it, see
// recount.
type calls struct {
	bits          *int
	expire, first *time.Duration
	check         *time.Duration
	t             *table.Table
	targets       atomic.Pointer[balance.Table] // that of the selection before
}

// callsPerSlot is how many calls there is room for with ds_hash_size 0, and so many times 2 to the
// power of it otherwise. Reached: a further call is sent and not counted.
const callsPerSlot = 16

// define declares it.
func (x *calls) define(m *route.Module) {
	x.bits = m.Int("ds_hash_size", 0, 0, 24,
		"The size of algorithm 10's table of calls, as an exponent of 2; 0: there is no table.")
	x.expire = m.Duration("ds_hash_expire", time.Second, 7200, 1, route.MaxSeconds,
		"Seconds that a call stays in that table.")
	x.first = m.Duration("ds_hash_initexpire", time.Second, 7200, 1, route.MaxSeconds,
		"The same for a call that is not answered.")
	x.check = m.Duration("ds_hash_check_interval", time.Second, 30, 1, route.MaxSeconds,
		"Seconds between sweeps for calls whose time is over.")
	m.Open(func(s *route.State) (err error) {
		if *x.bits > 0 {
			x.t, err = s.Table("dispatcher:calls", table.Config{
				Entries: min(callsPerSlot<<*x.bits, table.MaxEntries), MaxKey: 255, MaxValue: 1})
		}
		return err
	})
	m.Started(func(c *route.Ctx) {
		x.targets.Store(c.Shard.Core.Targets())
		x.recount(c.NowMs())
	})
	m.Beside(x.check, x.recount)

	const in = route.Anywhere
	route.Func0(m, "ds_load_update", in,
		"Updates the table of calls. BYE or CANCEL: the call is over. A 2xx to an INVITE: the "+
			"call lasts ds_hash_expire from now on.",
		func(c *route.Ctx) route.Result { return x.update(c) })
	route.Func0(m, "ds_load_unset", in, "Counts the call as over at its destination.",
		func(c *route.Ctx) route.Result { return x.over(c) })
}

// recount takes out the calls whose time is over, and counts those of each destination anew: after
// a start nothing else does, and what was counted wrongly is right again.
func (x *calls) recount(nowMs int64) {
	targets := x.targets.Load()
	if x.t == nil || targets == nil {
		return
	}
	for done := false; !done; {
		_, done = x.t.Expire(nowMs, 4096, nil)
	}
	before := map[uint16]int{}
	for _, t := range targets.Targets() {
		before[t.UID] = t.Load()
	}
	under := map[uint16]int{}
	var walk table.Walk
	walk.Begin(x.t)
	for e := walk.Next(nowMs); e != nil; e = walk.Next(nowMs) {
		under[uint16(e.Int)]++
	}
	for _, t := range targets.Targets() {
		t.AddLoad(under[t.UID] - before[t.UID])
	}
}

// chosen notes that the call at hand goes to the destination that was chosen last; what was noted
// of it before is taken back.
func (x *calls) chosen(c *route.Ctx) {
	if x.t == nil || c.Request.M.Method != parser.INVITE || c.Request.HasToTag() {
		return
	}
	targets := c.Shard.Core.Targets()
	x.targets.Store(targets)
	x.over(c)
	t := targets.Target(c.Request.Chosen())
	if t == nil {
		return
	}
	terms := table.Terms{Ends: c.NowMs() + x.first.Milliseconds()}
	if x.t.Put(c.Msg.CallID(), table.Number(int64(t.UID)), terms, c.NowMs()) == table.Done {
		t.AddLoad(1)
	}
}

// moved is chosen for a call that is noted already.
func (x *calls) moved(c *route.Ctx) {
	if x.t == nil {
		return
	}
	if _, verdict := x.t.Get(c.Msg.CallID(), c.NowMs(), nil); verdict == table.Done {
		x.chosen(c)
	}
}

// over forgets the call at hand.
func (x *calls) over(c *route.Ctx) route.Result {
	if x.t == nil {
		return 1
	}
	v, verdict := x.t.Get(c.Msg.CallID(), c.NowMs(), nil)
	if verdict != table.Done || x.t.Delete(c.Msg.CallID(), c.NowMs()) != table.Done {
		return 1
	}
	if targets := c.Shard.Core.Targets(); targets != nil {
		if t := targets.Target(uint16(v.Int)); t != nil {
			t.AddLoad(-1)
		}
	}
	return 1
}

// update is ds_load_update.
func (x *calls) update(c *route.Ctx) route.Result {
	switch method := c.Msg.Method; {
	case x.t == nil:
		return 1
	case c.Request != nil && (method == parser.BYE || method == parser.CANCEL):
		return x.over(c)
	case c.Request == nil && c.Msg.Status >= 200 && c.Msg.Status < 300:
		if cseq, reason := c.Msg.CSeq(); reason == parser.OK && cseq.Method == parser.INVITE {
			x.t.SetDeadline(c.Msg.CallID(), c.NowMs()+x.expire.Milliseconds(), c.NowMs())
		}
	}
	return 1
}
