package nathelper

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

// TestWire holds what leaves against the file in testdata.
func TestWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define}, route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define}, route.Declared{Name: "nathelper", Define: Define})
	b.Head = `modparam("nathelper", "received_avp", "$avp(rcv)")`
	b.Wire("testdata/edits.txt")
}
