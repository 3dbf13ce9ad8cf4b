package stream

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// The kinds of log lines, each limited by itself.
const (
	logPanic = iota
	logAccept
	logResume
	logHandshake
	logGnet
	logKinds
)

// limitedLog writes each kind of line at most once in logEvery, with the number of those left out.
type limitedLog struct {
	to   *slog.Logger
	base time.Time
	kind [logKinds]struct{ next, dropped atomic.Int64 }
}

func (g *limitedLog) report(kind int, text string, args ...any) {
	k := &g.kind[kind]
	now := int64(time.Since(g.base))
	next := k.next.Load()
	if now < next || !k.next.CompareAndSwap(next, now+int64(logEvery)) {
		k.dropped.Add(1)
		return
	}
	if n := k.dropped.Swap(0); n > 0 {
		args = append(args, "like_it", n)
	}
	g.to.Warn(text, args...)
}

// gnetLog passes on what gnet takes for an error; the rest is of no use to an operator: stale
// events are ordinary where connections close.
type gnetLog struct{ log *limitedLog }

func (g gnetLog) Debugf(string, ...any) {}
func (g gnetLog) Infof(string, ...any)  {}
func (g gnetLog) Warnf(string, ...any)  {}
func (g gnetLog) Errorf(format string, args ...any) {
	g.log.report(logGnet, "gnet: "+fmt.Sprintf(format, args...))
}
func (g gnetLog) Fatalf(format string, args ...any) {
	panic("BUG: gnet: " + fmt.Sprintf(format, args...))
}
