package destination_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
)

// outlet is a Recorder that also takes emitted records, but those that it is
// told to refuse.
type outlet struct {
	destinationtest.Recorder
	refuse map[string]bool // by data
	took   []string
}

func (o *outlet) Publish(_ context.Context, records []batching.Emitted) error {
	var rest []batching.Emitted
	for _, e := range records {
		if o.refuse[string(e.Data)] {
			rest = append(rest, e)
			continue
		}
		o.took = append(o.took, string(e.Data))
	}
	if len(rest) > 0 {
		return &destination.PublishError{Destination: o.String(), Rest: rest, Err: destinationtest.ErrInjected}
	}
	return nil
}

func emitted(data ...string) (all []batching.Emitted) {
	for _, d := range data {
		all = append(all, batching.Emitted{ID: "id-" + d, Key: d, Data: []byte(d)})
	}
	return all
}

func TestFanoutRepeatsOnlyToThoseThatHaveNotAccepted(t *testing.T) {
	a, b := &outlet{}, &outlet{}
	b.Script(destinationtest.Refuse, destinationtest.Refuse)
	d := destination.Fanout(a, b)
	for try := range 3 {
		if err := d.Send(t.Context(), destinationtest.Sample(1)); (err == nil) != (try == 2) {
			t.Errorf("try %d: error %v", try, err)
		}
	}
	if len(a.Accepted()) != 1 || len(b.Accepted()) != 1 {
		t.Errorf("accepted %d and %d times, want once each", len(a.Accepted()), len(b.Accepted()))
	}
	// The next failure with the same id is another delivery, and goes to both.
	if err := d.Send(t.Context(), destinationtest.Sample(1)); err != nil || len(a.Accepted()) != 2 {
		t.Errorf("accepted %d times, error %v", len(a.Accepted()), err)
	}
}

func TestFanoutPublishesTheRestToWhoeverLacksIt(t *testing.T) {
	a, b := &outlet{refuse: map[string]bool{"2": true}}, &outlet{refuse: map[string]bool{"3": true}}
	d := destination.Fanout(a, b)
	err := d.Publish(t.Context(), emitted("1", "2", "3"))
	var rest *destination.PublishError
	if !errors.As(err, &rest) || len(rest.Rest) != 2 || string(rest.Rest[0].Data) != "2" || string(rest.Rest[1].Data) != "3" {
		t.Fatalf("error %v, rest %v, want 2 and 3", err, rest)
	}
	a.refuse, b.refuse = nil, nil
	if err := d.Publish(t.Context(), rest.Rest); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a.took, b.took); got != "[1 3 2] [1 2 3]" {
		t.Errorf("they took %s, want each once", got)
	}
}

func TestFallbackIsAskedOnlyWhenTheFirstRefuses(t *testing.T) {
	a, b := &outlet{}, &outlet{}
	d := destination.Fallback(a, b)
	a.Script(destinationtest.Accept, destinationtest.Refuse, destinationtest.Accept)
	for range 3 {
		if err := d.Send(t.Context(), destinationtest.Sample(1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.Accepted()) != 2 || len(b.Accepted()) != 1 {
		t.Errorf("accepted %d and %d, want 2 and 1", len(a.Accepted()), len(b.Accepted()))
	}
	a.Behave(destinationtest.Refuse)
	b.Behave(destinationtest.Refuse)
	if err := d.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destinationtest.ErrInjected) || strings.Count(err.Error(), destinationtest.ErrInjected.Error()) != 2 {
		t.Errorf("error %v, want both refusals", err)
	}
	a.refuse = map[string]bool{"2": true}
	if err := d.Publish(t.Context(), emitted("1", "2")); err != nil || fmt.Sprint(a.took, b.took) != "[1] [2]" {
		t.Errorf("they took %v and %v, error %v", a.took, b.took, err)
	}
}

// A first destination that hangs leaves time for the second.
func TestFallbackIsAskedWhileThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &outlet{}, &outlet{}
		a.Behave(destinationtest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		if err := destination.Fallback(a, b).Send(ctx, destinationtest.Sample(1)); err != nil || time.Since(began) != 15*time.Second || len(b.Accepted()) != 1 {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}

func TestSeveralDestinationsSayWhatIsWrongWithEach(t *testing.T) {
	plain := &destinationtest.Recorder{}
	if err := destination.Fanout(plain).Publish(t.Context(), emitted("1")); !errors.Is(err, destination.ErrRefused) || !strings.Contains(err.Error(), "no emitted records") {
		t.Errorf("error %v, want that the recorder takes none", err)
	}
	for _, d := range []*destination.Many{destination.Fanout(), destination.Fallback(nil, plain), destination.Fanout(plain, (*destinationtest.Recorder)(nil))} {
		if d.Validate() == nil {
			t.Errorf("%v destinations are valid", d)
		}
	}
	if err := destination.Fanout(plain, destination.Fallback(plain, plain)).Validate(); err != nil {
		t.Error(err)
	}
	if got := destination.Fanout(plain, destination.Fallback(plain, destination.Discard)).String(); got != "recorder + recorder → discard" {
		t.Errorf("the name is %q", got)
	}
}

func ExampleFanout() {
	queue, archive := &destinationtest.Recorder{}, &destinationtest.Recorder{}
	archive.Script(destinationtest.Refuse) // is down for the first try
	onFailure := destination.Fanout(queue, archive)
	failure := destinationtest.Sample(1)
	fmt.Println("accepted by all:", onFailure.Send(context.Background(), failure) == nil)
	// The engine asks again until it is, and who has accepted is not asked twice.
	fmt.Println("accepted by all:", onFailure.Send(context.Background(), failure) == nil)
	fmt.Println("queue", len(queue.Accepted()), "archive", len(archive.Accepted()))
	// Output:
	// accepted by all: false
	// accepted by all: true
	// queue 1 archive 1
}

func ExampleFallback() {
	queue, file := &destinationtest.Recorder{}, &destinationtest.Recorder{}
	queue.Behave(destinationtest.Refuse) // the queue is down
	onFailure := destination.Fallback(queue, file)
	fmt.Println(onFailure.Send(context.Background(), destinationtest.Sample(1)), len(file.Accepted()))
	// Output: <nil> 1
}
