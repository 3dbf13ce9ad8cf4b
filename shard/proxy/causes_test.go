package proxy

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// TestCauses: what each cause is answered with, and how it is told. A new cause needs a line here.
func TestCauses(t *testing.T) {
	seen := map[Cause]bool{}
	f := func(cause Cause, name, want string, level int) {
		t.Helper()
		seen[cause] = true
		b := newFailing(t, nil)
		b.request("INVITE", "").Refuse(cause, "", "")
		got := ""
		for _, s := range b.sent {
			got += s.text
		}
		first, rows, _ := strings.Cut(got, "\r\n")
		line := strings.TrimPrefix(first, "SIP/2.0 ")
		for _, row := range strings.Split(rows, "\r\n") {
			if strings.HasPrefix(row, "Retry-After") {
				line += ", " + row
			}
		}
		if line != want || cause.String() != name || cause.Level() != level || cause.Why() == "" {
			t.Errorf("%s: answered %q at level %d (%s), want %s: %q at level %d", cause, line, cause.Level(),
				cause.Why(), name, want, level)
		}
		if n := b.c.count[CountFinalCauses+int(cause)]; n != 1 || len(b.told) != 1 ||
			!strings.Contains(b.told[0], name) {
			t.Errorf("%s: counted %d times, told %q", name, n, b.told)
		}
		if n := b.c.count[CountShed]; (n == 1) != (cause == NoRoom) {
			t.Errorf("%s: shed is %d", name, n)
		}
		if strings.Contains(line, "Retry-After") != (causes[cause].status == 503) {
			t.Errorf("%s: %q: Retry-After goes with 503 alone", name, line)
		}
	}
	f(Malformed, "malformed", "400 Bad Request", levelInfo)
	f(BadVersion, "bad version", "505 Version Not Supported", levelInfo)
	f(UnknownMethod, "unknown method", "501 Not Implemented", levelInfo)
	f(TooLarge, "too large", "513 Message Too Large", levelInfo)
	f(UnsupportedOption, "unsupported Proxy-Require", "420 Bad Extension", levelInfo)
	f(Looped, "loop", "482 Loop Detected", levelWarning)
	f(BadBreadth, "bad Max-Breadth", "400 Bad Max-Breadth", levelInfo)
	f(ShuttingDown, "shutting down", "503 Service Unavailable, Retry-After: 5", levelInfo)
	f(InOverload, "overload", "503 Service Unavailable, Retry-After: 2", levelInfo)
	f(NoRoom, "no room", "503 Service Unavailable, Retry-After: 2", levelInfo)
	f(Contained, "panic", "500 Server Internal Error", levelWarning)
	f(ProgramLimit, "program cut short", "500 Server Internal Error", levelWarning)
	f(ProgramGone, "program replaced", "503 Service Unavailable, Retry-After: 2", levelWarning)
	f(NoTarget, "no target", "500 Server Internal Error", levelWarning)
	f(Undecided, "undecided", "500 Server Internal Error", levelWarning)
	f(BadTarget, "bad target URI", "400 Bad Request-URI", levelWarning)
	f(UnknownScheme, "unknown scheme", "416 Unsupported URI Scheme", levelWarning)
	f(HopsSpent, "hops spent", "483 Too Many Hops", levelWarning)
	f(BreadthSpent, "breadth spent", "440 Max-Breadth Exceeded", levelWarning)
	f(TooLong, "too long", "513 Message Too Large", levelWarning)
	f(TooManyEdits, "too many edits", "500 Server Internal Error", levelWarning)
	f(NoSuchName, "no such name", "478 Unresolvable Destination", levelWarning)
	f(NameServersSilent, "name servers silent", "504 Server Time-out", levelWarning)
	f(NameQueriesFull, "name queries full", "503 Service Unavailable, Retry-After: 2", levelWarning)
	f(NameUnresolved, "name unresolved", "478 Unresolvable Destination", levelWarning)
	f(TransportUnavailable, "transport unavailable", "478 Unresolvable Destination", levelWarning)
	f(FamilyUnavailable, "address family unavailable", "477 No Way To Next Hop", levelWarning)
	f(AddressUnusable, "unusable address", "478 Unresolvable Destination", levelWarning)
	f(Blocklisted, "blocklisted", "477 No Way To Next Hop", levelWarning)
	f(InClear, "sips in clear", "480 Temporarily Unavailable", levelWarning)
	f(TimerFired, "timeout", "408 Request Timeout", levelWarning)
	f(RangTooLong, "rang too long", "408 Request Timeout", levelInfo)
	f(LivedTooLong, "lived too long", "408 Request Timeout", levelWarning)
	f(NotContinued, "not continued", "408 Request Timeout", levelWarning)
	f(NotSent, "not sent", "500 Server Internal Error", levelWarning)
	f(ConnectionFailed, "connection failed", "500 Server Internal Error", levelWarning)
	f(HandshakeFailed, "handshake failed", "500 Server Internal Error", levelWarning)
	f(PeerUnreachable, "unreachable", "500 Server Internal Error", levelWarning)
	f(CanceledByCaller, "canceled", "487 Request Terminated", levelInfo)
	f(HeldBack, "held back", "477 No Way To Next Hop", levelInfo)
	for cause := NoCause + 1; cause < NumCauses; cause++ {
		if !seen[cause] && cause != ByProgram && cause != RefusedDownstream {
			t.Errorf("cause %d, %q, has no line here", cause, cause)
		}
	}
}

// TestCausesAreDocumented: docs/failures.md has the table.
func TestCausesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	for cause := NoCause + 1; cause < NumCauses; cause++ {
		row := &causes[cause]
		answer, level := "varies", "warning"
		if row.status != 0 {
			answer = fmt.Sprintf("%d %s", row.status, row.phrase)
		}
		if row.header != "" {
			answer += ", " + strings.TrimSpace(row.header)
		}
		if row.level == levelInfo {
			level = "information"
		}
		if want := fmt.Sprintf("| %s | %s | %s | %s |\n", row.name, answer, level,
			row.why); !strings.Contains(string(page), want) {
			t.Errorf("docs/failures.md lacks %s", want)
		}
	}
}

// failing is a bench that is told what fails.
type failing struct {
	*bench
	told []string // "[branch] code cause: Call-ID method to address"
}

func newFailing(t *testing.T, change func(*Config)) *failing {
	t.Helper()
	f := &failing{}
	f.bench = newBench(t, func(c *Config) {
		c.OnFailure = func(e *Failure) {
			line := fmt.Sprintf("%d %s", e.Code, e.Cause)
			if e.Branch {
				line = "branch " + line
			}
			if e.M != nil {
				line += ": " + string(e.M.CallID())
			}
			if e.Addr.Family != 0 {
				line += " " + e.Addr.String()
			}
			if e.Detail != "" {
				line += " (" + e.Detail + ")"
			}
			f.told = append(f.told, line)
		}
		if change != nil {
			change(c)
		}
	})
	return f
}

// answering is a Resolver with one answer to everything.
type answering struct {
	answer Answer
	to     netio.Addr
}

func (a answering) Lookup(_ *NameQuery, out []Endpoint) (int, Answer) {
	if a.answer != Resolved {
		return 0, a.answer
	}
	out[0] = Endpoint{a.to, a.to.Proto}
	return 1, Resolved
}
func (a answering) Ask(*NameQuery, func()) bool { return false }

// busyNames has no room for another question.
type busyNames struct{}

func (busyNames) AskName(*NameQuery, Waiting) bool                        { return false }
func (busyNames) Prefetch(*NameQuery)                                     {}
func (busyNames) Park(*NameQuery, *parser.Message, *netio.Addr, int) bool { return false }

// everything is a blocklist that has every address.
type everything struct{}

func (everything) Blocked(*netio.Addr, parser.Method) bool                  { return true }
func (everything) Holds(*netio.Addr, parser.Method) bool                    { return true }
func (everything) Report(*netio.Addr, blocklist.Reason, parser.Method, int) {}

// noFamily is an Egress without a listener for anything.
type noFamily struct{}

func (noFamily) Egress(*netio.Addr, int) int { return -1 }

// TestWhatKeepsARequestFromBeingSent: each way in which a target cannot be sent to has its own
// cause, whether the relay makes a transaction or not. Only a lack of room counts as shed.
func TestWhatKeepsARequestFromBeingSent(t *testing.T) {
	f := func(cause Cause, uri string, change func(*Config)) {
		t.Helper()
		for _, relay := range []func(r *Request) bool{(*Request).Relay, (*Request).Forward} {
			b := newFailing(t, change)
			r := b.request("INVITE", "")
			if uri != "" && !r.SetRequestURI([]byte(uri)) {
				t.Fatalf("%s is no Request-URI", uri)
			}
			if relay(r) {
				t.Errorf("%s: sent all the same", cause)
				continue
			}
			r.ReplyError()
			code := cause.Status()
			want := []string{fmt.Sprintf("branch %d %s: c1", code, cause), fmt.Sprintf("%d %s: c1", code, cause)}
			if fmt.Sprint(b.told) != fmt.Sprint(want) {
				t.Errorf("%s: told %q, want %q", cause, b.told, want)
			}
			if n := b.c.count[CountUnresolvable]; (n == 1) != (code == 478 || code == 504) {
				t.Errorf("%s: unresolvable is %d", cause, n)
			}
			if b.c.count[CountShed] != 0 {
				t.Errorf("%s: counted as shed", cause)
			}
			if got := b.sent[len(b.sent)-1].text; !strings.HasPrefix(got, fmt.Sprintf("SIP/2.0 %d ", code)) ||
				strings.Contains(got, "Warning: 399") {
				t.Errorf("%s: answered\n%s", cause, got)
			}
		}
	}
	resolver := func(a Answer) func(*Config) {
		return func(c *Config) { c.Resolver = answering{answer: a} }
	}
	f(NameServersSilent, "sip:bob@name.example", resolver(Failed))
	f(NoSuchName, "sip:bob@name.example", resolver(Nowhere))
	f(NameUnresolved, "sip:bob@name.example", nil)
	f(NameQueriesFull, "sip:bob@name.example",
		func(c *Config) { c.Resolver, c.Names = answering{answer: Unknown}, busyNames{} })
	f(TransportUnavailable, "sip:bob@127.0.0.1;transport=sctp", nil)
	f(TransportUnavailable, "sip:bob@127.0.0.1;transport=tcp", func(c *Config) { c.Egress = noFamily{} })
	f(FamilyUnavailable, "sip:bob@[::1]", func(c *Config) { c.Egress = noFamily{} })
	f(AddressUnusable, "sip:bob@239.1.1.1", nil)
	f(InClear, "sips:bob@127.0.0.1;transport=udp", nil)
	f(UnknownScheme, "tel:+15550100", nil)
	f(Blocklisted, "sip:bob@127.0.0.1", func(c *Config) { c.Blocked = everything{} })
}

// TestBranchesThatFail: a branch that fails is told once, with the address it went to, and so is
// what the caller hears.
func TestBranchesThatFail(t *testing.T) {
	f := func(end func(b *failing), want ...string) {
		t.Helper()
		b := newFailing(t, nil)
		r := b.request("INVITE", "")
		if !r.Relay() {
			t.Fatal("not sent")
		}
		end(b)
		if fmt.Sprint(b.told) != fmt.Sprint(want) {
			t.Errorf("told %q, want %q", b.told, want)
		}
	}
	branch := func(b *failing) (br *txn.Branch) {
		b.c.tx.Branches(b.c.Request.Tx, func(x *txn.Branch) bool { br = x; return false })
		return br
	}
	f(func(b *failing) {
		b.wait(33 * time.Second)
	}, "branch 408 timeout: c1 127.0.0.1:7000", "408 timeout: c1 127.0.0.1:7000")
	f(func(b *failing) { b.answer(7000, "INVITE", "180 Ringing"); b.wait(200 * time.Second) },
		"branch 408 rang too long: c1 127.0.0.1:7000", "408 rang too long: c1 127.0.0.1:7000")
	f(func(b *failing) { b.answer(7000, "INVITE", "486 Busy Here") }, "branch 486 response: c1 127.0.0.1:7000")
	f(func(b *failing) {
		b.c.Explain(HandshakeFailed, "the certificate is for a, not for b")
		b.c.tx.TransportError(branch(b))
	}, "branch 500 handshake failed: c1 127.0.0.1:7000 (the certificate is for a, not for b)",
		"500 handshake failed: c1 127.0.0.1:7000")
	f(func(b *failing) {
		quoted := append([]byte(nil), b.sent[len(b.sent)-1].text...)
		b.c.NotDelivered(quoted)
	}, "branch 500 unreachable: c1 127.0.0.1:7000", "500 unreachable: c1 127.0.0.1:7000")
}

// TestProgramsFinals: what the routing program answers itself is counted by its code.
func TestProgramsFinals(t *testing.T) {
	b := newFailing(t, func(c *Config) { c.Warning = true })
	b.request("INVITE", "").Reply(403, "Forbidden", "")
	if b.c.count[CountProgramCodes+103] != 1 || fmt.Sprint(b.told) != "[403 program: c1 (Forbidden)]" {
		t.Errorf("counted %d, told %q", b.c.count[CountProgramCodes+103], b.told)
	}
	if got := b.sent[len(b.sent)-1].text; strings.Contains(got, "Warning: 399") {
		t.Errorf("a warning about what the program decided:\n%s", got)
	}
}

// TestWarning: with sip_warning a final of ours says why, in a row that anybody can read (RFC 3261
// §20.43), with a transaction and without, and whether the request is still there or not.
func TestWarning(t *testing.T) {
	want := func(b *failing, row string) {
		t.Helper()
		if got := b.sent[len(b.sent)-1].text; !strings.Contains(got, "\r\n"+row+"\r\n") {
			t.Errorf("no %q in\n%s", row, got)
		}
	}
	on := func(c *Config) { c.Warning = true }
	b := newFailing(t, on)
	b.request("INVITE", "").Refuse(Looped, "", "")
	want(b, `Warning: 399 127.0.0.1:5060 "loop"`)
	b = newFailing(t, on)
	b.request("INVITE", "").Relay()
	b.wait(33 * time.Second)
	for i := len(b.sent) - 1; !strings.HasPrefix(b.sent[i].text, "SIP/2.0 408"); i-- {
		b.sent = b.sent[:i]
	}
	want(b, `Warning: 399 127.0.0.1:5060 "timeout"`)
}
