package pike

const (
	// maxUnit bounds sampling_time_unit, in seconds: an hour.
	maxUnit = 3600

	// maxDensity bounds reqs_density_per_unit: what the hits of a window have bits for.
	maxDensity = 1_000_000

	// enough times the density, an address is not counted any further in this window. It is blocked
	// in this one and the next in any case; who looks at pike.list sees that it is many.
	enough = 16

	// maxHits is where counting ends in any case. Each shard may add one more at the same time, far
	// fewer than the bits have room for.
	maxHits = hitMask - 4096

	// tries is how often a message that was overtaken by others of its address begins again.
	// Reached: it is not counted.
	tries = 8

	// forgottenAtOnce is how many entries one look for ended ones meets.
	forgottenAtOnce = 4096

	// maxListed is how many addresses a command shows.
	maxListed = 10_000
)
