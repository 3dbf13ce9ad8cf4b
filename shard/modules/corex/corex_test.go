package corex

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "corex", Define: Define})
}

// TestBranches: what is added, and what is none.
func TestBranches(t *testing.T) {
	b := bench(t)
	for body, want := range map[string]int{
		`$var(r) = append_branch();`:                                      1,
		`$var(r) = append_branch("sip:c@d", "0.5");`:                      1,
		`$var(u) = "sip:c@d"; $var(r) = append_branch("$var(u)", "1");`:   1,
		`$var(u) = "c d"; $var(r) = append_branch("$var(u)");`:            -1,
		`$var(q) = "1.5"; $var(r) = append_branch("sip:c@d", "$var(q)");`: -1,
		`$var(q) = "x"; $var(r) = append_branch("sip:c@d", "$var(q)");`:   -1,
	} {
		if got := b.Value(body, "$var(r)"); got != map[int]string{1: "1", -1: "-1"}[want] {
			t.Errorf("%s is %s, want %d", body, got, want)
		}
	}
	b.Fails(`append_branch("c d");`, `append_branch: "c d" is no URI`)
	b.Fails(`append_branch("sip:c@d", "2");`,
		`append_branch: q is "2"; it is a number from 0 to 1, as in "0.7"`)
}

// TestSockets: the listener that a message leaves by.
func TestSockets(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	l := b.Listeners[0]
	socket := "udp:" + l.Addr.String()
	f(`$var(r) = set_send_socket("`+socket+`");`, `"$var(r) $fs"`, "'1 "+socket+"'")
	f(`$var(s) = "`+socket+`"; $var(r) = set_send_socket("$var(s)");`, `"$var(r) $fs"`, "'1 "+socket+"'")
	f(`$var(r) = set_send_socket("udp:192.0.2.1:5060");`, `"$var(r) $fs"`, "'-1 <null>'")
	f(`$var(s) = ""; $var(r) = set_send_socket("$var(s)");`, `"$var(r) $fs"`, "'-1 <null>'")
	f(`$var(r) = set_send_socket_name("nobody");`, `"$var(r) $fsn"`, "'-1 <null>'")
	b.Fails(`set_send_socket("udp:a:0");`, `set_send_socket: "udp:a:0" is not proto:host:port`)
}

// TestCfg: where in the file the script stands, by the names of Kamailio 5.6.3.
func TestCfg(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", "$cfg(line)", "4") // the line of see()
	f("\n$var(n) = $cfg(line);\n", "$var(n)", "4")
	f("", "$cfg(name)", "'x.cfg'")
	f("", "$cfg(route)", "'DEFAULT_ROUTE'")
	b.Fails(`$var(x) = $cfg(col);`, `$cfg(col): it is one of line, name and route`)

	p, _, err := b.Load(`request_route { route(SUB); } route[SUB] { if ($cfg(route) == "SUB") drop; }`)
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Request(b.Ctx, b.Begin(b.Msg(), b.Source())); o != route.Dropped {
		t.Errorf("in route[SUB] $cfg(route) is another one: the run ended as %d", o)
	}
}
