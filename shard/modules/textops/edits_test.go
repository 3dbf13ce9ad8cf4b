package textops

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define})
	b.Wire("testdata/headers.txt")
	b.Wire("testdata/search.txt")
	b.Wire("testdata/body.txt")
	b.Wire("testdata/parts.txt")
}
