package histogram

const (
	// subBits is the resolution: 2^subBits buckets per power of two, an error of at most
	// 2^-subBits. Seven bits is what two printed digits of a percentile need.
	subBits = 7

	subBuckets = 1 << subBits

	// octaves is how many powers of two have buckets of their own above subBuckets. 2^40 ns is 18
	// minutes, far above Timer B and C; longer durations share the last bucket.
	octaves = 40 - subBits

	bucketCount = (octaves + 1) << subBits
)
