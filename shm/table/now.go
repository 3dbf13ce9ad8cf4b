package table

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is the clock of tables, for who is not told the time: CLOCK_MONOTONIC in milliseconds.
func Now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return ts.Nano() / int64(time.Millisecond)
}
