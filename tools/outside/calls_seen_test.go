package outside

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCallsSeenAndDropped: an operator sees what is under way on all shards, ends one call, and the
// others go on.
func TestCallsSeenAndDropped(t *testing.T) {
	if *against == "kamailio" {
		t.Skip("asks at a socket of Viaduct's")
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "sock")
	callee := newPeer(t, "a callee")
	srv := start(t, setup{shards: 2, targets: []netip.AddrPort{callee.addr},
		flags: []string{"-x", socket}})
	// seen is what is listed, by Call-ID.
	seen := func(which string, want int) map[string]map[string]any {
		t.Helper()
		answer, fault := srv.rpc(t, socket, "viaduct.calls "+which)
		list, _ := answer.([]any)
		if fault != "" || len(list) != want {
			t.Fatalf("calls %s: %d are listed, want %d: %v %s", which, len(list), want, answer, fault)
		}
		by := map[string]map[string]any{}
		for _, c := range list {
			c := c.(map[string]any)
			by[c["call_id"].(string)] = c
		}
		return by
	}
	seen("", 0)
	caller := newPeer(t, "a caller")
	trying := caller.invites(srv.addr)
	tried := trying.reaches(callee)
	callee.reply(tried, 100, "Trying", "") // so that it is not sent again
	var ringing []*dialog
	var invites []*message
	for range 4 { // on both shards, as good as surely
		d := caller.invites(srv.addr)
		invites = append(invites, d.ringsAt(callee))
		ringing = append(ringing, d)
	}
	all := seen("", 5)
	if c := all[trying.id]; c["state"] != "trying" || c["method"] != "INVITE" ||
		c["from"] != "sip:caller@example.com" || c["to"] != "sip:callee@example.com" ||
		c["source"] != "udp:"+caller.addr.String() || c["destination"] != "udp:"+callee.addr.String() ||
		c["branches"] != 1.0 {
		t.Errorf("the call that is tried is listed as %v", c)
	}
	if c := all[ringing[0].id]; c["state"] != "ringing" {
		t.Errorf("the call that rings is listed as %v", c)
	}
	seen(ringing[1].id, 1)
	seen("caller", 5)
	seen("nobody", 0)

	if _, fault := srv.rpc(t, socket, "viaduct.drop nobody"); !strings.HasPrefix(fault, "404 ") {
		t.Errorf("to drop nobody's calls: %q", fault)
	}
	if answer, fault := srv.rpc(t, socket, "viaduct.drop "+ringing[0].id); fault != "" ||
		answer.(map[string]any)["dropped"] != 1.0 {
		t.Fatalf("drop: %v %s", answer, fault)
	}
	cancel := callee.expect("CANCEL")
	if cancel.get("Call-ID") != ringing[0].id {
		t.Errorf("another call is cancelled: %s", cancel)
	}
	callee.reply(cancel, 200, "OK", "callee")
	ringing[0].ack(caller.expect("480"))
	callee.reply(invites[0], 487, "Request Terminated", "callee")
	callee.expect("ACK")
	seen("", 4)
	for i, d := range ringing[1:] {
		callee.reply(invites[i+1], 200, "OK", "callee")
		d.confirm(caller.expect("200"))
		d.request("ACK")
		callee.expect("ACK")
	}
	seen("", 1)

	cancelled := caller.invites(srv.addr)
	invite := cancelled.ringsAt(callee)
	answer, _ := srv.rpc(t, socket, "tm.list")
	found := false
	for _, x := range answer.([]any) {
		x := x.(map[string]any)
		found = found || x["callid"] == "Call-ID: "+cancelled.id && x["method"] == "INVITE" &&
			x["cseq"] == "CSeq: 1" && strings.HasPrefix(x["from"].(string), "From: <sip:caller@example.com>;tag=") &&
			x["uas_request"] == "yes" && x["outgoings"] == 1.0 && x["lifetime"].(float64) > 0
	}
	if list := answer.([]any); !found || len(list) != 6 { // the finished ones absorb repetitions
		t.Errorf("tm.list: %d transactions, and the one cancelled among them: %t: %v", len(list), found, answer)
	}
	if _, fault := srv.rpc(t, socket, "tm.cancel "+cancelled.id+" 99"); fault != "400 Transaction not found" {
		t.Errorf("to cancel what is not there: %q", fault)
	}
	answer, fault := srv.rpc(t, socket, "tm.cancel "+cancelled.id+" 1")
	if list, _ := answer.([]any); len(list) != 2 || list[0] != 1.0 {
		t.Errorf("tm.cancel: %v %s", answer, fault)
	}
	callee.answers("CANCEL", 200, "OK")
	callee.reply(invite, 487, "Request Terminated", "callee")
	callee.expect("ACK")
	cancelled.ack(caller.expect("487"))
	answer, fault = srv.rpc(t, socket, "viaduct.check")
	if c, _ := answer.(map[string]any); fault != "" || c["shards"] != 2.0 || c["state"] != "ok" {
		t.Errorf("check: %v %s", answer, fault)
	}
	answer, _ = srv.rpc(t, socket, "viaduct.history 1")
	if list, _ := answer.([]any); len(list) != 1 || !strings.Contains(list[0].(string), "calls were dropped") {
		t.Errorf("history: %v", answer)
	}
	answer, _ = srv.rpc(t, socket, "viaduct.config")
	want, err := os.ReadFile(filepath.Join(srv.dir, srv.config))
	if text, _ := answer.(string); err != nil || text != "# "+srv.config+"\n"+string(want) {
		t.Errorf("config: %s", text)
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if answer, fault = srv.rpc(t, socket, "viaduct.snapshot "+path); answer != path {
		t.Fatalf("snapshot: %v %s", answer, fault)
	}
	b, err := os.ReadFile(path)
	var snap struct {
		Configuration struct{ Hash, Text string }
		Goroutines    []string
		Status        struct{ Shards int }
		Last          []string `json:"last_errors"`
	}
	if err == nil {
		err = json.Unmarshal(b, &snap)
	}
	if err != nil || snap.Configuration.Text == "" || len(snap.Goroutines) < 4 ||
		snap.Status.Shards != 2 || len(snap.Last) == 0 {
		t.Errorf("the snapshot: %v\n%s", err, b)
	}
	if _, fault = srv.rpc(t, socket, "viaduct.snapshot "+path); !strings.HasPrefix(fault, "500 ") {
		t.Errorf("a snapshot in the place of another: %q", fault)
	}
	callee.reply(tried, 486, "Busy Here", "callee")
	trying.ack(caller.expect("486"))
	callee.expect("ACK")
	seen("", 0)
}
