//go:build race

package route

// raceEnabled: the race detector makes allocations of its own.
const raceEnabled = true
