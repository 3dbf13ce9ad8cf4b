package syntax

import (
	"bytes"
	"fmt"
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

// bombs are files that are short, and would take for ever if what they ask for were done.
var bombs = map[string]string{
	"defines that double": doubling("#!define D%d D%d D%d\n") + "x=D0\n",
	"nothing, many times": doubling("#!define D%d D%d D%d\n") + "#!define D40\nx=D10\n",
	"#!subst that double": strings.Repeat("#!subst \"/a/aa/g\"\n", 64) + "server_header=\"a\"\n",
	"one long replacement": "#!subst \"/.*/" + strings.Repeat("\\0", 1<<20) + "/\"\nserver_header=\"" +
		strings.Repeat("a", 1<<20) + "\"\n",
	"many #!subst, many strings": strings.Repeat("#!subst \"/nowhere[0-9]+/x/g\"\n", 20_000) +
		strings.Repeat("alias=\"a.example.com\"\n", 20_000),
	"a pattern of many steps": "#!subst \"/(a?){400}(b?){400}c/x/g\"\nserver_header=\"" +
		strings.Repeat("a", 1<<22) + "\"\n",
	"matches without number": "#!subst \"/a/b/g\"\nserver_header=\"" + strings.Repeat("a", 1<<20) + "\"\n",
	"groups without number":  "#!subst \"/" + strings.Repeat("(a)", 1000) + "/b/g\"\n",
	"#!defexp that double":   "#!defexp D \"aa\"\n" + strings.Repeat("#!defexp D D + D\n", 64),
	"one long #!defexp":      "#!defexp D \"a\"" + strings.Repeat(" + \"a\"", 1<<18) + "\n",
	"$def that double": "#!define D " + strings.Repeat("a", 1<<20) + "\nmodparamx(\"a\", \"b\", \"" +
		strings.Repeat("$def(D)", 1<<20) + "\")\n",
	"includes without end": strings.Repeat("include_file \"big\"\n", 100_000),
	"warnings":             strings.Repeat("#!define a\"b\n#!redefine a\"b\n", 20_000),
}

func doubling(line string) string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, line, i, i+1, i+1)
	}
	return b.String()
}

// TestBombs: what a file has done is bounded, and it is told once that it was. Work is counted, not
// timed.
func TestBombs(t *testing.T) {
	for name, src := range bombs {
		read := 0
		found := &Findings{files: map[string]int{}}
		lx := newLexer(Source{ReadFile: func(string) ([]byte, error) {
			read++
			return bytes.Repeat([]byte("#\n"), 1<<20), nil
		}}, found)
		lx.bol = true
		lx.push(frame{file: "x.cfg", src: src, at: Pos{"x.cfg", 1, 1}})
		p := &parser{found: found, lx: lx}
		p.file()
		if most := maxFileBytes + maxFileBytes; lx.bytes > most {
			t.Errorf("%s: %d bytes were read", name, lx.bytes)
		}
		if lx.work > maxSubstWork+maxSubstWork/2 && name != "a pattern of many steps" {
			t.Errorf("%s: %d steps", name, lx.work)
		}
		if read > maxFileBytes>>21+1 {
			t.Errorf("%s: %d files were read", name, read)
		}
		if n := len(found.Errors); n > maxErrors+1 || n == 0 && name != "warnings" {
			t.Errorf("%s: %d errors", name, n)
		}
		if n := len(found.Warnings); n > maxWarnings+1 {
			t.Errorf("%s: %d warnings", name, n)
		}
		if found.ended {
			last := found.Errors[len(found.Errors)-1].Text
			if !strings.Contains(last, "larger than 16 MiB") && !strings.Contains(last, "more to look through") {
				t.Errorf("%s: the last error is %q", name, last)
			}
		}
	}
}
