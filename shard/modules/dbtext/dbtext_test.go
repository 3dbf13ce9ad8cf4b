package dbtext

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = "id(int,auto) name(string) weight(double,null) note(str,null)\n"

func TestRead(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Read("text://"+dir, "x")
		if err != nil {
			if got := strings.ReplaceAll(err.Error(), dir+"/", ""); got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
			return
		}
		at, err := x.Columns("note", "name", "id")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range x.Rows {
			got += fmt.Sprintf("%d: %d %q %q %v; ", r.Line, r.Int(at[2]), r.Text(at[1]),
				r.Text(at[0]), r.IsNull(at[0]))
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f(head, "")
	f(head+"7:a:1.5:b\n", `2: 7 "a" "b" false; `)
	f(head+":a:1:b\n7:c::\n:d\n", `2: 1 "a" "b" false; 3: 7 "c" "" true; 4: 8 "d" "" true; `)
	f(head+"\r\n1:a\\:b\\\\\\n\\t:: x \r\n", `3: 1 "a:b\\\n\t" " x " false; `)
	f(head+"1:::\n", `2: 1 "" "" true; `)

	f("", "x: the table is empty: its first line names the columns, such as "+
		"id(int,auto) name(string)")
	f(head+"x:a\n", `x:2: column id is "x", which is no number`)
	f(head+"1:a:x\n", `x:2: column weight is "x", which is no number`)
	f("a(int)\n\n:\n", "x:3: column a is a number and has none")
	f(head+"1:a:1:b:c\n",
		"x:2: there are more values than the 4 columns: is a colon in one of them to be \\:?")
	f(head+"1:a\\d\n", "x:2: a backslash stands before n, r, t, 0, a colon or a backslash: write "+
		"\\\\ for the character itself")
	f("a(text)\n", `x:1: column a: there is no type "text"; there are int, double, string, str `+
		`and blob`)
	f("a(int,not)\n", `x:1: column a: there is no "not"; there are null and auto`)
	f("a\n", `x:1: "a" is no column: write NAME(TYPE) or NAME(TYPE,null)`)
}

func TestPath(t *testing.T) {
	for url, want := range map[string]string{"text:///a/b": "/a/b/t", "text://b/": "b/t"} {
		if got, err := Path(url, "t"); got != want || err != nil {
			t.Errorf("%s is %s, %v", url, got, err)
		}
	}
	for _, url := range []string{"mysql://u:p@h/db", "", "text://"} {
		if _, err := Path(url, "t"); err == nil || !strings.Contains(err.Error(), "no databases") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := Path("text:///a", "../b"); err == nil {
		t.Error("a table outside of its folder")
	}
	x := &Table{File: "f", columns: []column{{name: "a"}, {name: "b"}}}
	if _, err := x.Columns("a", "c"); err == nil ||
		err.Error() != "f:1: there is no column c; there are a, b" {
		t.Error(err)
	}
}
