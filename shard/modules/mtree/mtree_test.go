package mtree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T, dir, more string) *moduletest.Bench {
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "db_text", Define: dbtext.Define},
		route.Declared{Name: "mtree", Define: Define})
	b.Head = `modparam("mtree", "db_url", "text://` + path + "\")\n" + more
	return b
}

func param(s string) string { return fmt.Sprintf("modparam(\"mtree\", \"mtree\", %q)\n", s) }

// TestCases plays testdata/mtree.txt.
func TestCases(t *testing.T) {
	bench(t, "testdata/db", param("name=t0;dbtable=mt0;type=0")+param("name=t2;dbtable=mt2;type=2")+
		param("name=t1;dbtable=mt1;type=1")+
		param("name=tc;dbtable=mt0;cols='tprefix,tvalue,extra'")+
		param("name=ta;dbtable=mtrees;type=0;multi=1")).Check("testdata/mtree.txt")
}

// put writes a table and gives its folder.
func put(t *testing.T, dir, rows string) {
	t.Helper()
	text := "tname(string) tprefix(string) tvalue(string)\n" + rows
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	f := func(rows, more, want string) {
		t.Helper()
		put(t, dir, rows)
		_, _, err := bench(t, dir, more).Load("request_route { exit; }")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: %v, want %s", rows, more, err, want)
		}
	}
	x := param("name=a;dbtable=x")
	f("a:1a:b\n", x, `x:2: the prefix "1a" has a "a", which is not in char_list`)
	f("a::b\n", x, `x:2: the prefix "" has not 1 to 63 characters`)
	f("a:1:\n", x, "x:2: there is no value")
	f("a:1:b\na:1:c\n", x, `x:3: the prefix "1" is there already: set mt_ignore_duplicates or `)
	f("a:1:b\n", param("name=a;dbtable=x;type=2"), `x:2: "b" is no number`)
	f("a:1:5\n", param("name=a;dbtable=x;type=1"), `x:2: the value is "5"; write DESTINATION\:WEIGHT`)
	f("", param("name=a"), "write name=NAME;dbtable=TABLE")
	f("", param("name=a;dbtable=x;kind=3"), `"kind=3" is not possible`)
	f("", param("name=a;dbtable=x;cols='p'"), "cols has the prefix's column and one more")
	f("", param("name=a;dbtable=x;cols='p,q';type=1"), "cols goes with type=0 and multi=0")
	f("", x+`modparam("mtree", "tprefix_column", "p")`, "there is no column p")
	f("", x+`modparam("mtree", "char_list", "")`, "char_list has 1 to 254 characters")
}

// TestMore: weights, duplicates, trees of one table, characters.
func TestMore(t *testing.T) {
	dir := t.TempDir()
	f := func(rows, more, call, value, want string) {
		t.Helper()
		put(t, dir, rows)
		if got := bench(t, dir, more).Value("$var(r) = mt_match("+call+");", value); got != want {
			t.Errorf("%s %s is %s, want %s", rows, call, got, want)
		}
	}
	d := param("name=a;dbtable=x;type=1")
	f("a:1:5\\:30\na:12:7\\:20\na:123:5\\:40\na:1234:8\\:20\n", d, `"a", "12345", "0"`,
		`"$(avp(s:tdstid)[*]) $(avp(s:tweight)[*]) $avp(s:tcount)"`, "'8, 7, 5 20, 20, 40 3'")
	all := `"$avp(s:tvalue) $(avp(s:tvalues)[*])"`
	dup := "a:1:x\na:1:y\na:12:z\n"
	x := param("name=a;dbtable=x")
	f(dup, x+`modparam("mtree", "mt_ignore_duplicates", 1)`, `"a", "12", "2"`, all, "'<null> z, x'")
	f(dup, x+`modparam("mtree", "mt_allow_duplicates", 1)`, `"a", "12", "2"`, all, "'<null> z, y, x'")
	f(dup, x+`modparam("mtree", "mt_allow_duplicates", 1)`, `"a", "1", "0"`, all, "'y <null>'")
	many := `modparam("mtree", "db_table", "x")`
	f("a:1:x\nb:1:y\n", many, `"a", "1", "0"`, all, "'x <null>'")
	f("a:1:x\nb:1:y\n", many, `"b", "1", "0"`, all, "'y <null>'")
	f("a:+4:x\n", x+`modparam("mtree", "char_list", "0123456789+")`, `"a", "+49", "0"`, all, "'x <null>'")
	f("a:1:x\n", x+`modparam("mtree", "pv_value", "$var(v)")`, `"a", "1", "0"`, "$var(v)", "'x'")
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a:1:x\na:12:y\nb:3:z\n")
	b := bench(t, dir, `modparam("mtree", "db_table", "x")`)
	p, _, err := b.Load(`request_route { mt_match("a", "1234", "0"); mt_match("a", "1234", "2"); }`)
	if err != nil {
		t.Fatal(err)
	}
	f := func(want, name string, args ...string) {
		t.Helper()
		for _, c := range p.Commands() {
			if c.Name == name {
				a, err := c.Read(args)
				if err != nil {
					t.Fatal(err)
				}
				v, err := c.Call(a)
				if got := fmt.Sprintf("%v %v", v, err); !strings.HasPrefix(got, want) {
					t.Errorf("%s %v is %s, want %s", name, args, got, want)
				}
				return
			}
		}
		t.Errorf("there is no %s", name)
	}
	f("[{a 1 [x]} {a 12 [y]} {b 3 [z]}] <nil>", "mtree.list")
	f("[{b 3 [z]}] <nil>", "mtree.list", "b")
	f("[{a {0 2 2 1 ", "mtree.summary", "a")
	f("{12 y} <nil>", "mtree.match", "a", "123")
	f("[{12 y} {1 x}] <nil>", "mtree.match", "a", "123", "2")
	f("<nil> 404 - Prefix not found", "mtree.match", "a", "9")
	f("<nil> 404 - Tree not found", "mtree.match", "c", "9")
	put(t, dir, "a:1:changed\nb:x:z\n")
	f("<nil> 500 - "+dir+`/x:3: the prefix "x" has a "x"`, "mtree.reload")
	f("{12 y} <nil>", "mtree.match", "a", "123")
	put(t, dir, "a:1:changed\nb:3:changed\n")
	f("<nil> <nil>", "mtree.reload", "a")
	f("[{a 1 [changed]} {b 3 [z]}] <nil>", "mtree.list")
	f("<nil> <nil>", "mtree.reload")
	f("[{a 1 [changed]} {b 3 [changed]}] <nil>", "mtree.list")
	f("<nil> 404 - Tree not found", "mtree.reload", "c")

	r := b.Begin(b.Msg(), b.Source())
	p.Request(b.Ctx, r)
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
