package shard

import (
	"testing"

	"golang.org/x/tools/txtar"

	"viaduct/shard/proxy"
)

// TestSilentTimeout: with noisy_ctimer 0 nothing is left of an INVITE that nobody answered.
func TestSilentTimeout(t *testing.T) {
	a, err := txtar.ParseFile("testdata/silent-timeout.txtar")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := runFlow(t, a, -1, true)
	if n := f.w.count[proxy.CountSilent]; n != 1 {
		t.Errorf("%d INVITEs ended in silence, want 1", n)
	}
	f.endsClean()
}
