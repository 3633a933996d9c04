package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// now is the time since the host was booted, which is the same in all processes.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // the clock is one that every kernel has
	}
	return time.Duration(t.Nano())
}
