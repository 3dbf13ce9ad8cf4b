package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parseText gives the items and errors of a text.
func parseText(src string) ([]item, *loader) {
	ld := &loader{opt: Options{ReadFile: func(string) ([]byte, error) { return nil, fmt.Errorf("no files in this test") }}}
	return ld.parse("x.cfg", src), ld
}

func TestExpressions(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		items, ld := parseText("request_route { $var(x) = " + src + "; }")
		if len(ld.errs) > 0 {
			t.Errorf("%s: %v", src, ErrorList(ld.errs))
			return
		}
		got := exprText(items[0].body[0].(*assignStmt).x)
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
		items, ld := parseText("request_route {" + src + "}")
		if len(ld.errs) > 0 {
			t.Errorf("%s: %v", src, ErrorList(ld.errs))
			return
		}
		got := strings.Join(strings.Fields(printItems(items)), " ")
		if want = "request_route { " + want + " }"; got != want {
			t.Errorf("%s is read as\n%s, want\n%s", src, got, want)
		}
	}
	f(`if (1) exit; else drop;`, `if (1) { exit; } else { drop; }`)
	f(`if (1) { exit; } else if (2) { drop; } else { return; }`, `if (1) { exit; } else { if (2) { drop; } else { return; } }`)
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

// FuzzParse holds the parser to: never panic, errors lie inside the file, and what parses prints to a text that parses to the same.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		items, ld := parseText(src)
		lines := strings.Split(src, "\n")
		for _, e := range append(append([]Diagnostic(nil), ld.errs...), ld.warns...) {
			if e.Pos.Line < 1 || e.Pos.Line > len(lines) || e.Pos.Col < 1 || e.Pos.Col > len(lines[e.Pos.Line-1])+1 {
				t.Fatalf("%v lies outside of the file of %d lines\n%q", e, len(lines), src)
			}
		}
		if len(ld.errs) > 0 {
			return
		}
		once := printItems(items)
		again, ld2 := parseText(once)
		if len(ld2.errs) > 0 {
			t.Fatalf("printed text is refused: %v\n%s\nof %q", ErrorList(ld2.errs), once, src)
		}
		if twice := printItems(again); twice != once {
			t.Fatalf("printed text reads as something else:\n%s\nthen\n%s\nof %q", once, twice, src)
		}
	})
}

// placed fails unless each finding has a text and a place inside the file, in order.
func placed(t *testing.T, src string, found []Diagnostic) {
	t.Helper()
	lines := strings.Split(src, "\n")
	last := Pos{}
	for _, d := range found {
		if d.Pos.File != "x.cfg" || d.Text == "" || d.Pos.Line < 1 || d.Pos.Line > len(lines) || d.Pos.Col < 1 || d.Pos.Col > len(lines[d.Pos.Line-1])+1 {
			t.Fatalf("%+v lies outside of the file of %d lines\n%q", d, len(lines), src)
		}
		if d.Pos.Line < last.Line || d.Pos.Line == last.Line && d.Pos.Col < last.Col {
			t.Fatalf("%v is listed behind %v\n%q", d, last, src)
		}
		last = d.Pos
	}
}

// FuzzLoad runs whatever loads: neither Load nor a run may panic, every finding has its place in the file and a text, the errors stand in the order of
// the file, and a run leaves nothing behind in the context.
func FuzzLoad(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	h := newFake(f, request("INVITE sip:bob@127.0.0.1:5060;transport=tcp", "t1"))
	rh := newFake(f, response("183 Early", "INVITE"))
	h.quiet, rh.quiet = true, true
	c := NewCtx(h)
	f.Fuzz(func(t *testing.T, src string) {
		p, s, warns, err := Load("x.cfg", []byte(src), Options{ReadFile: func(string) ([]byte, error) { return nil, fmt.Errorf("no file") }})
		if (err == nil) != (p != nil && s != nil) {
			t.Fatalf("program %v, settings %v, error %v", p, s, err)
		}
		var list ErrorList
		if err != nil && (!errors.As(err, &list) || len(list) == 0) {
			t.Fatalf("%#v is no list of errors", err)
		}
		placed(t, src, list)
		placed(t, src, warns)
		if err != nil {
			return
		}
		h.ruri, h.duri = h.msg.Bytes(h.msg.URI), nil
		p.maxLoops = min(max(p.maxLoops, 1), 10) // 0 means forever, and nested loops multiply
		p.maxRecursion = min(p.maxRecursion, 8)
		p.Request(c)
		c.Host = rh
		p.Reply(c, 1)
		p.CoreReply(c)
		c.Host = h
		h.ruri = h.msg.Bytes(h.msg.URI)
		p.Failure(c, 1)
		p.Branch(c, 1)
		if c.msg != nil || len(c.dirty) != 0 {
			t.Fatal("a run left something behind")
		}
	})
}
