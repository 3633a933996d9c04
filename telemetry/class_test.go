package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/telemetry"
)

// No text of an error, no key and no payload is in any value; an error is one of
// a few classes.
func TestErrorsAreClasses(t *testing.T) {
	coded := func(code string) error { return &apiError{code} }
	cases := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("card 4242 4242 4242 4242"), "other"},
		{fmt.Errorf("read: %w", shard.ErrThrottled), "throttled"},
		{coded("ProvisionedThroughputExceededException"), "throttled"},
		{coded("AccessDeniedException"), "denied"},
		{checkpoint.ErrDenied, "denied"},
		{coded("AWS.SimpleQueueService.NonExistentQueue"), "missing"},
		{shard.ErrNoStream, "missing"},
		{&checkpoint.Conflict{Write: "save"}, "conflict"},
		{fmt.Errorf("send: %w", destination.ErrRefused), "refused"},
		{&batching.PanicError{Value: "x"}, "panic"},
		{batching.FailFrom(&shard.Record{}, context.DeadlineExceeded), "timeout"},
		{consumer.ErrHandlerTimeout, "timeout"},
		{fmt.Errorf("stop: %w", consumer.ErrLeaseLost), "interrupted"},
		{context.Canceled, "interrupted"},
		{io.ErrUnexpectedEOF, "other"},
	}
	r := telemetry.New(telemetry.Options{})
	h := r.Hooks()
	for _, c := range cases {
		if got := telemetry.ClassOf(c.err); got != c.want {
			t.Errorf("the class of %v is %q, want %q", c.err, got, c.want)
		}
		h.ReadFailed(consumer.ReadFailedEvent{Err: c.err})
		h.BatchDone(consumer.BatchEvent{Handler: "billing", Err: c.err})
		h.ShardLeft(consumer.ShardLeftEvent{Cause: c.err})
		h.DestinationRefused(consumer.DestinationRefusedEvent{Destination: "sqs:secret", Err: c.err})
	}
	for p := range r.Points() {
		for i, v := range p.Values {
			if a := p.Metric.Attributes[i]; len(p.Metric.Allowed) > 0 && i == len(p.Values)-1 {
				if !slices.Contains(p.Metric.Allowed, v) {
					t.Errorf("%s: %s is %q, which is not in its list", p.Metric.Name, a, v)
				}
			} else if v != "" && v != "billing" {
				t.Errorf("%s: %s is %q", p.Metric.Name, a, v)
			}
		}
	}
}

type apiError struct{ code string }

func (e *apiError) Error() string     { return "api error " + e.code }
func (e *apiError) ErrorCode() string { return e.code }
