package shard

import (
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

// Kinds of mail, the first word of a shm.Mail.
const (
	mailResolved   = 1 // a relay that waited: transaction, key, 0, when it asked in ns
	mailParked     = 2 // a parked message: its number, 0, 0, when it asked in ns
	mailReplyRetry = 3 // a response whose Via names a host: its token
)

// names is what a shard does for requests whose destination is a name that nobody has looked up
// yet: it asks the resolver, which answers by a mail to the shard. Only messages without a
// transaction are kept here, outside the arena: a process that dies loses them, as the network may
// have.
type names struct {
	w      *worker
	parked map[uint64]*parkedMessage
	next   uint64
	bytes  int
	asked  atomic.Int64 // questions under way
}

// parkedMessage is a message that waits for a name.
type parkedMessage struct {
	packet netio.Packet
}

// AskName implements proxy.NameAsker.
func (n *names) AskName(q *proxy.NameQuery, wait proxy.Waiting) bool {
	return n.ask(q, &shm.Mail{mailResolved, wait.Tx, wait.Key})
}

// Prefetch implements proxy.NameAsker.
func (n *names) Prefetch(q *proxy.NameQuery) { n.w.shared.resolver.Ask(q, func() {}) }

// ask asks the resolver. When there is an answer the shard gets mail. The names in q are views; the
// resolver copies them.
func (n *names) ask(q *proxy.NameQuery, mail *shm.Mail) bool {
	w, m := n.w, *mail
	m[4] = uint64(w.tx.Now())
	n.asked.Add(1)
	if w.shared.resolver.Ask(q, func() { n.post(m) }) {
		return true
	}
	n.asked.Add(-1)
	return false
}

// post sends the shard a mail. It may be called from any goroutine. If the mailbox is full it tries
// again: a relay whose mail is lost would wait for ever.
func (n *names) post(m shm.Mail) {
	box := n.w.mailbox
	if box.Post(&m) {
		n.w.doorbell.Ring()
		n.asked.Add(-1)
		return
	}
	n.w.doorbell.Ring()
	time.AfterFunc(mailAgain, func() {
		if n.w.shared.stopping.Load() {
			n.asked.Add(-1)
			return
		}
		n.post(m)
	})
}

// Park implements proxy.NameAsker: it keeps a copy of a message until q has an answer.
func (n *names) Park(q *proxy.NameQuery, m *parser.Message, src *netio.Addr, listener int) bool {
	if len(n.parked) >= maxParked || n.bytes+len(m.Raw) > maxParkedBytes {
		return false
	}
	if n.parked == nil {
		n.parked = make(map[uint64]*parkedMessage)
	}
	n.next++
	if !n.ask(q, &shm.Mail{mailParked, n.next}) {
		return false
	}
	n.parked[n.next] = &parkedMessage{netio.Packet{Data: append([]byte(nil), m.Raw...), Src: *src,
		Listener: uint16(listener)}}
	n.bytes += len(m.Raw)
	return true
}

// takeMail handles the mails of other goroutines. It returns how many there were.
func (w *worker) takeMail() (got int) {
	var m shm.Mail
	for got < mailsPerRound && w.mailbox.Take(&m) {
		got++
		w.mail(&m)
	}
	return got
}

func (w *worker) mail(m *shm.Mail) {
	defer w.contain()
	w.step = stepResolved
	w.tx.Begin()
	switch m[0] {
	case mailResolved:
		w.waitedForName(m)
		w.resolved(proxy.Waiting{Tx: m[1], Key: m[2]})
	case mailParked:
		w.waitedForName(m)
		w.unpark(m[1])
	case mailAnswer:
		w.answered(uint32(m[1]), m[2])
	case mailContinue:
		w.goOnSuspended(route.Suspension{Index: m[1], Label: uint32(m[2]), Program: m[3],
			Route: int(m[4])})
	case mailReplyRetry:
		w.step = stepQueue
		w.replyRetryFailed(m[1])
	}
}

// waitedForName counts how long a message waited for its name.
func (w *worker) waitedForName(m *shm.Mail) {
	took := max(w.tx.Now()-int64(m[4]), 0)
	w.count.Observe(histogramNames, uint64(took)/uint64(nameUnit), 1)
}

// resolved goes on with a relay that waited for a name.
func (w *worker) resolved(wait proxy.Waiting) {
	if w.port != nil {
		w.port.Flow(0)
	}
	w.core.Resolved(wait)
	w.core.Finish()
}

// unpark handles a message that waited for a name as if it had just arrived.
func (w *worker) unpark(number uint64) {
	p := w.names.parked[number]
	if p == nil {
		return
	}
	delete(w.names.parked, number)
	w.names.bytes -= len(p.packet.Data)
	w.step = stepDatagram
	w.arrived(&p.packet, w.parse(p.packet.Data))
}
