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
	b.Fails(`mf_process_maxfwd_header(0);`, "mf_process_maxfwd_header: the limit is 0; the range is 1..255")
	b.Fails(`mf_process_maxfwd_header();`, "mf_process_maxfwd_header takes 1 argument, not 0")
}
