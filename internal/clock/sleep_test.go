package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/internal/clock"
)

func TestSleepEndsWithItsTimeOrItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ asked, want time.Duration }{{time.Hour, time.Hour}, {0, 0}, {-time.Hour, 0}} {
			began := time.Now()
			if err := clock.Sleep(t.Context(), c.asked); err != nil || time.Since(began) != c.want {
				t.Errorf("Sleep(%s) took %s: %v", c.asked, time.Since(began), err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := clock.Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("an hour under a minute's context took %s: %v", time.Since(began), err)
		}
		if err := clock.Sleep(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no wait under an ended context: %v", err)
		}
	})
}
