package rr

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define}, route.Declared{Name: "rr", Define: Define})
	b.Wire("testdata/record.txt")
	b.Wire("testdata/params.txt")
	b.Head = `modparam("rr", "add_username", 1) modparam("rr", "custom_user_avp", "$avp(u)")`
	b.Wire("testdata/user.txt")
	b.Head = "modparam(\"rr\", \"enable_double_rr\", 2)\nmodparam(\"rr\", \"enable_full_lr\", 1)\n" +
		"modparam(\"rr\", \"append_fromtag\", 0)\n"
	b.Wire("testdata/double.txt")
}
