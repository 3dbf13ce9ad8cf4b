package pv_test

import (
	"path/filepath"
	"testing"
)

// TestCases plays testdata/*.txt, a file for each class.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b := bench(t)
			b.Head = sharedHead
			b.Check(file)
		})
	}
}
