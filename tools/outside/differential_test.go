package outside

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/tools/messages"
)

// The differential run: the same random valid messages through Kamailio 5.6 and through Viaduct,
// both with the same stateful.cfg.
//
//	             ┌▶ viaduct  ─┐
//	caller ──────┤            ├──────▶ callee      one socket each, which knows by the source address who sent what
//	 (a socket)  └▶ kamailio ─┘      (a socket)
//
// A story is a request, what the callee answers, ACK, CANCEL and repetitions; it is a function of
// its seed. After each step both proxies are asked for an answer to something else, twice, by both
// ends: what they had to say to the step has arrived then, and if nothing has, they have nothing to
// say. What may differ by right is made equal (differential_normal_test.go), what is left is put
// into classes, and each class must be explained in testdata/differential.txt.
var (
	differentialStories = flag.Int("differential.stories", 800, "how many stories the differential run plays")
	differentialTime    = flag.Duration("differential.time", 25*time.Second,
		"when to stop, however many stories are left")
	differentialSeed    = flag.Uint64("differential.seed", 1, "the first story")
	differentialVerbose = flag.Bool("differential.v", false, "print an example of every class, known or not")
)

// lateAfter is the age of a story from which a proxy may repeat what it sent: T1, less what the
// clocks of three processes differ by.
const lateAfter = 400 * time.Millisecond

// contender is one of the two proxies.
type contender struct {
	name string
	addr netip.AddrPort
	env  messages.Env
	req  *messages.Message // of the story, as the caller sent it
	fwd  *messages.Message // as the callee got it
	last *messages.Message // final response the caller got
	got  heard             // since the last step
}

// heard is what arrived, in order.
type heard struct{ caller, callee []*messages.Message }

// differential is the run.
type differential struct {
	t              *testing.T
	caller, callee *peer
	both           [2]*contender // Viaduct, Kamailio
	barriers       int
	began          time.Time       // the story
	seen           map[string]bool // what arrived in it
	sent, played   int             // messages to each; those of them that were no replay
	id             string          // Call-ID prefix of the story
	story          uint64
	replays        int
	status         int // of the response under way
	made           int // messages of ours in the story so far
	// what a replay makes of the nth message of ours; nil: nothing
	change func(int, *messages.Message)
	found  map[string]string // differences of the story, with an example
	// classes that are explained; "*" in them stands for anything
	known   []string
	classes map[string]*class
}

// class is a kind of difference.
type class struct {
	count     int
	explained bool
	example   string
}

func TestDifferential(t *testing.T) {
	needs(t, "kamailio", "kamailio")
	t.Parallel()
	loadsHalf(t)
	d := &differential{t: t, classes: map[string]*class{}}
	d.readKnown()
	told := 0
	for began := time.Now(); told < *differentialStories && time.Since(began) < *differentialTime; {
		// Not all of a long run with the same processes: Kamailio keeps a transaction for some
		// time, and its memory is bounded.
		t.Run(fmt.Sprintf("from-%d", *differentialSeed+uint64(told)), func(t *testing.T) {
			d.servers(t)
			for n := 0; n < 1000 && told < *differentialStories && time.Since(began) < *differentialTime; n++ {
				d.tell(*differentialSeed + uint64(told))
				told++
			}
		})
		if t.Failed() {
			return
		}
	}
	d.t = t
	t.Logf("%d stories, %d messages to each, %d with the replays that look for causes", told, d.played, d.sent)
	d.judge()
}

// servers starts both proxies and opens the sockets of the two ends.
func (d *differential) servers(t *testing.T) {
	t.Helper()
	d.t, d.caller, d.callee = t, newPeer(t, "caller"), newPeer(t, "callee")
	s := setup{config: "stateful.cfg", edits: []string{"children=2", "children=1"}, arenaMB: 256}
	for i, srv := range []*server{start(t, s), startKamailio(t, s)} {
		d.both[i] = &contender{name: []string{"Viaduct", "Kamailio"}[i], addr: srv.addr}
	}
}

// readKnown reads the classes that are explained: "class | explanation", a line each.
func (d *differential) readKnown() {
	b, err := os.ReadFile(filepath.Join("testdata", "differential.txt"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if name, why, ok := strings.Cut(line, " | "); ok && strings.TrimSpace(why) != "" &&
			!strings.HasPrefix(line, "#") {
			d.known = append(d.known, strings.TrimSpace(name))
		}
	}
}

// explained gives the known class that a name falls into.
func (d *differential) explained(name string) (as string, ok bool) {
	for _, k := range d.known {
		rest, parts := name, strings.Split(k, "*")
		match := strings.HasPrefix(rest, parts[0])
		for i, part := range parts {
			j := strings.Index(rest, part)
			if j < 0 || i == len(parts)-1 && !strings.HasSuffix(rest, part) {
				match = false
				break
			}
			rest = rest[j+len(part):]
		}
		if match && (len(parts) > 1 || name == k) {
			return k, true
		}
	}
	return "", false
}

// tell plays a story and books its differences. Those that are not explained by what they are may
// be by what makes them: see causes.
func (d *differential) tell(seed uint64) {
	d.t.Helper()
	d.replays, d.change = 0, nil
	before := d.sent
	d.play(seed)
	d.played += d.sent - before
	for name, example := range d.found {
		names := []string{name}
		if _, ok := d.explained(name); !ok {
			names = d.causes(seed, name)
		}
		for _, name := range names {
			as, ok := d.explained(name)
			if !ok {
				as = name
			}
			c := d.classes[as]
			if c == nil {
				c = &class{explained: ok, example: name + "\n" + example}
				d.classes[as] = c
			}
			c.count++
		}
	}
}

// judge lists the classes found. What does not come again when the story is played again is no
// function of the messages: this machine let one of the three wait until a timer fired. It is
// logged.
func (d *differential) judge() {
	for _, name := range slices.Sorted(maps.Keys(d.classes)) {
		c := d.classes[name]
		switch {
		case strings.HasSuffix(name, "[not every time]"):
			d.t.Logf("once, and not again: %s\n%s", name, c.example)
		case !c.explained:
			d.t.Errorf("unexplained difference, %d times: %s\n%s", c.count, name, c.example)
		case *differentialVerbose:
			d.t.Logf("%d times: %s\n%s", c.count, name, c.example)
		default:
			d.t.Logf("%d times: %s", c.count, name)
		}
	}
}

// differ notes a difference of the story under way.
func (d *differential) differ(name, format string, args ...any) {
	if d.both[0].req.Method == "Invite" {
		name = "the method Invite: " + name
	}
	if _, ok := d.found[name]; !ok {
		d.found[name] = fmt.Sprintf("story %d: ", d.story) + fmt.Sprintf(format, args...)
	}
}

// play is one story. It ends early where the two went different ways.
func (d *differential) play(seed uint64) {
	d.story, d.made, d.found = seed, 0, map[string]string{}
	d.began, d.seen = time.Now(), map[string]bool{}
	d.id = fmt.Sprintf("d%dr%dx", seed, d.replays)
	d.replays++
	for _, c := range d.both {
		c.env = messages.Env{Proxy: c.addr.String(), Caller: d.caller.addr.String(), Callee: d.callee.addr.String(),
			ID: d.id}
		c.req, c.fwd, c.last = nil, nil, nil
	}
	plot := messages.FromSeed(seed ^ 0xd1ff)
	method := plot.One(append(slices.Clone(messages.Methods), "INVITE", "INVITE", "INVITE", "ACK")...)
	inDialog := plot.Chance(40) || method == "ACK"
	kind := plot.N(20)
	d.each(func(c *contender) {
		c.req = messages.Request(messages.FromSeed(seed), c.env, method, inDialog)
		d.special(kind, c.req)
		d.changed(c.req)
		d.fromCaller(c, c.req)
	})
	if !d.same("the request") {
		return
	}
	for _, c := range d.both {
		for _, m := range c.got.callee {
			if m.Method == c.req.Method {
				c.fwd = m
			}
		}
		if c.fwd == nil {
			return // answered by the proxy itself, alike by both
		}
	}
	if plot.Chance(20) {
		d.each(func(c *contender) { d.fromCaller(c, c.req) })
		if !d.same("the request again") {
			return
		}
	}
	if method == "ACK" {
		return
	}
	ringing := false
	for n := range plot.N(3) {
		status := [...]int{100, 180, 183, 199}[plot.N(4)]
		ringing = true
		if !d.answer(seed+uint64(1000*n), status, plot.Chance(20)) {
			return
		}
	}
	if d.both[0].req.Method == "INVITE" && ringing && plot.Chance(30) && !d.cancel(seed) {
		return
	}
	finals := [...]int{200, 200, 202, 299, 301, 302, 401, 404, 407, 408, 480, 486, 487, 500, 503, 580, 600, 603, 699}
	status := finals[plot.N(len(finals))]
	if !d.answer(seed+5000, status, plot.Chance(30)) {
		return
	}
	if plot.Chance(20) {
		d.each(func(c *contender) { d.fromCaller(c, c.req) })
		if !d.same("the request again, after the final") {
			return
		}
	}
	if d.both[0].req.Method == "INVITE" && status >= 300 && d.both[0].last != nil && d.both[1].last != nil {
		d.each(func(c *contender) { d.fromCaller(c, messages.Follow(c.req, "ACK", c.last)) })
		d.same("the ACK")
	}
}

// changed lets a replay change a message before it is sent; both contenders get theirs changed
// alike.
func (d *differential) changed(m *messages.Message) {
	if d.change != nil {
		d.change(d.made, m)
		*m = *messages.Read(m.Bytes()) // what follows from it follows from what was sent
	}
}

// special makes some requests into others that are valid too and are not relayed.
func (d *differential) special(kind int, m *messages.Message) {
	row := func(header string) *messages.Row {
		for i := range m.Rows {
			if m.Rows[i].Header == header {
				return &m.Rows[i]
			}
		}
		m.Rows = append(m.Rows, messages.Row{Header: header})
		return &m.Rows[len(m.Rows)-1]
	}
	switch kind {
	case 17: // no hop left
		r := row("Max-Forwards")
		r.Line, r.Values = "Max-Forwards: 0\r\n", []string{"0"}
	case 18: // of another scheme
		m.URI = "tel:+15551234"
		m.Start = m.Method + " " + m.URI + " SIP/2.0"
	case 19: // in a dialog that knows no way here
		m.Rows = slices.DeleteFunc(m.Rows, func(r messages.Row) bool { return r.Header == "Route" })
	}
}

// each does a step with both and waits for what comes of it.
func (d *differential) each(step func(c *contender)) {
	d.t.Helper()
	for _, c := range d.both {
		c.got = heard{}
	}
	d.sent++
	for _, c := range d.both {
		step(c)
	}
	d.made++
	d.barrier()
	d.barrier()
}

func (d *differential) fromCaller(c *contender, m *messages.Message) {
	d.caller.send(c.addr, string(m.Bytes()))
}

// barrier has both proxies answer both ends, and takes what arrived before.
func (d *differential) barrier() {
	d.t.Helper()
	d.barriers++
	id := fmt.Sprintf("barrier%dx", d.barriers)
	ends := []*peer{d.caller, d.callee}
	for _, p := range ends {
		for i, c := range d.both {
			p.send(c.addr, fmt.Sprintf("OPTIONS sip:x@127.0.0.1:9 SIP/2.0\r\n"+
				"Via: SIP/2.0/UDP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 0\r\nFrom: <sip:a@b>;tag=a\r\n"+
				"To: <sip:b@b>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
				p.addr, id, i, id))
		}
	}
	for _, p := range ends {
		for open := len(d.both); open > 0; {
			in := p.next(patience)
			if in == nil {
				d.t.Fatalf("story %d: a proxy does not answer the %s any more", d.story, p.name)
			}
			m := messages.Read(in.raw)
			callID := m.Get("Call-ID")
			if callID == id {
				open--
				continue
			}
			for _, c := range d.both {
				if in.from != c.addr || !strings.HasPrefix(callID, d.id) {
					continue // what is left of an earlier story
				}
				key := c.name + p.name + string(in.raw)
				if d.seen[key] && time.Since(d.began) > lateAfter {
					// T1 has passed since it was sent first: it is a repetition, and says that this
					// machine was busy
					continue
				}
				d.seen[key] = true
				if p == d.caller {
					c.got.caller = append(c.got.caller, m)
				} else {
					c.got.callee = append(c.got.callee, m)
				}
			}
		}
	}
}

// answer has the callee answer both proxies alike.
func (d *differential) answer(seed uint64, status int, again bool) bool {
	d.t.Helper()
	var sent [2]*messages.Message
	d.status = status
	d.each(func(c *contender) {
		m := messages.Response(messages.FromSeed(seed^0xa25), c.env, c.fwd, status, "uas")
		d.changed(m)
		sent[slices.Index(d.both[:], c)] = m
		d.callee.send(c.addr, string(m.Bytes()))
	})
	for _, c := range d.both {
		for _, m := range c.got.caller {
			if m.Status >= 200 {
				c.last = m
			}
		}
	}
	method := "a non-INVITE"
	if d.both[0].req.Method == "INVITE" {
		method = "an INVITE"
	}
	kind := "a final to " + method
	switch {
	case status == 100:
		kind = "a 100 to " + method
	case status < 200:
		kind = "a provisional to " + method
	case status < 300:
		kind = "a 2xx to " + method
	}
	if !d.same(kind) {
		return false
	}
	if again {
		d.each(func(c *contender) { d.callee.send(c.addr, string(sent[slices.Index(d.both[:], c)].Bytes())) })
		return d.same(kind + ", again")
	}
	return true
}

// cancel has the caller cancel and the callee answer the CANCEL.
func (d *differential) cancel(seed uint64) bool {
	d.t.Helper()
	d.each(func(c *contender) { d.fromCaller(c, messages.Follow(c.req, "CANCEL", nil)) })
	var hops [2]*messages.Message
	for i, c := range d.both {
		for _, m := range c.got.callee {
			if m.Method == "CANCEL" {
				hops[i] = m
			}
		}
	}
	if !d.same("the CANCEL") || hops[0] == nil {
		return false
	}
	d.each(func(c *contender) {
		m := messages.Response(messages.FromSeed(seed^0xca), c.env, hops[slices.Index(d.both[:], c)], 200, "c")
		d.changed(m)
		d.callee.send(c.addr, string(m.Bytes()))
	})
	return d.same("the response to our CANCEL")
}
