package textops

import (
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func TestIsMethod(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "textops", Define: Define})
	f := func(method, list, want string) {
		t.Helper()
		b.Message(strings.ReplaceAll(moduletest.Request, "INVITE", method))
		if got := b.Value("", `is_method("`+list+`")`); got != want {
			t.Errorf("is_method(%q) of %s is %s, want %s", list, method, got, want)
		}
	}
	f("INVITE", "INVITE", "1")
	f("INVITE", "ACK|invite", "1")
	f("INVITE", "ACK|BYE", "-1")
	f("invite", "INVITE", "-1")
	f("PLAY", "INVITE|PLAY", "1")
	f("PLAY", "INVITE|PAUSE", "-1")
	b.Fails(`is_method("A B");`, `is_method: "A B" is no list of methods such as "INVITE|ACK"`)
}
