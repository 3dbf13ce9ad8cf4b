package regex

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

func bench(t *testing.T, file string) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "regex", Define: Define})
	if file != "" {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Head = `modparam("regex", "file", "` + path + `")`
	}
	return b
}

// TestCases plays testdata/regex.txt.
func TestCases(t *testing.T) { bench(t, "testdata/groups.txt").Check("testdata/regex.txt") }

func TestParameters(t *testing.T) {
	b := bench(t, "")
	f := func(head, call, want string) {
		t.Helper()
		b.Head = head
		if got := b.Value("$var(r) = "+call+";", "$var(r)"); got != want {
			t.Errorf("%s %s is %s, want %s", head, call, got, want)
		}
	}
	set := func(name string) string { return `modparam("regex", "` + name + `", 1)` }
	f("", `pcre_match_group("x")`, "-2")
	f("", `pcre_match("a\nB", "^b")`, "-1")
	f(set("pcre_multiline")+set("pcre_caseless"), `pcre_match("a\nB", "^b")`, "1")
	f(set("pcre_dotall"), `pcre_match("a\nB", "a.B")`, "1")
	f(set("pcre_extended"), `pcre_match("aB", "a B # b")`, "1")
	b.Head = ""
	f("", `pcre_match("a", "b(")`, "-4")
	b.Head = ""
	_, warnings, err := b.Load(`request_route { pcre_match("a", "b("); }`)
	if err != nil || !strings.Contains(fmt.Sprint(warnings),
		"pcre_match: bad pattern \"b(\": missing closing ) in `b(`; Kamailio takes it") {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "groups")
	f := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readGroups(name, 0, 2, 10)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	f("", "there are no expressions: write [0], and one a line below")
	f("a\n", "groups:1: write [0] above the first expression: it begins a group")
	f("[0]\n\na(\n", "groups:3: bad pattern \"a(\": missing closing )")
	f("[0]\n[1]\n[2]\n", "groups:3: there are more than 2 groups: raise max_groups")
	f("[0]\n123456\n12345\n", "groups:3: the group has more than 10 bytes: raise group_max_size")
	if _, err := readGroups("testdata/groups.txt", pcre.Caseless, 2, 100); err != nil {
		t.Error(err)
	}
}

// TestReload: a file that is whole takes the place of the one before, one with a mistake does not.
func TestReload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "groups")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[0]\nabc\n")
	b := bench(t, name)
	p, _, err := b.Load(`request_route { if (pcre_match_group("abc")) { exit; } drop; }`)
	if err != nil {
		t.Fatal(err)
	}
	var reload func(command.Args) (any, error)
	for _, c := range p.Commands() {
		if c.Name == "regex.reload" {
			reload = c.Call
		}
	}
	matches := func() bool {
		r := b.Begin(b.Msg(), b.Source())
		return p.Request(b.Ctx, r) != route.Dropped
	}
	was := matches()
	write("[0]\nabc(\n")
	_, wrong := reload(command.Args{})
	still := matches()
	write("[0]\nxyz\n")
	_, err = reload(command.Args{})
	if now := matches(); err != nil || wrong == nil || was != still || was == now {
		t.Error(was, wrong, still, err, now)
	}
}
