package txn

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// The four machines of RFC 3261 §17 with RFC 6026, one transition a line: in this state, this
// happens; so this is done, in this order, and that is the state behind it. What is done is written
//
//	INVITE, ACK, 486 …   that message is sent
//	486↑, ACK↑           that message goes to the user
//	timeout↑ failed↑     the user hears of it
//	no                   the machine refuses to send the user's response
//
// Where a line differs from the RFC's figure it says so.

// machine is a table whose sender and user write down what is done.
type machine struct {
	*Table
	t    testing.TB
	did  []string
	tx   *Tx
	br   *Branch
	name string
}

// sent is the machine's Sender.
type sent struct {
	nowhere
	x *machine
}

func (s sent) Append(b []byte) {
	word, rest, _ := strings.Cut(string(b), " ")
	if word == "SIP/2.0" {
		word = rest[:3]
	}
	s.x.did = append(s.x.did, word)
}

func (x *machine) Expired(*Tx)                { x.did = append(x.did, "expired↑") }
func (x *machine) BranchTimeout(*Tx, *Branch) { x.did = append(x.did, "timeout↑") }
func (x *machine) BranchFailed(*Tx, *Branch)  { x.did = append(x.did, "failed↑") }
func (x *machine) StillTrying(*Tx)            {} // TestStillTrying
func (x *machine) Finished(*Tx, int, Again)   {}
func (x *machine) Waited(*Tx)                 {} // TestHoldUntil
func (x *machine) WaitedFor(*Tx, shm.Off)     {} // the same

// text is a message as the machines see it.
func text(start, method string) []byte {
	return fmt.Appendf(nil, "%s\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-b\r\n"+
		"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-a\r\nMax-Forwards: 69\r\nFrom: <sip:a@b>;tag=a\r\n"+
		"To: <sip:b@b>;tag=b\r\nCall-ID: c\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", start,
		method)
}

func (x *machine) parse(b []byte) *parser.Message {
	x.t.Helper()
	m := new(parser.Message)
	if reason := m.Parse(b); reason != parser.OK {
		x.t.Fatal(reason)
	}
	return m
}

// newMachine is a server transaction of that method with one branch, which was sent.
func newMachine(t testing.TB, method string) *machine {
	t.Helper()
	x := &machine{t: t, name: method}
	a, err := shm.Create(shm.Config{Bytes: 4 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	x.Table, err = New(Config{Arena: a, Settings: DefaultSettings(), Sender: sent{x: x}, User: x, Counters: a.Counters(0),
		Random: func() uint64 {
			return 7
		}, Now: int64(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	b := text(method+" sip:b@b SIP/2.0", method)
	m := x.parse(b)
	to := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}
	x.tx = x.NewServer(x.Key(m, m.Method), m.Method, &to, 0)
	x.br = x.NewBranch(x.tx, Destination{Addr: to})
	copy(x.Room(x.br, len(b)), b)
	x.Send(x.tx, x.br)
	x.did = nil
	return x
}

// durations are how long after the last event a timer fires.
func (x *machine) duration(timer string) time.Duration {
	t := &x.timers
	return map[string]time.Duration{"A": t.T1, "B": t.B, "C": t.C, "D": t.Wait, "E": t.T1, "E at T2": t.T2, "F": t.B,
		"G": t.T1, "H": 64 * t.T1, "I": t.T4, "J": t.Wait, "K": t.T4,
		"L": t.Wait, "M": t.Wait}[timer]
}

// pass lets time pass at once: of the timers due only the last one counts, as for a shard that was
// held up.
func (x *machine) pass(d time.Duration) {
	x.SetNow(x.now + int64(d) + 1<<tickShift)
	for !x.Expire(1) {
	}
}

// client is an event at the client machine: a status, a timer, or "error".
func (x *machine) client(event string) {
	x.t.Helper()
	timer, isTimer := strings.CutPrefix(event, "Timer ")
	switch {
	case isTimer:
		x.pass(x.duration(timer))
	case event == "error":
		x.TransportError(x.br)
	case event == "CANCEL":
		x.CancelBranch(x.br, nil)
	case x.Response(x.br, x.parse(text("SIP/2.0 "+event+" Text", x.name))):
		x.did = append(x.did, event+"↑")
	}
}

// impatient is client where fr_timer is 1.5 s; "Timer-B" is one event of a path, and "abandon"
// another.
func (x *machine) impatient(event string) {
	x.t.Helper()
	if short := 1500 * time.Millisecond; x.timers.B != short {
		x.timers.B = short
		x.br.endAt = x.br.sentAt + int64(short)
		x.armClient(x.offOf(&x.br.node), x.br)
	}
	if event == "abandon" {
		x.Abandon(x.br)
		return
	}
	x.client(strings.Replace(event, "-", " ", 1))
}

// server is an event at the server machine: the request again, "ACK", a timer, or a status from the
// user.
func (x *machine) server(event string) {
	x.t.Helper()
	x.end(x.br) // what the branch does is the client's
	timer, isTimer := strings.CutPrefix(event, "Timer ")
	status, err := strconv.Atoi(event)
	switch {
	case isTimer:
		x.pass(x.duration(timer))
	case event == "ACK":
		if !x.Ack(x.tx) && !x.AckAnswer(x.parse(text("ACK sip:b@b SIP/2.0", "ACK"))) {
			x.did = append(x.did, "ACK↑")
		}
	case event == "answer": // a 2xx that the user makes instead of passing it on
		if !x.Answer(x.tx, 200, [][]byte{text("SIP/2.0 200 Text", x.name)}) {
			x.did = append(x.did, "no")
		}
	case err == nil:
		if !x.Respond(x.tx, status, [][]byte{text("SIP/2.0 "+event+" Text", x.name)}) {
			x.did = append(x.did, "no")
		}
	case !x.Repeat(x.tx):
		x.did = append(x.did, event+"↑") // to be answered with a 100 made anew
	}
}

// transition runs the events that lead to a state, then one more, and compares.
func transition(t *testing.T, method string, at func(*machine, string), state func(*machine) State, path, from, event,
	did, to string) {
	t.Helper()
	x := newMachine(t, method)
	for _, e := range strings.Fields(path) {
		at(x, e)
	}
	if got := state(x).String(); got != from {
		t.Errorf("%s after %q: %s, want %s", method, path, got, from)
		return
	}
	x.did = nil
	at(x, event)
	if got := strings.Join(x.did, " "); got != did || state(x).String() != to {
		t.Errorf("%s: %s, %s: %q → %s, want %q → %s", method, from, event, got, state(x), did, to)
	}
}

func branchState(x *machine) State { return x.br.state }
func serverState(x *machine) State { return x.tx.state }

func TestInviteClient(t *testing.T) { // figure 5; RFC 6026 figure 8
	paths := map[string]string{"Calling": "", "Proceeding": "180", "Accepted": "200", "Completed": "486"}
	f := func(from, event, did, to string) {
		t.Helper()
		transition(t, "INVITE", (*machine).client, branchState, paths[from], from, event, did, to)
	}
	f("Calling", "Timer A", "INVITE", "Calling")
	f("Calling", "Timer B", "timeout↑", "Terminated")
	f("Calling", "error", "failed↑", "Terminated")
	f("Calling", "100", "", "Proceeding") // hop by hop (§16.7 step 4)
	f("Calling", "180", "180↑", "Proceeding")
	f("Calling", "200", "200↑", "Accepted")
	f("Calling", "302", "ACK 302↑", "Completed")
	f("Calling", "486", "ACK 486↑", "Completed")
	f("Calling", "CANCEL", "", "Calling") // waits for a provisional (§9.1)
	f("Proceeding", "Timer A", "", "Proceeding")
	f("Proceeding", "Timer B", "", "Proceeding")
	f("Proceeding", "Timer C", "CANCEL timeout↑", "Proceeding") // §16.8
	f("Proceeding", "error", "", "Proceeding")
	f("Proceeding", "100", "", "Proceeding")
	f("Proceeding", "183", "183↑", "Proceeding")
	f("Proceeding", "200", "200↑", "Accepted")
	f("Proceeding", "486", "ACK 486↑", "Completed")
	f("Proceeding", "CANCEL", "CANCEL", "Proceeding")
	f("Completed", "180", "", "Completed")
	f("Completed", "486", "ACK", "Completed")
	f("Completed", "603", "ACK", "Completed")
	// figure 5 has none; a fork further down (§16.7 step 5)
	f("Completed", "200", "200↑", "Completed")
	// figure 5 ends and tells; the user has its final already
	f("Completed", "error", "", "Completed")
	f("Completed", "CANCEL", "", "Completed")
	f("Completed", "Timer D", "", "Terminated")
	f("Accepted", "180", "", "Accepted")
	f("Accepted", "200", "200↑", "Accepted")
	f("Accepted", "486", "", "Accepted")
	f("Accepted", "error", "", "Accepted")
	f("Accepted", "CANCEL", "", "Accepted")
	f("Accepted", "Timer M", "", "Terminated")
}

// TestInviteClientGivenUp: what is over for the user is not over on the other side before 64·T1
// (§9.1, §16.7 step 5).
func TestInviteClientGivenUp(t *testing.T) {
	f := func(path, from, event, did, to string) {
		t.Helper()
		transition(t, "INVITE", (*machine).impatient, branchState, path, from, event, did, to)
	}
	f("", "Calling", "Timer B", "timeout↑", "Calling")
	f("Timer-B", "Calling", "Timer A", "", "Calling") // silent
	f("Timer-B", "Calling", "100", "CANCEL", "Proceeding")
	f("Timer-B", "Calling", "180", "CANCEL", "Proceeding") // nobody needs to hear of it
	f("Timer-B", "Calling", "200", "200↑", "Accepted")
	f("Timer-B", "Calling", "486", "ACK 486↑", "Completed")
	f("Timer-B", "Calling", "CANCEL", "", "Calling")
	f("Timer-B", "Calling", "Timer H", "", "Terminated") // 64·T1
	f("Timer-B", "Calling", "error", "", "Terminated")
	f("Timer-B 180", "Proceeding", "487", "ACK 487↑", "Completed")
	f("Timer-B 180", "Proceeding", "200", "200↑", "Accepted")
	f("Timer-B 180", "Proceeding", "183", "", "Proceeding")
	f("Timer-B 180", "Proceeding", "Timer H", "", "Terminated")
	f("CANCEL Timer-B", "Calling", "180", "CANCEL", "Proceeding")
	f("180 CANCEL", "Proceeding", "Timer B", "timeout↑", "Proceeding")
	f("180 CANCEL Timer-B", "Proceeding", "487", "ACK 487↑", "Completed")
	f("180 CANCEL Timer-B", "Proceeding", "183", "CANCEL", "Proceeding") // it passed over the first
	f("180 CANCEL Timer-B 183", "Proceeding", "183", "", "Proceeding")
	f("180 CANCEL Timer-B 183", "Proceeding", "487", "ACK 487↑", "Completed")
	f("180 CANCEL Timer-B", "Proceeding", "Timer H", "", "Terminated")
	f("180 CANCEL Timer-B 183", "Proceeding", "Timer H", "", "Terminated")
	f("180 Timer-C", "Proceeding", "Timer B", "", "Proceeding")
	f("180 Timer-C Timer-B", "Proceeding", "487", "ACK 487↑", "Completed")
	f("abandon", "Calling", "180", "CANCEL", "Proceeding")
	f("abandon", "Calling", "Timer H", "", "Terminated")
}

func TestInviteClientCancelled(t *testing.T) { // §9.1
	f := func(path, from, event, did, to string) {
		t.Helper()
		transition(t, "INVITE", (*machine).client, branchState, path, from, event, did, to)
	}
	f("CANCEL", "Calling", "100", "CANCEL", "Proceeding")
	f("CANCEL", "Calling", "180", "CANCEL 180↑", "Proceeding")
	f("CANCEL", "Calling", "200", "200↑", "Accepted")
	f("CANCEL", "Calling", "486", "ACK 486↑", "Completed")
	f("CANCEL", "Calling", "Timer B", "timeout↑", "Terminated")
	f("180 CANCEL", "Proceeding", "CANCEL", "", "Proceeding")
	f("180 CANCEL", "Proceeding", "487", "ACK 487↑", "Completed")
	f("180 CANCEL", "Proceeding", "200", "200↑", "Accepted")
	f("180 CANCEL", "Proceeding", "183", "183↑", "Proceeding")
	f("180 CANCEL", "Proceeding", "Timer A", "CANCEL", "Proceeding")   // the CANCEL's own Timer E
	f("180 CANCEL", "Proceeding", "Timer B", "timeout↑", "Terminated") // 64·T1 after the CANCEL
}

func TestNonInviteClient(t *testing.T) { // figure 6
	paths := map[string]string{"Trying": "", "Proceeding": "100", "Completed": "200"}
	f := func(from, event, did, to string) {
		t.Helper()
		transition(t, "OPTIONS", (*machine).client, branchState, paths[from], from, event, did, to)
	}
	f("Trying", "Timer E", "OPTIONS", "Trying")
	f("Trying", "Timer F", "timeout↑", "Terminated")
	f("Trying", "error", "failed↑", "Terminated")
	f("Trying", "100", "", "Proceeding") // figure 6 passes it up; hop by hop (§16.7 step 4)
	f("Trying", "183", "183↑", "Proceeding")
	f("Trying", "200", "200↑", "Completed")
	f("Trying", "404", "404↑", "Completed")
	f("Trying", "CANCEL", "", "Trying") // §9.1: nothing but an INVITE
	f("Proceeding", "Timer E at T2", "OPTIONS", "Proceeding")
	f("Proceeding", "Timer F", "timeout↑", "Terminated")
	// figure 6 ends and tells; a peer that has spoken is there, and an ICMP error may be late
	f("Proceeding", "error", "", "Proceeding")
	f("Proceeding", "100", "", "Proceeding")
	f("Proceeding", "200", "200↑", "Completed")
	f("Proceeding", "500", "500↑", "Completed")
	f("Proceeding", "CANCEL", "", "Proceeding")
	f("Completed", "100", "", "Completed")
	f("Completed", "200", "", "Completed")
	f("Completed", "404", "", "Completed")
	f("Completed", "error", "", "Completed")
	f("Completed", "Timer E", "", "Completed")
	f("Completed", "Timer K", "", "Terminated")
}

func TestInviteServer(t *testing.T) { // figure 7; RFC 6026 figure 7
	paths := map[string]string{"Proceeding": "", "Accepted": "200", "Completed": "486", "Confirmed": "486 ACK"}
	f := func(from, event, did, to string) {
		t.Helper()
		transition(t, "INVITE", (*machine).server, serverState, paths[from], from, event, did, to)
	}
	f("Proceeding", "INVITE", "INVITE↑", "Proceeding") // 100 again, made by the user
	f("Proceeding", "100", "100", "Proceeding")
	f("Proceeding", "180", "180", "Proceeding")
	f("Proceeding", "200", "200", "Accepted")
	f("Proceeding", "302", "302", "Completed")
	f("Proceeding", "486", "486", "Completed")
	f("Proceeding", "ACK", "", "Proceeding")
	f("Accepted", "INVITE", "", "Accepted")
	f("Accepted", "ACK", "ACK↑", "Accepted")
	f("Accepted", "180", "no", "Accepted")
	f("Accepted", "200", "200", "Accepted")
	f("Accepted", "486", "no", "Accepted")
	f("Accepted", "Timer G", "", "Accepted")
	f("Accepted", "Timer L", "", "Terminated")
	here := func(path, event, did, to string) { // a 2xx made here, §13.3.1.4
		t.Helper()
		transition(t, "INVITE", (*machine).server, serverState, path, "Accepted", event, did, to)
	}
	f("Proceeding", "answer", "200", "Accepted")
	here("answer", "INVITE", "200", "Accepted")
	here("answer", "Timer G", "200", "Accepted")
	here("answer", "ACK", "", "Accepted")
	here("answer", "180", "no", "Accepted")
	here("answer", "486", "no", "Accepted")
	here("answer", "Timer H", "", "Terminated")
	here("answer ACK", "INVITE", "", "Accepted")
	here("answer ACK", "Timer G", "", "Accepted")
	here("answer ACK", "ACK", "", "Accepted")
	here("answer ACK", "Timer L", "", "Terminated")
	f("Completed", "answer", "200", "Completed")
	f("Completed", "INVITE", "486", "Completed")
	f("Completed", "Timer G", "486", "Completed")
	f("Completed", "ACK", "", "Confirmed")
	f("Completed", "180", "no", "Completed")
	// figure 7 has none; a 2xx goes up whatever was sent (§16.7 step 5)
	f("Completed", "200", "200", "Completed")
	f("Completed", "603", "no", "Completed")
	f("Completed", "Timer H", "", "Terminated")
	f("Confirmed", "INVITE", "", "Confirmed")
	f("Confirmed", "ACK", "", "Confirmed")
	f("Confirmed", "486", "no", "Confirmed")
	f("Confirmed", "Timer G", "", "Confirmed")
	f("Confirmed", "Timer I", "", "Terminated")

	x := newMachine(t, "INVITE") // a provisional is repeated for a repeated INVITE
	x.server("180")
	x.did = nil
	if x.server("INVITE"); strings.Join(x.did, " ") != "180" {
		t.Errorf("after a 180 a repeated INVITE gets %q", x.did)
	}
}

func TestNonInviteServer(t *testing.T) { // figure 8; RFC 4320 §4.1
	paths := map[string]string{"Trying": "", "Proceeding": "100", "Completed": "200"}
	f := func(from, event, did, to string) {
		t.Helper()
		transition(t, "OPTIONS", (*machine).server, serverState, paths[from], from, event, did, to)
	}
	f("Trying", "OPTIONS", "", "Trying")
	f("Trying", "100", "100", "Proceeding")
	f("Trying", "183", "no", "Proceeding") // RFC 4320 §4.1: nothing but a 100
	f("Trying", "200", "200", "Completed")
	f("Trying", "404", "404", "Completed")
	f("Proceeding", "OPTIONS", "100", "Proceeding")
	f("Proceeding", "100", "100", "Proceeding")
	f("Proceeding", "183", "no", "Proceeding")
	f("Proceeding", "200", "200", "Completed")
	f("Proceeding", "404", "404", "Completed")
	f("Completed", "OPTIONS", "200", "Completed")
	f("Completed", "100", "no", "Completed")
	f("Completed", "200", "no", "Completed")
	f("Completed", "404", "no", "Completed")
	f("Completed", "Timer J", "", "Terminated")
}

// TestNothingIsFreedBeforeReclaim: what the send queue may refer to keeps its slot until the batch
// is over.
func TestNothingIsFreedBeforeReclaim(t *testing.T) {
	f := func(what string, x *machine, act func()) {
		t.Helper()
		before := x.slab.UsedBytes()
		act()
		if used := x.slab.UsedBytes(); used < before {
			t.Errorf("%s: %d bytes were freed within the batch", what, before-used)
		}
		held := x.slab.UsedBytes()
		x.Reclaim()
		if used := x.slab.UsedBytes(); used >= held {
			t.Errorf("%s: nothing was freed after the batch", what)
		}
	}
	x := newMachine(t, "INVITE")
	f("a 200 takes the place of the request", x, func() { x.client("200") })
	x = newMachine(t, "INVITE")
	x.server("486")
	x.Reclaim()
	f("the ACK ends the copy of the 486", x, func() { x.server("ACK") })
	x = newMachine(t, "OPTIONS")
	f("a final ends the copy of the request", x, func() { x.client("200") })
	x = newMachine(t, "OPTIONS")
	f("the transaction ends", x, func() { x.end(x.br); x.terminate(x.tx) })
}
