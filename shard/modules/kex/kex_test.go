package kex

import (
	"slices"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

// TestDebug: what a shard logs, and after resetdebug again.
func TestDebug(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "xlog", Define: xlog.Define},
		route.Declared{Name: "kex", Define: Define})
	f := func(body string, want ...string) {
		t.Helper()
		if b.Run(body); !slices.Equal(b.Lines, want) {
			t.Errorf("%s logs %q, want %q", body, b.Lines, want)
		}
	}
	f(`setdebug("-1"); xlog("L_INFO", "a"); xlog("L_ERR", "b"); setdebug("2"); xlog("L_INFO", "c"); xlog("L_DBG", "d");`,
		"<script>: b", "<script>: c")
	f(`setdebug("-1"); resetdebug(); resetdebug(); xlog("L_DBG", "a");`, "<script>: a")
}

func TestPrintf(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "kex", Define: Define})
	if got := b.Value(`pv_printf("$var(x)", "$rm of $fU");`, "$var(x)"); got != "'INVITE of alice'" {
		t.Errorf("$var(x) is %s", got)
	}
	if got := b.Value(`pv_printf("$rU", "carol");`,
		"$ru"); got != "'sip:carol:pw@b.example.com:5080;user=phone?X=1'" {
		t.Errorf("$ru is %s", got)
	}
	b.Fails(`pv_printf("$rm", "x");`, `pv_printf writes to the result, and $rm cannot be assigned to`)
}

// TestUnique: no text comes twice.
func TestUnique(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "kex", Define: Define})
	seen := map[string]bool{}
	for range 3 {
		for _, x := range []string{"", "$var(x) = $sruid;"} {
			got := b.Value(x, "$sruid")
			if seen[got] || len(got) < len("'srid-0123456789abcdef-0-1'") {
				t.Errorf("$sruid is %s again", got)
			}
			seen[got] = true
		}
	}
}

// TestOldNames: a function that another one took the place of.
func TestOldNames(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "kex", Define: Define})
	if got := b.Value(`avp_printf("$avp(x)", "$rm of $fU");`, "$avp(x)"); got != "'INVITE of alice'" {
		t.Errorf("$avp(x) is %s", got)
	}
}
