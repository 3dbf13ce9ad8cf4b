package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestAllAtOnce holds the errors about what stands in something that is refused itself: one run of
// the check finds all of them.
func TestAllAtOnce(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, _, _, err := loadText(src, nil)
		var list ErrorList
		errors.As(err, &list)
		got := make([]string, len(list))
		for i := range list {
			got[i] = strings.TrimPrefix(list[i].Error(), "x.cfg:")
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\ngives\n%s\nwant\n%s", src, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	in := func(body string, want ...string) {
		t.Helper()
		f("loadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nloadmodule \"textops.so\"\nrequest_route {\n"+body+"\n}",
			want...)
	}
	// In one text.
	in(`xlog("$unk1 and $unk2 and $(rU{s.foo}) and $(rU{s.bar})");`, `5:6: unknown variable $unk1`,
		`5:6: unknown variable $unk2`, `5:6: unknown transformation {s.foo}`,
		`5:6: unknown transformation {s.bar}`)
	in(`append_hf("X: $unk5 $unk6\r\n");`, `5:11: unknown variable $unk5`, `5:11: unknown variable $unk6`)
	in(`xlog("$ and $unk");`, `5:6: a variable name is missing behind $ in the text; write $$ for a dollar sign`,
		`5:6: unknown variable $unk`)
	// In one chain.
	in(`$var(a) = $(rU{s.foo}{s.len}{s.bar});`, `5:11: unknown transformation {s.foo}`,
		`5:11: unknown transformation {s.bar}`)
	in(`xlog("$(unk{s.foo})");`, `5:6: unknown variable $unk`, `5:6: unknown transformation {s.foo}`)
	in(`xlog("$(rU{s.foo,$unk})");`, `5:6: unknown transformation {s.foo}`, `5:6: unknown variable $unk`)
	// In the arguments of what is not there.
	in(`foo("x $unk1 $(rU{s.bad})", bar("$unk2"), $(rU{s.q}));`, `5:1: unknown function foo`,
		`5:5: unknown variable $unk1`, `5:5: unknown transformation {s.bad}`, `5:29: unknown function bar`,
		`5:33: unknown variable $unk2`, `5:43: unknown transformation {s.q}`)
	in(`foo("^a$|b$", "(x)$1", "$$unk");`, `5:1: unknown function foo`)
	in(`save("location", "$unk");`, `5:1: save (module registrar) is known to Kamailio, not implemented by `+
		`Viaduct yet`, `5:18: unknown variable $unk`)
	in(`t_relay("$unk1"); sl_send_reply("$unk2", "x");`, `5:1: t_relay needs loadmodule "tm.so" before this line`,
		`5:9: unknown variable $unk1`, `5:19: sl_send_reply needs loadmodule "sl.so" before this line`,
		`5:33: unknown variable $unk2`)
	in(`append_hf("$unk1", "x", "$unk2");`, `5:1: append_hf takes 1 to 2 arguments, not 3`,
		`5:11: unknown variable $unk1`, `5:25: unknown variable $unk2`)
	in(`$sht(a=>$unk) = 1;`, `5:1: $sht needs loadmodule "htable.so" before this line`,
		`5:1: unknown variable $unk`)
	// In a statement with a syntax error.
	in("foo(\"a $unk1\")\n bar($unk2x(a), \"$unk3\");", `5:1: unknown function foo`,
		`5:5: unknown variable $unk1`, `6:2: expected ";" behind the statement, found "bar"`,
		`6:2: unknown function bar`, `6:6: unknown variable $unk2x`, `6:17: unknown variable $unk3`)
	in(`if ($unk1(a) == "a$b" { foo(); route(NIX); } bar();`,
		`5:5: unknown variable $unk1`, `5:23: expected ")" behind the condition of if, found "{"`,
		`5:25: unknown function foo`, `5:38: there is no route[NIX]`, `5:46: unknown function bar`)
	in(`if (1) { foo(); } else if (2 { bar(); }`, `5:10: unknown function foo`,
		`5:30: expected ")" behind the condition of if, found "{"`, `5:32: unknown function bar`)
	in(`switch ($rs) { case 1 foo(); case 2: bar(); }`,
		`5:23: expected ":" behind case, found "foo"`, `5:23: unknown function foo`, `5:38: unknown function bar`)
	in(`switch ($rs) { case foo($unk): exit; }`, `5:21: case needs a number or a string`,
		`5:21: unknown function foo`)
	// In a route that does not end, and behind it.
	in("if (1) {\n foo();\nroute[A] {\n bar();\n}\nfailure_route[F] { baz();",
		`4:15: block is not closed: } is missing`, `5:8: block is not closed: } is missing`,
		`6:2: unknown function foo`, `8:2: unknown function bar`, `10:20: unknown function baz`)
	f("request_route { route(A); }\nroute[A] { foo(); }\nroute[A] { bar(); }", `2:12: unknown function foo`,
		`3:7: second route[A]; the first stands at x.cfg:2:7`, `3:12: unknown function bar`)
}

// TestRefusedDoesNotRun: what the file has a mistake in is not among what runs.
func TestRefusedDoesNotRun(t *testing.T) {
	s, err := surveyOf(`loadmodule "tm.so"
modparam("tm", "fr_timer", "abc")
modparam("tm", "fr_inv_timer", 5)
request_route {
	xlog("$rU $(rU{s.len})");
	append_hf("x");
	t_relay();
	t_relay("a", "b", "c");
	if (t_newtran() { drop_it(); }
}
`)
	if err == nil {
		t.Fatal("no error")
	}
	show := func(fate Fate) (all string) {
		for _, u := range s.Uses(fate) {
			all += fmt.Sprintf("%s %d; ", u.Name, len(u.Places))
		}
		return all
	}
	if got, want := show(Runs), "$rU 1; tm 1; fr_inv_timer 1; t_relay 1; "; got != want {
		t.Errorf("runs: %s, want %s", got, want)
	}
	if got, want := show(Refused), "{s.len} 1; append_hf 1; fr_timer 1; t_newtran 1; t_relay 1; xlog 1; "; got != want {
		t.Errorf("refused: %s, want %s", got, want)
	}
}
