package syntax

import (
	"strings"
	"testing"
)

// TestIfexp: which part of a file an expression leaves.
func TestIfexp(t *testing.T) {
	f := func(exp, want string) {
		t.Helper()
		items, found := parseText("#!define ONE 1\n#!define FLAG\n#!define TEXT \"abc\"\n#!ifexp " + exp +
			"\nyes=1\n#!else\nno=1\n#!endif\n")
		got := ""
		for _, it := range items {
			got += it.Name
		}
		for _, d := range found.Errors {
			got += " " + strings.TrimPrefix(d.Error(), "x.cfg:")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", exp, got, want)
		}
	}
	f(`ONE`, "yes")
	f(`FLAG`, "yes")
	f(`NOTHING`, "no")
	f(`!NOTHING && FLAG`, "yes")
	f(`NOTHING || ONE == 1`, "yes")
	f(`TEXT == "abc"`, "yes")
	f(`TEXT != 'abc'`, "no")
	f(`TEXT + "d" == "abcd"`, "yes")
	f(`KAMAILIO_VERSION >= 5006000 && KAMAILIO_VERSION < 6000000`, "yes")
	f(`(1 + 2) * 3 == 9 && -1 < 0 && 7 % 4 == 3 && 8 / 3 == 2 && 0x10 > 15`, "yes")
	f(`1 <= 0`, "no")
	f(`1 +`, "yes 4:1: #!ifexp: the expression ends too early")
	f(`(1`, "yes 4:1: #!ifexp: ) is missing")
	f(`1 / 0`, "no 4:1: #!ifexp: division by zero")
	f(`"abc`, "no 4:1: #!ifexp: the string is not closed")
	f(`1 2`, `yes 4:1: #!ifexp: unexpected "2"`)
	f(`#`, `no 4:1: #!ifexp: unexpected "#"`)
	f(`12abc`, `no 4:1: #!ifexp: "12abc" is no number`)
}

// TestDefexp defines what an expression gives.
func TestDefexp(t *testing.T) {
	items, found := parseText("#!define ONE 1\n#!defexp SUM ONE + 2\n#!defexps NAME \"a\" + SUM\nsum=SUM\nname=NAME\n")
	if len(found.Errors) > 0 || len(items) != 2 || items[0].Val.Num != 3 || items[1].Val.Str != "a3" {
		t.Error(items, found.Errors)
	}
}

// TestFilled: what modparamx and loadmodulex know at load.
func TestFilled(t *testing.T) {
	t.Setenv("VIADUCT_TEST_NAME", "x")
	items, found := parseText("#!define ONE 1\nloadmodulex \"$env(VIADUCT_TEST_NAME)_$def(ONE).so\"\n" +
		"modparamx(\"x_1\", \"p\", \"a$defn(NOTHING)b\")\ncfgengine \"native\"\n")
	if len(found.Errors) > 0 || len(items) != 2 || items[0].Name != "x_1.so" || items[1].Val.Str != "a0b" {
		t.Error(items, found.Errors)
	}
	_, found = parseText("loadmodulex \"$var(x).so\"\n")
	if len(found.Errors) != 1 || !strings.Contains(found.Errors[0].Text, "are known at load, not $var") {
		t.Error(found.Errors)
	}
}
