package shard

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shard/trace"
)

// Messages that an operator wants to see: each shard keeps those that it receives and sends in a
// ring of its own, from the moment that somebody asks for them. Until then a message costs four
// branches that always go the same way.

// tap is where a shard's messages are kept, and shown to the modules of the program that want to
// see them.
type tap struct {
	w       *worker
	ring    *trace.Ring // nil if no operator traces
	filter  trace.Filter
	mirrors []func(c *route.Ctx, m *trace.Message)
	m       parser.Message // of those that the filter reads
	leaves  trace.Message  // the one being sent
	begun   bool
}

// came keeps a message that was received.
func (t *tap) came(p *netio.Packet) {
	l := t.w.served[p.Listener]
	m := trace.Message{From: p.Src, To: l.Addr, Text: p.Data}
	m.From.Proto, m.To.Proto = l.Proto, l.Proto
	t.put(&m)
}

// begin, append and end keep one that is sent, and abandon forgets it.
func (t *tap) begin(listener int, dst *netio.Addr) {
	if t.begun = listener >= 0; !t.begun {
		return
	}
	t.leaves.From, t.leaves.To, t.leaves.Out = t.w.served[listener].Addr, *dst, true
	t.leaves.From.Proto = dst.Proto
	t.leaves.Text = t.leaves.Text[:0]
}

func (t *tap) append(segment []byte) {
	if t.begun {
		t.leaves.Text = append(t.leaves.Text, segment...)
	}
}

func (t *tap) end() {
	if t.begun {
		t.put(&t.leaves)
	}
	t.begun = false
}

func (t *tap) abandon() { t.begun = false }

func (t *tap) put(m *trace.Message) {
	if t.ring != nil && t.passes(&t.filter, m) {
		m.At = time.Now().UnixNano()
		t.ring.Put(m)
	}
	for _, f := range t.mirrors {
		f(t.w.ctx, m)
	}
}

// passes holds a message against a filter.
func (t *tap) passes(f *trace.Filter, m *trace.Message) bool {
	var parsed *parser.Message
	if f.ReadsText() && t.m.Parse(m.Text) == parser.OK {
		parsed = &t.m
	}
	return f.Passes(m, parsed)
}

// Traced is a message that was traced, as a command shows it.
type Traced struct {
	Shard     int    `json:"shard"`
	Number    uint64 `json:"number"` // of the shard's messages
	At        string `json:"at"`     // RFC 3339, to the ns
	Direction string `json:"direction"`
	Transport string `json:"transport"`
	From      string `json:"from"`
	To        string `json:"to"`
	Text      string `json:"text"`

	at int64
}

// TraceState says what is traced.
type TraceState struct {
	On     bool   `json:"on"`
	Filter string `json:"filter"`
	Kept   int    `json:"kept"` // messages that can be shown
	Seen   uint64 `json:"seen"` // messages that passed the filter
	Bytes  int    `json:"bytes_per_shard"`
}

// tracedBytes is how much text an answer has at most, unless a single message is longer.
const tracedBytes = 2 << 20

// errNoTrace says that there is nothing to show.
var errNoTrace = errors.New("nothing was traced yet: viaduct.trace_start begins")

// onShards calls f on every shard, each beside the others, and returns when all have ended. Without
// all of them it returns errBusy, and f may still be called.
func (s *Server) onShards(f func(w *worker)) error {
	all := s.shared.workers.Load()
	if all == nil {
		return errStarting
	}
	done := make(chan struct{}, len(*all))
	for _, w := range *all {
		if !w.later(func(*route.Ctx) { f(w); done <- struct{}{} }) {
			return errBusy
		}
	}
	return allDone(done, len(*all))
}

// Trace begins to keep the messages that pass a filter, in a ring of that many bytes on each shard,
// trace.MinBytes at least. What was traced before is forgotten.
func (s *Server) Trace(f *trace.Filter, bytes int) error {
	bytes = max(bytes, trace.MinBytes)
	s.traceBytes.Store(int64(bytes)) // also if a shard is stuck: the others trace
	return s.onShards(func(w *worker) {
		w.traced = &tap{w: w, ring: trace.NewRing(bytes), filter: *f}
		w.tracesOn = true
		w.setTap()
	})
}

// StopTrace keeps no further messages. Those that there are can be shown until the next Trace.
func (s *Server) StopTrace() error {
	return s.onShards(func(w *worker) { w.tracesOn = false; w.setTap() })
}

// ClearTrace forgets the messages kept. Whether further ones are kept does not change.
func (s *Server) ClearTrace() error {
	bytes := int(s.traceBytes.Load())
	return s.onShards(func(w *worker) {
		if w.traced != nil {
			w.traced.ring = trace.NewRing(bytes)
		}
	})
}

// setTap makes messages go where an operator and the program want to have them.
func (w *worker) setTap() {
	t := &tap{w: w}
	if w.tracesOn {
		t = w.traced
	}
	t.mirrors = w.program.Mirrors()
	if !w.tracesOn && len(t.mirrors) == 0 {
		t = nil
	}
	w.tap = t
	if w.outlet != nil {
		w.outlet.tap = t
	}
}

// TraceState returns what is traced.
func (s *Server) TraceState() (state TraceState, err error) {
	var on, kept, seen atomic.Int64
	var filter atomic.Pointer[string]
	err = s.onShards(func(w *worker) {
		if w.tracesOn {
			on.Add(1)
		}
		if t := w.traced; t != nil {
			kept.Add(int64(t.ring.Kept()))
			seen.Add(int64(t.ring.All()))
			text := t.filter.String()
			filter.Store(&text)
		}
	})
	state = TraceState{On: on.Load() > 0, Kept: int(kept.Load()), Seen: uint64(seen.Load()),
		Bytes: int(s.traceBytes.Load())}
	if f := filter.Load(); f != nil {
		state.Filter = *f
	}
	return state, err
}

// Traced returns the messages that pass a filter and are younger than after, a time in ns since
// 1970: the oldest first, most at most, of some 2 MB of text. more says that there are others.
func (s *Server) Traced(f *trace.Filter, after int64, most int) (list []Traced, more bool,
	err error) {
	if s.traceBytes.Load() == 0 {
		return nil, false, errNoTrace
	}
	all := s.shared.workers.Load()
	if all == nil {
		return nil, false, errStarting
	}
	of := make([]atomic.Pointer[[]Traced], len(*all))
	err = s.onShards(func(w *worker) {
		var found []Traced
		if t := w.traced; t != nil {
			t.ring.Each(func(m *trace.Message) bool {
				if m.At > after && t.passes(f, m) {
					found = append(found, w.show(m))
				}
				return len(found) <= most
			})
		}
		of[w.number].Store(&found)
	})
	for i := range of {
		if found := of[i].Load(); found != nil {
			list = append(list, *found...)
		}
	}
	slices.SortStableFunc(list, func(a, b Traced) int { return cmp.Compare(a.at, b.at) })
	bytes := 0
	for i := range list {
		if bytes += len(list[i].Text); i == most || i > 0 && bytes > tracedBytes {
			return list[:i], true, err
		}
	}
	return list, false, err
}

// show is a message for people.
func (w *worker) show(m *trace.Message) Traced {
	x := Traced{Shard: w.number, Number: m.Number, at: m.At, Direction: "in",
		At:        time.Unix(0, m.At).UTC().Format(time.RFC3339Nano),
		Transport: m.From.Proto.String(),
		From:      m.From.String(), To: m.To.String(), Text: string(m.Text)}
	if m.Out {
		x.Direction = "out"
	}
	return x
}
