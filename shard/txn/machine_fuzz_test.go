package txn_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// gone is the state of a machine that cannot be found any more.
const gone = txn.State(0)

// moves are the arrows of RFC 3261 figures 5 to 8 with RFC 6026's Accepted, and the events that may
// lead along each. Standing still is always allowed.
var moves = map[string]map[[2]txn.State]string{
	"INVITE server": { // figure 7, RFC 6026 figure 3
		{txn.Proceeding, txn.Accepted}:  "response answer",
		{txn.Proceeding, txn.Completed}: "response answer error time",
		{txn.Proceeding, gone}:          "time relay",
		{txn.Accepted, gone}:            "time",  // Timer L
		{txn.Completed, txn.Confirmed}:  "ack",   //
		{txn.Completed, gone}:           "time",  // Timer H
		{txn.Confirmed, gone}:           "time"}, // Timer I
	"other server": { // figure 8
		{txn.Trying, txn.Proceeding}:    "response answer time",
		{txn.Trying, txn.Completed}:     "response answer error",
		{txn.Trying, gone}:              "time relay", // RFC 4320 §4.2
		{txn.Proceeding, txn.Completed}: "response answer error",
		{txn.Proceeding, gone}:          "time relay",
		{txn.Completed, gone}:           "time"}, // Timer J
	"INVITE client": { // figure 5, RFC 6026 figure 5
		{txn.Calling, txn.Proceeding}:   "response",
		{txn.Calling, txn.Accepted}:     "response",
		{txn.Calling, txn.Completed}:    "response",
		{txn.Calling, gone}:             "time error abandon", // Timer B
		{txn.Proceeding, txn.Accepted}:  "response",
		{txn.Proceeding, txn.Completed}: "response",
		{txn.Proceeding, gone}:          "time",  // Timer C and what follows it
		{txn.Accepted, gone}:            "time",  // Timer M
		{txn.Completed, gone}:           "time"}, // Timer D
	"other client": { // figure 6
		{txn.Trying, txn.Proceeding}:    "response",
		{txn.Trying, txn.Completed}:     "response",
		{txn.Trying, gone}:              "time error abandon", // Timer F
		{txn.Proceeding, txn.Completed}: "response",
		{txn.Proceeding, gone}:          "time abandon",
		{txn.Completed, gone}:           "time"}, // Timer K
}

// server is what the test knows of one server transaction, client of one branch.
type server struct {
	invite    bool
	name      int // its requests share a match key
	request   []byte
	state     txn.State
	final     []byte // the first final sent upstream
	finalCode int
	own       bool // its 2xx was made here, not passed on
	clients   []*client
}

type client struct {
	of     *server
	via    string // our branch
	state  txn.State
	heard  bool // a provisional came
	refuse bool // a final that is no 2xx came
	cancel int  // CANCELs sent
	sends  int
	token  uint64
}

// play is a table, its sender and its user, all made of one input.
type play struct {
	t        *testing.T
	choices  []byte
	arena    *shm.Arena
	table    *txn.Table
	timers   txn.Timers
	now      int64
	rnd      uint64
	event    string
	servers  []*server
	live     map[int]*server // by name: which of them can be matched
	to       netio.Addr
	token    uint64
	out      []byte
	response int // status under way, event "response"
	m        parser.Message
	log      []string
}

// FuzzMachines lets anything happen to a table in any order: requests and their repetitions,
// responses of any status from any destination, ACK, CANCEL, transport errors, answers of our own,
// time, an arena without room, a killed process. The machines must keep to their diagrams, send no
// final that differs from the one before, wake up when the first deadline comes, and end with
// nothing held.
func FuzzMachines(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2, 0, 0, 180, 2, 0, 0, 200, 6, 3})
	f.Add([]byte{1, 1, 3, 0, 1, 2, 2, 0, 0, 130, 4, 0, 2, 1, 0, 240, 3, 0, 6, 200})
	f.Add([]byte{2, 0, 0, 1, 2, 5, 0, 0, 6, 1, 8, 6, 255, 8, 2, 0, 1, 140})
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1, 2, 7, 3, 2, 0, 0, 99, 4, 0, 8, 6, 9, 3, 0, 10, 0, 1, 11, 0, 0, 5, 0, 1}, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 600 {
			return
		}
		p := &play{t: t, choices: b, now: int64(time.Hour), live: map[int]*server{}}
		p.timers = txn.DefaultTimers()
		p.timers.MaxInvite = [...]time.Duration{0, 20 * time.Second, 300 * time.Second}[p.choose(3)]
		p.timers.MaxNonInvite = [...]time.Duration{0, 5 * time.Second, 60 * time.Second}[p.choose(3)]
		arena, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		p.arena = arena
		defer func() { p.arena.Close() }()
		p.newTable()
		for len(p.choices) > 0 {
			p.step()
		}
		p.ends()
	})
}

func (p *play) choose(n int) int {
	if len(p.choices) == 0 {
		return 0
	}
	v := int(p.choices[0]) % n
	p.choices = p.choices[1:]
	return v
}

func (p *play) newTable() {
	settings := txn.DefaultSettings()
	settings.Timers = p.timers
	table, err := txn.New(txn.Config{
		Arena: p.arena, Settings: settings, Sender: p, User: p, Counters: p.arena.Counters(0), Random: p.random,
		Now: p.now,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.table = table
	table.SetNow(p.now)
}

func (p *play) random() uint64 {
	p.rnd++
	return p.rnd * 0x9e3779b97f4a7c15
}

func (p *play) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf(format+"\nat %v, after\n%s",
		append(args, time.Duration(p.now-int64(time.Hour)), strings.Join(p.log, "\n"))...)
}

func (p *play) begin(event, format string, args ...any) {
	p.event = event
	p.log = append(p.log, event+" "+fmt.Sprintf(format, args...))
}

// end checks that every machine moved along an arrow, and ends the batch.
func (p *play) end() {
	p.t.Helper()
	for _, s := range p.servers {
		p.moved(s)
	}
	p.table.Reclaim()
	earliest, armed := p.table.EarliestDue()
	next, ok := p.table.NextDue()
	if ok != (armed > 0) || ok && next > max(earliest, p.now)+2*txn.Tick {
		p.fatalf("%d timers are armed, the first for %v; NextDue says %v, %v", armed, time.Duration(earliest-p.now),
			time.Duration(next-p.now), ok)
	}
	p.event = ""
}

func (p *play) moved(s *server) {
	p.t.Helper()
	machine := func(kind string, was *txn.State, is txn.State, what string) {
		p.t.Helper()
		if *was != is && !slices.Contains(strings.Fields(moves[kind][[2]txn.State{*was, is}]), p.event) {
			p.fatalf("%s %s goes from %v to %v at %q", kind, what, *was, is, p.event)
		}
		*was = is
	}
	kind := "other "
	if s.invite {
		kind = "INVITE "
	}
	if s.state != gone {
		is := gone
		if tx := p.match(s, s.method()); tx != nil {
			is = tx.State()
		}
		machine(kind+"server", &s.state, is, fmt.Sprint(s.name))
		if is == gone {
			delete(p.live, s.name)
		}
	}
	for _, c := range s.clients {
		if c.state != gone {
			is := gone
			if br := p.branch(c); br != nil {
				is = br.State()
			}
			machine(kind+"client", &c.state, is, c.via)
		}
	}
}

func (s *server) method() parser.Method {
	if s.invite {
		return parser.INVITE
	}
	return parser.OPTIONS
}

func (p *play) match(s *server, as parser.Method) *txn.Tx {
	if r := p.m.Parse(s.request); r != parser.OK {
		p.fatalf("BUG in the test: %v", r)
	}
	return p.table.Match(p.table.Key(&p.m, as))
}

func (p *play) branch(c *client) *txn.Branch {
	id, ok := txn.ParseBranch([]byte(c.via))
	if !ok {
		p.fatalf("%s is no branch", c.via)
	}
	return p.table.At(id)
}

// one picks a server and its transaction as matched; nil: there is none.
func (p *play) one() (*server, *txn.Tx) {
	if len(p.servers) == 0 {
		return nil, nil
	}
	s := p.servers[len(p.servers)-1-p.choose(min(len(p.servers), 6))]
	if s.state == gone {
		return s, nil
	}
	return s, p.match(s, s.method())
}

// oneClient picks a branch and its record; nil: there is none.
func (p *play) oneClient() (*client, *txn.Branch) {
	s, _ := p.one()
	if s == nil || len(s.clients) == 0 {
		return nil, nil
	}
	c := s.clients[p.choose(len(s.clients))]
	return c, p.branch(c)
}

func (p *play) step() {
	switch p.choose(12) {
	case 0, 1:
		p.request(p.choose(4))
	case 2:
		p.respond()
	case 3:
		if s, tx := p.one(); tx != nil && s.invite {
			p.begin("ack", "%d", s.name)
			p.table.Ack(tx)
			p.end()
		}
	case 4:
		if s, tx := p.one(); tx != nil && s.invite {
			p.begin("cancel", "%d", s.name)
			p.table.Cancel(tx, nil)
			p.end()
		}
	case 5:
		if c, br := p.oneClient(); br != nil {
			p.begin("error", "%s", c.via)
			if p.choose(2) == 0 {
				p.table.TransportError(br)
			} else {
				p.table.SendFailed(c.token)
			}
			p.end()
		}
	case 6:
		p.time(time.Duration(1+p.choose(256)) * [...]time.Duration{time.Millisecond, 100 * time.Millisecond,
			time.Second, 5 * time.Second}[p.choose(4)])
	case 7:
		n := p.choose(16)
		p.log = append(p.log, fmt.Sprintf("the arena refuses slot %d from here", n))
		p.arena.Slab(0).Refuse(n)
	case 8:
		p.restart()
	case 9:
		if s, tx := p.one(); tx != nil && !tx.Answered() {
			p.begin("relay", "%d", s.name)
			p.relay(s, tx, 1+p.choose(2))
			p.end()
		}
	case 10:
		if s, tx := p.one(); tx != nil {
			status := p.status()
			p.begin("answer", "%d with %d", s.name, status)
			p.send(tx, status)
			p.end()
		}
	case 11:
		if c, br := p.oneClient(); br != nil {
			p.begin("abandon", "%s", c.via)
			p.table.Abandon(br)
			p.end()
		}
	}
}

// status is any, those at the limits more often.
func (p *play) status() int {
	n := p.choose(256)
	if n < 20 {
		return [...]int{100, 180, 199, 200, 299, 300, 486, 487, 503, 699}[n%10]
	}
	return 100 + n*599/255
}

// request is a request of that name: new, or the repetition of one that lives.
func (p *play) request(name int) {
	s := p.live[name]
	if s != nil {
		p.begin("request", "%d again", name)
		if tx := p.match(s, s.method()); tx == nil {
			p.fatalf("request %d is known and does not match", name)
		} else if !p.table.Repeat(tx) {
			p.send(tx, 100)
		}
		p.end()
		return
	}
	s = &server{invite: name%2 == 0, name: name}
	method := "OPTIONS"
	if s.invite {
		method = "INVITE"
	}
	// the longest keys need slots of their own
	branch := "z9hG4bK" + strings.Repeat("x", name*60) + strconv.Itoa(name)
	s.request = fmt.Appendf(nil,
		"%s sip:a@127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=%s\r\nFrom: <sip:a@b>;tag=a\r\n"+
			"To: <sip:b@b>\r\nCall-ID: c%d\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
		method, branch, name, method)
	n := 1 + p.choose(3)
	p.begin("relay", "new request %d to %d destinations", name, n)
	if p.match(s, s.method()) != nil {
		p.fatalf("request %d matches a transaction that ended", name)
	}
	replyTo := p.address(6000 + len(p.servers))
	tx := p.table.NewServer(p.table.Key(&p.m, s.method()), s.method(), &replyTo, 0)
	if tx == nil {
		p.end()
		return // the arena is full
	}
	p.servers = append(p.servers, s)
	p.live[name] = s
	s.state = tx.State()
	if s.invite {
		p.send(tx, 100)
	}
	p.relay(s, tx, n)
	p.end()
}

func (p *play) address(port int) netio.Addr {
	return netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: uint16(port), Family: 4}
}

// relay sends the request to some more destinations. If none is left then, the transaction ends
// unanswered, as for want of room.
func (p *play) relay(s *server, tx *txn.Tx, n int) {
	p.t.Helper()
	for range n {
		br := p.table.NewBranch(tx, txn.Destination{Addr: p.address(7000 + len(s.clients))})
		if br == nil {
			break
		}
		via := string(p.table.AppendBranch(nil, br))
		line, rest, _ := bytes.Cut(s.request, []byte("\r\n"))
		sent := fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=%s\r\n%s", line, via, rest)
		room := p.table.Room(br, len(sent))
		if room == nil {
			p.table.Discard(br)
			break
		}
		copy(room, sent)
		c := &client{of: s, via: via}
		s.clients = append(s.clients, c)
		p.table.Send(tx, br)
		c.state = br.State()
		c.token = p.token
	}
	if tx.Live() == 0 && !tx.Answered() {
		p.table.Terminate(tx)
	}
}

// respond brings a response to a branch, at times to its CANCEL.
func (p *play) respond() {
	p.t.Helper()
	c, br := p.oneClient()
	if c == nil {
		return
	}
	p.response = p.status()
	method := "OPTIONS"
	if c.of.invite {
		method = "INVITE"
		if p.choose(5) == 4 {
			method = "CANCEL"
		}
	}
	p.begin("response", "%d %s to %s", p.response, method, c.via)
	b := fmt.Appendf(nil, "SIP/2.0 %d X\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=%s\r\n"+
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=x\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:b@b>;tag=b\r\nCall-ID: c%d\r\n"+
		"CSeq: 1 %s\r\n\r\n",
		p.response, c.via, c.of.name, method)
	if r := p.m.Parse(b); r != parser.OK {
		p.fatalf("BUG in the test: %v", r)
	}
	via, _ := p.m.TopVia()
	id, _ := txn.ParseBranch(via.Branch.Of(p.m.Raw))
	matched := p.table.MatchResponse(&p.m, id)
	if matched != nil && br == nil {
		p.fatalf("a response matches a branch that ended")
	}
	switch {
	case matched == nil && method != "CANCEL" && br != nil:
		p.fatalf("a response to a branch that lives is a stray")
	case matched == nil:
	case method == "CANCEL":
		if p.table.Response(matched, &p.m) {
			p.fatalf("a response to our CANCEL is for the user")
		}
	default:
		if p.response < 200 {
			c.heard = true
		}
		c.refuse = c.refuse || p.response >= 300
		if forUser := p.table.Response(br, &p.m); forUser {
			if p.response == 100 {
				p.fatalf("a 100 is for the user")
			}
			p.upstream(br, p.response)
		}
	}
	p.end()
}

// upstream does with a response what a proxy does (§16.7), the choice among several aside.
func (p *play) upstream(br *txn.Branch, status int) {
	tx := p.table.Tx(br)
	if status >= 300 && (tx.Answered() || p.table.Pending(tx) > 0) {
		return
	}
	p.send(tx, status)
	if status >= 200 && status < 300 && tx.Invite() {
		p.table.Branches(tx, func(other *txn.Branch) bool {
			if other != br {
				p.table.CancelBranch(other, nil)
			}
			return true
		})
	}
}

// send answers tx with a response whose text is unlike any other's.
func (p *play) send(tx *txn.Tx, status int) {
	p.rnd++
	rest := fmt.Appendf(nil, " %d\r\n\r\n", p.rnd)
	if p.rnd%2 == 0 {
		rest = fmt.Appendf(nil, " %d\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:b@b>;tag=b\r\nCall-ID: c%d\r\n"+
			"CSeq: 1 INVITE\r\n\r\n", p.rnd, p.rnd%8)
		if tx.State() == txn.Proceeding && status/100 == 2 {
			p.servers[int(tx.ReplyTo().Port)-6000].own = true
		}
		p.table.Answer(tx, status, [][]byte{fmt.Appendf(nil, "SIP/2.0 %d", status), rest})
		return
	}
	p.table.Respond(tx, status, [][]byte{fmt.Appendf(nil, "SIP/2.0 %d", status), rest})
}

// time lets time pass from deadline to deadline, each its own event.
func (p *play) time(d time.Duration) {
	p.t.Helper()
	budget := 1 + p.choose(3)
	for until := p.now + int64(d); p.now < until; {
		next := until
		if due, ok := p.table.NextDue(); ok {
			next = min(next, max(due, p.now+1))
		}
		p.now = next
		p.begin("time", "%v", time.Duration(p.now-int64(time.Hour)))
		p.table.SetNow(p.now)
		for n := 0; !p.table.Expire(budget); n++ {
			if n > 10000 {
				p.fatalf("Expire does not end")
			}
		}
		p.end()
	}
}

// restart is the end of a process and the beginning of the next on the same arena.
func (p *play) restart() {
	p.t.Helper()
	p.begin("restart", "")
	held := p.table.Held()
	fd, err := unix.Dup(int(p.arena.File().Fd()))
	if err != nil {
		p.fatalf("%v", err)
	}
	arena, err := shm.AttachFile(os.NewFile(uintptr(fd), "arena"), 0)
	if err != nil {
		p.fatalf("%v", err)
	}
	p.arena.Close()
	p.arena = arena
	if _, err := arena.Recover(func(owner, part shm.Off) bool { return txn.Holds(arena, owner, part) }); err != nil {
		p.fatalf("%v", err)
	}
	p.newTable()
	if n := p.table.Rebuild(); n != held {
		p.fatalf("%d transactions were taken over, want %d", n, held)
	}
	p.end()
}

// ends lets all timers run out. What a transaction may take at most is Timer C, the wait for a
// CANCEL's final and Timer D, and the lifetimes.
func (p *play) ends() {
	p.t.Helper()
	p.time(1500 * time.Second)
	used := p.arena.Slab(0).UsedBytes()
	if _, armed := p.table.EarliestDue(); p.table.Held() != 0 || p.table.Unanswered() != 0 || used != 0 || armed != 0 {
		p.fatalf("%d transactions are held, %d unanswered, %d bytes used, %d timers armed", p.table.Held(),
			p.table.Unanswered(), used, armed)
	}
}

// The user's part.

func (p *play) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	if p.event != "time" || br.State() == txn.Completed || br.State() == txn.Accepted {
		p.fatalf("a time-out at %q of a branch in state %v", p.event, br.State())
	}
	switch {
	case tx.Answered() || tx.State() == txn.Terminated || p.table.Pending(tx) > 0:
	case !tx.Invite():
		p.table.Terminate(tx) // RFC 4320 §4.2
	case tx.Canceled():
		p.send(tx, 487)
	default:
		p.send(tx, 408)
	}
}

// StillTrying is the 100 of RFC 4320.
func (p *play) StillTrying(tx *txn.Tx)           { p.send(tx, 100) }
func (p *play) Finished(*txn.Tx, int, txn.Again) {}
func (p *play) Waited(*txn.Tx)                   {}
func (p *play) WaitedFor(*txn.Tx, shm.Off)       {}

func (p *play) BranchFailed(tx *txn.Tx, br *txn.Branch) {
	if p.event != "error" {
		p.fatalf("a transport error at %q", p.event)
	}
	if !tx.Answered() && tx.State() != txn.Terminated && p.table.Pending(tx) == 0 {
		p.send(tx, 500)
	}
}

func (p *play) Expired(tx *txn.Tx) {
	if p.event != "time" {
		p.fatalf("a lifetime ends at %q", p.event)
	}
	if !tx.Answered() && tx.Invite() {
		p.send(tx, 408)
	}
	if !tx.Answered() {
		p.table.Terminate(tx)
	}
	p.table.Branches(tx, func(br *txn.Branch) bool {
		p.table.Abandon(br)
		return true
	})
}

// The sender's part: what leaves is judged as it leaves.

func (p *play) SetStreamOptions(txn.StreamOptions, []byte) {}
func (p *play) Abandon()                                   {}

func (p *play) Begin(_ int, to *netio.Addr, token uint64) {
	p.to, p.out = *to, p.out[:0]
	if token != 0 {
		p.token = token
	}
}
func (p *play) Append(b []byte) { p.out = append(p.out, b...) }

func (p *play) End() {
	if p.to.Port < 7000 {
		p.toCaller(p.servers[p.to.Port-6000])
		return
	}
	method, _, _ := strings.Cut(string(p.out), " ")
	_, via, _ := strings.Cut(string(p.out), "branch=")
	via, _, _ = strings.Cut(via, "\r\n")
	for _, s := range p.servers {
		for _, c := range s.clients {
			if c.via == via {
				p.toCallee(c, method)
				return
			}
		}
	}
	p.fatalf("left for nobody:\n%s", p.out)
}

// toCaller: no provisional follows a final, and no final another that differs, a 2xx to an INVITE
// aside (§16.7 step 5). A 2xx to an INVITE that was passed on is never ours to repeat (RFC 6026 §7.1).
func (p *play) toCaller(s *server) {
	code, _ := strconv.Atoi(string(p.out[8:11]))
	twoHundred := s.invite && code/100 == 2
	switch {
	case s.final == nil && code >= 200:
		s.final, s.finalCode = bytes.Clone(p.out), code
	case s.final == nil:
	case twoHundred && (p.event == "response" || p.event == "answer"):
	case (!twoHundred || s.own) && bytes.Equal(s.final, p.out) && (p.event == "request" ||
		p.event == "time" && s.invite && (s.state == txn.Completed || s.state == txn.Accepted)):
	default:
		p.fatalf("%q leaves for %d at %q, after the final %q", p.out, s.name, p.event, s.final)
	}
}

// toCallee: requests are repeated by Timers A and E alone, an ACK follows a final that is no 2xx, a
// CANCEL follows a provisional and no final.
func (p *play) toCallee(c *client, method string) {
	ok, most := false, 0
	switch method {
	case "INVITE":
		most = 7 // at 0, .5, 1.5, 3.5, 7.5, 15.5 and 31.5 s
		ok = c.sends == 0 && p.event == "relay" || p.event == "time" && c.state == txn.Calling
		c.sends++
	case "OPTIONS":
		most = 11
		ok = c.sends == 0 && p.event == "relay" ||
			p.event == "time" && (c.state == txn.Trying || c.state == txn.Proceeding)
		c.sends++
	case "ACK":
		ok = c.refuse && p.event == "response" && p.response >= 300
	case "CANCEL":
		ok = c.heard && (c.cancel > 0 && p.event == "time" || c.state == txn.Proceeding ||
			c.state == txn.Calling && p.event == "response")
		c.cancel++
	}
	if !ok || most > 0 && c.sends > most {
		p.fatalf("%s leaves at %q, its branch in state %v, sent %d times", method, p.event, c.state, c.sends)
	}
}
