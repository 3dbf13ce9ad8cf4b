package pcre

import "time"

const (
	// longest is how long one match may take: other messages of the shard wait meanwhile. PCRE has
	// a number of steps in its place. Reached: what regexp finds counts, and without it there is no
	// match.
	longest = 20 * time.Millisecond

	// checkEvery is how exact that is. regexp2 has a clock that ticks as often, from the first match
	// until the time of the last one would be over.
	checkEvery = 5 * time.Millisecond

	// maxPatternBytes is the longest pattern. Beyond: it is refused.
	maxPatternBytes = 4096

	// maxCached is how many patterns a Matcher keeps of those that a script makes while it runs. It
	// begins anew when it has met as many.
	maxCached = 256
)
