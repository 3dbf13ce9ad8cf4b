package shard

import (
	"viaduct/netio"
	"viaduct/shard/proxy"
)

// takeStreams is steps 2 to 6 for what came over streams: the engine has framed
// each message and given it to the shard that owns its call.
func (w *worker) takeStreams() int {
	if w.streams == nil {
		return 0
	}
	packets := w.streams.Recv(streamsPerRound)
	for i := range packets {
		w.streamed(&packets[i])
	}
	return len(packets)
}

// streamed takes one message through steps 3 to 6. A panic costs its transaction
// alone.
func (w *worker) streamed(p *netio.Packet) {
	defer w.contain()
	w.step = stepDatagram
	w.count[CountStreamsIn]++
	p.Src.Proto = w.shared.listeners[p.Listener].Proto
	w.message(p, w.m.Parse(p.Data))
}

// streamsFailed tells the transactions whose requests could not be sent over a
// stream, and the blacklist about destinations that are to blame; false: there are
// none.
func (w *worker) streamsFailed(failures []streamFailure) bool {
	told := false
	for i := range failures {
		f := &failures[i]
		w.count[CountSendFailed]++
		if f.Blames && !f.Written {
			w.report(f.Token, f.Why)
		}
		if f.Token != 0 {
			told = true
			w.sendFailed(f.Token)
		}
	}
	return told
}

// report tells the blacklist about the branch whose message did not leave.
func (w *worker) report(token uint64, why proxy.Failing) {
	if br := w.tx.Sent(token); br != nil && br.Untried() {
		w.core.Report(br, why)
	}
}
