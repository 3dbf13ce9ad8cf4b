//go:build race

package permissions

// raceEnabled: the race detector makes allocations of its own.
const raceEnabled = true
