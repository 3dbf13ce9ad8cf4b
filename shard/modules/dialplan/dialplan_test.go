package dialplan

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

// bench has the table of a folder. db_text is loaded in Kamailio's runs.
func bench(t *testing.T, dir, more string) *moduletest.Bench {
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "db_text", Define: dbtext.Define},
		route.Declared{Name: "dialplan", Define: Define})
	b.Head = `modparam("dialplan", "db_url", "text://` + path + `")
modparam("db_text", "emptystring", 1)
modparam("dialplan", "attrs_pvar", "$avp(at)")` + more
	return b
}

// TestCases plays testdata/dialplan.txt, TestDynamic testdata/dynamic.txt.
func TestCases(t *testing.T) { bench(t, "testdata/db", "").Check("testdata/dialplan.txt") }
func TestDynamic(t *testing.T) {
	bench(t, "testdata/db", "\nmodparam(\"dialplan\", \"match_dynamic\", 1)").
		Check("testdata/dynamic.txt")
}

const head = "dpid(int) pr(int) match_op(int) match_exp(string) match_len(int) " +
	"subst_exp(string) repl_exp(string) attrs(string)\n"

func write(t *testing.T, dir, rows string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "dialplan"), []byte(head+rows), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTable(t *testing.T) {
	dir := t.TempDir()
	f := func(rows, want string) {
		t.Helper()
		write(t, dir, rows)
		_, _, err := bench(t, dir, "").Load("request_route { dp_translate(1); }")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rows, err, want)
		}
	}
	f("1:1:1:7(:0:::\n", "dialplan:2: match_exp: bad pattern \"7(\": missing closing )")
	f("1:1:1:7:0:(:x:\n", "dialplan:2: subst_exp: bad pattern \"(\"")
	f("1:1:3:7:0:::\n", "dialplan:2: match_op is 3: write 0 for equal, 1 for a regular "+
		"expression, 2 for fnmatch")
	f("1:1:1:7:0:7(.):\\\\2:\n",
		`dialplan:2: repl_exp "\\2" has \2, and subst_exp "7(.)" has 1 groups`)
	f("1:1:1:7:0:7:$-x:\n", `there is no variable at "$-x": write \$ for the character`)
	f("1:1:1:7:0:7:$nope:\n", "$nope")
	b := bench(t, dir, "\nmodparam(\"dialplan\", \"db_url\", \"mysql://u:p@h/db\")")
	if _, _, err := b.Load("request_route { dp_translate(1); }"); err == nil ||
		!strings.Contains(err.Error(), "there are no databases yet, but for text files") {
		t.Error(err)
	}
	write(t, dir, "")
	b = bench(t, dir, "")
	b.Fails(`dp_translate(1, "$var(x)/$ci");`, `dp_translate cannot write to "$ci"`)
	b.Fails(`dp_translate(1, "x/$ci");`, `dp_translate: "x" is no variable, such as $avp(x)`)
	b.Head += "\nmodparam(\"dialplan\", \"pr_col\", \"prio\")"
	if _, _, err := b.Load("request_route { dp_translate(1); }"); err == nil ||
		!strings.Contains(err.Error(), "dialplan:1: there is no column prio; there are dpid, pr,") {
		t.Error(err)
	}
}

// TestCommands: the table is read again as a whole, and shown.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "1:2:1:^00(.*):0:^00(.*)$:+\\\\1:intl\n1:1:0:7:0::seven:\n"+
		"1:1:0:88:2:8:$var(x):\n")
	b := bench(t, dir, "\nmodparam(\"dialplan\", \"reload_delta\", 0)")
	p, _, err := b.Load(`request_route { dp_replace(1, "77", "$var(y)"); }`)
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, args ...string) string {
		t.Helper()
		for _, c := range p.Commands() {
			if c.Name == name {
				a, err := c.Read(args)
				if err != nil {
					t.Fatal(err)
				}
				v, err := c.Call(a)
				return fmt.Sprintf("%+v %v", v, err)
			}
		}
		return "no command"
	}
	f := func(want, name string, args ...string) {
		t.Helper()
		if got := call(name, args...); got != want {
			t.Errorf("%s %v is %s, want %s", name, args, got, want)
		}
	}
	f("{Output:+49 Attrs:intl} <nil>", "dialplan.translate", "1", "0049")
	f("{Output:seven Attrs:} <nil>", "dialplan.translate", "1", "7")
	f("<nil> 500 - No translation", "dialplan.translate", "1", "x")
	f("<nil> 500 - Dialplan ID not matched", "dialplan.translate", "2", "x")
	f("<nil> 500 - "+dir+"/dialplan:4 has a variable, and there is no message that it is of",
		"dialplan.translate", "1", "88")
	f("{ID:1 Entries:["+
		"{Priority:1 Operator:0 Match:88 Length:2 Subst:8 Replace:$var(x) Attrs:<null string>} "+
		"{Priority:1 Operator:0 Match:7 Length:0 Subst:<null string> Replace:seven "+
		"Attrs:<null string>} "+
		"{Priority:2 Operator:1 Match:^00(.*) Length:0 Subst:^00(.*)$ Replace:+\\1 Attrs:intl}"+
		"]} <nil>", "dialplan.dump", "1")

	write(t, dir, "1:1:0:7:0:::changed\n1:1:0:8:0:8:$var(new):\n")
	f("<nil> 500 - "+dir+"/dialplan:3: $var(new) was not in the table when the configuration was "+
		"loaded: reload that", "dialplan.reload")
	f("{Output:seven Attrs:} <nil>", "dialplan.translate", "1", "7")
	write(t, dir, "1:1:0:7:0:::changed\n1:1:0:8:0:8:$var(x):\n")
	f("<nil> <nil>", "dialplan.reload")
	f("{Output: Attrs:changed} <nil>", "dialplan.translate", "1", "7")
}
