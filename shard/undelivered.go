package shard

import (
	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
)

// What the kernel says did not reach its destination: at once, in step 8, or by ICMP, in step 1.

// icmp gives the errors of a socket's error queue to the transactions they hit,
// here or on another shard: the kernel knows nothing of Call-IDs here.
func (w *worker) icmp(listener int) {
	w.startBatch()
	for _, e := range w.port.Errors(listener) {
		w.count[CountICMPErrors]++
		if !refused(e.Errno) {
			// too big, prohibited by a router: not the destination's fault, the timers see to it
			continue
		}
		w.notDelivered(e.Payload)
	}
}

// notDelivered gives one ICMP error, by what it quotes, to the probe or transaction it hit.
func (w *worker) notDelivered(quoted []byte) {
	defer w.contain()
	w.step = stepTransport
	w.tx.Begin()
	if w.prober != nil && w.prober.failed(w, quoted) {
		return
	}
	if shard, ok := w.core.NotDelivered(quoted); ok && shard != w.number {
		w.handover.icmp(w, shard, quoted)
	}
}

// sendsFailed tells the transactions whose requests cannot reach their destination. It returns
// false if there are none.
func (w *worker) sendsFailed(failures []netio.SendFailure) bool {
	w.unsent = w.unsent[:0]
	for _, f := range failures {
		w.count[CountSendFailed]++
		if unreachable(f.Errno) {
			w.unsent = append(w.unsent, f)
			if refused(f.Errno) {
				w.report(f.Token, blocklist.SendError)
			}
		} // else Timer A or E sends it again
	}
	for _, f := range w.unsent {
		w.sendFailed(f.Token, proxy.PeerUnreachable, f.Errno.Error())
	}
	return len(w.unsent) > 0
}

// sendFailed tells the transaction whose request did not leave, and why.
func (w *worker) sendFailed(token uint64, cause proxy.Cause, detail string) {
	defer w.contain()
	w.step = stepTransport
	w.tx.Begin()
	if isProbeToken(token) {
		if w.prober != nil {
			w.prober.sendFailed(w, token)
		}
		return
	}
	w.core.Explain(cause, detail)
	w.tx.SendFailed(token)
	w.core.Explain(proxy.NoCause, "")
}

// unreachable tells whether an error of a send of ours says that nothing to that address will
// leave, now or in 500 ms: its routes, its family, the rules of this host. A full queue and a
// packet filter that counts may be over by then.
func unreachable(e unix.Errno) bool {
	switch e {
	case unix.EINVAL, unix.EACCES, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.ENETDOWN,
		unix.EHOSTDOWN:
		return true
	}
	return refused(e)
}

// refused tells whether an error says that the destination cannot be reached, as
// opposed to what only concerns this host or this datagram: a full queue, a size,
// a packet filter.
func refused(e unix.Errno) bool {
	return e == unix.ECONNREFUSED || e == unix.EHOSTUNREACH || e == unix.ENETUNREACH
}
