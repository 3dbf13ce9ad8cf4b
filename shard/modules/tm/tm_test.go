package tm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/corex"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/tmx"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "tm", Define: Define},
		route.Declared{Name: "corex", Define: corex.Define}, route.Declared{Name: "pv", Define: pv.Define})
}

// TestInRequestRoute calls what looks for a transaction, or ends it.
func TestInRequestRoute(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", "t_lookup_request()", "-1")
	f("t_newtran();", "t_lookup_request()", "1")
	f("", "t_lookup_cancel()", "-1")
	f("", "t_relay_cancel()", "1")
	f("", "t_release()", "1")
	f(`$du = "sip:127.0.0.1:5061;transport=sctp";`, "t_relay()", "-7") // these as in Kamailio 5.6.3
	f(`$ru = "tel:123";`, "t_relay()", "-478")
	f("t_newtran();", "t_release()", "1")
	f("t_newtran();", "t_retransmit_reply()", "-1")
	f(`t_newtran(); t_reply("404", "x");`, "t_retransmit_reply()", "1")
	f("", "t_save_lumps()", "-1")
	f("t_newtran();", "t_is_expired()", "-1")
	f("t_newtran();", `t_grep_status("486")`, "-1")
	f("", "t_clean()", "1")
	f("", "t_use_uac_headers()", "1")
	f("", "t_next_contact_flow()", "-2")
	f("", `t_set_disable_internal_reply("1")`, "1")
}

// TestReleased: what is given up is never heard of again.
func TestReleased(t *testing.T) {
	b := bench(t)
	b.Run("t_newtran(); t_release();")
	if len(b.Sent) != 0 || b.Core.Request.Unfinished() {
		t.Errorf("%d messages left, unfinished %v", len(b.Sent), b.Core.Request.Unfinished())
	}
}

// TestTrying: t_set_auto_inv_100 says whether an INVITE has a 100, whatever the parameter says.
func TestTrying(t *testing.T) {
	b := bench(t)
	f := func(config, call string, want bool) {
		t.Helper()
		b.Head = config
		b.Run(`$du = "sip:127.0.0.1:7000"; ` + call + " t_relay();")
		got := false
		for _, s := range b.Sent {
			got = got || strings.HasPrefix(string(s.Text), "SIP/2.0 100 ")
		}
		if got != want {
			t.Errorf("%q and %q: a 100 left: %v", config, call, got)
		}
	}
	f("", "", true)
	f("", `t_set_auto_inv_100("0");`, false)
	const off = `modparam("tm", "auto_inv_100", 0)`
	f(off, "", false)
	f(off, `t_set_auto_inv_100("1");`, true)
}

// TestLifetime: t_set_max_lifetime ends a transaction that rings on.
func TestLifetime(t *testing.T) {
	f := func(call string, want bool) {
		t.Helper()
		b := bench(t)
		b.Run(`$du = "sip:127.0.0.1:7000"; ` + call + " t_relay();")
		b.Answer(t, "180 Ringing")
		for range 20 {
			b.Wait(time.Second)
			b.Table.Expire(1 << 20)
		}
		got := false
		for _, s := range b.Sent {
			got = got || strings.HasPrefix(string(s.Text), "CANCEL ")
		}
		if got != want {
			t.Errorf("%q: canceled after 20 s: %v", call, got)
		}
	}
	f("", false)
	f(`t_set_max_lifetime("5000", "0");`, true)
	f(`t_set_max_lifetime("0", "5000");`, false)
	f(`t_newtran(); t_set_max_lifetime("5000", "0");`, true)
	f(`t_newtran(); t_set_max_lifetime("5000", "0"); t_reset_max_lifetime();`, false)
}

// TestSix: t_set_disable_6xx makes a 603 of one branch a failure like others.
func TestSix(t *testing.T) {
	f := func(call string, want bool) {
		t.Helper()
		b := bench(t)
		b.Run(`$ru = "sip:127.0.0.1:7000"; append_branch("sip:127.0.0.1:7001"); ` + call + " t_relay();")
		last := b.Sent[len(b.Sent)-1]
		b.Answer(t, "180 Ringing")
		b.Sent = append(b.Sent, last)
		first := b.Sent[0]
		for _, s := range b.Sent {
			if s.To.Port == 7000 {
				first = s
			}
		}
		b.Sent = append(b.Sent, first)
		b.Answer(t, "603 Decline")
		got := false
		for _, s := range b.Sent {
			got = got || strings.HasPrefix(string(s.Text), "CANCEL ")
		}
		if got != want {
			t.Errorf("%q: the other branch is canceled: %v", call, got)
		}
	}
	f("", true)
	f(`t_set_disable_6xx("1");`, false)
	f(`t_set_disable_6xx("0");`, true)
}

// TestLocalRequest runs event_route[tm:local-request] on what is about to be sent.
func TestLocalRequest(t *testing.T) {
	const text = "OPTIONS sip:127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKp1\r\n" +
		"Max-Forwards: 70\r\nFrom: <sip:p@x>;tag=1\r\nTo: <sip:127.0.0.1:7000>\r\nCall-ID: p@x\r\n" +
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	b := moduletest.New(t, route.Declared{Name: "tm", Define: Define},
		route.Declared{Name: "textops", Define: textops.Define})
	f := func(body, want string) {
		t.Helper()
		p, _, err := b.Load("request_route { exit; } event_route[tm:local-request] { " + body + " }")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.Event("tm:local-request").RaiseOn(b.Ctx, []byte(text), 0)); got != want {
			t.Errorf("%s sends\n%swant\n%s", body, got, want)
		}
	}
	f("exit;", text)
	f(`append_hf("X-Probe: yes\r\n");`,
		strings.Replace(text, "\r\n\r\n", "\r\nX-Probe: yes\r\n\r\n", 1))
	f("drop;", "")
}

// TestReason: t_reply takes its phrase as it stands, unless that begins with a variable, which is
// taken alone (5.6.3); t_send_reply fills variables in.
func TestReason(t *testing.T) {
	b := bench(t)
	f := func(call, want string) {
		t.Helper()
		b.Run(`$var(r) = "Rea son"; t_newtran(); ` + call)
		if got, _, _ := strings.Cut(string(b.Sent[len(b.Sent)-1].Text), "\r\n"); got != "SIP/2.0 "+want {
			t.Errorf("%s sends %q, want %q", call, got, want)
		}
	}
	f(`t_reply("486", "x $rU");`, "486 x $rU")
	f(`t_reply("486", "$var(r)");`, "486 Rea son")
	f(`t_reply("486", "$var(r) x");`, "486 Rea son")
	f(`t_reply("486", "$(var(r){s.len})");`, "486 7")
	f(`t_reply("486", "$null");`, "486 Server Internal Error")
	f(`t_reply("486", "$avp(nope)");`, "486 Server Internal Error")
	f(`t_reply("486", "");`, "486 ")
	f(`t_send_reply("486", "x $var(r)");`, "486 x Rea son")
}

// TestLocalResponse: event_route[tm:local-response] sees the response that has left, and the
// variables of the run that sent it.
func TestLocalResponse(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "tm", Define: Define},
		route.Declared{Name: "tmx", Define: tmx.Define}, route.Declared{Name: "xlog", Define: xlog.Define},
		route.Declared{Name: "pv", Define: pv.Define})
	p, _, err := b.Load(`request_route { $avp(x) = "a"; t_newtran(); t_reply("183", "One"); ` +
		`t_reply("404", "Two"); xlog("after $var(n) $ru"); } event_route[tm:local-response] { ` +
		`$var(n) = $var(n) + 1; xlog("$rs $rr $rm $avp(x) $ru $T_branch_idx"); }`)
	if err != nil {
		t.Fatal(err)
	}
	b.Lines = nil
	b.Config.Responded = func(tx *txn.Tx, text []byte) { p.Responded(b.Ctx, tx, text) }
	b.Core.Configure(b.Config)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	want := []string{"<script>: 183 One INVITE a <null> -1", "<script>: 404 Two INVITE a <null> -1",
		"<script>: after 2 " + string(b.Msg().Bytes(b.Msg().URI))}
	if !p.HearsResponses() || !slices.Equal(b.Lines, want) {
		t.Errorf("the routes log\n%q, want\n%q", b.Lines, want)
	}
}
