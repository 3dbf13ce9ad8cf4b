package tmx

import (
	"strings"
	"testing"

	"viaduct/parser"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/tm"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// modules are those of the tests.
var modules = []route.Declared{{Name: "pv", Define: pv.Define}, {Name: "tm", Define: tm.Define},
	{Name: "tmx", Define: Define}}

// TestInFailureRoute asks of a call that was answered what a failure route may ask.
func TestInFailureRoute(t *testing.T) {
	b := moduletest.New(t, modules...)
	p, _, err := b.Load(`request_route { $du = "sip:127.0.0.1:7000"; t_on_failure("F"); t_relay(); }
failure_route[F] {
	$avp(x) = "code " + $T_reply_code + " " + $T_reply_reason;
	$avp(y) = "rpl " + $T_rpl($rs) + " " + $T_rpl($tt) + " req " + $T_req($fU) + " " + $T_req($rm);
	if (t_grep_status("486") && !t_grep_status("404")) $avp(z) = "grep";
	$avp(t) = $T(id_index);
	if ($avp(t) > 0) $avp(w) = "index";
	t_set_disable_6xx("1");
}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	b.Failure = func(r *proxy.Request, n int) {
		p.Failure(b.Ctx, r, n)
		for _, name := range []string{"x", "y", "z", "w"} {
			k, key := b.Ctx.Kept(), route.KeyOf([]byte(name))
			if i := k.Nth(route.AVPs, &key, false, 0); i != 0 {
				got = append(got, string(k.Value(i).Append(nil)))
			}
		}
	}
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	b.Answer(t, "486 Busy Here")
	want := "code 486 Busy Here|rpl 486 answer req alice INVITE|grep|index"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// TestInReplyRoute asks in a reply route, and cancels from there.
func TestInReplyRoute(t *testing.T) {
	b := moduletest.New(t, modules...)
	p, _, err := b.Load(`request_route { $du = "sip:127.0.0.1:7000"; t_on_reply("R"); t_on_failure("F"); t_relay(); }
onreply_route[R] {
	log("$T_reply_code");
	if ($T_reply_code == 180 && $T_reply_reason == "Ringing" && $T_req($fU) == "alice" && $T_req($ru) =~ "^sip:bob" &&
		$T_req($si) == "127.0.0.1" && $T_rpl($rs) == 180 && $rs == 180 && $T_branch_idx == 0) log("as wanted");
	if (t_any_replied()) log("again");
	t_cancel_branches("this");
}
failure_route[F] { exit; }`)
	if err != nil {
		t.Fatal(err)
	}
	b.Reply = func(tx *txn.Tx, br *txn.Branch, m *parser.Message, n int) bool {
		return p.Reply(b.Ctx, &b.Core.Reply, m, tx, br, n) != route.Dropped
	}
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	b.Lines = nil
	b.Answer(t, "180 Ringing")
	if s := strings.Join(b.Lines, "|"); !strings.Contains(s, "as wanted") || strings.Contains(s, "again") {
		t.Errorf("logged %s", s)
	}
	if last := string(b.Sent[len(b.Sent)-1].Text); !strings.HasPrefix(last, "CANCEL ") && !strings.HasPrefix(string(b.Sent[len(b.Sent)-2].Text), "CANCEL ") {
		t.Errorf("no CANCEL left, last is %s", last)
	}
}
