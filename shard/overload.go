package shard

import (
	"log/slog"
	"strings"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/place"
	"viaduct/shard/proxy"
)

// longRead is a batch from a socket that was large enough for the queue to be worth a look.
type longRead struct {
	listener  uint16
	read      int
	readBytes int
}

// watchQueues looks at the queues of the sockets that had much in this round; those of the others
// are short.
func (w *worker) watchQueues() {
	o := &w.overload
	if o.Off() {
		return
	}
	now := w.batchAt
	if len(w.long) == 0 && o.Calm(now) {
		return
	}
	for _, l := range w.long {
		o.See(w.queueOf(l.listener), l.read, l.readBytes)
	}
	o.Look(now, w.count[CountKernelDrops])
}

// queueOf asks the kernel for a socket's queue, and counts what it has dropped there since it was
// asked last.
func (w *worker) queueOf(listener uint16) netio.RecvQueue {
	q := w.port.RecvQueue(int(listener))
	w.count[CountKernelDrops] += q.Drops - w.dropsOf[listener]
	w.dropsOf[listener] = q.Drops
	return q
}

// overloaded refuses a request that would begin something new, if it falls into the share that is
// refused. It reports whether it did. Requests of a dialog and CANCELs are always handled, and so
// are urgent requests, and OPTIONS, by which peers see whether this server is alive.
func (w *worker) overloaded() bool {
	if !w.overload.Refusing() {
		return false
	}
	m, r := &w.m, &w.core.Request
	if m.Method == parser.ACK || m.Method == parser.CANCEL || m.Method == parser.OPTIONS ||
		r.HasToTag() || urgent(m) || !w.overload.Refuses() {
		return false
	}
	w.refuse(Overloaded, proxy.InOverload, "", "")
	return true
}

// urgent reports whether m is an emergency call (urn:service:sos and below, RFC 5031 §4.2) or
// claims priority (RFC 4412 §3.1). Who may claim priority is for those to decide who know their
// peers.
func urgent(m *parser.Message) bool {
	if m.HeaderByName("Resource-Priority", 0) >= 0 {
		return true
	}
	u, reason := m.RequestURI()
	if reason != parser.OK || u.Scheme != parser.URN {
		return false
	}
	const sos = "service:sos"
	name := u.Opaque.Of(u.Raw)
	return len(name) >= len(sos) && strings.EqualFold(string(name[:len(sos)]), sos) &&
		(len(name) == len(sos) || name[len(sos)] == '.')
}

// watchLoad logs when requests begin to be refused because more arrives than can be handled, and
// when that is over.
func (w *worker) watchLoad(now int64) {
	switch began, ended, n := w.tooMuch.look(now, w.count[refuseBase+int(Overloaded)]); {
	case began:
		w.shared.queue(logLine{slog.LevelWarn,
			"overload: more arrives than this shard can handle; part of the new calls gets 503",
			[]any{"shard", w.number,
				"kernel_drops", w.count[CountKernelDrops]}})
	case ended:
		w.shared.queue(logLine{slog.LevelWarn, "the overload is over",
			[]any{"shard", w.number, "refused", n}})
	}
}

// watchSteering takes the kernel program off listeners to which bundles come. It runs once a
// second.
func (w *worker) watchSteering() {
	for l := range w.arrivals {
		a := w.arrivals[l]
		w.arrivals[l] = place.Arrivals{}
		if a.SteeringHarms() && w.shared.unsteer != nil && w.shared.unsteer(l) {
			w.shared.queue(logLine{slog.LevelWarn,
				"datagrams arrive in bundles: the kernel no longer steers them to their shards, " +
					"or a call's messages would overtake each other; their sender may run with " +
					"--segment off, or this with --steer off",
				[]any{"shard", w.number, "listen", string(w.served[l].SentBy), "arrived", a.All,
					"foreign", a.Foreign}})
		}
	}
}
