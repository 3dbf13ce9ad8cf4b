package modules

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```\n")

// TestGuide builds the module that stands in docs/writing-a-module.md, and runs its test. Both are
// laid over the tree, where no such folder is.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/writing-a-module.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 2 {
		t.Fatal("there are no module and no test in it")
	}
	tmp, replace := t.TempDir(), map[string]string{}
	for i, name := range []string{"netlimit.go", "netlimit_test.go"} {
		file := filepath.Join(tmp, name)
		if err := os.WriteFile(file, []byte(blocks[i][1]), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, "netlimit", name)] = file
		if out, err := exec.Command("gofmt", "-l", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s is not as gofmt writes it: %v %s", name, err, out)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(tmp, "netlimit.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", file, "-o", run, "./netlimit")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	drive := exec.CommandContext(t.Context(), run)
	drive.Dir = tmp
	if out, err := drive.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
