package pv

// Limits of this package. Each says what happens when it is reached.
const (
	// maxBase58Bytes is the longest text that {s.encode.base58} and {s.decode.base58} take, for
	// they cost the square of its length: 1 ms. Beyond: null.
	maxBase58Bytes = 1024
)
