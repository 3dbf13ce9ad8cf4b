package maxfwd

import (
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func TestMaxForwards(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "maxfwd", Define: Define})
	f := func(hops, head, call, want string) {
		t.Helper()
		row := "Max-Forwards: " + hops + "\r\n"
		if hops == "" {
			row = ""
		}
		b.Message(strings.Replace(moduletest.Request, "Max-Forwards: 70\r\n", row, 1))
		b.Head = head
		if got := b.Value("$var(r) = "+call+";", "$var(r)"); got != want {
			t.Errorf("%s of %q gives %s, want %s", call, hops, got, want)
		}
	}
	f("70", "", "mf_process_maxfwd_header(10)", "1")
	f("1", "", "mf_process_maxfwd_header(10)", "1")
	f("0", "", "mf_process_maxfwd_header(10)", "-1")
	f("", "", "mf_process_maxfwd_header(10)", "2")
	f("70", `modparam("maxfwd", "max_limit", 5)`, "mf_process_maxfwd_header(10)", "1")
	b.Fails(`mf_process_maxfwd_header();`, "mf_process_maxfwd_header takes 1 argument, not 0")
}

// TestCompare asks for the hops that are left, as received and as decided.
func TestCompare(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "maxfwd", Define: Define})
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", `is_maxfwd_lt("70")`, "-1")
	f("", `is_maxfwd_lt("71")`, "1")
	f("", `mf_lowlimit("71")`, "1")
	f("", `maxfwd_at_least("70")`, "-1")
	f("", `maxfwd_at_least("71")`, "1")
	f(`process_maxfwd("10");`, `is_maxfwd_lt("70")`, "1")
	b.Message(strings.Replace(moduletest.Request, "Max-Forwards: 70\r\n", "", 1))
	f("", `is_maxfwd_lt("5")`, "-2")
	f(`maxfwd_process("4");`, `is_maxfwd_lt("5")`, "1")
}
