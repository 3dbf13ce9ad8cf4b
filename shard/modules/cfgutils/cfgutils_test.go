package cfgutils

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

// TestFunctions is what Kamailio 5.6.3 does with the same script.
func TestFunctions(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "cfgutils", Define: Define})
	f := func(body string, want int) {
		t.Helper()
		if _, got := b.Run(body); got != want {
			t.Errorf("%s is %d, want %d", body, got, want)
		}
	}
	f(`unlock("x");`, -1)
	f(`lock("x");`, -1)
	if len(b.Lines) != 1 {
		t.Errorf("without locks it logs %q", b.Lines)
	}
	f(`rand_get_prob();`, 10)
	f(`rand_set_prob("4"); rand_get_prob();`, 4)
	f(`rand_get_prob();`, 4) // it stays
	f(`rand_reset_prob(); rand_get_prob();`, 10)
	f(`rand_set_prob("100"); rand_event();`, 1)
	f(`rand_set_prob("0"); rand_event();`, -1)
	f(`is_gflag("4");`, -1)
	f(`set_gflag("4");`, 1)
	f(`is_gflag("4");`, 1)
	f(`is_gflag("5");`, -1)
	f(`reset_gflag("4"); is_gflag("4");`, -1)
	f(`sleep("0");`, 1)
	f(`core_hash("abc", "def", "16");`, 22898)
	f(`core_hash("abc", "", "16");`, 24387)
	f(`core_hash("abc", "def", "7");`, 114)
	f(`core_hash("abd", "", "0");`, 2)
	f(`core_hash("abe", "", "-1");`, 1)
	f(`core_hash("xyz12", "", "31");`, 2005467414)
	f(`core_hash("xyz12", "", "32");`, 1)
	f(`core_hash("abd", "", "33");`, 2)
	b.Head = `route[THERE] { return; } route[SIX] { return 6; } route[LESS] { return -3; }
route[ENDS] { return 0; }`
	f(`route_if_exists("SIX");`, 6)
	f(`$var(x) = route_if_exists("SIX"); if ($var(x) == 6) is_gflag("1");`, -1)
	f(`route_if_exists("LESS");`, -3)
	f(`route_if_exists("NOWHERE");`, -1)
	f(`$var(n) = "I"; if (route_if_exists("S$var(n)X")) is_gflag("1");`, -1)
	f(`if (!route_if_exists("LESS") && !route_if_exists("NO")) sleep("0");`, 1)
	f(`route_if_exists("ENDS"); sleep("0");`, 0)
	f(`check_route_exists("THERE");`, 1)
	f(`check_route_exists("NOWHERE");`, -1)
	f(`$var(n) = "THERE"; check_route_exists("$var(n)");`, 1)
	f(`$var(n) = "NOWHERE"; check_route_exists("$var(n)");`, -1)
	b.Head = `modparam("cfgutils", "lock_set_size", 4) modparam("cfgutils", "initial_gflags", 2)`
	f(`lock("x");`, 1)
	f(`lock("x"); trylock("x");`, -1)
	f(`lock("x"); unlock("x"); trylock("x");`, 1)
	f(`unlock("x"); unlock("x");`, 1)
	b.Fails(`rand_set_prob(101);`, "rand_set_prob: the probability is 101; the range is -2147483648..100")
}

// TestLocksOfReload: the program before a reload and the one behind it keep each other out, also
// where they say different things of the number of locks.
func TestLocksOfReload(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "cfgutils", Define: Define})
	f := func(size, body string, want int) {
		t.Helper()
		b.Head = `modparam("cfgutils", "lock_set_size", ` + size + `)`
		if _, got := b.Run(body); got != want {
			t.Errorf("%s is %d, want %d", body, got, want)
		}
	}
	f("4", `lock("x");`, 1)
	f("8", `trylock("x");`, -1)
	f("8", `unlock("x"); trylock("x");`, 1)
	f("4", `trylock("x");`, -1)
}
