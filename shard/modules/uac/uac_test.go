package uac

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/rr"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/modules/tm"
	"viaduct/shard/route"
)

// bench is one with the modules that scripts about user agents have.
func bench(t testing.TB) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define},
		route.Declared{Name: "tm", Define: tm.Define},
		route.Declared{Name: "rr", Define: rr.Define},
		route.Declared{Name: "uac", Define: Define})
}

// TestWire holds what leaves against the file in testdata.
func TestWire(t *testing.T) {
	bench(t).Wire("testdata/replace.txt")
	b := bench(t)
	b.Head = `modparam("uac", "restore_passwd", "se cret")
modparam("uac", "rr_from_store_param", "Frm")`
	b.Wire("testdata/password.txt")
	b = bench(t)
	b.Head = `modparam("uac", "restore_mode", "none")`
	b.Wire("testdata/none.txt")
	b = bench(t)
	b.Head = `modparam("uac", "restore_from_avp", "$avp(f)")
modparam("uac", "restore_to_avp", "$avp(t)")`
	b.Wire("testdata/auto.txt")
	b = bench(t)
	b.Head = `modparam("uac", "restore_mode", "manual")`
	b.Wire("testdata/manual.txt")
}

// TestMistakes are files that cannot be loaded.
func TestMistakes(t *testing.T) {
	f := func(head, body, want string) {
		t.Helper()
		b := bench(t)
		b.Head = head
		b.Fails(body, want)
	}
	const user = `modparam("uac", "auth_username_avp", "$avp(u)")`
	f(`modparam("uac", "credential", "user:realm")`, "exit;",
		`uac.credential must be "user:realm:password"`)
	f(`modparam("uac", "restore_mode", "often")`, "exit;",
		`uac.restore_mode is "often"; it is one of none, manual, auto`)
	f(user, "exit;", "module uac: auth_username_avp and auth_password_avp go together, "+
		"and auth_realm_avp with them")
	f(`modparam("uac", "rr_to_store_param", "VSF")`, "exit;",
		"module uac: rr_from_store_param and rr_to_store_param must differ")
	f(`modparam("uac", "rr_to_store_param", "a b")`, "exit;",
		"module uac: rr_from_store_param and rr_to_store_param must be names of parameters")
	f(`modparam("uac", "restore_from_avp", "x")`, `uac_replace_from("sip:a@b");`,
		`restore_from_avp is "x", which uac_replace_from cannot write to: `+
			`name a variable, such as "$avp(x)"`)
	f("", "uac_auth();", "uac_auth may be called in failure_route, not in request_route")
}

// TestRequests holds $uac_req against the file in testdata.
func TestRequests(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("uac", "restore_mode", "none")`
	b.Check("testdata/request.txt")
	b.Fails(`$var(x) = $uac_req(methd);`, `there is no $uac_req(methd); did you mean method?`)
}
