package pv_test

import (
	"testing"

	"viaduct/shard/modules/corex"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

// TestOnTheWire holds what leaves when variables were written to, or written into a header, against
// the files in testdata/wire.
func TestOnTheWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define},
		route.Declared{Name: "corex", Define: corex.Define})
	b.Wire("testdata/wire/who.txt")
	b.Wire("testdata/wire/vars.txt")
	b.Wire("testdata/wire/rest.txt")
}
