package avpops

import (
	"slices"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "avpops", Define: Define})
}

// TestCases plays the files of testdata.
func TestCases(t *testing.T) {
	for _, name := range []string{"avpops", "check", "operations", "subst", "pushto"} {
		t.Run(name, func(t *testing.T) { bench(t).Check("testdata/" + name + ".txt") })
	}
}

func TestMistakes(t *testing.T) {
	b := bench(t)
	f := b.Fails
	f(`avp_check("$avp(a)", "eqq/x");`, `avp_check: there is no operator "eqq"; did you mean eq?`)
	f(`avp_check("$avp(a)", "eq");`,
		`avp_check wants OPERATOR/VALUE or OPERATOR/VALUE/FLAGS, such as "eq/i:5"`)
	f(`avp_check("$avp(a)", "eq/i:x");`, `avp_check: "x" is no number`)
	f(`avp_check("$avp(a)", "re/(");`, "avp_check: bad pattern: missing closing ): `(`")
	f(`avp_op("$avp(a)", "eq/i:1");`, `avp_op: there is no operator "eq"`)
	f(`avp_op("$var(a)", "add/i:1");`, `avp_op wants an AVP such as $avp(x), not "$var(a)"`)
	f(`avp_subst("$avp(a)/$avp(b)/x", "/a/b/");`,
		"avp_subst: there is no flag x here; there are gd")
	f(`avp_pushto("$fu", "$avp(a)");`,
		`avp_pushto writes to $ru, $ru/username, $ru/domain, $du or $br, not to "$fu"`)
}

// TestPrint: each AVP has its line.
func TestPrint(t *testing.T) {
	b := bench(t)
	b.Run(`$avp(a) = 1; $avp(b) = "x"; avp_print();`)
	want := []string{"avpops: $avp(b) = x", "avpops: $avp(a) = 1"}
	if !slices.Equal(b.Lines, want) {
		t.Errorf("%q, want %q", b.Lines, want)
	}
}
