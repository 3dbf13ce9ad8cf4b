package route

import (
	"strings"
	"testing"
)

// TestCopiedRoutes: a route is copied to where request_route calls it if nothing in it needs a
// frame. What it does stays the same, which runBody checks.
func TestCopiedRoutes(t *testing.T) {
	f := func(copied bool, body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
		runBody(t, h, body)
		if got := strings.ReplaceAll(strings.Join(h.calls, "|"), "log -1 ", ""); got != want {
			t.Errorf("%s\ngives %q, want %q", body, got, want)
		}
		main, routes, _ := strings.Cut(body, "%%")
		src := []byte(allModules + "request_route {\n" + main + "\n}\n" + routes)
		steps := func(noCopies bool) int {
			p, _, _, err := Load("x.cfg", src, Options{Modules: testModules, noCopies: noCopies})
			if err != nil {
				t.Fatal(err)
			}
			return len(p.linked)
		}
		if got := steps(false) > steps(true); got != copied {
			t.Errorf("%s\nis copied: %v, want %v", body, got, copied)
		}
	}
	f(true, `route(A); xlog("$rc");%%route[A] { xlog("a"); return 7; }`, "a|7")
	f(true, `route(A); route(A); xlog("$rc");%%route[A] { xlog("a"); route(B); } route[B] { xlog("b"); return -2; }`,
		"a|b|a|b|-2")
	f(true, `if (route(A)) xlog("yes"); else xlog("no");%%route[A] { if ($rU == "bob") return -1; return 1; }`, "no")
	f(true, `route(A); xlog("on");%%route[A] { route(B); xlog("not here"); } route[B] { exit; }`, "")
	f(true, `route(A); xlog("on");%%route[A] { return 0; }`, "")
	f(true, `route(A); xlog("$rc $var(x)");%%route[A] { $var(x) = $rU + "-" + $rd; if ($rU == "bob") { break; } }`,
		"0 bob-127.0.0.1")
	f(true, `route(A); xlog("on $rc");%%route[A] { }`, "on 1")
	f(true, `xlog("x"); route(A);%%route[A] { xlog("last"); }`, "x|last")
	// What is called stands far from the copy of its caller.
	f(true, `route(A);%%route[A] { route(Z); xlog("a"); } route[M] { `+strings.Repeat(`xlog("m");`, 40)+
		` } route[Z] { xlog("z"); }`, "z|a")
	// These need a frame.
	f(false, `$var(x) = "a" + route(A); xlog("$var(x)");%%route[A] { return 7; }`, "a1")
	f(false, `while ($var(i) < 2) { $var(i) = $var(i) + 1; route(A); }%%route[A] { xlog("$var(i)"); }`, "1|2")
	f(false, `route(A);%%route[A] { switch ($rU) { case "bob": xlog("bob"); break; } xlog("z"); }`, "bob|z")
	f(false, `route("A");xlog("on");%%route[A] { $var(n) = $var(n) + 1; if ($var(n) < 3) route(A); xlog("$var(n)"); }`,
		"3|3|3|on")
	f(false, `route($rU);%%route[bob] { xlog("computed"); }`, "computed")
}
