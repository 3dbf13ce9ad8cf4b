package outside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rpc asks the program at its Unix socket: one line in, one line of JSON out.
func (s *server) rpc(t *testing.T, socket, line string) (result any, fault string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintln(conn, line); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		t.Fatalf("%s: %v in %s", line, err, answer)
	}
	if m, ok := result.(map[string]any); ok {
		if e, ok := m["error"].(map[string]any); ok {
			return nil, fmt.Sprint(e["code"], " ", e["message"])
		}
	}
	return result, ""
}

// withBlocklist is stateful.cfg with the blacklist on, quick timers and a socket for operators.
func withBlocklist(t *testing.T, globals string, tm ...string) (*server, string) {
	socket := filepath.Join(t.TempDir(), "sock")
	lines := append([]string{`modparam("tm", "fr_timer", 700)`, `modparam("tm", "retr_timer1", 100)`}, tm...)
	edits := []string{`modparam("tm", "fr_timer", 30000)`, "", "debug=0", "debug=0\n" + globals}
	srv := start(t, setup{
		config: "stateful.cfg", timers: true, edits: append(edits, params(lines...)...), flags: []string{"-x", socket},
	})
	return srv, socket
}

// listed is what dst_blocklist.view says, one line an entry.
func listed(t *testing.T, srv *server, socket string) string {
	t.Helper()
	all, fault := srv.rpc(t, socket, "dst_blocklist.view")
	if fault != "" {
		t.Fatal(fault)
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// tried is the final response that a request for a callee gets.
func tried(t *testing.T, srv *server, caller, callee *peer, method string) (*message, *dialog) {
	t.Helper()
	d := caller.call(srv.addr)
	d.uri = "sip:x@" + callee.addr.String()
	caller.send(srv.addr, d.text(method, d.branch))
	for {
		m := caller.next(patience)
		if m == nil {
			t.Fatalf("no answer to %s", method)
		}
		if m.status() >= 200 {
			if method == "INVITE" {
				d.ack(m)
			}
			return m, d
		}
	}
}

// A destination that says nothing to an INVITE is listed, and the next INVITE is refused at once;
// OPTIONS do not list, and a BYE is sent all the same.
func TestBlocklistTimeout(t *testing.T) {
	t.Parallel()
	srv, socket := withBlocklist(t, "use_dst_blacklist=yes\ndst_blacklist_expire=60")
	caller, silent := newPeer(t, "caller"), newPeer(t, "a callee that says nothing")
	o := caller.call(srv.addr)
	o.uri = "sip:x@" + silent.addr.String()
	caller.send(srv.addr, o.text("OPTIONS", o.branch))
	silent.expect("OPTIONS")
	eventually(t, "the OPTIONS to be given up", func() bool { return sum(srv.stats(t), "timeouts") == 1 })
	if all := listed(t, srv, socket); strings.Contains(all, "127.0.0.1") {
		t.Errorf("OPTIONS listed its destination: %s", all)
	}
	if m, _ := tried(t, srv, caller, silent, "INVITE"); m.status() != 408 {
		t.Errorf("the first INVITE got %s", m)
	}
	all := listed(t, srv, socket)
	for _, part := range []string{silent.addr.Addr().String(), fmt.Sprint(silent.addr.Port()), "udp", "timeout"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not in %s", part, all)
		}
	}
	for silent.next(300*time.Millisecond) != nil {
	}
	if m, _ := tried(t, srv, caller, silent, "INVITE"); m.status() < 400 {
		t.Errorf("the second INVITE got %s", m)
	}
	silent.silence(300 * time.Millisecond)
	if n := sum(srv.stats(t), "blocked"); n == 0 {
		t.Error("nothing counts as blocked")
	}
	b := caller.call(srv.addr)
	b.uri = "sip:x@" + silent.addr.String()
	caller.send(srv.addr, b.text("BYE", b.branch))
	silent.expect("BYE")
	// Deleted by the operator, it is called again.
	if _, fault := srv.rpc(t, socket,
		fmt.Sprintf("dst_blocklist.delete 127.0.0.1 %d 1", silent.addr.Port())); fault != "" {
		t.Error(fault)
	}
	caller.invitesTo(srv.addr, "sip:x@"+silent.addr.String())
	silent.expect("INVITE")
}

// A callee that rings and then says no more is not dead.
func TestBlocklistRinging(t *testing.T) {
	t.Parallel()
	srv, socket := withBlocklist(t, "use_dst_blocklist=yes", `modparam("tm", "fr_inv_timer", 700)`)
	caller, callee := newPeer(t, "caller"), newPeer(t, "a callee that rings for ever")
	caller.invitesTo(srv.addr, "sip:x@"+callee.addr.String())
	callee.reply(callee.expect("INVITE"), 180, "Ringing", "t")
	callee.expect("CANCEL")
	if all := listed(t, srv, socket); strings.Contains(all, "127.0.0.1") {
		t.Errorf("listed: %s", all)
	}
}

// An answer of 503 lists for as long as Retry-After says, within the bounds of the settings.
func TestBlocklist503(t *testing.T) {
	t.Parallel()
	srv, socket := withBlocklist(t, "use_dst_blacklist=yes", `modparam("tm", "blst_503", 1)`,
		`modparam("tm", "blst_503_min_timeout", 30)`)
	caller, callee := newPeer(t, "caller"), newPeer(t, "a callee that is overloaded")
	caller.invitesTo(srv.addr, "sip:x@"+callee.addr.String())
	callee.reply(callee.expect("INVITE"), 503, "Service Unavailable", "t", "Retry-After: 5 (soon)")
	callee.expect("ACK")
	var entries []map[string]any
	b := listed(t, srv, socket)
	if err := json.Unmarshal([]byte(b), &entries); err != nil || len(entries) != 1 {
		t.Fatalf("%v: %s", err, b)
	}
	left, ok := entries[0]["expires in (s)"].(float64)
	if !ok || left < 20 || left > 30 || !strings.Contains(b, "503") {
		t.Errorf("want 30 seconds for a 503: %s", b)
	}
}

// A closed port lists only where the option asks for it; a refused connection always does. The
// operator may list, and dst_blacklist_init=off can not be undone.
func TestBlocklistErrorsAndOperators(t *testing.T) {
	t.Parallel()
	for icmp, want := range map[string]bool{"no": false, "yes": true} {
		srv, socket := withBlocklist(t, "use_dst_blacklist=yes\ndst_blacklist_icmp="+icmp)
		caller, callee := newPeer(t, "caller"), newPeer(t, "a callee that has gone")
		callee.conn.Close()
		tried(t, srv, caller, callee, "INVITE")
		if all := listed(t, srv, socket); strings.Contains(all, "icmp") != want {
			t.Errorf("dst_blacklist_icmp=%s: %s", icmp, all)
		}
	}
	srv, socket := withBlocklist(t, "use_dst_blacklist=yes")
	caller, callee := newPeer(t, "caller"), newPeer(t, "a callee that may not be called")
	if _, fault := srv.rpc(t, socket,
		fmt.Sprintf("dst_blacklist.add 127.0.0.1 %d 1 64", callee.addr.Port())); fault != "" {
		t.Fatal(fault)
	}
	tried(t, srv, caller, callee, "INVITE")
	callee.silence(300 * time.Millisecond)
	if _, fault := srv.rpc(t, socket, "dst_blocklist.delete_all"); fault != "" {
		t.Error(fault)
	}
	caller.invitesTo(srv.addr, "sip:x@"+callee.addr.String())
	callee.expect("INVITE")

	off, socket := withBlocklist(t, "dst_blacklist_init=off")
	const text = "dst blocklist is turned off by dst_blocklist_init=0, it cannot be enabled runtime."
	if _, fault := off.rpc(t, socket, "cfg.set_now_int core use_dst_blacklist 1"); !strings.Contains(fault, text) {
		t.Errorf("it could be switched on: %q", fault)
	}
	if _, fault := off.rpc(t, socket, "dst_blocklist.view"); !strings.HasPrefix(fault,
		"500 dst blocklist support disabled") {
		t.Errorf("view answers %q", fault)
	}
}
