package consumer

import (
	"testing"
	"time"
)

// stopped is a clock that stands where it is put.
type stopped struct{ at time.Duration }

func (c *stopped) Elapsed() time.Duration { return c.at }

// A lease that is renewed by itself and was found run out stays so when the answer
// to a renewal comes that was under way: whoever found it has given up records
// that nobody would handle.
func TestRightThatWasFoundRunOutStaysSo(t *testing.T) {
	clock := &stopped{at: time.Hour}
	w := &worker{clock: clock, timing: timingOf(10*time.Second, time.Second)}
	w.cfg.BesideKCL2 = true
	w.session = &session{clock: clock, timing: w.timing}
	w.session.extend(2 * time.Hour)
	r := newRight(w, clock.at)
	if !r.valid() {
		t.Fatal("a lease that was renewed just now is not believed")
	}
	clock.at += 9 * time.Second
	if r.valid() {
		t.Fatal("a lease that was renewed 9 s ago is believed, of 8")
	}
	r.renewed(clock.at - time.Second)
	if r.valid() || !r.ranOut() {
		t.Error("it is believed again, though somebody had found it run out")
	}
}
