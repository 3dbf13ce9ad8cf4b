package outside

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// TestCallsRingAcrossRestart: calls ring when the process is killed, or told to end and told again;
// a new one, with another number of shards, is started on the same address. The phones answer: each
// caller hears it, and ACK and BYE pass. A caller who was refused hears that as well.
func TestCallsRingAcrossRestart(t *testing.T) {
	t.Parallel()
	end := map[string]func(t *testing.T, s *server){
		"kill": func(t *testing.T, s *server) { s.cmd.Process.Kill() },
		"term": func(t *testing.T, s *server) {
			// a second one ends the drain; sent too early it would melt into the first
			for range 20 {
				s.cmd.Process.Signal(syscall.SIGTERM)
				if s.wait(250 * time.Millisecond) {
					return
				}
			}
		},
	}
	for how, stop := range end {
		for _, shards := range [][2]int{{1, 1}, {2, 1}, {1, 2}} {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				callee := newPeer(t, "callee")
				srv := start(t, setup{targets: to(callee), shards: shards[0]})
				const calls = 8 // over both shards
				var dialogs []*dialog
				var invites []*message
				var callers []*peer
				for range calls {
					caller := newPeer(t, "caller")
					d := caller.invites(srv.addr)
					invite := d.ringsAt(callee)
					callers, dialogs, invites = append(callers, caller), append(dialogs, d), append(invites, invite)
				}
				srv.expected = true
				stop(t, srv)
				if !srv.wait(patience) {
					t.Fatal("it does not end")
				}
				s := srv.setup
				s.edits, s.shards = nil, shards[1]
				again := startIn(t, srv.dir, s)
				for i, d := range dialogs {
					if i == 0 {
						callee.reply(invites[i], 486, "Busy Here", "callee")
						callers[i].expect("486")
						continue
					}
					callee.reply(invites[i], 200, "OK", "callee")
					ok := callers[i].expect("200")
					d.confirm(ok)
					d.request("ACK")
					callee.expect("ACK")
					d.request("BYE")
					callee.answers("BYE", 200, "OK")
					callers[i].expect("200")
				}
				all := again.stats(t)
				if n := sum(all, "replies_of_former"); n != calls {
					t.Errorf("%d responses of before were passed on, want %d", n, calls)
				}
				if n := dropped(all, "stray response"); n != 0 {
					t.Errorf("%d responses were dropped as strays", n)
				}
			})
		}
	}
}

// TestRow48ResponseToViaHost: the connection of a caller is gone, and at the address it came from
// nobody listens: the response goes to what the host in its Via leads to (RFC 3263 §5), the first
// time after asking, and then by what is known. What leads nowhere is counted.
func TestRow48ResponseToViaHost(t *testing.T) {
	t.Parallel()
	other := netip.MustParseAddr("127.0.0.2")
	n := newNameserver(t, "callers.example.net 60 IN A 127.0.0.2", "nobody.example.net 60 IN A 127.0.0.3")
	srv := startStreams(t, streamSetup{globals: locating(t, n.addr)})
	callee := newPeer(t, "the callee")
	f := func(host string, arrives bool) {
		t.Helper()
		caller := listener(t, "a caller behind a balancer", overTCP, other)
		caller.sentBy = fmt.Sprintf("%s:%d", host, caller.addr.Port())
		line := caller.dial(srv.tcp)
		caller.invitesTo(srv.tcp, callee.contact("callee"))
		m := callee.expect("INVITE")
		caller.expect("100")
		line.close()
		line.noticed()
		callee.reply(m, 486, "Busy Here", "callee")
		callee.expect("ACK")
		if arrives {
			caller.expect("486")
			return
		}
		eventually(t, "the answer to be counted", func() bool { return sum(srv.stats(t), "no_way_back") == 1 })
	}
	f("callers.example.net", true)
	f("callers.example.net", true)
	f("127.0.0.2", true)
	f("nobody.example.net", false)
}
