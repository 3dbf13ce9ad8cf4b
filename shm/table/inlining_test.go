package table

import (
	"os/exec"
	"regexp"
	"testing"
)

// What a look-up calls per record and must not cost a call.
func TestInlining(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", "viaduct/shm/table").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	can := map[string]bool{}
	for _, m := range regexp.MustCompile(` can inline (\S+)`).FindAllSubmatch(out, -1) {
		can[string(m[1])] = true
	}
	for _, name := range []string{
		"(*Table).bucket", "(*Table).peek", "(*Table).at", "(*record).word", "fold", "store",
		"chainNext", "chainHash", "lifeOver", "lifeKind", "bucketGen", "bucketHeadLink",
	} {
		if !can[name] {
			t.Errorf("%s is not inlined", name)
		}
	}
}
