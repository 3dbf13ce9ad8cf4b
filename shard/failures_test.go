package shard

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shard/proxy"
)

// lines takes what is in the log's queue, each as "text name=value …".
func (c *caller) lines() (out []string) {
	for {
		select {
		case l := <-c.w.shared.lines:
			s := l.text
			for i := 0; i+1 < len(l.attrs); i += 2 {
				s += fmt.Sprintf(" %v=%v", l.attrs[i], l.attrs[i+1])
			}
			out = append(out, s)
		default:
			return out
		}
	}
}

// at tells worker and tables the time.
func (c *caller) at(now int64) {
	c.now = now
	c.w.batchAt = now
	c.w.tx.SetNow(now)
	c.w.core.SetNow(now)
}

// TestFailuresAreLogged: a failed call has a line with its Call-ID, what was tried, the code and
// the cause, failuresPerSecond of them; how many more there were is said once.
func TestFailuresAreLogged(t *testing.T) {
	c := newCallerWith(t, "stateful.cfg", 64<<20, 0)
	c.at(int64(time.Hour))
	nowhere := bytes.Replace(tmplInvite, []byte("INVITE sip:service@127.0.0.1:7000"),
		[]byte("INVITE sip:service@nowhere.test"), 1)
	for range 10 {
		c.n++
		c.request(nowhere)
		c.expect("SIP/2.0 478")
	}
	got := c.lines()
	const want = "branch failed call_id=1-00000001@127.0.0.1 method=INVITE to=sip:service@nowhere.test " +
		"from=udp:127.0.0.1:6000 code=478 cause=name unresolved why=the destination's name could not be looked up"
	if len(got) != failuresPerSecond || got[0] != want ||
		got[1] != strings.Replace(want, "branch failed", "request failed", 1) {
		t.Errorf("%d lines, the first two:\n%s", len(got), strings.Join(got[:2], "\n"))
	}
	c.w.watchFailures()
	if got := c.lines(); len(got) != 1 || !strings.Contains(got[0], "left_out=10") {
		t.Errorf("what was left out: %q", got)
	}
	c.w.watchFailures()
	c.at(c.now + int64(time.Second))
	c.n++
	c.request(nowhere)
	if got := c.lines(); len(got) != 2 {
		t.Errorf("a second later: %q", got)
	}
	if n := c.w.count[proxy.CountFinalCauses+int(proxy.NameUnresolved)]; n != 11 {
		t.Errorf("%d counted, want every one", n)
	}
	// What the caller himself did is no warning.
	c.at(c.now + int64(time.Second))
	c.request(bytes.Replace(tmplInvite, []byte("CSeq: 1 INVITE"), []byte("CSeq: x INVITE"), 1))
	c.expect("SIP/2.0 400")
	if got := c.lines(); len(got) != 0 {
		t.Errorf("a malformed request makes a warning: %q", got)
	}
}

// TestSteps: at debug level each step of a call is a line with its Call-ID, up to the end of its
// transactions, and below it there is none.
func TestSteps(t *testing.T) {
	for _, level := range []int{2, 3} {
		c := newCallerWith(t, "lb.cfg", 64<<20, level)
		c.call()
		c.n++
		c.request(tmplInvite)
		c.expect("INVITE ")
		for range 60 {
			c.at(c.now + int64(time.Second))
			c.w.tx.Expire(timersPerRound)
			c.w.reclaim()
		}
		got := c.lines()
		if level < levelDebug {
			for _, l := range got {
				if strings.Contains(l, "00000001") {
					t.Errorf("at level %d: %s", level, l)
				}
			}
			continue
		}
		next := 0
		want := []string{
			"a request received call_id=1-00000001@127.0.0.1 method=INVITE uri=sip:service@127.0.0.1:7000 " +
				"from=udp:127.0.0.1:6000 by=udp:127.0.0.1:5060",
			"request_route entered call_id=1-00000001@127.0.0.1",
			"a new transaction call_id=1-00000001@127.0.0.1 method=INVITE",
			"answered here call_id=1-00000001@127.0.0.1 code=100",
			"a branch sent call_id=1-00000001@127.0.0.1 branch=0 to=udp:127.0.0.1:700",
			"request_route left call_id=1-00000001@127.0.0.1 decided=relayed max_forwards=69 record_route=true",
			"a response received call_id=1-00000001@127.0.0.1 code=180",
			"a response to a branch call_id=1-00000001@127.0.0.1 code=180",
			"a response passed on call_id=1-00000001@127.0.0.1 code=180 to=udp:127.0.0.1:6000",
			"a response passed on call_id=1-00000001@127.0.0.1 code=200 to=udp:127.0.0.1:6000",
			"a request received call_id=1-00000001@127.0.0.1 method=ACK",
			"sent on without a transaction call_id=1-00000001@127.0.0.1 method=ACK to=udp:127.0.0.1:7000",
			"a request received call_id=1-00000001@127.0.0.1 method=BYE",
			"a response passed on call_id=1-00000001@127.0.0.1 code=200 to=udp:127.0.0.1:6000",
			"the timer of a branch ended call_id=1-00000002@127.0.0.1 branch=0",
			"the transaction ended call_id=1-00000001@127.0.0.1",
		}
		for _, l := range got {
			if next < len(want) && strings.HasPrefix(l, want[next]) {
				next++
			}
		}
		if next < len(want) {
			t.Errorf("no %q in its place in\n%s", want[next], strings.Join(got, "\n"))
		}
	}
}

// TestStepsOfTransactions: what the transactions send of their own accord has its lines, and so has
// the sender of what is nobody's.
func TestStepsOfTransactions(t *testing.T) {
	c := newCallerWith(t, "lb.cfg", 64<<20, levelDebug)
	c.request(tmplInvite)
	c.expect("INVITE ")
	const id = " call_id=1-00000000@127.0.0.1"
	pass := func(d time.Duration) {
		c.at(c.now + int64(d))
		c.w.tx.Expire(timersPerRound)
		c.w.reclaim()
	}
	pass(600 * time.Millisecond)
	c.reply("SIP/2.0 180 Ringing\r\n", tmpl180)
	c.request(bytes.ReplaceAll(tmplInvite, []byte("INVITE"), []byte("CANCEL")))
	c.reply("SIP/2.0 487 Request Terminated\r\n", tmpl180)
	pass(600 * time.Millisecond)
	c.w.datagram(&netio.Packet{Data: []byte("garbage"),
		Src: netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6009, Family: 4}})
	got := strings.Join(c.lines(), "\n")
	for _, want := range []string{
		"sent again by a transaction" + id + " method=INVITE branch=0 to=udp:127.0.0.1:700",
		"sent by a transaction" + id + " method=CANCEL branch=0",
		"sent by a transaction" + id + " method=ACK branch=0",
		"sent again by a transaction" + id + " code=487 method=INVITE to=udp:127.0.0.1:6000",
		" from=udp:127.0.0.1:6009",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestComplaintsAreCounted: what the program had to complain of, beyond what the log has lines for,
// is told as one line.
func TestComplaintsAreCounted(t *testing.T) {
	c := newCallerWith(t, "stateful.cfg", 64<<20, 0)
	c.at(int64(time.Hour))
	for range 25 {
		c.w.ctx.Complain([]byte("division by zero"))
	}
	if got := c.lines(); len(got) != 10 {
		t.Errorf("%d lines", len(got))
	}
	c.w.watchFailures()
	if got := c.lines(); len(got) != 1 || !strings.Contains(got[0], "left_out=15") {
		t.Errorf("what was left out: %q", got)
	}
	if c.w.watchFailures(); len(c.lines()) != 0 {
		t.Error("it is told twice")
	}
}
