package syntax

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parseText gives the items and errors of a text.
func parseText(src string) ([]Item, *Findings) {
	file, found := Parse("x.cfg", src, Source{ReadFile: func(string) ([]byte, error) {
		return nil, fmt.Errorf("no files in this test")
	}})
	return file.Items, found
}

func TestExpressions(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		items, found := parseText("request_route { $var(x) = " + src + "; }")
		if len(found.Errors) > 0 {
			t.Errorf("%s: %v", src, found.Errors)
			return
		}
		got := exprText(items[0].Body[0].(*Assign).X)
		if got != want {
			t.Errorf("%s is read as %s, want %s", src, got, want)
		}
	}
	// Each of these was measured on Kamailio 5.6.3 by its value.
	f(`1 | 2 == 2`, `(1 | (2 == 2))`)
	f(`6 & 3 == 3`, `(6 & (3 == 3))`)
	f(`4 >> 1 == 2`, `(4 >> (1 == 2))`)
	f(`1 << 2 + 1`, `(1 << (2 + 1))`)
	f(`3 ^ 1 << 1`, `(3 ^ (1 << 1))`)
	f(`12 & 10 << 1`, `(12 & (10 << 1))`)
	f(`3 ^ 1 & 1`, `((3 ^ 1) & 1)`)
	f(`1 < 2 == 1`, `((1 < 2) == 1)`)
	f(`2 == 1 < 2`, `(2 == (1 < 2))`)
	f(`1 == 2 | 1`, `((1 == 2) | 1)`)
	f(`! 0 + 1`, `((!0) + 1)`)
	f(`1 || 0 && 0`, `(1 || (0 && 0))`)
	f(`2 + 3 * 4 - 1`, `((2 + (3 * 4)) - 1)`)
	f(`7 mod 4`, `(7 % 4)`)
	f(`(1 or 0) and not 0`, `((1 || 0) && (!0))`)
	f(`- 2 + 5`, `(-2 + 5)`)
	f(`10 - 2 - 3`, `((10 - 2) - 3)`)

	f(`"a" "b" + 'c'`, `("ab" + "c")`)
	f(`'a\tb'`, `"a\\tb"`)
	f(`"a\tb\x41\101\q\""`, `"a\tbAA\\q\""`)
	f(`0x10 + 010 + 0b101`, `((16 + 8) + 5)`)
	f(`(int)"12" + (str)5`, `(((int)"12") + ((str)5))`)
	f(`defined $hdr(X) && strlen($rU) > 3`, `((defined $hdr(X)) && (strlen($rU) > 3))`)
	f(`$(hdr(X)[-1]) eq "a"`, `($(hdr(X)[-1]) eq "a")`)
	f(`src_ip == 10.0.0.0/8`, `(src_ip == 10.0.0.0/8)`)
	f(`src_ip == 10.0.0.0/255.0.0.0 || dst_ip == [::1]`, `((src_ip == 10.0.0.0/255.0.0.0) || (dst_ip == [::1]))`)
	f(`src_ip == 2001:db8::1`, `(src_ip == 2001:db8::1)`)
	f(`msg:len > 100`, `(msg:len > 100)`)
	f(`$? == 1`, `($? == 1)`)
	f(`~5 | 1`, `((~5) | 1)`)
	f(`route(X) || f(1, "a", $rU + "b")`, `(route("X") || f(1, "a", ($rU + "b")))`)
	f(`@cfg_get.a.b == 1`, `(@cfg_get.a.b == 1)`)
}

func TestStatements(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		items, found := parseText("request_route {" + src + "}")
		if len(found.Errors) > 0 {
			t.Errorf("%s: %v", src, found.Errors)
			return
		}
		got := strings.Join(strings.Fields(printItems(items)), " ")
		if want = "request_route { " + want + " }"; got != want {
			t.Errorf("%s is read as\n%s, want\n%s", src, got, want)
		}
	}
	f(`if (1) exit; else drop;`, `if (1) { exit; } else { drop; }`)
	f(`if (1) { exit; } else if (2) { drop; } else { return; }`,
		`if (1) { exit; } else { if (2) { drop; } else { return; } }`)
	f(`if (1) { exit; };;`, `if (1) { exit; }`)
	f(`exit(); drop(); return(); return(5); return -1; return (1) + 2; return (int)"5";`,
		`exit; drop; return; return 5; return -1; return (1 + 2); return ((int)"5");`)
	f(`while (1) { break; }`, `while (1) { break; }`)
	f(`switch ($rU) { case "a": case "b": exit; break; default: drop; }`,
		`switch ($rU) { case "a": case "b": exit; break; default: drop; }`)
	f(`switch ($rU) { case ::1: exit; }`, `switch ($rU) { case ::1: exit; }`)
	f(`route(A-B); route("A B"); route(1); route(core:x);`, `route("A-B"); route("A B"); route("1"); route("core:x");`)
	f(`$ru = "sip:" + $rU + "@h"; # comment`+"\n// another\n/* a /* nested */ one */", `$ru = (("sip:" + $rU) + "@h");`)
	f(`{ exit; { drop; } }`, `exit; drop;`)
}

// FuzzParse holds the parser to: never panic, errors lie inside the file, and what parses prints to
// a text that parses to the same.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		items, found := parseText(src)
		lines := strings.Split(src, "\n")
		for _, e := range append(append([]Diagnostic(nil), found.Errors...), found.Warnings...) {
			if e.Pos.Line < 1 || e.Pos.Line > len(lines) || e.Pos.Col < 1 || e.Pos.Col > len(lines[e.Pos.Line-1])+1 {
				t.Fatalf("%v lies outside of the file of %d lines\n%q", e, len(lines), src)
			}
		}
		if len(found.Errors) > 0 {
			return
		}
		once := printItems(items)
		again, found2 := parseText(once)
		if len(found2.Errors) > 0 {
			t.Fatalf("printed text is refused: %v\n%s\nof %q", found2.Errors, once, src)
		}
		if twice := printItems(again); twice != once {
			t.Fatalf("printed text reads as something else:\n%s\nthen\n%s\nof %q", once, twice, src)
		}
	})
}

// fuzzSeeds are the configuration files of the package above and its default one.
func fuzzSeeds(t testing.TB) []string {
	t.Helper()
	var seeds []string
	for _, pattern := range []string{"../default.cfg", "../testdata/peers/*.cfg", "../testdata/accept/*.cfg",
		"../testdata/refuse/*.cfg"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files at %s: %v", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, string(b))
		}
	}
	return append(seeds, bombs["#!subst that double"], bombs["#!defexp that double"])
}
