package outside

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrace: an operator sees a call as it went over the wire, and no other one.
func TestTrace(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("asks at a socket of Viaduct's")
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "sock")
	callee := newPeer(t, "a callee")
	srv := start(t, setup{shards: 2, targets: []netip.AddrPort{callee.addr},
		flags: []string{"-x", socket}})
	ask := func(command string) map[string]any {
		t.Helper()
		answer, fault := srv.rpc(t, socket, command)
		if fault != "" {
			t.Fatalf("%s: %s", command, fault)
		}
		return answer.(map[string]any)
	}
	if _, fault := srv.rpc(t, socket, "viaduct.traced"); !strings.Contains(fault, "nothing was traced yet") {
		t.Errorf("before anything was traced: %q", fault)
	}
	caller := newPeer(t, "a caller")
	caller.invites(srv.addr).ringsAt(callee) // before: it is not kept
	if s := ask("viaduct.trace_start user=caller"); s["on"] != true || s["filter"] != "user=caller" {
		t.Errorf("the trace begins as %v", s)
	}
	var calls []*dialog
	for range 4 { // on both shards, as good as surely
		d := caller.invites(srv.addr)
		d.ringsAt(callee)
		calls = append(calls, d)
	}
	stranger := newPeer(t, "a stranger")
	stranger.send(srv.addr, "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "+stranger.addr.String()+
		";branch=z9hG4bKtrace\r\nMax-Forwards: 0\r\nFrom: <sip:other@example.com>;tag=1\r\n"+
		"To: <sip:other@example.com>\r\nCall-ID: other\r\nCSeq: 1 OPTIONS\r\n\r\n")

	for _, d := range calls {
		var got []string
		for _, m := range ask("viaduct.traced 0 call-id=" + d.id)["messages"].([]any) {
			m := m.(map[string]any)
			text := m["text"].(string)
			first, _, _ := strings.Cut(text, " sip:")
			first, _, _ = strings.Cut(first, "\r\n")
			far := m["from"]
			if m["direction"] == "out" {
				far = m["to"]
			}
			if !strings.Contains(text, d.id) || m["transport"] != "UDP" {
				t.Errorf("a message of another call, or by another transport: %v", m)
			}
			got = append(got, fmt.Sprint(m["direction"], " ", far, " ", first))
		}
		want := fmt.Sprintf("in %v INVITE, out %v SIP/2.0 100, out %v INVITE, in %v SIP/2.0 180, out %v SIP/2.0 180",
			caller.addr, caller.addr, callee.addr, callee.addr, caller.addr)
		s := strings.Join(got, ", ")
		for _, phrase := range []string{" Trying", " trying -- your call is important to us", " Ringing"} {
			s = strings.ReplaceAll(s, phrase, "")
		}
		if s != want {
			t.Errorf("the call is traced as\n%s\nwant\n%s", s, want)
		}
	}
	if list := ask("viaduct.traced 0 call-id=other")["messages"].([]any); len(list) > 0 {
		t.Errorf("what does not pass the filter was kept: %v", list)
	}
	seen := ask("viaduct.trace_stop")
	caller.invites(srv.addr).ringsAt(callee)
	if s := ask("viaduct.trace_state"); s["on"] != false || s["kept"] != seen["kept"] {
		t.Errorf("after the end of the trace: %v, before it %v", s, seen)
	}
	for _, command := range []string{"viaduct.trace_start what=ever", "viaduct.traced 0 addr=host"} {
		if _, fault := srv.rpc(t, socket, command); !strings.HasPrefix(fault, "400 ") {
			t.Errorf("%s: %q", command, fault)
		}
	}
}
