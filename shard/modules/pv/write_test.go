package pv_test

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

// TestWrites holds what leaves when variables were written to against the files in testdata/wire.
func TestWrites(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define})
	b.Wire("testdata/wire/who.txt")
}
