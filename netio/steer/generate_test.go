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
	source, err := os.ReadFile("program.go")
	must(t, err)
	m := regexp.MustCompile(`(?m)^//go:generate (.*)$`).FindSubmatch(source)
	if m == nil {
		t.Fatal("program.go has no go:generate line")
	}
	fields := bytes.Fields(m[1])
	if missing := missingHeader(fields); missing != "" {
		t.Skipf("SKIP %s: %s (Debian packages libbpf-dev and linux-libc-dev)", t.Name(), missing)
	}
	dir := t.TempDir()
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

// missingHeader is what clang says of a header that steer.c includes and this machine has not, ""
// if it has all.
func missingHeader(generate [][]byte) string {
	args := []string{"-target", "bpf", "-E", "-o", os.DevNull, "steer.c"}
	for _, f := range generate {
		if bytes.HasPrefix(f, []byte("-I")) {
			args = append(args, string(f))
		}
	}
	out, err := exec.Command("clang", args...).CombinedOutput()
	if m := regexp.MustCompile(`'\S+' file not found`).Find(out); err != nil && m != nil {
		return string(m)
	}
	return ""
}
