package shm

import (
	"os/exec"
	"regexp"
	"testing"
)

// What the data path calls per record and must not cost a call.
func TestInlining(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", "viaduct/shm").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	can := map[string]bool{}
	for _, m := range regexp.MustCompile(` can inline (\S+)`).FindAllSubmatch(out, -1) {
		can[string(m[1])] = true
	}
	for _, name := range []string{
		"Ptr[go.shape.struct", "(*Header).Live", "(*Arena).header", "(*Arena).chunkOf", "(*Slab).at", "(*chunk).load",
		"chunkWord.shard", "chunkWord.class", "(*Ring).word", "(*Ring).Commit", "(*Ring).Publish", "(*Ring).Release",
		"(*Ring).Empty", "(*Mailbox).Empty", "(*Lock).Try", "(*Lock).Get", "(*Doorbell).Arm", "raceAcquire",
		"raceRelease",
	} {
		if !can[name] {
			t.Errorf("%s is not inlined", name)
		}
	}
}
