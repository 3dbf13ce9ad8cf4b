package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestManual: the page has every verb and flag, and groff has nothing to complain of.
func TestManual(t *testing.T) {
	page := manual()
	plain := strings.ReplaceAll(string(page), `\-`, "-")
	for name, v := range verbs {
		if !strings.Contains(plain, `\fB`+v.usage(name)+`\fR`) {
			t.Errorf("the page has no word of %s", name)
		}
		if v.group != "see" && v.group != "steer" && v.group != "process" {
			t.Errorf("%s is in no group: %q", name, v.group)
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed: the page is not set")
	}
	cmd := exec.Command(groff, "-man", "-ww", "-z", "-Tutf8")
	cmd.Stdin = bytes.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
