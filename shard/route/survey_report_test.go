package route

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateReports = flag.Bool("update-reports", false, "rewrite testdata/migrate/*.md")

// TestMarkdown holds the report on each file of testdata/migrate, with its includes.
func TestMarkdown(t *testing.T) {
	files, _ := filepath.Glob("testdata/migrate/*.cfg")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		report := func() []byte {
			s := &Survey{}
			_, _, _, _ = Load(filepath.Base(file), src, Options{Modules: testModules, Survey: s,
				ReadFile: func(p string) ([]byte, error) {
					return os.ReadFile(filepath.Join("testdata/migrate", filepath.Base(p)))
				}})
			return s.Markdown(filepath.Base(file))
		}
		got := report()
		if !bytes.Equal(got, report()) {
			t.Errorf("%s: two reports differ", file)
		}
		page := file[:len(file)-len("cfg")] + "md"
		if *updateReports {
			if err := os.WriteFile(page, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(page); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: go test -run TestMarkdown -update-reports, and read the change (%v)\n%s", page,
				err, got)
		}
	}
}

// TestMarkdownOfAnyName: neither a name nor the bytes of a file break out of their place in the
// report.
func TestMarkdownOfAnyName(t *testing.T) {
	src := "loadmodule \"dialog`x.so\"\nrequest_route {\n\tfoo`(\"\x01\xff\x1b[31m\");\n\t$(a`b\x00);\n}\n" +
		"loadmodule \"usrloc.so\"\n"
	s := &Survey{}
	_, _, _, _ = Load("m|x`y\x1b.cfg", []byte(src), Options{Modules: testModules, Survey: s})
	text := string(s.Markdown("m|x`y\x1b.cfg"))
	for i, r := range text {
		if r < ' ' && r != '\n' || r == '\uFFFD' {
			t.Errorf("byte %d is %q in\n%s", i, r, text)
			break
		}
	}
	for _, want := range []string{"# m|x\\`y\\x1b.cfg on Viaduct\n",
		"- `` m|x`y\\x1b.cfg:1:12 ``: unknown module dialog\\`x; did you mean dialog?\n",
		"| m\\|x\\`y\\x1b.cfg:6:12 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nis not in\n%s", want, text)
		}
	}
	for _, e := range s.Errors {
		for _, c := range []byte(e.Text) {
			if c < ' ' {
				t.Errorf("%q", e.Text)
			}
		}
	}
}
