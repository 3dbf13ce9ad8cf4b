package outside

import (
	"os/exec"
	"strings"
	"testing"
)

// callLines are the lines of the log that have a Call-ID.
func callLines(text, id string) (lines []string) {
	for l := range strings.Lines(text) {
		if strings.Contains(l, id) {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}

// A call whose name server fails, or says nothing, gets 504 and not the 503 of a server that is
// full; the log names call, destination and cause, the counters have both, and sip_warning tells
// the caller.
func TestNameServerFailureIsTold(t *testing.T) {
	srv, n := slowNames(t, streamSetup{globals: []string{"sip_warning=1"}})
	n.add("broken.example.net 1 IN A 127.0.0.1")
	n.fail("broken.example.net", true)
	caller := newPeer(t, "the caller")
	for _, name := range []string{"broken.example.net:5070", "mute.example.net:5070"} {
		d := caller.invitesTo(srv.addr, "sip:callee@"+name)
		m := d.final()
		d.ack(m)
		if m.status() != 504 || m.get("Retry-After") != "" ||
			!strings.Contains(m.get("Warning"), `399 `+srv.addr.String()+` "name servers silent"`) {
			t.Errorf("%s is answered with\n%s", name, m.raw)
		}
		eventually(t, "a line in the log", func() bool {
			for _, l := range callLines(srv.text(), d.id) {
				if strings.Contains(l, `msg="request failed"`) && strings.Contains(l, "level=WARN") &&
					strings.Contains(l, "method=INVITE") &&
					strings.Contains(l, "to=sip:callee@"+name) && strings.Contains(l, "code=504") &&
					strings.Contains(l, `cause="name servers silent"`) {
					return true
				}
			}
			return false
		})
	}
	st := srv.stats(t)
	if f := st[0].Failed["504 name servers silent"]; f != 2 || st[0].BranchesFailed["504 name servers silent"] != 2 ||
		sum(st, "shed") != 0 {
		t.Errorf("failed %v, branches_failed %v, shed %d", st[0].Failed, st[0].BranchesFailed, sum(st, "shed"))
	}
	if strings.Contains(srv.text(), "no room for more calls") {
		t.Error("the log says that there is no room")
	}
}

// With -ddd one Call-ID tells a call from its first message to the end of its transactions.
func TestOneCallCanBeFollowed(t *testing.T) {
	srv, caller, callee := proxyBetween(t,
		setup{flags: []string{"-ddd"}, edits: params(`modparam("tm", "wt_timer", 1000)`)})
	d := caller.invites(srv.addr)
	m := callee.expect("INVITE")
	callee.reply(m, 180, "Ringing", "callee")
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	d.ack(d.final())
	var lines []string
	eventually(t, "the end of the transaction in the log", func() bool {
		lines = callLines(srv.text(), d.id)
		return len(lines) > 0 && strings.Contains(lines[len(lines)-1], "the transaction ended")
	})
	next, want := 0, []string{"a request received", "request_route entered", "a new transaction", "answered here",
		"a branch sent", "request_route left",
		"a response received", "a response passed on", "branch failed", "a response passed on", "a request received",
		"the ACK ends here", "the transaction ended"}
	for _, l := range lines {
		if next < len(want) && strings.Contains(l, want[next]) {
			next++
		}
	}
	if next < len(want) {
		t.Errorf("no %q in its place in\n%s", want[next], strings.Join(lines, "\n"))
	}
}

// A -m by which calls in progress would have no room is refused, and the error says the least; with
// that the program serves.
func TestLeastMemory(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{arenaMB: 4})
	d := caller.call(srv.addr)
	d.establish(callee)
	d.hangsUp(callee)
	for shards, least := range map[string]string{"1": "write at least -m 4 ", "2": "write at least -m 7 "} {
		out, err := exec.Command(binary, "-c", "-l", "udp:127.0.0.1:5099", "-n", shards, "-m", "3").CombinedOutput()
		if err == nil || !strings.Contains(string(out), least) {
			t.Errorf("-n %s -m 3: %v\n%s\nwant %q", shards, err, out, least)
		}
	}
}
