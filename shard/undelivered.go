package shard

import (
	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
)

// Messages that did not reach their destination, as the kernel tells: at once, in step 8, or by
// ICMP, in step 1.

// icmp gives the errors of a socket's error queue to the transactions they hit, here or on another
// shard, since the kernel does not steer them by Call-ID.
func (w *worker) icmp(listener int) {
	w.startBatch()
	for _, e := range w.port.Errors(listener) {
		w.count[CountICMPErrors]++
		if !refused(e.Errno) {
			// Too big, or prohibited by a router: that is not the destination's fault, and timers
			// repeat the request.
			continue
		}
		w.notDelivered(e.Payload)
	}
}

// notDelivered gives one ICMP error to the probe or transaction that it hit, which the quoted
// datagram tells.
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

// unreachable reports whether the error of a send says that nothing to that address will leave, now
// or in 500 ms: its routes, its family, the rules of this host. A full queue, or a packet filter
// that limits rates, may let it pass by then.
func unreachable(e unix.Errno) bool {
	switch e {
	case unix.EINVAL, unix.EACCES, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.ENETDOWN,
		unix.EHOSTDOWN:
		return true
	}
	return refused(e)
}

// refused reports whether an error says that the destination cannot be reached. Other errors
// concern this host or this datagram alone: a full queue, a size, a packet filter.
func refused(e unix.Errno) bool {
	return e == unix.ECONNREFUSED || e == unix.EHOSTUNREACH || e == unix.ENETUNREACH
}
