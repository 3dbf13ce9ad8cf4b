package shard

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"viaduct/parser"
)

// weather plays a flow over a network that loses, doubles and reorders 5 % each (in every fourth
// run 20 %) of the datagrams in either direction. The ends are user agents that repeat what is
// lost: the caller by Timers A and E, with an ACK for each final it hears; the called side its last
// response for each repeated request, and its finals to an INVITE until the ACK comes (§13.3.1.4,
// §17.2.1). What they say, and in which order, is the flow's text; each step waits for what it
// answers.
type weather struct {
	*flow
	percent int
	rng     *rand.Rand
	queue   []event // by time
	uac     map[string]*uac
	uas     map[string][]*uas // by address
	answers [][]string        // to what runs ask, not given yet
}

type event struct {
	at int64
	do func()
}

const (
	faultPercent = 5
	stormPercent = 20 // every fourth time
	t1           = 500 * time.Millisecond
	t2           = 4 * time.Second
	patience     = 64 * t1 // Timers B, F and H of the ends
)

// uac is a client transaction of the caller.
type uac struct {
	from      string
	request   []byte
	invite    bool
	interval  time.Duration
	stopAt    int64
	heard     bool  // a provisional
	finals    []int // in order
	ack       []byte
	abandoned bool
}

// uas is a server transaction of the called side.
type uas struct {
	key      string
	method   string
	request  []byte
	response []byte // last
	acked    bool
}

func (w *weather) after(d time.Duration, do func()) {
	e := event{w.now + int64(d), do}
	i, _ := slices.BinarySearchFunc(w.queue, e, func(a, b event) int {
		if a.at <= b.at {
			return -1
		}
		return 1
	})
	w.queue = slices.Insert(w.queue, i, e)
}

// cross lets a datagram cross the network.
func (w *weather) cross(arrive func()) {
	copies := 1
	switch n := w.rng.IntN(100); {
	case n < w.percent:
		copies = 0
	case n < 2*w.percent:
		copies = 2
	}
	for range copies {
		delay := time.Duration(1+w.rng.IntN(10)) * time.Millisecond
		if w.rng.IntN(100) < w.percent {
			// behind what was sent after it
			delay += time.Duration(w.rng.IntN(900)) * time.Millisecond
		}
		w.after(delay, arrive)
	}
}

// collect takes what left the proxy onto the network.
func (w *weather) collect() {
	for len(w.answers) > 0 && len(w.service.asked) > 0 {
		a := w.answers[0]
		w.answers = w.answers[1:]
		w.flow.answered(a)
	}
	for _, d := range w.sent {
		w.name(d.bytes)
		w.cross(func() { w.arrive(d.to, d.bytes) })
	}
	w.sent = nil
}

func (w *weather) toProxy(from string, b []byte) {
	w.cross(func() { w.receive(from, b); w.collect() })
}

// run lets time pass until done, or for d.
func (w *weather) run(d time.Duration, done func() bool) {
	until := w.now + int64(d)
	for done == nil || !done() {
		next := until
		if len(w.queue) > 0 {
			next = min(next, w.queue[0].at)
		}
		if due, ok := w.w.tx.NextDue(); ok {
			next = min(next, max(due, w.now+1))
		}
		w.now = max(w.now, next)
		w.tell()
		for again := true; again; again = w.w.timersLeft {
			w.w.expire()
		}
		w.endBatch()
		w.collect()
		for len(w.queue) > 0 && w.queue[0].at <= w.now {
			e := w.queue[0]
			w.queue = w.queue[1:]
			e.do()
		}
		if w.now >= until {
			return
		}
	}
}

// arrive is a datagram at one of the ends.
func (w *weather) arrive(at string, b []byte) {
	var m parser.Message
	if m.Parse(b) != parser.OK {
		return
	}
	key, ok := transactionOf(&m)
	switch {
	case !ok:
	case m.IsRequest:
		w.called(at, key, &m)
	default:
		w.answered(key, &m)
	}
}

// called is a request at the called side.
func (w *weather) called(at, key string, m *parser.Message) {
	if m.Method == parser.ACK {
		for _, s := range w.uas[at] {
			s.acked = s.acked || s.method == "INVITE" && bytes.Contains(s.request, m.CallID())
		}
		return
	}
	for _, s := range w.uas[at] {
		if s.key == key {
			if s.response != nil {
				w.toProxy(at, s.response)
			}
			return
		}
	}
	w.uas[at] = append(w.uas[at], &uas{key: key, method: m.Method.String(), request: bytes.Clone(m.Raw)})
}

// respond sends what a called side says, and again until it is acknowledged if it is the final of
// an INVITE.
func (w *weather) respond(at string, s *uas, response []byte) {
	s.response = response
	w.toProxy(at, response)
	if s.method != "INVITE" || response[8] == '1' {
		return
	}
	stopAt, interval := w.now+int64(patience), t1
	var again func()
	again = func() {
		if s.acked || w.now >= stopAt {
			return
		}
		w.toProxy(at, response)
		interval = min(2*interval, t2)
		w.after(interval, again)
	}
	w.after(interval, again)
}

// ask begins a client transaction.
func (w *weather) ask(from string, request []byte, m *parser.Message) {
	key, _ := transactionOf(m)
	if c := w.uac[key]; c != nil {
		// The text repeats it. Timer J of a 500 that came early may be over at stopAt.
		if w.now < c.stopAt-int64(time.Second) {
			w.toProxy(from, request)
		}
		return
	}
	c := &uac{
		from: from, request: request, invite: m.Method == parser.INVITE, interval: t1, stopAt: w.now + int64(patience),
	}
	w.uac[key] = c
	w.toProxy(from, request)
	var again func()
	again = func() {
		switch {
		case len(c.finals) > 0 || c.invite && c.heard:
			return
		case w.now >= c.stopAt:
			c.abandoned = true
			return
		}
		w.toProxy(from, request)
		c.interval *= 2
		if !c.invite {
			c.interval = min(c.interval, t2)
		}
		w.after(c.interval, again)
	}
	w.after(c.interval, again)
}

// answered is a response at the caller.
func (w *weather) answered(key string, m *parser.Message) {
	c := w.uac[key]
	if c == nil {
		return
	}
	if m.Status < 200 {
		c.heard = true
		return
	}
	c.finals = append(c.finals, int(m.Status))
	switch {
	case !c.invite:
	case m.Status >= 300: // §17.1.1.3
		w.toProxy(c.from, hopAck(c.request, m))
	case c.ack != nil:
		w.toProxy(c.from, c.ack)
	}
}

// hopAck acknowledges a non-2xx final.
func hopAck(invite []byte, final *parser.Message) []byte {
	var b bytes.Buffer
	head, _, _ := bytes.Cut(invite, []byte("\r\n\r\n"))
	for i, line := range strings.Split(string(head), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case i == 0:
			b.WriteString(strings.Replace(line, "INVITE", "ACK", 1) + "\r\n")
		case name == "to" || name == "t":
			if to := final.First(parser.KindTo); to >= 0 { // a 400 may lack it, as its request did
				b.Write(final.Headers[to].Line.Of(final.Raw))
			}
		case name == "cseq":
			b.WriteString(strings.Replace(line, "INVITE", "ACK", 1) + "\r\n")
		case name == "via" || name == "v" || name == "from" || name == "f" || name == "call-id" || name == "i" ||
			name == "max-forwards" || name == "route":
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.Bytes()
}

// nthRequest is the request that an answer step answers: the nth of a method that came to an
// address.
type nthRequest struct {
	method string
	n      int
}

// withoutWeather tells whether the flow has streams, which lose, double and reorder nothing, or
// waits for names.
func withoutWeather(a *txtar.Archive) bool {
	return slices.ContainsFunc(a.Files,
		func(s txtar.File) bool { return s.Name == "names" || strings.Contains(s.Name, "tcp:") })
}

// rehearse plays the flow in good weather and finds out which request each answer step answers, and
// how each transaction ends.
func rehearse(t *testing.T, a *txtar.Archive) (answers map[int]nthRequest, finals map[string][]int) {
	f := equipped(t, a)
	answers = map[int]nthRequest{}
	for i, s := range a.Files {
		words := strings.Fields(s.Name)
		switch words[0] {
		case "config", "targets", "silence", "logged", "out":
			continue
		case "answer":
			key := words[1]
			if n := len(words); words[n-2] == "to" {
				key += " " + words[n-1]
			}
			seen := map[string]int{} // transactions by method
			known := map[string]bool{}
			for _, d := range f.all {
				var m parser.Message
				if d.to != words[1] || m.Parse(d.bytes) != parser.OK || !m.IsRequest || m.Method == parser.ACK {
					continue
				}
				if k, _ := transactionOf(&m); !known[k] {
					known[k] = true
					seen[m.Method.String()]++
				}
				if bytes.Equal(d.bytes, f.lastTo[key]) {
					answers[i] = nthRequest{m.Method.String(), seen[m.Method.String()]}
				}
			}
		}
		for _, d := range f.sent {
			f.name(d.bytes)
		}
		f.sent = nil
		f.step(s.Name, string(s.Data))
	}
	f.endsClean()
	return answers, f.finals()
}

// play plays the flow.
func (w *weather) play(a *txtar.Archive, answers map[int]nthRequest) {
	for i, s := range a.Files {
		words := strings.Fields(s.Name)
		w.stepAt = w.now
		switch words[0] {
		case "in":
			if w.knows(string(s.Data)) {
				w.in(words[1], w.unname(string(s.Data)))
			}
		case "answer":
			w.answer(words, answers[i], string(s.Data))
		case "answered":
			w.answers = append(w.answers, words[1:])
		case "wait":
			d, _ := time.ParseDuration(words[1])
			w.run(d, nil)
		case "icmp":
			if w.lastTo[words[1]] != nil {
				w.unreachable(words[1])
			}
		case "restart":
			w.restart("")
		case "list":
			w.list(words[1])
		}
		w.collect()
	}
	w.run(2000*time.Second, nil)
}

// in is a datagram of the caller's: what it asks, and once it may.
func (w *weather) in(from string, b []byte) {
	var m parser.Message
	reason := m.Parse(b)
	if reason == parser.OK {
		reason = m.Check()
	}
	if reason != parser.OK || !m.IsRequest {
		w.toProxy(from, b)
		return
	}
	if m.Method == parser.CANCEL {
		w.run(100*time.Millisecond, nil) // a caller has to think before it hangs up
	} else {
		w.run(patience, func() bool {
			for _, c := range w.uac {
				if c.invite && len(c.finals) == 0 && !c.abandoned && bytes.Contains(c.request, m.CallID()) &&
					!bytes.Equal(c.request, b) {
					return false // what follows an INVITE waits for its final
				}
			}
			return true
		})
	}
	if m.Method != parser.ACK {
		w.ask(from, b, &m)
		return
	}
	for _, c := range w.uac {
		if c.invite && c.from == from && slices.ContainsFunc(c.finals,
			func(code int) bool { return code/100 == 2 }) && bytes.Contains(c.request, m.CallID()) {
			c.ack = b
			w.toProxy(from, b)
		}
	}
}

// answer is what a called side says to the request that the text means, once it came.
func (w *weather) answer(words []string, to nthRequest, more string) {
	at := words[1]
	if n := len(words); words[n-2] == "to" {
		words = words[:n-2]
	}
	var s *uas
	w.run(patience, func() bool {
		n := 0
		for _, x := range w.uas[at] {
			if x.method == to.method {
				if n++; n == to.n {
					s = x
					return true
				}
			}
		}
		return false
	})
	if s != nil {
		w.respond(at, s, answerTo(s.request, strings.Join(words[2:], " "), "uas"+at[len(at)-1:], more))
	}
}

// TestFlowsInBadWeather: nothing is left, no answer is wrong, and the calls that end well on a good
// network nearly all do on a bad one; every INVITE has a final. In every fourth run one point of a
// hundred panics as well: then nothing is left and no answer is wrong.
func TestFlowsInBadWeather(t *testing.T) {
	total, same := 0, 0
	eachFlow(t, func(t *testing.T, a *txtar.Archive) {
		if withoutWeather(a) {
			return
		}
		answers, want := rehearse(t, a)
		f := equipped(t, a)
		f.faulty = false
		// may be before or behind an answer
		refuses := slices.ContainsFunc(a.Files, func(s txtar.File) bool { return strings.HasPrefix(s.Name, "icmp ") })
		// what comes late may come in time, and the other way round
		refuses = refuses || strings.Contains(t.Name(), "/late-") ||
			slices.ContainsFunc(a.Files, func(s txtar.File) bool {
				// nobody repeats a response that is written out
				return strings.HasPrefix(s.Name, "in ") && strings.HasPrefix(string(s.Data), "SIP/2.0 ")
			})
		for seed := range uint64(weatherSeeds) {
			f.again(a)
			percent := faultPercent
			if seed%4 == 3 {
				percent = stormPercent
			}
			w := &weather{
				flow: f, percent: percent, rng: rand.New(rand.NewPCG(seed, 5)), uac: map[string]*uac{},
				uas: map[string][]*uas{},
			}
			panics := seed%4 == 2
			if f.faulty = panics; panics {
				f.point = func() {
					if w.rng.IntN(100) == 0 {
						panic("a fault in bad weather")
					}
				}
			}
			w.play(a, answers)
			f.point = nil
			f.endsClean()
			f.checkWire(false, "", want)
			for key, c := range w.uac {
				if want[key] == nil {
					continue
				}
				if percent == faultPercent && !refuses && !panics {
					total++
					if len(c.finals) > 0 && slices.Contains(want[key], c.finals[0]) {
						same++
					}
				}
				if c.invite && len(c.finals) == 0 && !panics {
					t.Errorf("%s had no final response, in good weather %v", key, want[key])
				}
			}
			if t.Failed() {
				t.Fatalf("the flow in the weather of seed %d", seed)
			}
		}
		f.canary(a)
	})
	if total == 0 || same*100 < total*95 {
		t.Errorf("%d of %d transactions ended as in good weather", same, total)
	}
}

// weatherSeeds is how many times each flow is played.
const weatherSeeds = 40
