package place

import "testing"

func TestSteeringHarms(t *testing.T) {
	f := func(all, foreign uint32, want bool) {
		t.Helper()
		if got := (Arrivals{All: all, Foreign: foreign}).SteeringHarms(); got != want {
			t.Errorf("%d of %d are another shard's: %v", foreign, all, got)
		}
	}
	f(0, 0, false)
	f(foreignLeast-1, foreignLeast-1, false) // too few to tell
	f(foreignLeast, foreignLeast, true)
	f(foreignLeast*foreignShare, foreignLeast, true)
	f(foreignLeast*foreignShare, foreignLeast-1, false)
	f(foreignLeast*foreignShare*100, foreignLeast*10, false) // a small part
}
