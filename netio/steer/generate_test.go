package steer

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// clangMajor is the compiler that made the committed object. Another one makes other instructions
// from the same source, so only this one can be compared with. Whoever regenerates with another one
// changes this line too.
const clangMajor = "14"

// TestGeneratedFilesAreCurrent regenerates the object and its loader from steer.c, exactly
// as go:generate does, and compares them with the committed files.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skipf("SKIP %s: -short", t.Name())
	}
	version, err := exec.Command("clang", "--version").Output()
	if err != nil {
		t.Skipf("SKIP %s: no clang here", t.Name())
	}
	if m := regexp.MustCompile(`version (\d+)`).FindSubmatch(version); m == nil || string(m[1]) != clangMajor {
		t.Skipf("SKIP %s: the committed object is made by clang %s, here is %q", t.Name(), clangMajor, m)
	}
	if _, err := os.Stat("/usr/include/bpf/bpf_helpers.h"); err != nil {
		t.Skipf("SKIP %s: no bpf/bpf_helpers.h here (Debian package libbpf-dev)", t.Name())
	}
	source, err := os.ReadFile("program.go")
	must(t, err)
	m := regexp.MustCompile(`(?m)^//go:generate (.*)$`).FindSubmatch(source)
	if m == nil {
		t.Fatal("program.go has no go:generate line")
	}
	dir := t.TempDir()
	fields := bytes.Fields(m[1])
	var args []string
	for _, f := range fields[1:] {
		args = append(args, string(f))
		if string(f) == "github.com/cilium/ebpf/cmd/bpf2go" {
			args = append(args, "-output-dir", dir)
		}
	}
	generate := exec.Command(string(fields[0]), args...)
	generate.Env = append(os.Environ(), "GOPACKAGE=steer")
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("cannot generate: %v\n%s", err, out)
	}
	for _, file := range []string{"steer_bpfel.o", "steer_bpfel.go"} {
		want, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		got, err := os.ReadFile(file)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what steer.c generates: run `go generate ./netio/steer` and commit the result", file)
		}
	}
}
