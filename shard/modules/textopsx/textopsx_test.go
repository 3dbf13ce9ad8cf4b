package textopsx

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

// TestWire holds what leaves against the file in testdata.
func TestWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: Define})
	b.Wire("testdata/edits.txt")
	b.Wire("testdata/values.txt")
}
