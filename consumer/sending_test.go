package consumer

import (
	"context"
	"errors"
	"testing"
	"time"
)

// After a pause of the process a lane may be the first thing to run, in the middle of
// its tries to send something. It looks at the deadline of its lease before each.
func TestNothingIsSentBehindTheDeadline(t *testing.T) {
	clock := &stopped{at: time.Hour}
	w := &worker{clock: clock, timing: timingOf(10*time.Second, time.Second)}
	w.session = &session{clock: clock, timing: w.timing}
	w.session.extend(clock.at)
	l := &lane{shardLoop: &shardLoop{right: newRight(w, never)}, ctx: context.Background()}
	sent := 0
	send := func(context.Context) (bool, error) { sent++; return false, nil }
	if err := l.persist("anywhere", send); err != nil || sent != 1 {
		t.Fatalf("before the deadline: sent %d times, error %v", sent, err)
	}
	clock.at += 8 * time.Second
	if err := l.persist("anywhere", send); !errors.Is(err, errLaneOver) || sent != 1 {
		t.Errorf("behind the deadline: sent %d times in all, want once; error %v, want %v", sent, err, errLaneOver)
	}
}
