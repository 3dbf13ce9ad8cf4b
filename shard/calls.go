package shard

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// What operators see of calls under way, and how they end them. Each shard looks at its own
// transactions, a few at a time between two batches, so that no call waits for an operator.

// Call is a server transaction without a final response, as a command shows it.
type Call struct {
	Shard       int    `json:"shard"`
	CallID      string `json:"call_id"`
	Method      string `json:"method"`
	URI         string `json:"uri,omitempty"` // Request-URI, as it came or was sent
	From        string `json:"from"`          // URI
	To          string `json:"to"`            // URI
	State       string `json:"state"`         // waiting, trying, or ringing
	Status      int    `json:"status,omitempty"`
	Seconds     int64  `json:"seconds"` // since its request was first sent on
	Source      string `json:"source"`
	Destination string `json:"destination,omitempty"` // the one tried last
	Branches    int    `json:"branches"`              // under way
}

// errStarting says that there are no shards yet.
var errStarting = errors.New("the server is still starting")

// errBusy says that a shard did not get to a command.
var errBusy = errors.New("a shard did not answer in time: viaduct.check tells which")

// visitWait is how long a command waits for the shards.
const visitWait = 5 * time.Second

// placesPerVisit is how many places of its index a shard looks at between two batches. Most records
// in it are finished transactions in no cache, so this takes 0.1 to 0.3 ms.
const placesPerVisit = 4096

// each calls f on every shard for each of its transactions, until f returns false there. f runs on
// the shard, and f of one shard beside that of another. It returns when all have ended; without all
// of them it returns errBusy, and f may still be called.
func (s *Server) each(f func(w *worker, tx *txn.Tx) bool) error {
	all := s.shared.workers.Load()
	if all == nil {
		return errStarting
	}
	var given atomic.Bool // up: nobody waits for f any more
	done := make(chan struct{}, len(*all))
	for _, w := range *all {
		var visit func(c *route.Ctx, from int)
		visit = func(_ *route.Ctx, from int) {
			more := true
			next := w.tx.Visit(from, placesPerVisit, func(tx *txn.Tx) bool {
				more = f(w, tx)
				return more
			})
			if !more || next == 0 || given.Load() {
				done <- struct{}{}
				return
			}
			if !w.later(func(c *route.Ctx) { visit(c, next) }) {
				done <- struct{}{}
			}
		}
		if !w.later(func(c *route.Ctx) { visit(c, 0) }) {
			return errBusy
		}
	}
	err := allDone(done, len(*all))
	given.Store(err != nil)
	return err
}

// allDone waits until so many shards are done, for visitWait at most.
func allDone(done <-chan struct{}, shards int) error {
	limit := time.NewTimer(visitWait)
	defer limit.Stop()
	for range shards {
		select {
		case <-done:
		case <-limit.C:
			return errBusy
		}
	}
	return nil
}

// under reports whether tx is under way for somebody: it has no final response, and its request was
// not made here.
func under(tx *txn.Tx) bool {
	return !tx.Answered() && !tx.Ours() && tx.State() != txn.Terminated
}

// Calls lists the transactions without a final response, most at most; more says that there are
// others. If which is not empty, only those are listed whose Call-ID it is, or the user or the URI
// in Request-URI, From or To.
func (s *Server) Calls(which string, most int) (list []Call, more bool, err error) {
	type found struct {
		list []Call
		more bool
	}
	all := s.shared.workers.Load()
	if all == nil {
		return nil, false, errStarting
	}
	of := make([]atomic.Pointer[found], len(*all))
	left := make([]int, len(*all)) // how many are yet to be met, by shard
	begun := make([]bool, len(*all))
	err = s.each(func(w *worker, tx *txn.Tx) bool {
		i := w.number
		if !begun[i] {
			begun[i], left[i] = true, w.tx.Unanswered()
		}
		if !under(tx) {
			return true
		}
		left[i]--
		if c, ok := w.describe(tx, which); ok {
			now := found{}
			if f := of[i].Load(); f != nil {
				now = *f
			}
			if len(now.list) == most {
				now.more = true
				of[i].Store(&now)
				return false
			}
			now.list = append(now.list, c)
			of[i].Store(&now)
		}
		return left[i] > 0
	})
	for i := range of {
		if f := of[i].Load(); f != nil {
			room := most - len(list)
			more = more || f.more || len(f.list) > room
			list = append(list, f.list[:min(room, len(f.list))]...)
		}
	}
	return list, more, err
}

// describe tells what tx is, if it is one that which names.
func (w *worker) describe(tx *txn.Tx, which string) (c Call, ok bool) {
	c = Call{Shard: w.number, Method: tx.Method().String(), Status: tx.Status(), Branches: tx.Live()}
	var uris [3]string
	if m, request := w.tx.Described(tx); m != nil {
		c.CallID = string(m.CallID())
		if request {
			c.URI = string(m.Bytes(m.URI))
			c.Method = string(m.MethodBytes())
		}
		c.From, c.To = addressOf(m, parser.KindFrom), addressOf(m, parser.KindTo)
		uris = [3]string{c.URI, c.From, c.To}
	}
	if which != "" && c.CallID != which && !nameOne(uris[:], which) {
		return c, false
	}
	from := tx.ReplyTo()
	c.Source = placeOf(&from)
	c.State = "waiting"
	if c.Status >= 180 {
		c.State = "ringing"
	}
	first := int64(0)
	w.tx.Branches(tx, func(br *txn.Branch) bool {
		if c.State == "waiting" {
			c.State = "trying"
		}
		if br.Status() >= 180 && br.Status() < 200 {
			c.State = "ringing"
		}
		if first == 0 || br.SentAt() < first {
			first = br.SentAt()
		}
		to := br.Addr()
		c.Destination = placeOf(&to)
		return true
	})
	if first != 0 {
		c.Seconds = (w.tx.Now() - first) / int64(time.Second)
	}
	return c, true
}

// addressOf returns the URI of From or To, or what stands there if there is none.
func addressOf(m *parser.Message, kind parser.Kind) string {
	if a, reason := m.FromOrTo(kind); reason == parser.OK {
		return string(m.Bytes(a.URI))
	}
	return string(m.ValueOf(kind))
}

// nameOne reports whether one of the URIs is which, or has it as its user.
func nameOne(uris []string, which string) bool {
	for _, u := range uris {
		if u == which {
			return true
		}
		_, rest, _ := strings.Cut(u, ":")
		user, _, at := strings.Cut(rest, "@")
		if user, _, _ = strings.Cut(user, ";"); at && user == which {
			return true
		}
	}
	return false
}

func placeOf(a *netio.Addr) string {
	return strings.ToLower(a.Proto.String()) + ":" + a.AddrPort().String()
}

// Drop ends the INVITE transactions without a final response that which names, as Calls takes it:
// their branches are cancelled, and their callers get that status. It returns how many there were.
func (s *Server) Drop(which string, status int, reason string) (n int, err error) {
	if which == "" {
		return 0, errors.New("nothing is named")
	}
	var dropped atomic.Int64
	err = s.each(func(w *worker, tx *txn.Tx) bool {
		if under(tx) && tx.Invite() {
			if _, ok := w.describe(tx, which); ok && w.core.AnswerCall(tx, status, reason) {
				dropped.Add(1)
			}
		}
		return true
	})
	return int(dropped.Load()), err
}

// Stuck returns the numbers of the shards that did not come to the end of a batch within that time.
func (s *Server) Stuck(within time.Duration) (stuck []int) {
	all := s.shared.workers.Load()
	if all == nil {
		return nil
	}
	came := make([]chan struct{}, len(*all))
	for i, w := range *all {
		came[i] = make(chan struct{})
		if !w.later(func(*route.Ctx) { close(came[i]) }) {
			continue // so much waits for it that it must be stuck
		}
	}
	limit := time.After(within)
	for i := range came {
		select {
		case <-came[i]:
		case <-limit:
			for ; i < len(came); i++ {
				select {
				case <-came[i]:
				default:
					stuck = append(stuck, i)
				}
			}
			return stuck
		}
	}
	return nil
}

// Transaction is a server transaction, as tm.list shows it: Kamailio's members. Rows are those of
// the request, or of a response to it, without their line ends.
type Transaction struct {
	Cell      string `json:"cell"` // where its record is in the arena
	Index     uint32 `json:"tindex"`
	Label     uint32 `json:"tlabel"`
	Method    string `json:"method"`
	From      string `json:"from"`
	To        string `json:"to"`
	CallID    string `json:"callid"`
	CSeq      string `json:"cseq"` // without the method, as there
	Received  string `json:"uas_request"`
	Flags     int    `json:"tflags"`
	Outgoings int    `json:"outgoings"` // branches ever made
	RefCount  int    `json:"ref_count"` // branches that have not ended
	Lifetime  int64  `json:"lifetime"`  // ms until it ends if nothing more is done about it
}

// Transactions lists server transactions, finished ones included, most at most on each shard; more
// says that there are others.
func (s *Server) Transactions(most int) (list []Transaction, more bool, err error) {
	all := s.shared.workers.Load()
	if all == nil {
		return nil, false, errStarting
	}
	of := make([]atomic.Pointer[[]Transaction], len(*all))
	over := make([]atomic.Bool, len(*all))
	err = s.each(func(w *worker, tx *txn.Tx) bool {
		var now []Transaction
		if p := of[w.number].Load(); p != nil {
			now = *p
		}
		if len(now) == most {
			over[w.number].Store(true)
			return false
		}
		now = append(now, w.transaction(tx))
		of[w.number].Store(&now)
		return true
	})
	for i := range of {
		if p := of[i].Load(); p != nil {
			room := min(most-len(list), len(*p))
			more = more || over[i].Load() || room < len(*p)
			list = append(list, (*p)[:room]...)
		}
	}
	return list, more, err
}

func (w *worker) transaction(tx *txn.Tx) Transaction {
	off := w.tx.OffOf(tx)
	x := Transaction{Cell: fmt.Sprintf("0x%x", uint64(off)*shm.Align), Index: uint32(off),
		Label: w.tx.Label(tx), Method: tx.Method().String(), Received: "yes", Outgoings: tx.Total(),
		RefCount: tx.Live(), Lifetime: max(0, w.tx.Left(tx).Milliseconds())}
	if tx.Ours() {
		x.Received = "no"
	}
	m, request := w.tx.Described(tx)
	if m == nil {
		return x
	}
	if request {
		x.Method = string(m.MethodBytes())
	}
	row := func(kind parser.Kind, name string) string {
		return name + ": " + string(m.ValueOf(kind))
	}
	x.From, x.To = row(parser.KindFrom, "From"), row(parser.KindTo, "To")
	x.CallID = row(parser.KindCallID, "Call-ID")
	if cseq, reason := m.CSeq(); reason == parser.OK {
		x.CSeq = fmt.Sprintf("CSeq: %d", cseq.Number)
	}
	return x
}

// Cancel cancels the branches of the INVITE transaction with that Call-ID and CSeq number
// (tm.cancel of Kamailio). It returns how many branches it had under way, and false if there is no
// such transaction without a final response.
func (s *Server) Cancel(callID string, cseq uint32) (branches int, found bool, err error) {
	var done atomic.Bool
	var live atomic.Int64
	err = s.each(func(w *worker, tx *txn.Tx) bool {
		if tx.Answered() || !tx.Invite() || tx.State() == txn.Terminated {
			return true
		}
		m, _ := w.tx.Described(tx)
		if m == nil || string(m.CallID()) != callID {
			return true
		}
		if n, reason := m.CSeq(); reason != parser.OK || n.Number != cseq {
			return true
		}
		live.Store(int64(tx.Live()))
		w.core.CancelCall(tx, 0)
		done.Store(true)
		return false
	})
	return int(live.Load()), done.Load(), err
}
