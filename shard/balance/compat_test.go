package balance

import "testing"

// Kamailio 5.6.3 answers `dispatcher.hash 8 v1 v2` with these.
func TestCompatHash(t *testing.T) {
	f := func(v1, v2 string, hash, slot uint32) {
		t.Helper()
		second := []byte(nil)
		if v2 != "" {
			second = []byte(v2)
		}
		if got := CompatHash([]byte(v1), second); got != hash || got%8 != slot {
			t.Errorf("%q %q: got %d slot %d, want %d slot %d", v1, v2, got, got%8, hash, slot)
		}
	}
	f("a", "", 109, 5)
	f("abcd", "", 1834959896, 0)
	f("abcde", "", 1834960001, 1)
	f("1-2345@127.0.0.1", "", 3393457118, 6)
	f("alice", "example.com", 1442294598, 6)
	f("Grüße", "", 803357185, 1)
	if got := CompatHash(nil, nil); got != 1 {
		t.Errorf("nothing hashes to %d", got)
	}
}
