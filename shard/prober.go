package shard

import (
	"fmt"
	"strconv"
	"time"

	"viaduct/netio/steer"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
)

// prober sends the dispatcher's OPTIONS and receives their answers. Only the first shard has one.
// Probes carry Call-IDs that this shard owns, so that their answers come back to it.
type prober struct {
	p        *balance.Prober
	probes   []balance.Probe
	outcomes []balance.Outcome
	tables   *balance.Table // as of the last look
	lastAt   int64          // time of the last look, ns
	next     int64          // when to look next, ns; never if nothing will be due
}

// probeBranch begins the branch of a probe, followed by its id in hexadecimal.
const probeBranch = "z9hG4bKp"

// probeRest is the least time between two looks that changes cause: each looks at every
// destination.
const probeRest = 20 * time.Millisecond

// probingShard is the number of the shard that has the prober.
const probingShard = 0

func newProber(cfg balance.ProbeConfig, shards int) *prober {
	p := &prober{next: never}
	p.configure(cfg, shards)
	return p
}

// configure begins anew with other settings. Answers to probes under way are ignored.
func (p *prober) configure(cfg balance.ProbeConfig, shards int) {
	p.p, p.tables = balance.NewProber(cfg), nil
	if shards > 1 {
		p.p.OwnCallID = func(callID []byte) bool { return steer.Owner(callID, shards) == 0 }
	}
}

// tick sends the probes that are due. It is not on the packet's path, with a few probes a second,
// so it may allocate.
func (p *prober) tick(w *worker) {
	tables := w.shared.tables.Load()
	if w.shared.targetsChanged.Load() {
		// Cleared before the look, so that what changes during it is looked at again.
		w.shared.targetsChanged.Store(false)
		p.next = min(p.next, p.lastAt+int64(probeRest))
	}
	if w.batchAt < p.next && tables == p.tables {
		return
	}
	p.lastAt, p.tables = w.batchAt, tables
	if tables == nil {
		p.next = never
		return
	}
	p.next = w.batchAt + int64(probeRest) // in case this look panics
	nowMs := w.clock.now() / 1e6
	p.p.Pause(w.shared.pingsOff.Load())
	p.probes, p.outcomes = p.p.Due(tables, nowMs, w.shared.random, p.probes[:0], p.outcomes[:0])
	p.next = never
	if ms, ok := p.p.NextDueMs(); ok {
		p.next = ms * 1e6
	}
	for _, o := range p.outcomes {
		w.shared.targetEvent(o.Target, o.Event, "probe")
	}
	for _, pr := range p.probes {
		p.send(w, pr)
	}
}

func (p *prober) send(w *worker, pr balance.Probe) {
	to := pr.Target.PingAddr
	by := w.core.ProbeBy(pr.Target)
	if by < 0 {
		p.outcome(w, pr.ID, 0)
		return
	}
	branch := fmt.Appendf(nil, "%s%016x", probeBranch, pr.ID)
	b := p.p.AppendRequest(nil, pr, w.core.SentBy(by), branch)
	if event := w.program.Event("tm:local-request"); event.HasRoute() {
		if b = event.RaiseOn(w.ctx, b, by); b == nil {
			return // the program drops it, so there will be no answer
		}
	}
	w.out.Begin(by, &to, probeToken(pr.ID))
	w.out.Append(b)
	w.out.End()
	w.count[CountProbesSent]++
}

// probeToken returns the token of a probe for a Sender: the half of its id that has its target. The
// other half is 0, where a branch's token has its offset in the arena, which is never 0.
func probeToken(id uint64) uint64    { return id &^ (1<<32 - 1) }
func isProbeToken(token uint64) bool { return token != 0 && uint32(token) == 0 }

// sendFailed handles a failed send if it was a probe's: a refusal by TCP counts like one by ICMP.
func (p *prober) sendFailed(w *worker, token uint64) {
	if id, ok := p.p.UnderWay(token>>32, 32); ok {
		p.outcome(w, id, 0)
	}
}

// again sends a probe whose connection broke once more, over another connection. It returns false
// if the probe has failed.
func (p *prober) again(w *worker, token uint64) bool {
	id, ok := p.p.UnderWay(token>>32, 32)
	if !ok {
		return false
	}
	pr, ok := p.p.Again(id)
	if ok {
		p.send(w, pr)
	}
	return ok
}

// answered handles the response at hand if it answers a probe, and reports whether it does.
func (p *prober) answered(w *worker) bool {
	via, reason := w.m.TopVia()
	if reason != parser.OK || !isProbe(via.Branch.Of(w.m.Raw)) {
		return false
	}
	if from, reason := w.m.From(); reason == parser.OK {
		if id, ok := balance.ParseProbeID(from.Tag.Of(w.m.Raw)); ok {
			p.outcome(w, id, int(w.m.Status))
		}
	}
	return true
}

func isProbe(branch []byte) bool {
	return len(branch) >= len(probeBranch) && string(branch[:len(probeBranch)]) == probeBranch
}

// failed handles an ICMP error if it is about a probe, and reports whether it is.
func (p *prober) failed(w *worker, quoted []byte) bool {
	branch := proxy.OurBranch(quoted)
	if !isProbe(branch) {
		return false
	}
	if id, err := strconv.ParseUint(string(branch[len(probeBranch):]), 16, 64); err == nil {
		p.outcome(w, id, 0)
	}
	return true
}

// outcome reports the response to a probe, or with code 0 that the probe did not arrive.
func (p *prober) outcome(w *worker, id uint64, code int) {
	nowMs := w.clock.now() / 1e6
	var o balance.Outcome
	var ok bool
	if code == 0 {
		o, ok = p.p.SendError(id, nowMs)
	} else {
		o, ok = p.p.Response(id, code, nowMs)
	}
	if ok {
		// The next look was set for the end of this probe, and the target may be due before that.
		p.next = min(p.next, p.lastAt+int64(probeRest))
		w.shared.targetEvent(o.Target, o.Event, "probe")
	}
}
