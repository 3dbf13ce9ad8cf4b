// Package jsonrpcs takes commands for operators as JSON-RPC 2.0: Kamailio's module jsonrpcs. The
// commands are those of viaductctl.
package jsonrpcs

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"viaduct/shard/ask"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shard/route/command/jsonrpc"
)

const (
	// atOnce bounds the commands that requests have called and that have not ended. One more is
	// refused: 503.
	atOnce = 16

	// within is how long jsonrpc_exec waits. Beyond: it is false, and the command goes on.
	within = 30 * time.Second
)

// The bits of transport.
const (
	byHTTP     = 1
	byFIFO     = 2
	byDatagram = 4
)

// server is the module of one load.
type server struct {
	pretty    *bool
	transport *int
	call      command.Caller
	slots     chan struct{}
	replies   *route.PerShard[reply]
}

// reply is what $jsonrpl has.
type reply struct {
	there      bool
	code       int
	text, body []byte
}

// Define is the module.
func Define(m *route.Module) {
	s := &server{slots: make(chan struct{}, atOnce)}
	s.pretty = m.Bool("pretty_format", true, "Whether answers have a line for each member.")
	s.transport = m.Int("transport", 0, 0, 15, "A sum: 1 HTTP, by jsonrpc_dispatch; 2 FIFO, 4 "+
		"datagrams. 0 is all.")
	s.doors(m)
	m.Open(func(st *route.State) error {
		s.call = st.Commands
		return nil
	})
	s.replies = route.NewPerShard[reply](m, nil)
	route.Func0(m, "jsonrpc_dispatch", route.InRequest, "In event_route[xhttp:request]: has the "+
		"command run that the body asks for, beside the shards, and its answer sent. False: this is "+
		"no HTTP request, or answered, its body is no JSON, or transport leaves HTTP out. Whoever "+
		"may ask is for the script to say.", s.dispatch)
	text := route.Text("request", "a request of JSON-RPC 2.0, with or without an id")
	route.Wait1(m, "jsonrpc_exec", route.CanWait, text, "Runs a command, and leaves its answer in "+
		"$jsonrpl. The run is held until it has ended. False: the request is no JSON, too many are "+
		"under way, or the answer is longer than 16 KiB.", s.exec, s.executed)
	m.Var(route.Var{Name: "jsonrpl", Inner: "code, text or body",
		Doc:     "The answer of the last jsonrpc_exec: its status, the words for that, and all of it.",
		Compile: s.variable})
}

// takes tells whether transport has a bit.
func (s *server) takes(bit int) bool { return *s.transport == 0 || *s.transport&bit != 0 }

// dispatch is jsonrpc_dispatch.
func (s *server) dispatch(c *route.Ctx) route.Result {
	r := c.Request
	if !r.IsHTTP() || !s.takes(byHTTP) {
		return -1
	}
	q, ok := jsonrpc.Parse(bytes.Clone(c.Msg.Body()))
	if !ok {
		return -1
	}
	duty := r.TakeHTTP()
	if duty == nil {
		return -1
	}
	c.Acted = true
	answer := func(a answer) { duty.Answer(a.code, a.text, "application/json", a.body) }
	if !s.start(func() { answer(s.run(q)) }) {
		answer(s.fault(q, command.Faultf(503, "Too many commands are under way")))
	}
	return 1
}

// start runs f beside the shards. It returns false if atOnce are under way.
func (s *server) start(f func()) bool {
	select {
	case s.slots <- struct{}{}:
		go func() {
			defer func() { <-s.slots }()
			f()
		}()
		return true
	default:
		return false
	}
}

// answer is a response of JSON-RPC.
type answer struct {
	code int
	text string
	body []byte
}

// run calls the command. A panic in it costs its answer.
func (s *server) run(q *jsonrpc.Request) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			a = s.fault(q, command.Faultf(500, "The command failed: %v", v))
		}
	}()
	switch {
	case q.Wrong != "":
		return s.fault(q, command.Faultf(400, "%s", q.Wrong))
	case s.call == nil:
		return s.fault(q, command.Faultf(500, "There are no commands here"))
	}
	result, err := s.call(q.Method, q.Words)
	if err != nil {
		return s.fault(q, err)
	}
	return answer{200, "OK", s.form(append(append([]byte(`"result":`), result...), idMember(q)...))}
}

// fault is the answer to a call that failed.
func (s *server) fault(q *jsonrpc.Request, f *command.Fault) answer {
	b := append([]byte(`"error":{"code":`), strconv.Itoa(f.Code)...)
	b = append(appendString(append(b, `,"message":`...), f.Message), '}')
	code := f.Code
	if code < 400 || code > 599 {
		code = 500
	}
	return answer{code, f.Message, s.form(append(b, idMember(q)...))}
}

// form is an answer with these members, in the form that pretty_format asks for.
func (s *server) form(members []byte) []byte {
	b := append(append([]byte(`{"jsonrpc":"2.0",`), bytes.TrimSpace(members)...), '}')
	return format(b, *s.pretty)
}

// Ask answers a jsonrpc_exec; it is an ask.Service.
func (s *server) Ask(q *ask.Question) bool {
	return s.start(func() {
		r, ok := jsonrpc.Parse(bytes.Clone(q.Text()))
		if !ok { // it was looked at before
			q.Answer.Err = ask.ErrOverloaded
		} else {
			a := s.run(r)
			q.Answer.Number = int64(a.code)
			q.Answer.SetText(append([]byte(oneLine(a.text)+"\n"), a.body...))
		}
		q.Done()
	})
}

// exec is jsonrpc_exec.
func (s *server) exec(_ *route.Ctx, q *ask.Question, text []byte) route.Result {
	if _, ok := jsonrpc.Parse(text); !ok {
		return -1
	}
	q.Append(text)
	return q.Ask(s, within)
}

// executed is jsonrpc_exec with its answer.
func (s *server) executed(c *route.Ctx, a *ask.Answer, _ []byte) route.Result {
	if a.Err != nil {
		return -1
	}
	r := s.replies.Of(c)
	text, body, _ := bytes.Cut(a.Text(), []byte("\n"))
	r.there, r.code = true, int(a.Number)
	r.text, r.body = append(r.text[:0], text...), append(r.body[:0], body...)
	return 1
}

// variable is $jsonrpl.
func (s *server) variable(b *route.VarBuild, inner, _ string) route.Place {
	switch inner {
	case "code":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			r := s.replies.Of(c)
			return int64(r.code), r.there
		}}
	case "text":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			r := s.replies.Of(c)
			return r.text, r.there
		}}
	case "body":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			r := s.replies.Of(c)
			return r.body, r.there
		}}
	}
	b.Errorf("%s", fmt.Sprintf("there is $jsonrpl(code), (text) and (body), not $jsonrpl(%s)", inner))
	return route.Place{}
}
