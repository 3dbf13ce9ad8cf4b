package outside

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOrderedDestinations: an operator takes destinations out and in, adds and removes them, with
// Kamailio's kamcmd, and calls go where they may.
func TestOrderedDestinations(t *testing.T) {
	kamcmd := needs(t, "kamcmd", "kamailio")
	if *against == "kamailio" {
		t.Skip("asks at a socket of Viaduct's")
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "sock")
	gateways, at := answerers(t, 3)
	srv := start(t, setup{targets: at[:2], flags: []string{"-x", socket}})
	ask := func(want string, words ...string) {
		t.Helper()
		out, _ := exec.Command(kamcmd, append([]string{"-s", "unix:" + socket}, words...)...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Fatalf("kamcmd %v: want %q\n%s", words, want, out)
		}
	}
	const updated = "Ok. Dispatcher state updated.\n"
	uri := func(i int) string { return "sip:" + at[i].String() }
	caller := newPeer(t, "a caller")
	// calls makes twenty calls, of which those named get some and the others none.
	calls := func(when string, some ...int) {
		t.Helper()
		var before, after [3]int
		for i, g := range gateways {
			before[i] = g.count()
		}
		for range 20 {
			d := caller.call(srv.addr)
			d.invite()
			caller.expect("100")
			caller.expect("180")
			d.confirm(caller.expect("200"))
		}
		may := [3]bool{}
		for _, i := range some {
			may[i] = true
		}
		for i, g := range gateways {
			after[i] = g.count() - before[i]
			if may[i] != (after[i] > 0) {
				t.Errorf("%s: the gateways got %v calls; want some at %v alone", when, after, some)
				return
			}
		}
	}
	calls("at first", 0, 1)
	ask(updated, "dispatcher.set_state", "d", "1", uri(0))
	calls("the first is disabled", 1)
	ask("Ok. Dispatcher destination added.\n", "dispatcher.add", "1", uri(2), "0", "0", "duid=third")
	calls("the third is added", 1, 2)
	ask(updated, "dispatcher.set_duid_state", "i", "1", "third")
	calls("the third is inactive", 1)
	ask(updated, "dispatcher.set_state", "a", "1", "all")
	calls("all are active", 0, 1, 2)
	ask("Ok. Dispatcher destination removed.\n", "dispatcher.remove", "1", uri(1))
	calls("the second is removed", 0, 2)
	ask("error: 404", "dispatcher.remove", "1", uri(1))
	ask("error: 500 - State Update Failed", "dispatcher.set_state", "i", "1", uri(1))
	ask("\tFLAGS: AX\n", "dispatcher.list")
	ask("OldPingState: 1\n", "dispatcher.ping_active", "0")
	ask("OldPingState: 0\n", "dispatcher.ping_active")
	ask("Ok. Dispatcher successfully reloaded.\n", "dispatcher.reload")
	calls("the list is read again", 0, 1)
}

// TestListAsKamailio: dispatcher.list has the members that Kamailio's answer has, in its order.
func TestListAsKamailio(t *testing.T) {
	needs(t, "kamailio", "kamailio")
	kamcmd := needs(t, "kamcmd", "kamailio")
	if *against == "kamailio" {
		t.Skip("starts both")
	}
	t.Parallel()
	of := func(program string) string {
		socket := filepath.Join(t.TempDir(), "sock")
		s := setup{targetAttrs: "duid=a;weight=50;maxload=7;rweight=3;other=x",
			targets: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddrPort("127.0.0.1:19")}}
		shown := params(`modparam("dispatcher", "ds_ping_latency_stats", 1)`,
			`modparam("dispatcher", "ds_hash_size", 4)`)
		if program == "kamailio" {
			s.edits = append([]string{`loadmodule "rr.so"`, "loadmodule \"rr.so\"\nloadmodule \"ctl.so\""},

				append(shown, params(`modparam("ctl", "binrpc", "unix:`+socket+`")`)...)...)
			startKamailio(t, s)
		} else {
			s.edits, s.flags = shown, []string{"-x", socket}
			start(t, s)
		}
		out, err := exec.Command(kamcmd, "-s", "unix:"+socket, "dispatcher.list").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		return string(out)
	}
	if ours, theirs := of("viaduct"), of("kamailio"); ours != theirs {
		t.Errorf("we answer\n%s\nKamailio answers\n%s", ours, theirs)
	}
}
