package textops

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: Define})
}

// TestSubst plays {re.subst}.
func TestSubst(t *testing.T) { bench(t).Check("testdata/re.txt") }
