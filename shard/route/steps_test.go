package route

import (
	"strings"
	"testing"
)

// TestOrder: what stands in an expression is done in the order written, and what is left out is not
// done.
func TestOrder(t *testing.T) {
	const routes = `%%route[TEN] { $var(n) = 10; $var(s) = "longer than before"; xlog("TEN"); return 5; }
		route[NO] { xlog("NO"); return -2; } route[DOWN] { if ($var(n) == 0) return 1;
		$var(n) = $var(n) - 1; $var(r) = $var(n) + route(DOWN); xlog("$var(n) $var(r)"); return 1; }
		route[SELF] { if ($var(n) > 3) return 7; $var(n) = $var(n) + 1; return route(SELF); }`
	f := func(body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
		_, c := runBody(t, h, body+routes)
		if got := strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", ""); got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
		if len(c.buf) != 0 || len(c.frames) != 0 {
			t.Errorf("%s leaves %d bytes of scratch room and %d routes behind", body, len(c.buf), len(c.frames))
		}
	}
	// The left side counts as it was before the call on the right.
	f(`$var(n) = 1; $var(x) = $var(n) + route(TEN); xlog("$var(x) $var(n)");`, "TEN|2 10")
	f(`$var(n) = 1; $var(x) = route(TEN) + $var(n); xlog("$var(x)");`, "TEN|11")
	f(`$var(s) = "abc"; $var(x) = $var(s) + route(TEN); xlog("$var(x)");`, "TEN|abc1")
	f(`$var(s) = "abc"; if ($var(s) + "d" + route(TEN) == "abcd1") xlog("yes");`, "TEN|yes")
	f(`$var(n) = 1; if ($var(n) < route(TEN) || $var(n) == 10) xlog("$var(n)");`, "TEN|10")
	f(`$var(n) = 1; ds_select_dst($var(n), route(TEN) - 1); mf_process_maxfwd_header($var(n));`,
		"TEN|SelectDst(sip:127.0.0.1:7000)|MaxForwards(69)")
	f(`$var(n) = 1; $var(x) = $var(n) + (route(TEN) + $var(n)) + $var(n); xlog("$var(x)");`, "TEN|22")
	// Left out.
	f(`$var(x) = (0 && route(TEN)) + 1; xlog("$var(x)");`, "1")
	f(`$var(x) = (route(NO) && route(TEN)) + 1; xlog("$var(x)");`, "NO|1")
	f(`$var(x) = route(TEN) || route(NO); xlog("$var(x)");`, "TEN|1")
	f(`$var(x) = !(route(NO) || 0) && !!1; xlog("$var(x)");`, "NO|1")
	f(`if (!(route(NO) && route(TEN)) && (route(TEN) || route(NO))) xlog("yes"); else xlog("no");`, "NO|TEN|yes")
	f(`$var(x) = selval(route(NO), "a" + route(TEN), "b" + route(NO)); xlog("$var(x)");`, "NO|NO|b0")
	f(`if (selval(1, route(TEN), route(NO)) == 5) xlog("five");`, "TEN|five")
	f(`if (!0) xlog("a"); if (1 && !(0 || 0)) xlog("b"); if (0 && route(TEN)) xlog("c"); else if (1 || route(TEN)) { `+
		`} else xlog("d");`, "a|b")
	f(`while (0) xlog("a"); if (1) { } if (route(NO)) { } xlog("$rc");`, "NO|-2")
	// Each call of a route has temporaries of its own.
	f(`$var(n) = 3; route(DOWN);`, "0 1|0 2|0 3")
	// return route(SELF) is 1
	f(`$var(x) = 1 + route(SELF); $var(n) = 0; $var(y) = route(SELF); xlog("$var(x) $var(y)");`, "2 1")
	f(`$var(i) = 0; while ($var(i) < 3) { $var(j) = 0; while ($var(j) < 2) { $var(j) = $var(j) + 1; route(NO); break; } $var(i) = $var(i) + 1; }
		xlog("$var(i) $var(j)");`, "NO|NO|NO|3 1")
	// $rc is what the last call said.
	f(`if (is_method("INVITE") && !route(NO) && $rc == -2) xlog("$rc"); $var(x) = route(TEN) + 1; xlog("$rc");`,
		"NO|-2|TEN|5")
	// Text that waits for a call is given back, in each turn.
	f(`$var(i) = 0; while ($var(i) < 99) { $var(i) = $var(i) + 1; $var(x) = "`+strings.Repeat("x", 2000)+`" + $rU + (1 + is_method("BYE"));
		if ($rU + "y" + is_method("BYE") == "boby0" && $var(x) != "") $var(k) = $var(k) + 1; seturi("sip:bob@h" + route(SELF)); }
		xlog("$var(k)");`, "99")
}

// TestTooManySteps: no program holds a shard for long, whatever its loops and routes are.
func TestTooManySteps(t *testing.T) {
	f := func(globals, body, want string) {
		t.Helper()
		p, _, _, err := loadText(globals+"\nloadmodule \"pv.so\"\nrequest_route {\n"+body+"\n}", nil)
		if err != nil {
			t.Fatal(err)
		}
		h := newBench(t, request("INVITE sip:bob@h", ""))
		h.quiet = true
		c := h.c
		if o := h.request(p); o != Faulted || c.Fault == nil || c.Fault.Error() != want {
			t.Errorf("%s ends as %d, %v; want %s", body, o, c.Fault, want)
		}
	}
	f("", "route(A);\n}\nroute[A] { route(A); route(A);", "x.cfg:6:22: the run makes more than 1048576 steps")
	f("max_while_loops=0", "while (1) { }", "x.cfg:4:1: the run makes more than 1048576 steps")
	f("", strings.Repeat("while (1) ", 4)+"$var(x) = 1;", "x.cfg:4:31: the run makes more than 1048576 steps")
	f("", "while (1) route(A);\n}\nroute[A] { while (1) { route(B); route(B); } }\nroute[B] { "+
		strings.Repeat("$var(x) = 1; ", 60),
		"x.cfg:6:34: the run makes more than 1048576 steps")
}
