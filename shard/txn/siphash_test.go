package txn

import "testing"

// TestSipHash holds the hash against the authors' vector for the 32 bytes 0 to 31 under the key 0
// to 15 (vectors.h of the reference implementation).
func TestSipHash(t *testing.T) {
	key := [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	words := [4]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110, 0x1f1e1d1c1b1a1918}
	if got := sipHash(&key, &words); got != 0x7127512f72f27cce {
		t.Errorf("%#x", got)
	}
}
