package clock

import (
	"context"
	"time"
)

// Sleep waits for d, or until ctx ends, and then returns ctx's error. A d that is
// not positive is no wait, but an ended ctx is still an error. Unlike Elapsed it
// goes by Go's clock: what waits in it may wake late by as long as the host was
// suspended.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
