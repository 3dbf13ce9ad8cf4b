package shard

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/proxy"
)

// failed is the Core's OnFailure. It logs a final response made here or a branch that failed, at
// most failuresPerSecond of them. Slow path.
func (w *worker) failed(f *proxy.Failure) {
	if f.Cause.Level() > w.shared.LogLevel() || !w.failures.allow(w.batchAt) {
		return
	}
	text := "request failed"
	if f.Branch {
		text = "branch failed"
	}
	attrs := make([]any, 0, 20)
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, name, value)
		}
	}
	to := string(f.To)
	if m := f.M; m != nil {
		add("call_id", string(m.CallID()))
		add("method", methodOf(m))
		if to == "" && m.IsRequest {
			to = string(m.Bytes(m.URI))
		}
	}
	add("to", to)
	add("address", proxy.AddrText(&f.Addr))
	add("from", proxy.AddrText(&f.From))
	attrs = append(attrs, "code", f.Code, "cause", f.Cause.String())
	add("detail", f.Detail)
	add("why", f.Cause.Why())
	w.shared.queue(logLine{slogLevel(f.Cause.Level()), text, attrs})
}

// methodOf returns the method of a request, or of the request that a response answers.
func methodOf(m *parser.Message) string {
	if m.IsRequest {
		return string(m.MethodBytes())
	}
	if cseq, reason := m.CSeq(); reason == parser.OK {
		return string(cseq.MethodName.Of(m.Raw))
	}
	return ""
}

// failureLimit lets failuresPerSecond lines through, and counts what it leaves out.
type failureLimit struct {
	second  int64
	n       int
	leftOut uint64
}

func (l *failureLimit) allow(now int64) bool {
	if s := now / 1e9; s != l.second {
		l.second, l.n = s, 0
	}
	if l.n++; l.n <= failuresPerSecond {
		return true
	}
	l.leftOut++
	return false
}

// watchFailures logs how many lines about failures were left out since the last such line.
func (w *worker) watchFailures() {
	if n := w.ctx.Shard.LeftOut(); n > 0 {
		w.shared.queue(logLine{slogLevel(0),
			"the routing program had more to complain of than the log has lines for",
			[]any{"shard", w.number, "left_out", n}})
	}
	if n := w.failures.leftOut; n > 0 {
		w.failures.leftOut = 0
		w.shared.queue(logLine{slogLevel(0),
			"more failed than the log has lines for; see the counters failed and branches_failed",
			[]any{"shard", w.number, "left_out", n}})
	}
}

// trace is the Core's Trace: it logs a step of a call. It is used at debug level alone.
func (w *worker) trace(callID []byte, step string, attrs ...any) {
	w.shared.queue(logLine{slogLevel(levelDebug), step,
		append([]any{"call_id", string(callID)}, attrs...)})
}

// levelDebug is Kamailio's number for debugging.
const levelDebug = 3

// traceMessage logs that a message came.
func (w *worker) traceMessage(p *netio.Packet) {
	src := p.Src
	src.Proto = w.served[p.Listener].Proto
	by := w.served[p.Listener].Addr
	by.Proto = src.Proto
	m := &w.m
	if m.IsRequest {
		w.trace(m.CallID(), "a request received", "method", string(m.MethodBytes()), "uri",
			string(m.Bytes(m.URI)), "from", proxy.AddrText(&src), "by", proxy.AddrText(&by))
		return
	}
	w.trace(m.CallID(), "a response received", "code", int(m.Status), "method", methodOf(m), "from",
		proxy.AddrText(&src), "by", proxy.AddrText(&by))
}

// traceHere logs a step of the message at hand.
func (w *worker) traceHere(step string, attrs ...any) { w.trace(w.m.CallID(), step, attrs...) }
