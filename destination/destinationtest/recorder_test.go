package destinationtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/destination/destinationtest"
)

func TestRecorderDoesAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r destinationtest.Recorder
		r.Script(destinationtest.Refuse, destinationtest.LoseAnswer, destinationtest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i, want := range []error{destinationtest.ErrInjected, destinationtest.ErrInjected, context.DeadlineExceeded, nil} {
			if err := r.Send(ctx, destinationtest.Sample(i+1)); !errors.Is(err, want) {
				t.Errorf("send %d: error %v, want %v", i+1, err, want)
			}
		}
		if n := len(r.Asked()); n != 4 {
			t.Errorf("asked %d times, want 4", n)
		}
		accepted := r.Accepted()
		if len(accepted) != 2 || len(accepted[0].Records) != 2 || len(accepted[1].Records) != 4 {
			t.Errorf("accepted %v, want the second and the fourth", accepted)
		}
	})
}

func ExampleRecorder() {
	var r destinationtest.Recorder
	r.Script(destinationtest.LoseAnswer)
	f := destinationtest.Sample(1)
	for r.Send(context.Background(), f) != nil {
	}
	fmt.Println(len(r.Accepted()), "accepted, the second a repeat:", r.Accepted()[0].ID() == r.Accepted()[1].ID())
	// Output: 2 accepted, the second a repeat: true
}
