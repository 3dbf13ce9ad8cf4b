package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestManuals: the pages have every flag and every setting of the core, and groff has nothing to
// complain of.
func TestManuals(t *testing.T) {
	pages := map[string][]byte{}
	for _, name := range []string{"viaduct", "viaduct.cfg"} {
		var b bytes.Buffer
		if !writeManual(&b, []string{name}) {
			t.Fatal(name)
		}
		pages[name] = b.Bytes()
	}
	if writeManual(&bytes.Buffer{}, []string{"viaductctl"}) {
		t.Error("a page of another program is written")
	}
	has := func(page, term string) {
		t.Helper()
		if !strings.Contains(strings.ReplaceAll(string(pages[page]), `\-`, "-"), `\fB`+term) {
			t.Errorf("%s has no word of %s", page, term)
		}
	}
	for i := range flags {
		has("viaduct", flags[i].shown()+`\fR`)
	}
	for _, setting := range []string{"children=", "http_listen=", "dns_cache_max_ttl="} {
		has("viaduct.cfg", setting)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed: the pages are not set")
	}
	for name, page := range pages {
		cmd := exec.Command(groff, "-man", "-ww", "-z", "-Tutf8")
		cmd.Stdin = bytes.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: groff: %v\n%s", name, err, out)
		}
	}
}
