package route

import (
	"strings"
	"testing"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// TestBranchFlags: what request_route and a branch route set goes along with the branch, to its
// reply route and to the failure route that runs for it.
func TestBranchFlags(t *testing.T) {
	const show = `$var(f) = ""; if (isbflagset(1)) $var(f) = $var(f) + "1"; if (isbflagset(2)) $var(f) = $var(f) + "2";
		if (isbflagset(BRANCH)) $var(f) = $var(f) + "3"; if (isbflagset(4)) $var(f) = $var(f) + "4"; `
	p, _, _, err := loadText(allModules+`modparam("xlog", "prefix", "")
	flags BRANCH:3
	request_route { setbflag(1); append_branch("sip:two@h"); resetbflag(1, 1); setbflag(2, 1);
		t_on_branch("B"); t_on_reply("R"); t_on_failure("F"); t_relay(); `+show+`xlog("request $var(f)"); }
	branch_route[B] { if ($rU == "two") setbflag(BRANCH); `+show+` xlog("branch $rU $var(f)"); }
	onreply_route[R] { `+show+` xlog("reply $rs $var(f)"); if ($rs == 180) setbflag(4); }
	failure_route[F] { `+show+` xlog("failure $T_reply_code $var(f)"); }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:one@h", ""))
	h.Branch = func(r *proxy.Request, n int) bool { return p.Branch(h.c, r, n) != Dropped }
	h.Reply = func(tx *txn.Tx, br *txn.Branch, m *parser.Message, n int) bool {
		return p.Reply(h.c, &h.Core.Reply, m, tx, br, n) != Dropped
	}
	h.Failure = func(r *proxy.Request, n int) { p.Failure(h.c, r, n) }
	p.Request(h.c, h.begin())
	sent := h.Sent[len(h.Sent)-2:]
	for _, a := range []struct {
		branch int
		status string
	}{{1, "180 Ringing"}, {1, "183 Progress"}, {0, "480 Gone"}, {1, "486 Busy"}} {
		h.Sent = append(h.Sent, sent[a.branch])
		h.Answer(t, a.status)
	}
	want := "branch one 1|branch two 23|request 1|reply 180 23|reply 183 234|reply 480 1|reply 486 234|failure 480 1"
	if got := strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", ""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRouteZero calls request_route from itself and from another route; as Kamailio, 5.6.3.
func TestRouteZero(t *testing.T) {
	p, _, _, err := loadText(allModules+`modparam("xlog", "prefix", "")
	route { $var(n) = $var(n) + 1; xlog("in $var(n)"); if ($var(n) == 3) return -7; if ($var(n) == 2) { route(R); return 5; }
		route(0); xlog("rc $rc"); exit; }
	route[R] { if (!route("0")) xlog("no, $rc"); }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:one@h", ""))
	p.Request(h.c, h.begin())
	want := "in 1|in 2|in 3|no, -7|rc 5"
	if got := strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", ""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
