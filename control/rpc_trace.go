package control

// Trace is what the methods viaduct.trace_* and viaduct.traced act on. Its functions are called
// from any goroutine.
type Trace struct {
	// Start keeps the messages that pass a filter, from now on, and Stop no further ones.
	Start func(filter []string) error
	Stop  func() error
	Clear func() error // forgets what was kept
	// State says what is traced.
	State func() (any, error)
	// Messages returns those kept that pass a filter and are younger than after, a time in ns since
	// 1970: the oldest first, most at most.
	Messages func(filter []string, after int64, most int) (list []any, more bool, err error)
}

// tracedMost is how many messages an answer of viaduct.traced has at most.
const tracedMost = 1000

// TracedAnswer is the answer of viaduct.traced.
type TracedAnswer struct {
	Messages []any `json:"messages"`
	More     bool  `json:"more"` // ask again, with the time of the last one
}

// RegisterTrace adds the methods viaduct.trace_start, trace_stop, trace_clear, trace_state and
// traced.
func RegisterTrace(r *RPC, t *Trace) {
	filter := Param{Name: "filter", Optional: true, Repeated: true}
	r.Register(
		&Method{Name: "viaduct.trace_start",
			Help: "Keeps the messages that pass a filter from now on, the newest 4 MiB of each " +
				"shard, and forgets those kept before. All words of the filter must fit: " +
				"call-id=ID, user=NAME, addr=ADDRESS[:PORT], method=NAME[,NAME].",
			Params: []Param{filter}, Call: func(a Args) (any, error) {
				if err := t.Start(a.Rest(0)); err != nil {
					return nil, Faultf(400, "%v", err)
				}
				return t.State()
			}},
		&Method{Name: "viaduct.trace_stop",
			Help: "Keeps no further messages. Those that there are can still be shown.",
			Call: func(Args) (any, error) {
				if err := t.Stop(); err != nil {
					return nil, err
				}
				return t.State()
			}},
		&Method{Name: "viaduct.trace_clear", Help: "Forgets the messages kept.",
			Call: func(Args) (any, error) {
				if err := t.Clear(); err != nil {
					return nil, err
				}
				return t.State()
			}},
		&Method{Name: "viaduct.trace_state", Help: "Tells what is traced.",
			Call: func(Args) (any, error) { return t.State() }},
		&Method{Name: "viaduct.traced",
			Help: "Shows the messages kept that pass a filter and are younger than a time in ns " +
				"since 1970, the oldest first.",
			Params: []Param{{Name: "after", Kind: Int, Optional: true}, filter},
			Call: func(a Args) (any, error) {
				list, more, err := t.Messages(a.Rest(1), a.Int(0, 0), tracedMost)
				if err != nil {
					return nil, Faultf(400, "%v", err)
				}
				return TracedAnswer{append([]any{}, list...), more}, nil
			}},
	)
}
