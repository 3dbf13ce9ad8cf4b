package tools

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

// top is the checkout's folder as seen from here.
const top = ".."

// goPackage is what `go list -json` says of a package of ours.
type goPackage struct {
	ImportPath, Dir, Name, Doc string
	Imports                    []string
}

var listPackages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Doc,Imports", "./...")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func packages(t *testing.T) []goPackage {
	t.Helper()
	all, err := listPackages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(all) < 3 {
		t.Fatalf("go list names only %d packages", len(all))
	}
	return all
}

// files gives the paths, relative to the top, of all files that belong to the tree: what git would
// commit, or without git everything but hidden folders and bin.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = top
	if out, err := cmd.Output(); err == nil {
		for _, path := range strings.Fields(string(out)) {
			if _, err := os.Lstat(filepath.Join(top, path)); err == nil {
				all = append(all, path)
			}
		}
	} else {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(top, path)
			if d.IsDir() && (rel == "bin" || strings.HasPrefix(rel, ".git")) {
				return fs.SkipDir
			}
			if !d.IsDir() {
				all = append(all, rel)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sort.Strings(all)
	if len(all) < 10 {
		t.Fatalf("only %d files found in the tree", len(all))
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// isText reports whether the file may be searched for words: byte-exact messages and compiled
// programs are not prose.
func isText(path string) bool {
	switch filepath.Ext(path) {
	case ".o", ".dat", ".sum", ".png", ".bin", ".pcap":
		return false
	}
	return !strings.Contains(path, "testdata/fuzz/")
}

// viaduct gives the path of the program, built once for all tests of this package.
var buildViaduct = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "viaduct-tools-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	bin := filepath.Join(dir, "viaduct")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "./cmd/viaduct", "./cmd/viaductctl")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{string(out)}
	}
	return bin, nil
})

var builtIn string

type buildError struct{ output string }

func (e *buildError) Error() string { return "cmd does not build:\n" + e.output }

func viaduct(t *testing.T) string {
	t.Helper()
	bin, err := buildViaduct()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}
