package route

import (
	"bytes"
	"strings"
	"time"

	"viaduct/netio/steer"
	"viaduct/shard/ask"
)

// CallOrder says what a program wants done to the transaction of another call.
type CallOrder struct {
	CallID []byte
	CSeq   uint32
	// Answer answers the request with Code and Reason. Otherwise its branches are cancelled, with
	// Code as their Reason unless it is 0.
	Answer bool
	Code   int
	Reason string
	// Flag is a flag of setflag that the transaction gets, 0 for none. Flag 0 cannot be given.
	Flag int
}

// orderWithin is how long the shard of a call may take for an order. It takes a batch.
const orderWithin = 5 * time.Second

// Order makes a function's call compiled one that carries out orders. order reads the arguments of
// a call. Its result is false if there is no such call, or if a call that is to be answered was.
//
// A call belongs to the shard that owns its Call-ID, so a run waits for the answer of that shard,
// if it is another. Where nothing can wait the result is true, and the order is carried out if it
// can be. The settings must say FindCalls.
func (b *Build) Order(order func(c *Ctx) (CallOrder, Result)) Call {
	return b.Waits(func(c *Ctx, q *ask.Question) Result {
		o, r := order(c)
		if r <= 0 {
			return r
		}
		s := c.Shard
		owner := s.ownerOf(o.CallID)
		if owner == s.Number {
			return truth(s.orderHere(&o))
		}
		return q.Ask(&orderElsewhere{s, owner, o.clone()}, orderWithin)
	}, func(c *Ctx, a *ask.Answer) Result {
		if a.Err != ask.ErrNotHere {
			return truth(a.Err == nil && a.Number > 0)
		}
		o, r := order(c)
		if r <= 0 || c.Shard.On == nil {
			return -1
		}
		later := o.clone()
		return truth(c.Shard.On(c.Shard.ownerOf(o.CallID), func(c *Ctx) { c.Shard.obey(&later) }))
	})
}

// clone returns the order with texts that last.
func (o *CallOrder) clone() CallOrder {
	c := *o
	c.CallID, c.Reason = bytes.Clone(o.CallID), strings.Clone(o.Reason)
	return c
}

// ownerOf returns the shard that owns a Call-ID.
func (s *Shard) ownerOf(callID []byte) int {
	if s.Shards < 2 {
		return s.Number
	}
	return steer.Owner(callID, s.Shards)
}

// orderElsewhere is an order for a call of another shard.
type orderElsewhere struct {
	from  *Shard
	owner int
	order CallOrder
}

// Ask implements ask.Service.
func (e *orderElsewhere) Ask(q *ask.Question) bool {
	return e.from.On != nil && e.from.On(e.owner, func(c *Ctx) {
		if c.Shard.obey(&e.order) {
			q.Answer.Number = 1
		}
		q.Done()
	})
}

// orderHere carries out an order for a call of this shard, while the shard is at work on a message.
// An answer leaves when that is done. It returns whether the order can be carried out.
func (s *Shard) orderHere(o *CallOrder) bool {
	if !o.Answer {
		return s.obey(o)
	}
	tx := s.Core.FindCall(o.CallID, o.CSeq)
	if tx == nil || s.On == nil || !s.Core.Answerable(tx) {
		return false
	}
	later := o.clone()
	return s.On(s.Number, func(c *Ctx) { c.Shard.obey(&later) })
}

// obey carries out an order between two messages, a CANCEL also while the shard is at work on one.
func (s *Shard) obey(o *CallOrder) bool {
	tx := s.Core.FindCall(o.CallID, o.CSeq)
	switch {
	case tx == nil:
		return false
	case o.Answer:
		return s.Core.AnswerCall(tx, o.Code, o.Reason)
	}
	if o.Flag > 0 {
		s.Core.SetTxFlags(tx, s.Core.TxFlags(tx)|1<<o.Flag)
	}
	s.Core.CancelCall(tx, o.Code)
	return true
}
