package outside

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// SIPp's calls, whose sides may be TCP or UDP each: over one connection for all calls (t1) or one
// for each (tn), by one shard or four, and four connections to one destination. A 200 that
// overtakes its 180 fails a call.
func TestSippStreams(t *testing.T) {
	t.Parallel()
	f := func(caller, callee string, shards int, globals ...string) {
		t.Run(fmt.Sprintf("%s to %s, %d shards", caller, callee, shards), func(t *testing.T) {
			loadsHalf(t)
			const calls = 1000
			uas := startSipp(t, "uas", loopback4, "-t", callee)
			to := "sip:" + uas.addr.String()
			if callee == "u1" {
				uas.awaitBound(t, uas.addr)
			} else {
				uas.awaitListening(t, uas.addr)
				to += ";transport=tcp"
			}
			const choice = `if (!ds_select_dst("1", "0")) {`
			program := byRoute(t)
			program = strings.Replace(program, lbByRoute[1], lbByRoute[0], 1)
			if !strings.Contains(program, choice) {
				t.Fatal("lb.cfg chooses its destination in another way")
			}
			program = strings.Replace(program, choice, fmt.Sprintf("$du = %q;\n\tif ($du == $null) {", to), 1)
			srv := startStreams(t, streamSetup{
				setup:   setup{program: program, targets: []netip.AddrPort{uas.addr}, edits: patientT1, shards: shards},
				globals: globals,
			})
			at := srv.addr
			if caller != "u1" {
				at = srv.tcp
			}
			args := []string{"-t", caller}
			if caller == "tn" {
				args = append(args, "-max_socket", "2000")
			}
			uac := startUAC(t, "uac", at, calls, 200, args...)
			uac.allWell(t, uac.finish(t, 40*time.Second), calls)
			got := quit(t, []*sipp{uas})
			uas.allWell(t, got[0], calls)
			if n := sum(srv.stats(t), "panics"); n > 0 {
				t.Errorf("%d panics were contained:\n%s", n, srv.text())
			}
		})
	}
	f("t1", "u1", 1)
	f("u1", "t1", 4, "tcp_connections_per_destination=4")
	f("tn", "t1", 4)
}
