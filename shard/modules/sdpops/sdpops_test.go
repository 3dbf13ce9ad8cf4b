package sdpops

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define}, route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define}, route.Declared{Name: "sdpops", Define: Define})
	b.Wire("testdata/looks.txt")
	b.Wire("testdata/edits.txt")
}
