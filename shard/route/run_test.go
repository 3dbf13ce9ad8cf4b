package route

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
)

// runBody runs a request_route body, with further routes behind a line "%%", on h and gives the
// outcome.
func runBody(t testing.TB, h *bench, body string) (Outcome, *Ctx) {
	t.Helper()
	body, routes, _ := strings.Cut(body, "%%")
	src := allModules + `modparam("xlog", "prefix", "")` + "\nrequest_route {\n" + body + "\n}\n" + routes
	p, _, _, err := loadText(src, nil)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", body, err)
	}
	o := h.request(p)
	// The same context must give the same again: nothing may leak from one message to the next.
	calls, ruri, duri := h.calls, h.ruri, h.duri
	h.calls = nil
	if o2 := h.request(p); o2 != o || strings.Join(h.calls, "\n") != strings.Join(calls, "\n") {
		t.Errorf("%s\ngives %d %q, then %d %q", body, o, calls, o2, h.calls)
	}
	// So must the program whose routes are called, and not copied to where they are called.
	called, _, _, err := Load("x.cfg", []byte(src), Options{Modules: testModules, noCopies: true})
	if err != nil {
		t.Fatal(err)
	}
	called.onOneShard()
	h.calls = nil
	if o2 := h.request(called); o2 != o || strings.Join(h.calls, "\n") != strings.Join(calls, "\n") {
		t.Errorf("%s\ngives %d %q, and %d %q where routes are called", body, o, calls, o2, h.calls)
	}
	h.calls, h.ruri, h.duri = calls, ruri, duri
	return o, h.c
}

// TestValues prints expressions. All were measured on Kamailio 5.6.3 with this message, unless a
// deviation is named.
func TestValues(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060;x=1", ""))
		runBody(t, h, "$var(s)=\"5x\"; $var(n)=5; $var(e)=\"\"; $var(z)=0; $var(abc)=\"abc\";\n"+body+
			"%%route[R5] { return 5; }\nroute[R0] { return 0; }"+
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
	v(`$var(z) == ""`, "0")
	v(`0 == ""`, "0") // 5.6.3 refuses the literal
	v(`0 eq ""`, "0")
	v(`"a" ieq "b"`, "1")
	v(`$null == $null`, "1")
	v(`$null == 0`, "1")
	v(`$null == ""`, "1")
	v(`$null != 0`, "0")
	v(`$var(z) == $null`, "0")
	v(`$var(z) != $null`, "1")
	v(`$var(e) == $null`, "0")
	v(`$var(e) eq $null`, "0")
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
	cond(`src_ip == 127.0.0.1 && src_ip == 127.0.0.0/8 && src_ip == "127.0.0.1" && src_ip == 127.0.0.0/255.0.0.0`,
		"yes")
	cond(`src_ip != 127.0.0.2 && src_ip != ::1 && src_ip != [::1]/128`, "yes")
	cond(`src_port == 15998 && proto == UDP && proto != tcp && af == INET && af != INET6 && dst_port == 5060 && `+
		`dst_ip == 127.0.0.1`, "yes")
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
	f(`while ($var(i) < 1000) $var(i) = $var(i) + 1; xlog("$var(i)");`,
		"while at x.cfg:5:1 was ended after max_while_loops iterations|100")
	f(`switch (2) { case 1: xlog("1"); case 2: xlog("2"); case 3: xlog("3"); break; default: xlog("d"); }`, "2|3")
	f(`switch ($rU) { case "bob": xlog("bob"); break; default: xlog("d"); }`, "bob")
	f(`switch ($rU) { default: xlog("d"); case "x": xlog("x"); }`, "d|x")
	f(`switch ($rU) { case "x": xlog("x"); } xlog("end");`, "end")
	f(`while (1) { switch (1) { case 1: break; } $var(i) = $var(i) + 1; if ($var(i) > 2) break; } xlog("$var(i)");`,
		"3")
	// Lines.
	f(`xlog("100% $$5 $rU$rm ($rU) $rU@$rd $hdr(x-FOO)");`, "100% $5 bobINVITE (bob) bob@127.0.0.1 one")
	f(`xlog("L_INFO", "a"); xlog(3, "b"); xwarn("c"); xdbg("d"); log("e\n"); log(1, "f"); log("L_ALERT", "g");`,
		"log 2 a|log 3 b|log 0 c|log 3 d|log 3 e|log 1 f|log -5 g")
	f(`xlog("x" + $rU + 5); xlog($rU); xlog(5);`, "xbob5|bob|5")
}

// TestVariables reads what a request has. The table is what Kamailio 5.6.3 printed for it.
func TestVariables(t *testing.T) {
	h := newBench(t, request("INVITE sip:bob@127.0.0.1:15999;x=1", ""))
	f := func(name, want string) {
		t.Helper()
		h.calls = nil
		runBody(t, h, `xlog("`+name+`");`)
		if got := strings.TrimPrefix(h.calls[0], "log -1 "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f("$ru|$rd|$rU|$rp|$rP|$rm|$rs|$rr|$rz",
		"sip:bob@127.0.0.1:15999;x=1|127.0.0.1|bob|15999|UDP|INVITE|<null>|<null>|sip")
	f("$fu|$fU|$fd|$ft|$fn", "sip:alice@a.example.com:5070|alice|a.example.com|ft1|\"Alice A\"")
	f("$tu|$tU|$td|$tt|$tn", "sip:bob@b.example.com|bob|b.example.com|<null>|<null>")
	f("$ci|$cs|$si|$sp|$du|$dd|$dp|$dP|$ua", "cid-1@x|7|127.0.0.1|15998|<null>|<null>|<null>|<null>|ua/1.0")
	f("$pr|$proto|$Ri|$Rp|$mt|$cT|$cl|$rb", "udp|udp|127.0.0.1|5060|1|text/plain|4|body")
	f("$ct|$ou|$oU|$od|$op", "<sip:alice@127.0.0.1:15998>|sip:bob@127.0.0.1:15999;x=1|bob|127.0.0.1|15999")
	f("$rc|$retcode|$?|$$|$var(x)|$null", "0|0|0|$|0|<null>")
	f("$hdr(x-foo)|$(hdr(X-Foo)[1])|$(hdr(X-Foo)[-1])|$(hdr(X-Foo)[-2])|$(hdr(X-Foo)[2])|$hdr(No)|$hdr(f)",
		"one|two |two |one|<null>|<null>|\"Alice A\" <sip:alice@a.example.com:5070>;tag=ft1")
	f("$(rU)x$(rd)", "bobx127.0.0.1")
	h.from(TLS, "[2001:db8::7]:5060")
	f("$si|$proto", "2001:db8::7|tls")
	h.from(TLS, "[::ffff:1.2.3.4]:5060")
	f("$si", "1.2.3.4")
}

// TestSetURI changes the Request-URI and the outbound URI.
func TestSetURI(t *testing.T) {
	f := func(body, ruri, duri string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:15999;x=1", ""))
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
	f(`$du = "sip:1.2.3.4:5;transport=tcp"; if ($dP == "tcp" && $dp == 5 && $dd == "1.2.3.4") $du = $du + ";y";`, orig,
		"sip:1.2.3.4:5;transport=tcp;y")
	f(`$du = "sip:1.2.3.4"; $du = $null;`, orig, "")
	f(`setdsturi("sip:$rU@h"); if (isdsturiset()) resetdsturi(); if (isdsturiset()) $rU = "no";`, orig, "")
	f(`seturi("sip:$rU@h"); `, "sip:bob@h", "")
	f(`seturi("sip:$rU@$si:$sp;r=$Ri"); setdsturi("sip:$Ri:$Rp;x=$si");`, "sip:bob@127.0.0.1:15998;r=127.0.0.1",
		"sip:127.0.0.1:5060;x=127.0.0.1")
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
	from := []string{"sip:bob:pw@1.2.3.4:5;p=1?X=y", "sip:1.2.3.4", "sips:bob@[::1]:7;transport=tcp", "tel:+12345;x=y",
		"sip:bob@h;user=phone"}
	f := func(call string, want ...string) {
		t.Helper()
		for i, uri := range from {
			h := newBench(t, request("INVITE sip:bob@h", ""))
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
	f(`sethost("h")`, "sip:bob:pw@h:5;p=1?X=y", "sip:h", "sips:bob@h:7;transport=tcp", "sip:+12345;x=y@h;user=phone",
		from[4])
	f(`rewritehost("")`, "-", "-", "-", "-", "-")
	f(`seth("a b")`, "-", "-", "-", "-", "-")
	f(`sethostport("h:99")`, "sip:bob:pw@h:99;p=1?X=y", "sip:h:99", "sips:bob@h:99;transport=tcp",
		"sip:+12345;x=y@h:99;user=phone",
		"sip:bob@h:99;user=phone")
	f(`sethp("h")`, "sip:bob:pw@h;p=1?X=y", "sip:h", "sips:bob@h;transport=tcp", "sip:+12345;x=y@h;user=phone", from[4])
	f(`rewritehostport("[::2]")`, "sip:bob:pw@[::2];p=1?X=y", "sip:[::2]", "sips:bob@[::2];transport=tcp",
		"sip:+12345;x=y@[::2];user=phone",
		"sip:bob@[::2];user=phone")
	f(`sethostport("h:")`, "-", "-", "-", "-", "-")
	f(`sethostporttrans("h:9;transport=tcp")`, "sip:bob:pw@h:9;transport=tcp;p=1?X=y", "sip:h:9;transport=tcp",
		"sips:bob@h:9;transport=tcp",
		"sip:+12345;x=y@h:9;transport=tcp;user=phone", "sip:bob@h:9;transport=tcp;user=phone")
	f(`sethpt("h:9")`, "sip:bob:pw@h:9;p=1?X=y", "sip:h:9", "sips:bob@h:9", "sip:+12345;x=y@h:9;user=phone",
		"sip:bob@h:9;user=phone")
	f(`setuser("u")`, "sip:u:pw@1.2.3.4:5;p=1?X=y", "sip:u@1.2.3.4", "sips:u@[::1]:7;transport=tcp", "tel:u;x=y",
		"sip:u@h;user=phone")
	f(`setu("")`, "sip:1.2.3.4:5;p=1?X=y", from[1], "sips:[::1]:7;transport=tcp", "-", "sip:h;user=phone")
	f(`rewriteuser("a@b")`, "-", "-", "-", "-", "-")
	f(`setuserpass("u:q")`, "sip:u:q@1.2.3.4:5;p=1?X=y", "sip:u:q@1.2.3.4", "sips:u:q@[::1]:7;transport=tcp", "-",
		"sip:u:q@h;user=phone")
	f(`setup("u")`, "sip:u@1.2.3.4:5;p=1?X=y", "sip:u@1.2.3.4", "sips:u@[::1]:7;transport=tcp", "tel:u;x=y",
		"sip:u@h;user=phone")
	f(`setport("77")`, "sip:bob:pw@1.2.3.4:77;p=1?X=y", "sip:1.2.3.4:77", "sips:bob@[::1]:77;transport=tcp", "-",
		"sip:bob@h:77;user=phone")
	f(`setp("")`, "sip:bob:pw@1.2.3.4;p=1?X=y", from[1], "sips:bob@[::1];transport=tcp", "-", from[4])
	f(`rewriteport("99999")`, "-", "-", "-", "-", "-")
	f(`strip(2)`, "sip:b:pw@1.2.3.4:5;p=1?X=y", from[1], "sips:b@[::1]:7;transport=tcp", "tel:2345;x=y",
		"sip:b@h;user=phone")
	f(`strip(9)`, "sip:1.2.3.4:5;p=1?X=y", from[1], "sips:[::1]:7;transport=tcp", "-", "sip:h;user=phone")
	f(`strip_tail(2)`, "sip:b:pw@1.2.3.4:5;p=1?X=y", from[1], "sips:b@[::1]:7;transport=tcp", "tel:+123;x=y",
		"sip:b@h;user=phone")
	f(`strip_tail(0)`, from...)
	f(`prefix("00")`, "sip:00bob:pw@1.2.3.4:5;p=1?X=y", "sip:00@1.2.3.4", "sips:00bob@[::1]:7;transport=tcp",
		"tel:00+12345;x=y",
		"sip:00bob@h;user=phone")
	f(`userphone()`, "sip:bob:pw@1.2.3.4:5;p=1;user=phone?X=y", "sip:1.2.3.4;user=phone",
		"sips:bob@[::1]:7;transport=tcp;user=phone", from[3],
		from[4])
	f(`seturi("sip:new")`, "sip:new", "sip:new", "sip:new", "sip:new", "sip:new")
	// Ours alone: variables are filled in.
	f(`prefix("$rm")`, "sip:INVITEbob:pw@1.2.3.4:5;p=1?X=y", "sip:INVITE@1.2.3.4",
		"sips:INVITEbob@[::1]:7;transport=tcp",
		"tel:INVITE+12345;x=y", "sip:INVITEbob@h;user=phone")
}

// response is a SIP response to a request of the method.
func response(status, method string) string {
	return "SIP/2.0 " + status +
		"\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n" +
		"Call-ID: x\r\nCSeq: 1 " + method + "\r\nContent-Length: 0\r\n\r\n"
}

// runRoute runs a body as a route of the kind; routes behind "%%" are further ones.
func runRoute(t testing.TB, h *bench, kind RouteKind, body string) (Outcome, *Ctx) {
	t.Helper()
	body, routes, _ := strings.Cut(body, "%%")
	head := [...]string{"request_route", "failure_route[X]", "branch_route[X]", "onreply_route[X]", "reply_route"}[kind]
	src := allModules + `modparam("xlog", "prefix", "")` + "\nmodparam(\"dispatcher\", \"flags\", 2)\n" +
		head + " {\n" + body + "\n}\n" + routes
	if kind != RequestRoute {
		src += "\nrequest_route { exit; }"
	}
	src += "\nfailure_route[F1] { exit; } failure_route[F2] { exit; } branch_route[B1] { exit; } onreply_route[R1] { " +
		"exit; }"
	p, _, _, err := loadText(src, nil)
	if err != nil {
		t.Fatalf("%s\nis refused: %v", body, err)
	}
	return h.run(p, kind, 1), h.c
}

// TestTransactionFunctions: what a script says, and what comes of it.
func TestTransactionFunctions(t *testing.T) {
	f := func(kind RouteKind, body, want string) {
		t.Helper()
		msg := request("INVITE sip:bob@h", "")
		if kind == CoreReplyRoute {
			msg = response("183 Session Progress", "INVITE")
		}
		h := newBench(t, msg)
		runRoute(t, h, kind, body)
		got := strings.ReplaceAll(strings.Join(h.calls, " "), "log -1 ", "")
		if got = strings.ReplaceAll(got, "MaxForwards(69) ", ""); got != want { // the Relay's own
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	for _, kind := range []RouteKind{RequestRoute, FailureRoute} {
		n, first, answer := "1", "Relay(udp:127.0.0.9:5060) ", "no transaction Reply(481,Gone)"
		if kind == FailureRoute {
			n = "2" // behind X
			first, answer = "", "Reply(480,Gone) too late"
		}
		f(kind, `t_on_failure("F1"); t_on_branch("B1"); t_on_reply("R1");`, "OnFailure("+n+") OnBranch(1) OnReply(1)")
		f(kind, `t_on_branch("B1"); if (t_is_set("branch_route") && !t_is_set("failure_route")) t_on_branch("0"); t_on_failure("");
			if (t_is_set("branch_route")) exit; t_on_reply(0); xlog("end");`, "OnBranch(1) OnBranch(0) end")
		f(kind, `append_branch(); append_branch(""); append_branch("sip:a@$rd", "0.25"); append_branch("sip:a@b", `+
			`"$hdr(No)");`,
			// a q that is none is refused
			"AppendBranch(,-1) 1 AppendBranch(,-1) 2 AppendBranch(sip:a@h,250) 3")
		f(kind, `append_branch("", "1"); append_branch("sip:a@b", ".5"); append_branch("sip:a@b", "0.7778"); `+
			`append_branch("sip:a@b", "0.0");`,
			"AppendBranch(,1000) 1 AppendBranch(sip:a@b,500) 2 AppendBranch(sip:a@b,777) 3 AppendBranch(sip:a@b,0) 4")
		f(kind, `append_branch("sip:a@b"); clear_branches(); append_branch("sip:low@b", "0.1"); append_branch("sip:high@b", "0.9");
			if (!t_load_contacts("1") && t_load_contacts()) { $var(r) = t_next_contacts(); xlog("$ru $var(r)"); t_next_contacts(); xlog("$ru"); }`, "AppendBranch(sip:a@b,-1) 1 AppendBranch(sip:low@b,100) 1 AppendBranch(sip:high@b,900) 2 sip:high@b 1 sip:low@b")
		f(kind, `append_branch("sip:1.2.3.4"); t_relay();`,
			"AppendBranch(sip:1.2.3.4,-1) 1 "+first+"Relay(udp:1.2.3.4:5060)")
		f(kind, `$ru = "sip:1.2.3.4"; t_relay_to(); xlog("$rc");`, "Relay(udp:1.2.3.4:5060) 1")
		f(kind, `$ru = "sip:1.2.3.4"; t_relay_to("0x05");`, "Relay(udp:1.2.3.4:5060)")
		f(kind, `$ru = "sip:1.2.3.4"; t_relay_to(2);`, "Relay(udp:1.2.3.4:5060)")
		f(kind, `$ru = "sip:1.2.3.4"; t_relay_to_udp();`, "Relay(udp:1.2.3.4:5060)")
		f(kind, `t_relay_to("tcp:h:5061", "1"); t_relay_to("h"); t_relay_to("h:7"); t_relay_to("udp:[::1]:7", 1); `+
			`t_relay_to("tls:[::1]");`,
			"Relay(tcp:127.0.0.9:5061) Relay(udp:127.0.0.9:5060) Relay(udp:127.0.0.9:7) Relay(udp:[::1]:7) "+
				"Relay(tls:[::1]:5061)")
		f(kind, `t_relay("h", "7"); t_relay_to_udp("1.2.3.4", 5070); t_relay_to_tcp("::1", "5060");`,
			"Relay(udp:127.0.0.9:7) Relay(udp:1.2.3.4:5070) Relay(tcp:[::1]:5060)")
		f(kind, `if (!ds_next_dst() && !ds_mark_dst() && ds_select_dst(1, 4)) ds_next_dst(); if (!ds_next_domain()) `+
			`xlog("none");`, "SelectDst(sip:127.0.0.1:7001) SelectDst(sip:127.0.0.1:7000) none")
		f(kind, `if (t_branch_timeout()) xlog("timeout"); if (!t_branch_replied()) xlog("silent");`, "silent")
		f(kind, `if (!t_reply("480", "Gone")) xlog("no transaction"); if (!send_reply(481, "Gone")) xlog("too late");`,
			answer)
		for state, want := range map[string]string{``: "i", `"PI"`: "ip", `"a"`: "a", `"tp"`: "ip", `"p"`: "ap"} {
			mark, _ := balance.ParseMark(want)
			h := newBench(t, request("INVITE sip:bob@h", ""))
			runRoute(t, h, kind, `ds_select_dst(1, 4); ds_mark_dst(`+state+`);`) // the first t is one too many
			if got := h.Targets.Set(1).Targets[0].State(); got.String() != mark.String() {
				t.Errorf("ds_mark_dst(%s) makes it %v, want %v", state, got, mark)
			}
		}
	}
	f(FailureRoute, `t_drop_replies("n"); xlog("$T_reply_code"); t_drop_replies("l"); xlog("$T_reply_code");`, "486 0")
	f(FailureRoute, `t_drop_replies(); xlog("$T_reply_code");`, "0")
	f(FailureRoute, `t_drop_replies("a"); xlog("$T_reply_code");`, "0")
	for _, kind := range []RouteKind{RequestRoute, FailureRoute, BranchRoute} {
		f(kind, `t_set_fr(30000); t_set_fr("0", 1500); $var(i) = 7; t_set_fr($var(i), "$var(i)"); $var(i) = -7; t_set_fr($var(i));
			if (!t_is_canceled()) xlog("goes on");`, "SetFr(30s,0s) SetFr(30s,1.5s) SetFr(7ms,7ms) goes on")
	}
	f(ReplyRoute, `if (t_set_fr(30000, 1500) && !t_is_canceled()) xlog("goes on");`, "goes on")
	for _, kind := range []RouteKind{RequestRoute, FailureRoute, BranchRoute} {
		f(kind, `t_set_fr(5); t_reset_fr(); if (!t_any_timeout() && !t_any_replied()) xlog("silent");`,
			"SetFr(5ms,0s) SetFr(0s,0s) silent")
	}
	f(CoreReplyRoute, `if (sanity_check("17604", "6")) xlog("sane");`, "sane")
	// What a route knows of where it is.
	const where = `xlog("$T_reply_code $T_branch_idx $rs $rr $rm $mt"); $var(s) = t_get_status_code(); xlog("$var(s)");
		if (t_is_request_route()) xlog("request"); if (t_is_failure_route()) xlog("failure"); if (t_is_branch_route()) xlog("branch");
		if (t_is_reply_route()) xlog("reply"); if (status =~ "^18[03]$") xlog("=~"); if (status == "183" && status == 183 && $rs == 183) xlog("==");`
	f(RequestRoute, where, "0 0 <null> <null> INVITE 1 -1 request")
	f(FailureRoute, where, "486 1 <null> <null> INVITE 1 486 failure")
	f(BranchRoute, where, "0 0 <null> <null> INVITE 1 -1 branch")
	f(ReplyRoute, where, "183 0 183 Session Progress INVITE 2 183 reply =~ ==")
	f(CoreReplyRoute, where, "183 -1 183 Session Progress INVITE 2 183 reply =~ ==")
	// A route[NAME] is what calls it.
	f(FailureRoute, `route(A);%%route[A] { route(B); } route[B] { if (t_is_failure_route()) xlog("failure"); }`,
		"failure")
	f(BranchRoute, `if (!route(A)) xlog("no");%%route[A] { if (t_relay()) return 1; return -1; }`, "no")
	f(BranchRoute, `if (!route(A)) xlog("no");%%route[A] { if (t_is_branch_route()) { append_branch("sip:a@b" + route(Z)); } return -1; }
		route[Z] { exit; }`, "no") // not even the arguments are evaluated
	// Flags.
	f(ReplyRoute, `setflag(0); setflag(31); resetflag(0); if (isflagset(31) && !isflagset(0)) xlog("31");`, "31")
}

// TestSetInRoutes assigns in each kind of route. A response has no Request-URI: nothing is asked
// for, or set.
func TestSetInRoutes(t *testing.T) {
	const set = `$ru = "sip:new@n;x"; $rU = "u"; $rd = "d"; $rp = 7; $du = "sip:o"; $var(x) = $rU + "@" + $rd; setuser("v"); prefix("0"); strip(1);
		setdsturi("sip:p"); userphone(); xlog("$ru $du $var(x) $rp $dd");`
	for kind := RequestRoute; kind <= BranchRoute; kind++ {
		h := newBench(t, request("INVITE sip:bob@h", ""))
		runRoute(t, h, kind, set)
		if got := strings.Join(h.calls, "|"); got != "log -1 sip:v@d:7;x;user=phone sip:p u@d 7 p" ||
			string(h.ruri) != "sip:v@d:7;x;user=phone" {
			t.Errorf("kind %d: %s, %s", kind, got, h.ruri)
		}
	}
	for kind := ReplyRoute; kind <= CoreReplyRoute; kind++ {
		msg := request("INVITE sip:bob@h", "")
		if kind == CoreReplyRoute {
			msg = response("183 X", "INVITE")
		}
		h := newBench(t, msg)
		runRoute(t, h, kind, set+
			`if (revert_uri() || seturi("sip:x") || isdsturiset() || uri == myself || $dd != $null || resetdsturi()) `+
			`xlog("no");`)
		if got := strings.Join(h.calls, "|"); got != "log -1 <null> <null> @ <null> <null>" ||
			kind == ReplyRoute && (string(h.Core.Request.RequestURI()) != "sip:bob@h" ||
				h.Core.Request.DstURI() != nil) {
			t.Errorf("kind %d: %s", kind, got)
		}
	}
}

// TestCheckStatus: the patterns are found as regexec(3) finds them in Kamailio (measured with 486
// on 5.6.3), tried on all codes at once.
func TestCheckStatus(t *testing.T) {
	f := func(pattern string, in, out []int) {
		t.Helper()
		for _, status := range append(in, out...) {
			h := newBench(t, response("183 X", "INVITE"))
			h.msg.Status = uint16(status)
			want := Exited
			if slices.Contains(out, status) {
				want = Dropped
			}
			if o, _ := runRoute(t, h, CoreReplyRoute, `if (t_check_status("`+pattern+`")) exit; drop;`); o != want {
				t.Errorf("%s and %d: outcome %d, want %d", pattern, status, o, want)
			}
		}
	}
	f("486|408", []int{486, 408}, []int{404, 480, 699, 100, 0})
	f("(486)|(408)", []int{486, 408}, []int{404, 480, 699, 100, 0})
	f("^5..", []int{500, 503, 599}, []int{450, 600, 400, 0, 699})
	f("3[0-9][0-9]", []int{300, 302, 399}, []int{400, 299, 0, 700, 30})
	f("3[0-9][0-9]$", []int{300}, []int{400})
	f("[[:digit:]]{3}", []int{100, 486, 699}, []int{0, 99, 700, 1<<16 - 1})
	f("8", []int{180, 408, 486, 580}, []int{200, 404})
	f("[^4]86", []int{586}, []int{486})
	f("4{2}", []int{440, 644}, []int{404})
	f("^(4(0[48]|8[06])|6..)$", []int{404, 408, 480, 486, 600, 603}, []int{400, 407, 481, 500})
	f(`4\\.`, nil, []int{400})
	f("", []int{100, 699}, []int{0})
	h := newBench(t, request("INVITE sip:bob@h", ""))
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
			h := newBench(t, request("INVITE sip:b@h", ""))
			o, c := runRoute(t, h, kind, body)
			if o != want || (c.Fault != nil) != (want == Faulted) {
				t.Errorf("%s in a route of kind %d ends as %d (%v), want %d", body, kind, o, c.Fault, want)
			}
			if c.Msg != nil || len(c.dirty) != 0 {
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
	f(`route(A);%%route[A] { route(A); }`, Ended)
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, Faulted)
	f(`while (1) { $var(i) = $var(i) + 1; } if ($var(i) == 100) drop;`, Dropped)
	p, _, _, err := loadText("request_route { exit; } failure_route[A] { drop; }", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:b@h", ""))
	c, r, rep := h.c, h.begin(), h.Respond(&h.msg, &h.src)
	for _, o := range []Outcome{p.Failure(c, r, 0), p.Failure(c, r, 2), p.Failure(c, r, -1), p.Branch(c, r, 1),
		p.Reply(c, rep, rep.M, nil, nil, 1), p.CoreReply(c, rep)} {
		if o != Ended {
			t.Errorf("a route that is not there ends as %d", o)
		}
	}
	if p.HasCoreReply() || p.Failure(c, r, 1) != Dropped {
		t.Error("there is one failure route and no reply_route")
	}
}

// TestRouteWithin runs a branch route inside a request's run: its Request-URI and its end are its
// own, the $var are shared.
func TestRouteWithin(t *testing.T) {
	p, _, _, err := loadText(allModules+`modparam("xlog", "prefix", "")`+`
	request_route { t_on_branch("B"); $var(x) = "out"; $ru = "sip:out@h"; $var(y) = "a" + $rU + route(R); xlog("$var(x) $var(y) $rU $rc");
		append_branch("sip:branch@b"); t_on_branch("B"); t_relay(); xlog("$rU"); }
	route[R] { t_relay(); return 5; }
	branch_route[B] { xlog("$var(x) $ru $rd"); $var(x) = "in" + $rU; $rU = "b" + $rU; if ($rU == "bbranch") drop; }
	branch_route[LONG] { $var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newBench(t, request("INVITE sip:out@h", ""))
	var ends []Outcome
	run := 1
	h.Branch = func(r *proxy.Request, _ int) bool {
		o := h.prog.Branch(h.c, r, run)
		ends = append(ends, o)
		if (o == Faulted) != (h.c.Fault != nil) {
			t.Errorf("ends as %d, %v", o, h.c.Fault)
		}
		return o != Dropped
	}
	lines := func() string {
		var l []string
		for _, c := range h.calls {
			if line, ok := strings.CutPrefix(c, "log -1 "); ok {
				l = append(l, line)
			}
		}
		h.calls = nil
		return strings.Join(l, "|")
	}
	if o := h.request(p); o != Ended || !slices.Equal(ends, []Outcome{Ended, Dropped}) {
		t.Errorf("ends as %d, its branch routes as %v", o, ends)
	}
	if got, want := lines(), "out sip:out@h h|inout aout1 out 5|inout sip:branch@b b|out"; got != want {
		t.Errorf("the runs give %s, want %s", got, want)
	}
	// A fault inside ends the inner run only.
	run, ends = 2, nil
	if o := h.request(p); o != Ended || h.c.Fault != nil || !slices.Contains(ends, Faulted) {
		t.Errorf("ends as %d, its branch routes as %v, %v", o, ends, h.c.Fault)
	}
}

// TestHash: it changes when a number may mean another route or step, and with nothing else.
func TestHash(t *testing.T) {
	seen := map[uint64]string{}
	for _, src := range []string{"", "failure_route[A] { exit; }", "branch_route[A] { exit; }",
		"onreply_route[A] { exit; }",
		"failure_route[B] { exit; }", "failure_route[A] { exit; } failure_route[B] { exit; }",
		"failure_route[B] { exit; } failure_route[A] { exit; }",
		"failure_route[AB] { exit; }"} {
		p, _, _, err := loadText("request_route { exit; } "+src, nil)
		if err != nil {
			t.Fatal(err)
		}
		if other, dup := seen[p.Hash()]; dup || p.Hash() == 0 {
			t.Errorf("%q and %q have the same hash", src, other)
		}
		seen[p.Hash()] = src
		again, _, _, _ := loadText("request_route { exit; } "+src, nil)
		other, _, _, _ := loadText("request_route { drop; } "+src, nil)
		if again.Hash() != p.Hash() || other.Hash() == p.Hash() {
			t.Errorf("%q has %x, again %x, with another request_route %x", src, p.Hash(), again.Hash(), other.Hash())
		}
	}
}

// TestPeerFlows runs the peer files: what arrives, what the script does.
func TestPeerFlows(t *testing.T) {
	f := func(file, kind, tag string, change func(h *bench), want string) {
		t.Helper()
		p, _, _ := loadFile(t, file)
		h := newBench(t, request(kind, tag))
		if change != nil {
			change(h)
		}
		h.request(p)
		if got := strings.Join(h.calls, " "); got != want {
			t.Errorf("%s %s gives\n%s, want\n%s", file, kind, got, want)
		}
	}
	with := func(old, text string) func(h *bench) {
		return func(h *bench) {
			if r := h.msg.Parse([]byte(strings.Replace(string(h.msg.Raw), old, text, 1))); r != parser.OK {
				t.Fatal(r)
			}
		}
	}
	deaf := func(h *bench) { h.Deaf = true }
	noTargets := func(h *bench) { h.Core.SetTargets(nil) }
	routed := with("User-Agent:", "Route: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.3;lr>\r\nUser-Agent:")
	ours := with("User-Agent:", "Route: <sip:127.0.0.1:5060;lr>\r\nUser-Agent:")
	spent := with("Max-Forwards: 70", "Max-Forwards: 0")
	insane := with("From: \"Alice A\" <sip:alice@a.example.com:5070>", "From: <sip:a b@c>")
	const lb, stateful, stateless = "testdata/peers/lb.cfg", "testdata/peers/stateful.cfg",
		"testdata/peers/stateless.cfg"
	const def = "default.cfg"
	cancels := func(h *bench) {
		h.ready = func(r *proxy.Request) {
			var invite parser.Message
			if reason := invite.Parse([]byte(request("INVITE sip:b@h", ""))); reason != parser.OK {
				t.Fatal(reason)
			}
			h.Begin(&invite, &h.src).Relay()
			of := r.Tx
			r.Begin(&h.msg, &h.src, 0)
			r.Key, r.Invite = h.Table.Key(&h.msg, h.msg.Method), of
		}
	}
	f(lb, "INVITE sip:b@h", "", nil,
		"MaxForwards(69) RecordRoute() SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(lb, "INVITE sip:b@h", "", spent, "Reply(483,Too Many Hops)")
	f(lb, "INVITE sip:b@h", "", insane, "MaxForwards(69) Reply(400,Invalid From Header)")
	f(lb, "INVITE sip:b@h", "", noTargets, "MaxForwards(69) RecordRoute() Reply(503,No destination)")
	f(lb, "INVITE sip:b@h", "", deaf,
		"MaxForwards(69) RecordRoute() SelectDst(sip:127.0.0.1:7000) SelectDst(sip:127.0.0.1:7001) Reply(477,No Way "+
			"To Next Hop)")
	f(lb, "MESSAGE sip:b@h", "", nil, "MaxForwards(69) SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(lb, "OPTIONS sip:127.0.0.1:5060", "", nil, "MaxForwards(69) Reply(200,Keepalive)")
	f(lb, "OPTIONS sip:u@127.0.0.1:5060", "", nil,
		"MaxForwards(69) SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(lb, "OPTIONS sip:other.example.com", "", nil,
		"MaxForwards(69) SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(lb, "CANCEL sip:b@h", "", cancels, "MaxForwards(69) Reply(200,canceling)")
	f(lb, "CANCEL sip:b@h", "", nil, "MaxForwards(69)")
	f(lb, "ACK sip:b@h", "", nil, "MaxForwards(69) SelectDst(sip:127.0.0.1:7000) Forward(udp:127.0.0.1:7000)")
	f(lb, "BYE sip:b@h", "t1", routed, "MaxForwards(69) Relay(udp:127.0.0.3:5060)")
	f(lb, "BYE sip:b@h", "t1", nil, "MaxForwards(69) Reply(404,Not here)")
	f(lb, "ACK sip:b@h", "t1", nil, "MaxForwards(69)")
	f(stateful, "INVITE sip:b@h", "", nil, "MaxForwards(69) RecordRoute() Relay(udp:127.0.0.9:5060)")
	f(stateful, "BYE sip:b@h", "t1", routed, "MaxForwards(69) Relay(udp:127.0.0.3:5060)")
	f(stateful, "BYE sip:b@h", "t1", func(h *bench) {
		routed(h)
		deaf(h)
	}, "MaxForwards(69) Reply(477,No Way To Next Hop)")
	f(stateful, "CANCEL sip:b@h", "", cancels, "MaxForwards(69) Reply(200,canceling)")
	f(stateful, "ACK sip:b@h", "t1", nil, "MaxForwards(69)")
	f(stateless, "INVITE sip:b@h", "", nil, "MaxForwards(69) RecordRoute() Forward(udp:127.0.0.9:5060)")
	f(stateless, "ACK sip:b@h", "t1", routed, "MaxForwards(69) Forward(udp:127.0.0.3:5060)")

	f(def, "INVITE sip:b@proxy.example.com", "", nil,
		"MaxForwards(69) RecordRoute() SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(def, "INVITE sip:b@elsewhere.example.com", "", nil, "MaxForwards(69) Reply(403,Relaying denied)")
	f(def, "INVITE sip:b@proxy.example.com", "", routed, "MaxForwards(69) Reply(403,Preloaded Route denied)")
	const allow = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE\r\n"
	f(def, "OPTIONS sip:proxy.example.com", "", nil, "MaxForwards(69) AppendToReply("+allow+") AppendToReply("+allow+
		"Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n) Reply(200,OK)")
	f(def, "REGISTER sip:proxy.example.com", "", nil,
		"MaxForwards(69) AppendToReply("+allow+") Reply(405,Method Not Allowed)")
	f(def, "INVITE sip:b@proxy.example.com", "", ours,
		"MaxForwards(69) RecordRoute() SelectDst(sip:127.0.0.1:7000) Relay(udp:127.0.0.1:7000)")
	f(def, "INVITE sip:b@proxy.example.com", "", noTargets, "MaxForwards(69) RecordRoute() Reply(503,No destination)")
	f(def, "BYE sip:b@elsewhere.example.com", "t1", nil, "MaxForwards(69) Reply(404,Not here)")
	f(def, "BYE sip:b@elsewhere.example.com", "t1", routed, "MaxForwards(69) Relay(udp:127.0.0.3:5060)")
	f(def, "ACK sip:b@elsewhere.example.com", "", nil, "MaxForwards(69)")
}

// TestOutcomes tells the ends of a script apart.
func TestOutcomes(t *testing.T) {
	f := func(body string, want Outcome) {
		t.Helper()
		h := newBench(t, request("INVITE sip:b@h", ""))
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
	f(`route(A);%%route[A] { route(A); }`, Ended)
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, Faulted)
}

// TestFaults names the place.
func TestFaults(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:b@h", ""))
		_, c := runBody(t, h, body)
		if c.Fault == nil || c.Fault.Error() != want {
			t.Errorf("%.80s: fault %v, want %s", body, c.Fault, want)
		}
	}
	f(`$var(x) = "0123456789"; while (1) { $var(x) = $var(x) + $var(x); }`, "x.cfg:4:37: value of $var(x) is too long")
	f(`$var(x) = $mb + `+strings.Repeat(`$mb + `, 800)+`"";`, "x.cfg:4:2265: string is too long")
}

// TestReply covers the replies a script makes.
func TestReply(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@h", ""))
		runBody(t, h, body)
		if got := strings.Join(h.calls, " "); got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	f(`sl_send_reply("404", "Not here"); send_reply(503, "No"); t_reply("480", "Gone"); t_send_reply("486", "Busy");`,
		"Reply(404,Not here) Reply(503,No) Reply(486,Busy)")
	f(`sl_send_reply(404, "$rU from $si:$sp at $Ri"); if (is_myself("sip:$rU@$Ri") && !is_myself("sip:$Ri@$rU")) `+
		`log("x");`,
		"Reply(404,bob from 127.0.0.1:15998 at 127.0.0.1) log 3 x")
	f(`$var(c) = 404; sl_send_reply("$var(c)", "No $rU"); sl_send_reply($var(c), $rU + "!");`,
		"Reply(404,No bob) Reply(404,bob!)")
	f(`sl_send_reply("$rU", "x");`, "Reply(500,x)") // no code at all
	f(`if (ds_select_dst("$var(s)", 4)) exit; ds_select_domain(1, "0", "3"); mf_process_maxfwd_header(10); `+
		`sanity_check();`,
		"SelectDst(sip:bob@127.0.0.1:7000) MaxForwards(69)")
}

// TestOptionsReply: siputils' options_reply() is for an OPTIONS without a user and says what the
// parameters say (Kamailio 5.6.3).
func TestOptionsReply(t *testing.T) {
	f := func(params, line, want string) {
		t.Helper()
		h := newBench(t, request(line, ""))
		prog, _, _, err := loadText(allModules+params+
			"\nrequest_route { append_to_reply(\"X: $rm\\r\\n\"); if (!options_reply()) log(\"no\"); }\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		h.request(prog)
		if got := strings.Join(h.calls, "|"); got != want {
			t.Errorf("%s gives\n\t%q, want\n\t%q", line, got, want)
		}
	}
	const x = "AppendToReply(X: OPTIONS\r\n)|AppendToReply(X: OPTIONS\r\n"
	f("", "OPTIONS sip:h", x+
		"Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n)|Reply(200,OK)")
	f(`modparam("siputils", "options_accept", "application/sdp") modparam("siputils", "options_accept_encoding", "gzip")
		modparam("siputils", "options_accept_language", "de") modparam("siputils", "options_support", "path")`,
		"OPTIONS sip:h",
		x+"Accept: application/sdp\r\nAccept-Encoding: gzip\r\nAccept-Language: de\r\nSupported: path\r\n"+
			")|Reply(200,OK)")
	f("", "OPTIONS sip:bob@h", "AppendToReply(X: OPTIONS\r\n)|log 3 no")
	f("", "INFO sip:h", "AppendToReply(X: INFO\r\n)|log 3 no")
}

// TestArgumentEndsScript: what an argument stops does not happen.
func TestArgumentEndsScript(t *testing.T) {
	f := func(call string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@h", ""))
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
		h := newBench(t, request("INVITE sip:bob@c.example.com", ""))
		wg.Go(func() {
			for range 100 {
				h.calls = nil
				if h.request(p) != Exited || !strings.HasPrefix(h.calls[len(h.calls)-1], "Relay(") {
					t.Error(h.calls)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestIsMethodOfResponse(t *testing.T) {
	h := newBench(t, "SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: "+
		"<sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	runBody(t, h, `if (is_method("INVITE") && is_reply() && status == "200") xlog("$rm $rs $rr $mt"); if `+
		`(!is_method("BYE")) log("ok");`)
	if got := strings.Join(h.calls, "|"); got != "log -1 INVITE 200 Fine 2|log 3 ok" {
		t.Error(got)
	}
}

func TestLogLevelIsAsked(t *testing.T) {
	h := newBench(t, request("INVITE sip:bob@h", ""))
	h.level = 0
	runBody(t, h, `xinfo("a"); xwarn("b"); log("c"); xlog("`+strings.Repeat("long ", 900)+`");`)
	if len(h.calls) != 2 || h.calls[0] != "log 0 b" || !strings.HasSuffix(h.calls[1], "…") ||
		len(h.calls[1]) != len("log -1 ")+lineBytes+len("…") {
		t.Errorf("%d lines, the last of %d bytes", len(h.calls), len(h.calls[len(h.calls)-1]))
	}
}

// TestVariableNames: each can be written.
func TestVariableNames(t *testing.T) {
	for _, d := range append([]Declared{Core()}, testModules...) {
		for n := range newModule(d, DefaultSettings(), nil).def.vars {
			if syntax.VarNameLen(n) != len(n) && n != "?" {
				t.Errorf("%q can never be written", n)
			}
		}
	}
}
