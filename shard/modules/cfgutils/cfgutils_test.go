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
	b.Head = `modparam("cfgutils", "lock_set_size", 4) modparam("cfgutils", "initial_gflags", 2)`
	f(`lock("x");`, 1)
	f(`lock("x"); trylock("x");`, -1)
	f(`lock("x"); unlock("x"); trylock("x");`, 1)
	f(`unlock("x"); unlock("x");`, 1)
	b.Fails(`rand_set_prob(101);`, "rand_set_prob: the probability is 101; the range is 0..100")
	b.Fails(`sleep(-1);`, "sleep: the time is -1; the range is 0..86400")
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
