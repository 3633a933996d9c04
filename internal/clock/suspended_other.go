//go:build !linux

package clock

import "time"

// suspended is zero where the monotonic clock counts sleep already, as on macOS
// with Go's continuous clock, or where there is no way to ask.
func suspended() time.Duration { return 0 }
