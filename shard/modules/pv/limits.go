package pv

// Limits of this package. Each says what happens when it is reached.
const (
	// maxBase58Bytes is the longest text that {s.encode.base58} and {s.decode.base58} take, for
	// they cost the square of its length: 1 ms. Beyond: null.
	maxBase58Bytes = 1024

	// maxShared is how many variables $shv a file may name, maxSharedName and maxSharedText how
	// many bytes their names and texts have. Beyond: an error at load, and an assignment is
	// refused. The table has room for the names of an earlier file beside them.
	maxShared     = 1024
	maxSharedName = 128
	maxSharedText = 4096

	// sharedBytes is the memory of their values: 1,024 texts of half a kilobyte. Reached: an
	// assignment is refused, and counted.
	sharedBytes = 1 << 20
)
