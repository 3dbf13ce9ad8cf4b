package main

import (
	"viaduct/control"
	"viaduct/shard/trace"
)

// traceBytes is how much of its messages each shard keeps while somebody traces.
const traceBytes = 4 << 20

// trace is what the commands that trace act on.
func (p *process) trace() *control.Trace {
	return &control.Trace{
		Start: func(words []string) error {
			f, err := trace.ParseFilter(words)
			if err != nil {
				return err
			}
			if err = p.server.Trace(&f, traceBytes); err == nil {
				p.log.Info("messages are traced by an order", "filter", f.String())
			}
			return err
		},
		Stop:  p.server.StopTrace,
		Clear: p.server.ClearTrace,
		State: func() (any, error) { return p.server.TraceState() },
		Messages: func(words []string, after int64, most int) ([]any, bool, error) {
			f, err := trace.ParseFilter(words)
			if err != nil {
				return nil, false, err
			}
			list, more, err := p.server.Traced(&f, after, most)
			return anys(list), more, err
		},
	}
}
