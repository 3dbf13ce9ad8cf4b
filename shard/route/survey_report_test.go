package route

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
