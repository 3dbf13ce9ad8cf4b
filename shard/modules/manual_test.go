package modules

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"viaduct/shard/route"
)

// TestManual: docs/modules has a page for each module, as it declares itself, and no other.
func TestManual(t *testing.T) {
	const dir = "../../docs/modules"
	pages, err := filepath.Glob(dir + "/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(len(pages), err)
	}
	f := func(name string, want []byte) {
		t.Helper()
		page := filepath.Join(dir, name+".md")
		b, err := os.ReadFile(page)
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s is not what the modules declare: run go generate ./shard/modules", page)
		}
		pages = slices.DeleteFunc(pages, func(p string) bool { return p == page })
	}
	f("README", route.ManualIndex(Pages))
	for _, d := range Pages {
		f(d.Name, route.Manual(d))
	}
	if len(pages) > 0 {
		t.Errorf("no module is called like %s: remove them", strings.Join(pages, ", "))
	}
}
