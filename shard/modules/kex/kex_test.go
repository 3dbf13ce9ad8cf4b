package kex

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func TestPrintf(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define}, route.Declared{Name: "kex", Define: Define})
	if got := b.Value(`pv_printf("$var(x)", "$rm of $fU");`, "$var(x)"); got != "'INVITE of alice'" {
		t.Errorf("$var(x) is %s", got)
	}
	if got := b.Value(`pv_printf("$rU", "carol");`, "$ru"); got != "'sip:carol:pw@b.example.com:5080;user=phone?X=1'" {
		t.Errorf("$ru is %s", got)
	}
	b.Fails(`pv_printf("$rm", "x");`, `pv_printf writes to the result, and $rm cannot be assigned to`)
}
