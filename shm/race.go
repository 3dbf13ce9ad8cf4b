//go:build race

package shm

import (
	"runtime"
	"unsafe"
)

// The race detector ignores atomics outside the Go heap, so it would not know that a Lock guards a
// Go variable, or that what was done before Publish is done after Next. Tell it, by an address of
// ours; two addresses that share one hide a race, and never invent one.
var raceShadow [4096]byte

func shadow(p unsafe.Pointer) unsafe.Pointer {
	return unsafe.Pointer(&raceShadow[uintptr(p)/Align%uintptr(len(raceShadow))])
}

func raceAcquire(p unsafe.Pointer) { runtime.RaceAcquire(shadow(p)) }
func raceRelease(p unsafe.Pointer) { runtime.RaceReleaseMerge(shadow(p)) }

const raceEnabled = true
