//go:build !race

package shard

// raceDetector says that the race detector is at work, which lets go of what package regexp keeps
// in a pool.
const raceDetector = false
