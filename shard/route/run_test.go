package route

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"viaduct/shard/route/syntax"
)

// runBody runs a request_route body, with further routes behind a line "%%", on h and gives the
// outcome.
func runBody(t testing.TB, h *fakeHost, body string) (Outcome, *Ctx) {
	t.Helper()
	body, routes, _ := strings.Cut(body, "%%")
	p, _, _, err := loadText(allModules+`modparam("xlog", "prefix", "")`+"\nrequest_route {\n"+body+"\n}\n"+routes, nil)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", body, err)
	}
	c := NewCtx(h)
	o := p.Request(c)
	// The same context must give the same again: nothing may leak from one message to the next.
	calls, ruri, duri := h.calls, h.ruri, h.duri
	h.calls, h.ruri, h.duri = nil, h.msg.Bytes(h.msg.URI), nil
	if o2 := p.Request(c); o2 != o || strings.Join(h.calls, "\n") != strings.Join(calls, "\n") {
		t.Errorf("%s\ngives %d %q, then %d %q", body, o, calls, o2, h.calls)
	}
	h.calls, h.ruri, h.duri = calls, ruri, duri
	return o, c
}

// TestValues prints expressions. All were measured on Kamailio 5.6.3 with this message, unless a
// deviation is named.
func TestValues(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newFake(t, request("INVITE sip:bob@127.0.0.1:5060;x=1", ""))
		runBody(t, h, "$var(s)=\"5x\"; $var(n)=5; $var(e)=\"\"; $var(z)=0; $var(abc)=\"abc\";\n"+body+"%%route[R5] { return 5; }\nroute[R0] { return 0; }"+
			"\nroute[RN] { return -3; }\nroute[EMPTY] { if (0) exit; }")
		got := strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", "")
		if got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	v := func(x, want string) {
		t.Helper()
		f("$var(x) = "+x+"; xlog(\"$var(x)\\n\");", want)
	}
	cond := func(x, want string) {
		t.Helper()
		f("if ("+x+") xlog(\"yes\"); else xlog(\"no\");", want)
	}
	// Arithmetic and text.
	v(`2 + 3 * 4 - 1`, "13")
	v(`1 << 2 + 1`, "8")
	v(`7 mod 4`, "3")
	v(`-7 / 2`, "-3")
	v(`~ 5`, "-6")
	v(`! 0 + 1`, "2")
	v(`0x10 + 010`, "24")
	v(`2147483647 + 1`, "2147483648") // Kamailio wraps at 32 bits
	v(`$var(s) + $var(n)`, "5x5")
	v(`$var(n) + $var(s)`, "5")
	v(`$hdr(No) + "x"`, "x")
	v(`$hdr(No) + 5`, "5")
	v(`"a" + 1 + 2`, "a12")
	v(`(str)12 + "x"`, "12x")
	v(`(int)"12"`, "12")
	v(`strlen($rU)`, "3")
	v(`strlen(1234)`, "4")
	v(`strempty($hdr(No))`, "1")
	v(`defined $hdr(No)`, "0")
	v(`selval(1==1, "x", "y")`, "x")
	v(`5 / $var(z)`, "division by zero at x.cfg:5:13|0") // there: no assignment
	v(`"sip:" + $rU + "@" + $fd`, "sip:bob@a.example.com")
	v(`"a\tb$rU"`, "a\tb$rU")
	v(`$null`, "0")
	v(`$var(never)`, "0")
	// Comparison: the left operand decides.
	v(`$var(z) == ""`, "1")
	v(`0 == ""`, "1") // semantics C13; 5.6.3 refuses the literal
	v(`0 eq ""`, "0")
	v(`"a" ieq "b"`, "1")
	v(`$null == $null`, "1")
	v(`$null == 0`, "1")
	v(`$null == ""`, "1")
	v(`$null != 0`, "0")
	v(`$var(z) == $null`, "0")
	v(`$var(z) != $null`, "1")
	v(`$var(e) == $null`, "0")
	v(`$var(e) eq $null`, "1") // 5.6.3 says 0, its manual str(undef)==""
	v(`$hdr(No) == $null`, "1")
	v(`$hdr(No) != $null`, "0")
	v(`$rU != $null`, "1")
	v(`$hdr(No) == 0`, "1")
	v(`$hdr(No) == "x"`, "0")
	v(`$hdr(No) != "x"`, "1")
	v(`$var(n) == $var(s)`, "0")
	v(`$var(s) == $var(n)`, "0")
	v(`$var(z) == $var(abc)`, "1")
	v(`$var(abc) ieq $var(z)`, "1")
	v(`$var(e) == 0`, "0")
	v(`$rU == "BOB"`, "0")
	v(`method == "invite"`, "1")
	v(`uri == "SIP:BOB@127.0.0.1:5060;X=1"`, "1")
	v(`"abc" =~ "^A.c$"`, "1")
	v(`$rU !~ "^x"`, "1")
	v(`$rU == "bob" && $rm == "INVITE" || 0`, "1")
	v(`$var(n) > 4 && 5 >= $var(n) && $var(n) < 6 && $var(n) <= 5`, "1")
	v(`$var(n) ine 5 || $var(n) ne "5"`, "0")
	v(`is_method("INVITE") + 5`, "6")
	v(`is_method("BYE") + 5`, "5")
	v(`-is_method("BYE")`, "0")
	v(`is_method("REGISTER")`, "-1")
	v(`!is_method("REGISTER")`, "1")
	// Routes as values: their number when assigned, true or false within an expression.
	v(`route(R5)`, "5")
	v(`route(R5) == 5`, "0")
	v(`route(R5) == 1`, "1")
	v(`route(R5) + 1`, "2")
	f(`if (route(RN)) xlog("yes"); else xlog("no $rc $retcode $?");`, "no -3 -3 -3")
	f(`route(R5); xlog("$rc");`, "5")
	f(`route(EMPTY); xlog("$rc");`, "1")
	f(`if (route(R0)) xlog("yes"); xlog("no");`, "")
	f(`$var(x) = route(R0) || 1; xlog("no");`, "")
	f(`if (!route(R0) || 1) xlog("yes"); xlog("no");`, "")
	f(`$rU = "a" + route(R0); xlog("no");`, "")
	// What is true.
	cond(`-1`, "no")
	cond(`"abc"`, "no")
	cond(`"5"`, "yes")
	cond(`$rU`, "no")
	cond(`$null`, "no")
	cond(`$var(n)`, "yes")
	cond(`$var(never)`, "no")
	cond(`not 0 and 1`, "yes")
	// Where it came from.
	cond(`src_ip == 127.0.0.1 && src_ip == 127.0.0.0/8 && src_ip == "127.0.0.1" && src_ip == 127.0.0.0/255.0.0.0`, "yes")
	cond(`src_ip != 127.0.0.2 && src_ip != ::1 && src_ip != [::1]/128`, "yes")
	cond(`src_port == 15998 && proto == UDP && proto != tcp && af == INET && af != INET6 && dst_port == 5060 && dst_ip == 127.0.0.1`, "yes")
	cond(`uri == myself && src_ip == myself && from_uri != myself`, "yes")
	cond(`is_myself("$ru") && is_myself("sip:x@127.0.0.1")`, "yes")
	cond(`to_uri =~ "^sip:bob@" && from_uri =~ "ALICE"`, "yes")
	cond(`msg:len > 100`, "yes")
	cond(`method == INVITE && method != "ACK" && method == $rm`, "yes")
	cond(`status == "200"`, "no")
	cond(`is_request() && !is_reply()`, "yes")
	cond(`is_method("FOO|invite")`, "yes")
	cond(`is_method("FOO")`, "no")
	// Control.
	f(`while (1) { $var(i) = $var(i) + 1; if ($var(i) == 3) break; } xlog("$var(i)");`, "3")
	f(`while ($var(i) < 1000) $var(i) = $var(i) + 1; xlog("$var(i)");`, "while at x.cfg:5:1 was ended after max_while_loops iterations|100")
	f(`switch (2) { case 1: xlog("1"); case 2: xlog("2"); case 3: xlog("3"); break; default: xlog("d"); }`, "2|3")
	f(`switch ($rU) { case "bob": xlog("bob"); break; default: xlog("d"); }`, "bob")
	f(`switch ($rU) { default: xlog("d"); case "x": xlog("x"); }`, "d|x")
	f(`switch ($rU) { case "x": xlog("x"); } xlog("end");`, "end")
	f(`while (1) { switch (1) { case 1: break; } $var(i) = $var(i) + 1; if ($var(i) > 2) break; } xlog("$var(i)");`, "3")
	// Lines.
	f(`xlog("100% $$5 $rU$rm ($rU) $rU@$rd $hdr(x-FOO)");`, "100% $5 bobINVITE (bob) bob@127.0.0.1 one")
	f(`xlog("L_INFO", "a"); xlog(3, "b"); xwarn("c"); xdbg("d"); log("e\n"); log(1, "f"); log("L_ALERT", "g");`,
		"log 2 a|log 3 b|log 0 c|log 3 d|log 3 e|log 1 f|log -5 g")
	f(`xlog("x" + $rU + 5); xlog($rU); xlog(5);`, "xbob5|bob|5")
}

// TestVariables reads what a request has. The table is what Kamailio 5.6.3 printed for it.
func TestVariables(t *testing.T) {
	h := newFake(t, request("INVITE sip:bob@127.0.0.1:15999;x=1", ""))
	f := func(name, want string) {
		t.Helper()
		h.calls = nil
		runBody(t, h, `xlog("`+name+`");`)
		if got := strings.TrimPrefix(h.calls[0], "log -1 "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f("$ru|$rd|$rU|$rp|$rP|$rm|$rs|$rr|$rz", "sip:bob@127.0.0.1:15999;x=1|127.0.0.1|bob|15999|UDP|INVITE|<null>|<null>|sip")
	f("$fu|$fU|$fd|$ft|$fn", "sip:alice@a.example.com:5070|alice|a.example.com|ft1|\"Alice A\"")
	f("$tu|$tU|$td|$tt|$tn", "sip:bob@b.example.com|bob|b.example.com|<null>|<null>")
	f("$ci|$cs|$si|$sp|$du|$dd|$dp|$dP|$ua", "cid-1@x|7|127.0.0.1|15998|<null>|<null>|<null>|<null>|ua/1.0")
	f("$pr|$proto|$Ri|$Rp|$mt|$cT|$cl|$rb", "udp|udp|127.0.0.1|5060|1|text/plain|4|body")
	f("$ct|$ou|$oU|$od|$op", "<sip:alice@127.0.0.1:15998>|sip:bob@127.0.0.1:15999;x=1|bob|127.0.0.1|15999")
	f("$rc|$retcode|$?|$$|$var(x)|$null", "1|1|1|$|0|<null>")
	f("$hdr(x-foo)|$(hdr(X-Foo)[1])|$(hdr(X-Foo)[-1])|$(hdr(X-Foo)[-2])|$(hdr(X-Foo)[2])|$hdr(No)|$hdr(f)",
		"one|two|two|one|<null>|<null>|\"Alice A\" <sip:alice@a.example.com:5070>;tag=ft1")
	f("$(rU)x$(rd)", "bobx127.0.0.1")
	h.src, h.proto = netip.MustParseAddrPort("[2001:db8::7]:5060"), TLS
	f("$si|$proto", "2001:db8::7|tls")
	h.src = netip.MustParseAddrPort("[::ffff:1.2.3.4]:5060")
	f("$si", "1.2.3.4")
}

// TestSetURI changes the Request-URI and the outbound URI.
func TestSetURI(t *testing.T) {
	f := func(body, ruri, duri string) {
		t.Helper()
		h := newFake(t, request("INVITE sip:bob@127.0.0.1:15999;x=1", ""))
		runBody(t, h, body)
		if string(h.ruri) != ruri || string(h.duri) != duri {
			t.Errorf("%s leaves %s and %s, want %s and %s", body, h.ruri, h.duri, ruri, duri)
		}
	}
	orig := "sip:bob@127.0.0.1:15999;x=1"
	f(`$rU = "carol"; $rd = "example.org"; $rp = 5099;`, "sip:carol@example.org:5099;x=1", "")
	f(`$ru = "sip:new.example.com";`, "sip:new.example.com", "")
	f(`$ru = "sip:new.example.com"; $rU = "x"; if ($rU == "x") $rd = $rU + "y";`, "sip:x@xy", "")
	f(`$rU = $null;`, "sip:127.0.0.1:15999;x=1", "")
	f(`$rp = $null;`, "sip:bob@127.0.0.1;x=1", "")
	f(`$rU = "00" + $rU;`, "sip:00bob@127.0.0.1:15999;x=1", "")
	f(`$ru = "sip:a:pw@h:5;p=1?X=y"; $rU = "b";`, "sip:b:pw@h:5;p=1?X=y", "")
	f(`$ru = "sip:[::1]:5"; $rp = 6; $rU = "u";`, "sip:u@[::1]:6", "")
	f(`$du = "sip:1.2.3.4:5;transport=tcp"; if ($dP == "tcp" && $dp == 5 && $dd == "1.2.3.4") $du = $du + ";y";`, orig, "sip:1.2.3.4:5;transport=tcp;y")
	f(`$du = "sip:1.2.3.4"; $du = $null;`, orig, "")
	f(`setdsturi("sip:$rU@h"); if (isdsturiset()) resetdsturi(); if (isdsturiset()) $rU = "no";`, orig, "")
	f(`seturi("sip:$rU@h"); `, "sip:bob@h", "")
	f(`seturi("sip:$rU@$si:$sp;r=$Ri"); setdsturi("sip:$Ri:$Rp;x=$si");`, "sip:bob@127.0.0.1:15998;r=127.0.0.1", "sip:127.0.0.1:5060;x=127.0.0.1")
	f(`rewriteuri("sip:q@h"); revert_uri();`, orig, "")
	// Refused, and the old one stays: what would be no URI.
	f(`$rd = "";`, orig, "")
	f(`$rU = "a b";`, orig, "")
	f(`$rp = 99999;`, orig, "")
	f(`$rp = "abc";`, orig, "")
	f(`$ru = "";`, orig, "")
}

// TestRewriteURI holds the core functions that edit the Request-URI to what Kamailio 5.6.3 left.
// "-" is a refusal: the call is false and the URI stays; 5.6.3 says true there and is left with
// what it cannot parse.
func TestRewriteURI(t *testing.T) {
	from := []string{"sip:bob:pw@1.2.3.4:5;p=1?X=y", "sip:1.2.3.4", "sips:bob@[::1]:7;transport=tcp", "tel:+12345;x=y", "sip:bob@h;user=phone"}
	f := func(call string, want ...string) {
		t.Helper()
		for i, uri := range from {
			h := newFake(t, request("INVITE sip:bob@h", ""))
			runBody(t, h, `$ru = "`+uri+`"; if (`+call+`) xlog("yes"); else xlog("no");`)
			w, log := want[i], "log -1 yes"
			if w == "-" {
				w, log = uri, "log -1 no"
			}
			if string(h.ruri) != w || h.calls[0] != log {
				t.Errorf("%s of %s leaves %s, %s; want %s, %s", call, uri, h.ruri, h.calls[0], w, log)
			}
		}
	}
	f(`sethost("h")`, "sip:bob:pw@h:5;p=1?X=y", "sip:h", "sips:bob@h:7;transport=tcp", "sip:+12345;x=y@h;user=phone", from[4])
	f(`rewritehost("")`, "-", "-", "-", "-", "-")
	f(`seth("a b")`, "-", "-", "-", "-", "-")
	f(`sethostport("h:99")`, "sip:bob:pw@h:99;p=1?X=y", "sip:h:99", "sips:bob@h:99;transport=tcp", "sip:+12345;x=y@h:99;user=phone",
		"sip:bob@h:99;user=phone")
	f(`sethp("h")`, "sip:bob:pw@h;p=1?X=y", "sip:h", "sips:bob@h;transport=tcp", "sip:+12345;x=y@h;user=phone", from[4])
	f(`rewritehostport("[::2]")`, "sip:bob:pw@[::2];p=1?X=y", "sip:[::2]", "sips:bob@[::2];transport=tcp", "sip:+12345;x=y@[::2];user=phone",
		"sip:bob@[::2];user=phone")
	f(`sethostport("h:")`, "-", "-", "-", "-", "-")
	f(`sethostporttrans("h:9;transport=tcp")`, "sip:bob:pw@h:9;transport=tcp;p=1?X=y", "sip:h:9;transport=tcp", "sips:bob@h:9;transport=tcp",
		"sip:+12345;x=y@h:9;transport=tcp;user=phone", "sip:bob@h:9;transport=tcp;user=phone")
	f(`sethpt("h:9")`, "sip:bob:pw@h:9;p=1?X=y", "sip:h:9", "sips:bob@h:9", "sip:+12345;x=y@h:9;user=phone", "sip:bob@h:9;user=phone")
	f(`setuser("u")`, "sip:u:pw@1.2.3.4:5;p=1?X=y", "sip:u@1.2.3.4", "sips:u@[::1]:7;transport=tcp", "tel:u;x=y", "sip:u@h;user=phone")
	f(`setu("")`, "sip:1.2.3.4:5;p=1?X=y", from[1], "sips:[::1]:7;transport=tcp", "-", "sip:h;user=phone")
	f(`rewriteuser("a@b")`, "-", "-", "-", "-", "-")
	f(`setuserpass("u:q")`, "sip:u:q@1.2.3.4:5;p=1?X=y", "sip:u:q@1.2.3.4", "sips:u:q@[::1]:7;transport=tcp", "-", "sip:u:q@h;user=phone")
	f(`setup("u")`, "sip:u@1.2.3.4:5;p=1?X=y", "sip:u@1.2.3.4", "sips:u@[::1]:7;transport=tcp", "tel:u;x=y", "sip:u@h;user=phone")
	f(`setport("77")`, "sip:bob:pw@1.2.3.4:77;p=1?X=y", "sip:1.2.3.4:77", "sips:bob@[::1]:77;transport=tcp", "-", "sip:bob@h:77;user=phone")
	f(`setp("")`, "sip:bob:pw@1.2.3.4;p=1?X=y", from[1], "sips:bob@[::1];transport=tcp", "-", from[4])
	f(`rewriteport("99999")`, "-", "-", "-", "-", "-")
	f(`strip(2)`, "sip:b:pw@1.2.3.4:5;p=1?X=y", from[1], "sips:b@[::1]:7;transport=tcp", "tel:2345;x=y", "sip:b@h;user=phone")
	f(`strip(9)`, "sip:1.2.3.4:5;p=1?X=y", from[1], "sips:[::1]:7;transport=tcp", "-", "sip:h;user=phone")
	f(`strip_tail(2)`, "sip:b:pw@1.2.3.4:5;p=1?X=y", from[1], "sips:b@[::1]:7;transport=tcp", "tel:+123;x=y", "sip:b@h;user=phone")
	f(`strip_tail(0)`, from...)
	f(`prefix("00")`, "sip:00bob:pw@1.2.3.4:5;p=1?X=y", "sip:00@1.2.3.4", "sips:00bob@[::1]:7;transport=tcp", "tel:00+12345;x=y",
		"sip:00bob@h;user=phone")
	f(`userphone()`, "sip:bob:pw@1.2.3.4:5;p=1;user=phone?X=y", "sip:1.2.3.4;user=phone", "sips:bob@[::1]:7;transport=tcp;user=phone", from[3],
		from[4])
	f(`seturi("sip:new")`, "sip:new", "sip:new", "sip:new", "sip:new", "sip:new")
	// Ours alone: variables are filled in.
	f(`prefix("$rm")`, "sip:INVITEbob:pw@1.2.3.4:5;p=1?X=y", "sip:INVITE@1.2.3.4", "sips:INVITEbob@[::1]:7;transport=tcp",
		"tel:INVITE+12345;x=y", "sip:INVITEbob@h;user=phone")
}

// response is a SIP response to a request of the method.
func response(status, method string) string {
	return "SIP/2.0 " + status + "\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n" +
		"Call-ID: x\r\nCSeq: 1 " + method + "\r\nContent-Length: 0\r\n\r\n"
}

// runRoute runs a body as a route of the kind; routes behind "%%" are further ones.
func runRoute(t testing.TB, h *fakeHost, kind RouteKind, body string) (Outcome, *Ctx) {
	t.Helper()
	body, routes, _ := strings.Cut(body, "%%")
	head := [...]string{"request_route", "failure_route[X]", "branch_route[X]", "onreply_route[X]", "reply_route"}[kind]
	src := allModules + `modparam("xlog", "prefix", "")` + "\n" + head + " {\n" + body + "\n}\n" + routes
	if kind != RequestRoute {
		src += "\nrequest_route { exit; }"
	}
	src += "\nfailure_route[F1] { exit; } failure_route[F2] { exit; } branch_route[B1] { exit; } onreply_route[R1] { exit; }"
	p, _, _, err := loadText(src, nil)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", body, err)
	}
	c := NewCtx(h)
	switch kind {
	case RequestRoute:
		return p.Request(c), c
	case FailureRoute:
		return p.Failure(c, 1), c
	case BranchRoute:
		return p.Branch(c, 1), c
	case ReplyRoute:
		return p.Reply(c, 1), c
	}
	if !p.HasCoreReply() {
		t.Error("there is a reply_route")
	}
	return p.CoreReply(c), c
}

// TestTransactionFunctions: what a script says, and what the Host is told.
func TestTransactionFunctions(t *testing.T) {
	f := func(kind RouteKind, body, want string) {
		t.Helper()
		msg := request("INVITE sip:bob@h", "")
		if kind == ReplyRoute || kind == CoreReplyRoute {
			msg = response("183 Session Progress", "INVITE")
		}
		h := newFake(t, msg)
		h.status, h.branch = 486, 2
		h.answers = map[string]int{"Cancelled": 1, "NextContacts": -2, "BranchTimedOut": 1, "AnyReplied": 1}
		runRoute(t, h, kind, body)
		if got := strings.ReplaceAll(strings.Join(h.calls, " "), "log -1 ", ""); got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	for _, kind := range []RouteKind{RequestRoute, FailureRoute} {
		n := "1"
		if kind == FailureRoute {
			n = "2" // behind X
		}
		f(kind, `t_on_failure("F1"); t_on_branch("B1"); t_on_reply("R1");`, "OnFailure("+n+") OnBranch(1) OnReply(1)")
		f(kind, `t_on_branch("B1"); if (t_is_set("branch_route") && !t_is_set("failure_route")) t_on_branch("0"); t_on_failure("");
			if (t_is_set("branch_route")) exit; t_on_reply(0); xlog("end");`, "OnBranch(1) OnBranch(0) OnFailure(0) OnReply(0) end")
		f(kind, `append_branch(); append_branch(""); append_branch("sip:a@$rd", "0.25"); append_branch("sip:a@b", "$hdr(No)");`,
			// a q that is none is refused
			"AppendBranch(-1) AppendBranch(-1) AppendBranch(sip:a@h,250)")
		f(kind, `append_branch("", "1"); append_branch("sip:a@b", ".5"); append_branch("sip:a@b", "0.7778"); append_branch("sip:a@b", "0.0");`,
			"AppendBranch(1000) AppendBranch(sip:a@b,500) AppendBranch(sip:a@b,777) AppendBranch(sip:a@b,0)")
		f(kind, `clear_branches(); t_load_contacts(); t_load_contacts("1"); $var(r) = t_next_contacts(); xlog("$var(r)");`,
			"ClearBranches() LoadContacts(0) LoadContacts(1) NextContacts() -2")
		f(kind, `t_relay(); t_relay_to(); t_relay_to("0x05"); t_relay_to(2);`, "Relay() RelayTo(false,,,0,0) RelayTo(false,,,0,5) RelayTo(false,,,0,2)")
		f(kind, `t_relay_to("tcp:h:5061", "1"); t_relay_to("h"); t_relay_to("h:7"); t_relay_to("udp:[::1]:7", 1); t_relay_to("tls:[::1]");`,
			"RelayTo(true,tcp,h,5061,1) RelayTo(true,,h,0,0) RelayTo(true,,h,7,0) RelayTo(true,udp,[::1],7,1) RelayTo(true,tls,[::1],0,0)")
		f(kind, `t_relay("h", "7"); t_relay_to_udp("1.2.3.4", 5070); t_relay_to_tcp("::1", "5060"); t_relay_to_udp();`,
			"RelayTo(true,udp,h,7,0) RelayTo(true,udp,1.2.3.4,5070,0) RelayTo(true,tcp,[::1],5060,0) RelayTo(false,udp,,0,0)")
		f(kind, `ds_next_dst(); ds_next_domain(); ds_mark_dst(); ds_mark_dst("PI"); ds_mark_dst("a"); ds_mark_dst("tp"); ds_mark_dst("p");`,
			"NextDst(false) NextDst(true) MarkDst(i) MarkDst(ip) MarkDst(a) MarkDst(tp) MarkDst(ap)")
		f(kind, `if (t_branch_timeout()) xlog("timeout"); if (!t_branch_replied()) xlog("silent");`, "timeout silent")
		f(kind, `t_reply("480", "Gone"); send_reply(480, "Gone");`, "ReplyTM(480,Gone) ReplyAny(480,Gone)")
	}
	f(FailureRoute, `t_drop_replies(); t_drop_replies("a"); t_drop_replies("l"); t_drop_replies("n");`,
		"DropReplies(0) DropReplies(0) DropReplies(1) DropReplies(2)")
	for _, kind := range []RouteKind{RequestRoute, FailureRoute, BranchRoute, ReplyRoute} {
		f(kind, `t_set_fr(30000); t_set_fr("0", 1500); $var(i) = 7; t_set_fr($var(i), "$var(i)"); $var(i) = -7; t_set_fr($var(i));
			if (t_is_canceled()) xlog("canceled");`, "SetFr(30s,0s) SetFr(0s,1.5s) SetFr(7ms,7ms) canceled")
	}
	for _, kind := range []RouteKind{RequestRoute, FailureRoute, BranchRoute} {
		f(kind, `t_reset_fr(); if (!t_any_timeout() && t_any_replied()) xlog("replied");`, "ResetFr() replied")
	}
	f(CoreReplyRoute, `sanity_check("17604", "6");`, "SanityCheck(17604,6)")
	// What a route knows of where it is.
	const where = `xlog("$T_reply_code $T_branch_idx $rs $rr $rm $mt"); $var(s) = t_get_status_code(); xlog("$var(s)");
		if (t_is_request_route()) xlog("request"); if (t_is_failure_route()) xlog("failure"); if (t_is_branch_route()) xlog("branch");
		if (t_is_reply_route()) xlog("reply"); if (status =~ "^18[03]$") xlog("=~"); if (status == "183" && status == 183 && $rs == 183) xlog("==");`
	f(RequestRoute, where, "486 2 <null> <null> INVITE 1 486 request")
	f(FailureRoute, where, "486 2 <null> <null> INVITE 1 486 failure")
	f(BranchRoute, where, "486 2 <null> <null> INVITE 1 486 branch")
	f(ReplyRoute, where, "183 2 183 Session Progress INVITE 2 183 reply =~ ==")
	f(CoreReplyRoute, where, "183 2 183 Session Progress INVITE 2 183 reply =~ ==")
	// A route[NAME] is what calls it.
	f(FailureRoute, `route(A);%%route[A] { route(B); } route[B] { if (t_is_failure_route()) xlog("failure"); }`, "failure")
	f(BranchRoute, `if (!route(A)) xlog("no");%%route[A] { if (t_relay()) return 1; return -1; }`, "no")
	f(BranchRoute, `if (!route(A)) xlog("no");%%route[A] { if (t_is_branch_route()) { append_branch("sip:a@b" + route(Z)); } return -1; }
		route[Z] { exit; }`, "no") // not even the arguments are evaluated
	// Flags.
	f(ReplyRoute, `setflag(0); setflag(31); resetflag(0); if (isflagset(31) && !isflagset(0)) xlog("31");`, "31")
}

// TestSetInRoutes assigns in each kind of route. A response has no Request-URI: nothing is asked of
// the Host, or set.
func TestSetInRoutes(t *testing.T) {
	const set = `$ru = "sip:new@n;x"; $rU = "u"; $rd = "d"; $rp = 7; $du = "sip:o"; $var(x) = $rU + "@" + $rd; setuser("v"); prefix("0"); strip(1);
		setdsturi("sip:p"); userphone(); xlog("$ru $du $var(x) $rp $dd");`
	for kind := RequestRoute; kind <= BranchRoute; kind++ {
		h := newFake(t, request("INVITE sip:bob@h", ""))
		runRoute(t, h, kind, set)
		if got := strings.Join(h.calls, "|"); got != "log -1 sip:v@d:7;x;user=phone sip:p u@d 7 p" || string(h.ruri) != "sip:v@d:7;x;user=phone" {
			t.Errorf("kind %d: %s, %s", kind, got, h.ruri)
		}
	}
	for kind := ReplyRoute; kind <= CoreReplyRoute; kind++ {
		h := newFake(t, response("183 X", "INVITE"))
		h.ruri, h.duri = []byte("sip:stale@h"), []byte("sip:stale")
		runRoute(t, h, kind, set+`if (revert_uri() || seturi("sip:x") || isdsturiset() || uri == myself || $dd != $null || resetdsturi()) xlog("no");`)
		if got := strings.Join(h.calls, "|"); got != "log -1 <null> <null> @ <null> <null>" || string(h.ruri) != "sip:stale@h" ||
			string(h.duri) != "sip:stale" {
			t.Errorf("kind %d: %s, %s", kind, got, h.ruri)
		}
	}
}

// TestCheckStatus: the patterns are found as regexec(3) finds them in Kamailio (measured with 486
// on 5.6.3), tried on all codes at once.
func TestCheckStatus(t *testing.T) {
	f := func(pattern string, in, out []int) {
		t.Helper()
		for _, status := range append(in, out...) {
			h := newFake(t, request("INVITE sip:bob@h", ""))
			h.status = status
			want := Exited
			if slices.Contains(out, status) {
				want = Dropped
			}
			if o, _ := runRoute(t, h, FailureRoute, `if (t_check_status("`+pattern+`")) exit; drop;`); o != want {
				t.Errorf("%s and %d: outcome %d, want %d", pattern, status, o, want)
			}
		}
	}
	f("486|408", []int{486, 408}, []int{404, 480, 699, 100, 0})
	f("(486)|(408)", []int{486, 408}, []int{404, 480, 699, 100, 0})
	f("^5..", []int{500, 503, 599}, []int{450, 600, 400, 0, 699})
	f("3[0-9][0-9]", []int{300, 302, 399}, []int{400, 299, 0, 700, 30})
	f("3[0-9][0-9]$", []int{300}, []int{400})
	f("[[:digit:]]{3}", []int{100, 486, 699}, []int{0, 99, 700, -1, 1 << 40})
	f("8", []int{180, 408, 486, 580}, []int{200, 404})
	f("[^4]86", []int{586}, []int{486})
	f("4{2}", []int{440, 644}, []int{404})
	f("^(4(0[48]|8[06])|6..)$", []int{404, 408, 480, 486, 600, 603}, []int{400, 407, 481, 500})
	f(`4\\.`, nil, []int{400})
	f("", []int{100, 699}, []int{0})
	h := newFake(t, response("183 X", "INVITE"))
	h.status = 486 // nobody asks
	if o, _ := runRoute(t, h, ReplyRoute, `if (t_check_status("183")) drop;`); o != Dropped {
		t.Error("a reply route goes by the response's own status")
	}
}

// TestRouteOutcomes: how each kind of route ends, what it can fail with, and numbers without a
// route.
func TestRouteOutcomes(t *testing.T) {
	f := func(body string, want Outcome) {
		t.Helper()
		for kind := RequestRoute; kind <= CoreReplyRoute; kind++ {
			h := newFake(t, request("INVITE sip:b@h", ""))
			o, c := runRoute(t, h, kind, body)
			if o != want || (c.Fault != nil) != (want == Faulted) {
				t.Errorf("%s in a route of kind %d ends as %d (%v), want %d", body, kind, o, c.Fault, want)
			}
			if c.msg != nil || len(c.dirty) != 0 {
				t.Errorf("%s in a route of kind %d leaves something behind", body, kind)
			}
		}
	}
	f(`log("x");`, Ended)
	f(`return -1;`, Ended)
	f(`return 0;`, Exited)
	f(`exit;`, Exited)
	f(`drop;`, Dropped)
	f(`drop();`, Dropped)
	f(`if (route(A)) exit;%%route[A] { drop; }`, Dropped)
	f(`route(A);%%route[A] { route(A); }`, Faulted)
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, Faulted)
	f(`while (1) { $var(i) = $var(i) + 1; } if ($var(i) == 100) drop;`, Dropped)
	p, _, _, err := loadText("request_route { exit; } failure_route[A] { drop; }", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCtx(newFake(t, request("INVITE sip:b@h", "")))
	for _, o := range []Outcome{p.Failure(c, 0), p.Failure(c, 2), p.Failure(c, -1), p.Branch(c, 1), p.Reply(c, 1), p.CoreReply(c)} {
		if o != Ended {
			t.Errorf("a route that is not there ends as %d", o)
		}
	}
	if p.HasCoreReply() || p.Failure(c, 1) != Dropped {
		t.Error("there is one failure route and no reply_route")
	}
}

// branching runs a branch route from inside Relay, as the proxy does.
type branching struct {
	*fakeHost
	run func()
}

func (h *branching) Relay() int { h.run(); return 1 }

// TestRouteWithin runs a branch route inside a request's run: its Request-URI and its end are its
// own, the $var are shared.
func TestRouteWithin(t *testing.T) {
	p, _, _, err := loadText(allModules+`modparam("xlog", "prefix", "")`+`
	request_route { $var(x) = "out"; $ru = "sip:out@h"; $var(y) = "a" + $rU + route(R); xlog("$var(x) $var(y) $rU $rc"); t_relay(); xlog("$rU"); }
	route[R] { t_relay(); return 5; }
	branch_route[B] { xlog("$var(x) $ru $rd"); $var(x) = "in" + $rU; $rU = "b" + $rU; if ($rU == "bbranch") drop; }
	branch_route[LONG] { $var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	inner, outer := newFake(t, request("INVITE sip:branch@b", "")), newFake(t, request("INVITE sip:out@h", ""))
	h := &branching{fakeHost: outer}
	c := NewCtx(h)
	h.run = func() {
		c.Host = inner
		inner.ruri = []byte("sip:branch@b")
		if o := p.Branch(c, 1); o != Dropped {
			t.Errorf("the branch route ends as %d", o)
		}
		c.Host = h
	}
	if o := p.Request(c); o != Ended {
		t.Errorf("ends as %d", o)
	}
	want := "log -1 inbranch aout1 out 5|log -1 out"
	if got := strings.Join(outer.calls, "|"); got != want {
		t.Errorf("the request's run gives %s, want %s", got, want)
	}
	if got := strings.Join(inner.calls, "|"); got != "log -1 out sip:branch@b b|log -1 inbranch sip:branch@b b" {
		t.Errorf("the branch's runs give %s", got)
	}
	// A fault inside ends the inner run only.
	h.run = func() {
		if o := p.Branch(c, 2); o != Faulted || c.Fault == nil {
			t.Errorf("ends as %d, %v", o, c.Fault)
		}
	}
	if o := p.Request(c); o != Ended || c.Fault != nil {
		t.Errorf("ends as %d, %v", o, c.Fault)
	}
}

// TestNumbering: the hash changes when a number may mean another route.
func TestNumbering(t *testing.T) {
	seen := map[uint64]string{}
	for _, src := range []string{"", "failure_route[A] { exit; }", "branch_route[A] { exit; }", "onreply_route[A] { exit; }",
		"failure_route[B] { exit; }", "failure_route[A] { exit; } failure_route[B] { exit; }", "failure_route[B] { exit; } failure_route[A] { exit; }",
		"failure_route[AB] { exit; }"} {
		p, _, _, err := loadText("request_route { exit; } "+src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if other, dup := seen[p.Numbering()]; dup {
			t.Errorf("%q and %q have the same numbering", src, other)
		}
		seen[p.Numbering()] = src
		again, _, _, _ := loadText("request_route { drop; } reply_route { exit; } "+src, nil)
		if again.Numbering() != p.Numbering() {
			t.Errorf("%q: the numbering depends on more than the names", src)
		}
	}
}

// TestPeerFlows runs the peer files: what arrives, what the script does.
func TestPeerFlows(t *testing.T) {
	f := func(file, kind, tag string, answers map[string]int, want string) {
		t.Helper()
		p, _, _ := loadFile(t, file)
		h := newFake(t, request(kind, tag))
		h.answers = answers
		p.Request(NewCtx(h))
		if got := strings.Join(h.calls, " "); got != want {
			t.Errorf("%s %s gives\n%s, want\n%s", file, kind, got, want)
		}
	}
	type m = map[string]int
	const lb, stateful, stateless = "testdata/peers/lb.cfg", "testdata/peers/stateful.cfg", "testdata/peers/stateless.cfg"
	const sane = "MaxForwards(70) SanityCheck(17895,7) "
	fresh := m{"PrecheckTrans": -1, "CheckTrans": -1}
	f(lb, "INVITE sip:b@h", "", fresh, sane+"PrecheckTrans() CheckTrans() RecordRoute() SelectDst(1,0,0,false) Relay()")
	f(lb, "INVITE sip:b@h", "", m{}, sane+"PrecheckTrans() CheckTrans()")
	f(lb, "INVITE sip:b@h", "", m{"PrecheckTrans": -1, "CheckTrans": 0}, sane+"PrecheckTrans() CheckTrans()")
	f(lb, "INVITE sip:b@h", "", m{"MaxForwards": -1}, "MaxForwards(70) Reply(483,Too Many Hops)")
	f(lb, "INVITE sip:b@h", "", m{"SanityCheck": -1}, "MaxForwards(70) SanityCheck(17895,7)")
	f(lb, "INVITE sip:b@h", "", m{"SanityCheck": 0}, "MaxForwards(70) SanityCheck(17895,7)")
	f(lb, "INVITE sip:b@h", "", m{"PrecheckTrans": -1, "CheckTrans": -1, "SelectDst": -1},
		sane+"PrecheckTrans() CheckTrans() RecordRoute() SelectDst(1,0,0,false) Reply(503,No destination)")
	f(lb, "INVITE sip:b@h", "", m{"PrecheckTrans": -1, "CheckTrans": -1, "Relay": -1},
		sane+"PrecheckTrans() CheckTrans() RecordRoute() SelectDst(1,0,0,false) Relay() ReplyError()")
	f(lb, "MESSAGE sip:b@h", "", fresh, sane+"PrecheckTrans() CheckTrans() SelectDst(1,0,0,false) Relay()")
	f(lb, "OPTIONS sip:127.0.0.1:5060", "", fresh, sane+"PrecheckTrans() CheckTrans() Reply(200,Keepalive)")
	f(lb, "OPTIONS sip:u@127.0.0.1:5060", "", fresh, sane+"PrecheckTrans() CheckTrans() SelectDst(1,0,0,false) Relay()")
	f(lb, "OPTIONS sip:other.example.com", "", fresh, sane+"PrecheckTrans() CheckTrans() SelectDst(1,0,0,false) Relay()")
	f(lb, "CANCEL sip:b@h", "", m{}, sane+"CheckTrans() Relay()")
	f(lb, "CANCEL sip:b@h", "", m{"CheckTrans": -1}, sane+"CheckTrans()")
	f(lb, "ACK sip:b@h", "", m{"CheckTrans": 0}, sane+"SelectDst(1,0,0,false) Relay()")
	f(lb, "BYE sip:b@h", "t1", m{}, sane+"LooseRoute() Relay()")
	f(lb, "BYE sip:b@h", "t1", m{"LooseRoute": -1}, sane+"LooseRoute() Reply(404,Not here)")
	f(lb, "ACK sip:b@h", "t1", m{"LooseRoute": -1}, sane+"LooseRoute() CheckTrans() Relay()")
	f(lb, "ACK sip:b@h", "t1", m{"LooseRoute": -1, "CheckTrans": 0}, sane+"LooseRoute() CheckTrans()")
	f(stateful, "INVITE sip:b@h", "", fresh, "MaxForwards(70) CheckTrans() RecordRoute() Relay()")
	f(stateful, "BYE sip:b@h", "t1", m{"Relay": -1}, "MaxForwards(70) LooseRoute() Relay() ReplyError()")
	f(stateful, "CANCEL sip:b@h", "", m{}, "MaxForwards(70) CheckTrans() Relay()")
	f(stateful, "ACK sip:b@h", "t1", m{"LooseRoute": -1}, "MaxForwards(70) LooseRoute() CheckTrans() Relay()")
	f(stateless, "INVITE sip:b@h", "", m{}, "MaxForwards(70) RecordRoute() Forward()")
	f(stateless, "ACK sip:b@h", "t1", m{}, "MaxForwards(70) LooseRoute() Forward()")

	const def = "default.cfg"
	notRouted := m{"PrecheckTrans": -1, "CheckTrans": -1, "LooseRoute": -1}
	begin := sane + "PrecheckTrans() CheckTrans() LooseRoute() "
	const allow = "AppendToReply(Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE\r\n) "
	f(def, "INVITE sip:b@proxy.example.com", "", notRouted, begin+"RecordRoute() SelectDst(1,0,0,false) Relay()")
	f(def, "INVITE sip:b@elsewhere.example.com", "", notRouted, begin+"Reply(403,Relaying denied)")
	f(def, "INVITE sip:b@proxy.example.com", "", fresh, begin+"Reply(403,Preloaded Route denied)")
	f(def, "OPTIONS sip:proxy.example.com", "", notRouted, begin+allow+
		"AppendToReply(Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n) ReplyAny(200,OK)")
	f(def, "REGISTER sip:proxy.example.com", "", notRouted, begin+allow+"Reply(405,Method Not Allowed)")
	f(def, "INVITE sip:b@proxy.example.com", "", m{"PrecheckTrans": -1, "CheckTrans": -1, "LooseRoute": -3}, begin+"RecordRoute() SelectDst(1,0,0,false) Relay()")
	f(def, "INVITE sip:b@proxy.example.com", "", m{"PrecheckTrans": -1, "CheckTrans": -1, "LooseRoute": -1, "SelectDst": -1},
		begin+"RecordRoute() SelectDst(1,0,0,false) Reply(503,No destination)")
	f(def, "BYE sip:b@elsewhere.example.com", "t1", notRouted, sane+"LooseRoute() Reply(404,Not here)")
	f(def, "BYE sip:b@elsewhere.example.com", "t1", fresh, sane+"LooseRoute() Relay()")
	f(def, "ACK sip:b@elsewhere.example.com", "", m{"CheckTrans": -1}, sane+"CheckTrans()")
}

// TestOutcomes tells the ends of a script apart.
func TestOutcomes(t *testing.T) {
	f := func(body string, want Outcome) {
		t.Helper()
		h := newFake(t, request("INVITE sip:b@h", ""))
		if o, _ := runBody(t, h, body); o != want {
			t.Errorf("%s ends as %d, want %d", body, o, want)
		}
	}
	f(`log("x");`, Ended)
	f(`return;`, Ended)
	f(`return(5);`, Ended)
	f(`return -1;`, Ended)
	f(`return(0);`, Exited)
	f(`return $var(x);`, Exited)
	f(`exit;`, Exited)
	f(`drop;`, Dropped)
	f(`route(A);%%route[A] { drop; }`, Dropped)
	f(`if (route(A)) exit;%%route[A] { drop; }`, Dropped)
	f(`while (route(A)) exit;%%route[A] { drop; }`, Dropped)
	f(`switch (route(A)) { default: exit; }%%route[A] { drop; }`, Dropped)
	f(`$rU = route(A) + "x";%%route[A] { drop; }`, Dropped)
	f(`return route(A);%%route[A] { drop; }`, Dropped)
	f(`route(A);%%route[A] { route(A); }`, Faulted)
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, Faulted)
}

// TestFaults names the place.
func TestFaults(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newFake(t, request("INVITE sip:b@h", ""))
		_, c := runBody(t, h, body)
		if c.Fault == nil || c.Fault.Error() != want {
			t.Errorf("%.80s: fault %v, want %s", body, c.Fault, want)
		}
	}
	f("route(A);%%\nroute[A] { route(A); }", "x.cfg:7:7: route(A) is nested deeper than max_recursive_level")
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, "x.cfg:4:37: value of $var(x) is too long")
	f(`$var(x) = $mb + `+strings.Repeat(`$mb + `, 800)+`"";`, "x.cfg:4:2265: string is too long")
}

// TestReply covers the replies a script makes.
func TestReply(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newFake(t, request("INVITE sip:bob@h", ""))
		runBody(t, h, body)
		if got := strings.Join(h.calls, " "); got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	f(`sl_send_reply("404", "Not here"); send_reply(503, "No"); t_reply("480", "Gone"); t_send_reply("486", "Busy");`,
		"Reply(404,Not here) ReplyAny(503,No) ReplyTM(480,Gone) ReplyAny(486,Busy)")
	f(`sl_send_reply(404, "$rU from $si:$sp at $Ri"); if (is_myself("sip:$rU@$Ri") && !is_myself("sip:$Ri@$rU")) log("x");`,
		"Reply(404,bob from 127.0.0.1:15998 at 127.0.0.1) log 3 x")
	f(`$var(c) = 404; sl_send_reply("$var(c)", "No $rU"); sl_send_reply($var(c), $rU + "!");`, "Reply(404,No bob) Reply(404,bob!)")
	f(`sl_send_reply("$rU", "x");`, "Reply(500,x)") // no code at all
	f(`if (!ds_select_dst("$var(s)", 4)) exit; ds_select_domain(2, "4", "3"); mf_process_maxfwd_header(10); sanity_check();`,
		"SelectDst(0,4,0,false) SelectDst(2,4,3,true) MaxForwards(10) SanityCheck(3047,7)")
}

// TestOptionsReply: siputils' options_reply() is for an OPTIONS without a user and says what the
// parameters say (Kamailio 5.6.3).
func TestOptionsReply(t *testing.T) {
	f := func(params, line, want string) {
		t.Helper()
		h := newFake(t, request(line, ""))
		prog, _, _, err := loadText(allModules+params+"\nrequest_route { append_to_reply(\"X: $rm\\r\\n\"); if (!options_reply()) log(\"no\"); }\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		prog.Request(NewCtx(h))
		if got := strings.Join(h.calls, "|"); got != want {
			t.Errorf("%s gives\n\t%q, want\n\t%q", line, got, want)
		}
	}
	const x = "AppendToReply(X: OPTIONS\r\n)|AppendToReply("
	f("", "OPTIONS sip:h", x+"Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n)|ReplyAny(200,OK)")
	f(`modparam("siputils", "options_accept", "application/sdp") modparam("siputils", "options_accept_encoding", "gzip")
		modparam("siputils", "options_accept_language", "de") modparam("siputils", "options_support", "path")`, "OPTIONS sip:h",
		x+"Accept: application/sdp\r\nAccept-Encoding: gzip\r\nAccept-Language: de\r\nSupported: path\r\n)|ReplyAny(200,OK)")
	f("", "OPTIONS sip:bob@h", "AppendToReply(X: OPTIONS\r\n)|log 3 no")
	f("", "INFO sip:h", "AppendToReply(X: INFO\r\n)|log 3 no")
}

// TestArgumentEndsScript: what an argument stops does not happen.
func TestArgumentEndsScript(t *testing.T) {
	f := func(call string) {
		t.Helper()
		h := newFake(t, request("INVITE sip:bob@h", ""))
		o, _ := runBody(t, h, call+" log(\"not reached\");%%route[R0] { return 0; }")
		if o != Exited || len(h.calls) != 0 || string(h.ruri) != "sip:bob@h" || len(h.duri) != 0 {
			t.Errorf("%s ends as %d with %v", call, o, h.calls)
		}
	}
	f(`sl_send_reply(200, "x" + route(R0));`)
	f(`sl_send_reply(200 + route(R0), "x");`)
	f(`ds_select_dst(1 + route(R0), 4);`)
	f(`mf_process_maxfwd_header(1 + route(R0));`)
	f(`append_to_reply("x" + route(R0));`)
	f(`sanity_check(1, 1 + route(R0));`)
	f(`xlog("x" + route(R0));`)
	f(`seturi("sip:" + route(R0));`)
	f(`setdsturi("sip:" + route(R0));`)
	f(`if (is_myself("sip:" + route(R0))) exit; else drop;`)
	f(`$ru = "sip:" + route(R0);`)
	f(`$var(x) = selval(route(R0), 1, 2);`)
	f(`while (1 + route(R0)) exit;`)
	f(`switch (route(R0)) { default: drop; }`)
	f(`return 1 + route(R0);`)
	f(`if (route(R0) == 1) exit; else drop;`)
	f(`if ("a" + route(R0) =~ "a") exit; else drop;`)
	f(`if (defined route(R0)) exit; else drop;`)
}

// TestSharedByShards runs one program in several contexts at once; the race detector watches.
func TestSharedByShards(t *testing.T) {
	p, _, _ := loadFile(t, "testdata/accept/production.cfg")
	var wg sync.WaitGroup
	for range 4 {
		h := newFake(t, request("INVITE sip:bob@c.example.com", ""))
		wg.Go(func() {
			c := NewCtx(h)
			for range 100 {
				h.calls, h.ruri, h.duri = nil, h.msg.Bytes(h.msg.URI), nil
				if p.Request(c) != Exited || h.calls[len(h.calls)-1] != "Relay()" {
					t.Error(h.calls)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestIsMethodOfResponse(t *testing.T) {
	h := newFake(t, "SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"+
		"Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	runBody(t, h, `if (is_method("INVITE") && is_reply() && status == "200") xlog("$rm $rs $rr $mt"); if (!is_method("BYE")) log("ok");`)
	if got := strings.Join(h.calls, "|"); got != "log -1 INVITE 200 Fine 2|log 3 ok" {
		t.Error(got)
	}
}

func TestLogLevelIsAsked(t *testing.T) {
	h := newFake(t, request("INVITE sip:bob@h", ""))
	h.level = 0
	runBody(t, h, `xinfo("a"); xwarn("b"); log("c"); xlog("`+strings.Repeat("long ", 900)+`");`)
	if len(h.calls) != 2 || h.calls[0] != "log 0 b" || !strings.HasSuffix(h.calls[1], "…") || len(h.calls[1]) != len("log -1 ")+lineBytes+len("…") {
		t.Errorf("%d lines, the last of %d bytes", len(h.calls), len(h.calls[len(h.calls)-1]))
	}
}

// TestNoVariableIsBoth: what works is not listed as missing.
func TestNoVariableIsBoth(t *testing.T) {
	for n := range knownPVs {
		if pvs[n] != nil {
			t.Errorf("$%s works and is listed as not implemented", n)
		}
	}
	for n := range pvs {
		if syntax.NameLen(n) != len(n) && n != "?" {
			t.Errorf("%q can never be written", n)
		}
	}
}
