package avpops

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "avpops", Define: Define})
}

// TestCases plays testdata/avpops.txt.
func TestCases(t *testing.T) { bench(t).Check("testdata/avpops.txt") }
