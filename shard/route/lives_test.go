package route

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiffersAtLoad holds the warnings about what a file does, and what does otherwise in Kamailio.
func TestDiffersAtLoad(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, _, warns, err := loadText(src, nil)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			return
		}
		var got []string
		for i := range warns {
			got = append(got, strings.TrimPrefix(warns[i].Error(), "x.cfg:"))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\nwarns\n%s\nwant\n%s", src, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const head = "loadmodule \"tm.so\" loadmodule \"pv.so\" loadmodule \"xlog.so\" loadmodule \"avpops.so\" "
	const lives = ", and such a variable lives for one run, not for the process as in Kamailio; an $avp lives on"
	in := func(src string, want ...string) { t.Helper(); f(head+src, want...) }
	relay := "request_route { $var(x) = 1; t_on_failure(\"F\"); t_on_branch(\"B\"); t_on_reply(\"R\"); t_relay(); }\n"
	in(relay+"failure_route[F] {\n if ($var(x) == 1) exit; }\nbranch_route[B] { ; } onreply_route[R] { ; }",
		"3:6: $var(x) is not set where this is run for failure_route: request_route sets it"+lives)
	in(relay+"failure_route[F] { ; }\nbranch_route[B] { xlog(\"$var(x)\"); }\nonreply_route[R] {\n xlog(\"$var(x)\");}",
		"5:7: $var(x) is not set where this is run for onreply_route[NAME]: request_route sets it"+lives)
	in(relay+"failure_route[F] { route(A); }\nbranch_route[B] { route(A); } onreply_route[R] { ; }\n"+
		"route[A] {\n $avp(y) = $(var(x){s.len}); }",
		"5:12: $var(x) is not set where this is run for failure_route: request_route sets it"+lives)
	// Set there as well, by whatever way.
	in(relay + "failure_route[F] { if ($var(x) == 1) $var(x) = 2; }\nbranch_route[B] { ; } onreply_route[R] { ; }")
	in(relay+"failure_route[F] { avp_copy(\"$avp(y)\", \"$avp(z)\"); if (($var(x) = 3)) xlog(\"$var(x)\"); }\n"+
		"branch_route[B] { ; } onreply_route[R] { ; }",
		"2:65: = assigns, and is true whatever is assigned; the comparison is ==")
	in(relay + "failure_route[F] { route(SET); xlog(\"$var(x)\"); }\nbranch_route[B] { ; } onreply_route[R] { ; }\n" +
		"route[SET] { $var(x) = 5; }")
	in("modparam(\"pv\", \"varset\", \"x=i:5\")\n" + relay + "failure_route[F] { xlog(\"$var(x)\"); }\n" +
		"branch_route[B] { ; } onreply_route[R] { ; }")
	// Set nowhere, or read where it is not run for that kind.
	in("request_route { xlog(\"$var(x)\"); }\nreply_route { xlog(\"$var(x)\"); }")
	in("request_route { $var(x) = 1; route(A); }\nreply_route { route(A); }\nroute[A] { if ($rm == \"INVITE\") "+
		"xlog(\"$var(x)\"); }",
		"3:38: $var(x) is not set where this is run for reply_route: request_route sets it"+lives)
	in("loadmodule \"siputils.so\" request_route { $var(x) = 1; route(A); }\nreply_route { route(A); }\n" +
		"route[A] { if (is_request()) xlog(\"$var(x)\"); }")
	// Functions that wait, without transactions; numbers; indexes.
	f("loadmodule \"cfgutils.so\"\nrequest_route {\n usleep(5); sleep(1); }", "3:2: usleep waits, and the request has "+
		"a transaction from then on: an INVITE gets a 100, and repetitions are absorbed, though the file does not "+
		"load tm")
	f("loadmodule \"tm.so\" loadmodule \"cfgutils.so\"\nrequest_route {\n usleep(5); }")
	in("request_route { $var(x) = 2147483648 + 2147483647; }",
		"1:109: 2147483648 is -2147483648 in Kamailio 5.6, whose numbers have 32 bits")
	in("request_route { $avp(x) = $(avp(y)[-1]) + $(hdr(From)[-1]); }",
		"1:109: [-1] counts from the oldest value, as its manual has it; Kamailio 5.6 finds another value or none")
}

// TestNoNoise: files that are fine have no such warning.
func TestNoNoise(t *testing.T) {
	files, _ := filepath.Glob("testdata/accept/*.cfg")
	peers, _ := filepath.Glob("../../bench/peers/*.cfg")
	stock := "/usr/share/doc/kamailio/examples/kamailio/kamailio.cfg"
	for _, f := range append(append(files, peers...), "default.cfg", stock, "/etc/kamailio/kamailio.cfg") {
		src, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		_, _, warns, _ := Load(f, src, Options{Modules: testModules})
		for i := range warns {
			for _, what := range []string{"lives for one run", theirs, "32 bits", " waits, and "} {
				if strings.Contains(warns[i].Text, what) {
					t.Error(warns[i].Error())
				}
			}
		}
	}
}
