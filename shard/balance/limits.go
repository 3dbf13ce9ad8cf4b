package balance

import "time"

// The limits of this package. All are per process unless they say otherwise.
const (
	// MaxPicks is the length of a failover list, first choice included. It makes Picks 48 bytes. A
	// longer set is cut: the twenty-first attempt of one call would come after every timer of its
	// caller has fired.
	MaxPicks = 20

	// MaxTargets bounds the targets of one table, all sets together. A UID has 16 bits and 0 means
	// none; using half of the numbers leaves the other half for targets that went away, whose UIDs
	// must not be given to others while transactions may still hold them. Reached: Parse reports an
	// error.
	MaxTargets = 1 << 15

	// MaxWeight is the largest `weight`. With MaxTargets it bounds the sum of a set to 2³¹, so that
	// the turn arithmetic of algorithm 9 (position × step < 2⁶²) cannot overflow. Reached: Parse
	// reports an error.
	MaxWeight = 1 << 16

	// MaxPriority bounds the absolute value of a priority; Kamailio's is a C int.
	MaxPriority = 1<<31 - 1

	// MaxSetID is the largest set id; Kamailio's is a C int.
	MaxSetID = 1<<31 - 1

	// MaxLineBytes bounds a line of the file without its line end. Reached: Parse reports an error
	// and reads on after the line.
	MaxLineBytes = 4096

	// MaxFileBytes bounds the file: MaxTargets lines of 512 bytes. Reached: Load reports an error.
	MaxFileBytes = 16 << 20

	// MaxErrors is how many errors of one file are listed; the rest is counted. More than a
	// screenful helps nobody.
	MaxErrors = 50

	// MaxThreshold bounds ds_probing_threshold and ds_inactive_threshold: the count shares a word
	// with the state flags.
	MaxThreshold = 1 << 16

	// minPeriod bounds the prober's interval, time-out and recovery interval from below: what a
	// caller that asks every 10 to 100 ms can keep. Reached: ProbeConfig.Validate reports an error.
	minPeriod = 100 * time.Millisecond
)
