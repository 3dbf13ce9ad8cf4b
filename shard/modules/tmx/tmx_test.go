package tmx

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func TestInRequestRoute(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "tmx", Define: Define})
	f := func(x, want string) {
		t.Helper()
		if got := b.Value("", x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	f("$T_reply_code", "0")
	f("$T_branch_idx", "0")
	f("$T(branch_index)", "0")
	f("$T(reply_code)", "0")
	f("$T(reply_type)", "null")
	f("$T(id_label_n)", "null")
	f("$T_reply_reason", "''")
	f("t_is_request_route()", "1")
	f("t_is_failure_route()", "-1")
	f("t_is_branch_route()", "-1")
	f("t_is_reply_route()", "-1")
}
