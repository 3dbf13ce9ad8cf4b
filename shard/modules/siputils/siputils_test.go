package siputils

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define}, route.Declared{Name: "sl", Define: sl.Define},
		route.Declared{Name: "textops", Define: textops.Define}, route.Declared{Name: "siputils", Define: Define})
}

// TestCases holds functions of texts against the file in testdata.
func TestCases(t *testing.T) { bench(t).Check("testdata/texts.txt") }

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := bench(t)
	b.Wire("testdata/uri.txt")
	b.Wire("testdata/contact.txt")
	b.Wire("testdata/checks.txt")
}
