package proxy

import (
	"testing"
	"unsafe"
)

// TestSavedLayout: the fixed part is as long as its constant says, without holes at the end.
func TestSavedLayout(t *testing.T) {
	if n := unsafe.Sizeof(Saved{}); n != savedBytes {
		t.Errorf("a Saved has %d bytes, savedBytes says %d", n, savedBytes)
	}
}
