package sqsdestination_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/destination/sqsdestination"
)

// asked notes what a queue is asked for.
type asked struct {
	sqsdestination.MailboxAPI
	in *sqs.ReceiveMessageInput
}

func (a *asked) ReceiveMessage(_ context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	a.in = in
	return &sqs.ReceiveMessageOutput{}, nil
}

// A queue knows whole seconds: parts of one are not cut off.
func TestMailboxWaitsNoShorterThanItWasAsked(t *testing.T) {
	for _, c := range []struct {
		wait, visibility        time.Duration
		wantWait, wantInvisible int32
	}{{0, time.Minute, 0, 60}, {500 * time.Millisecond, 1500 * time.Millisecond, 1, 2}, {20 * time.Second, 12 * time.Hour, 20, 43200}} {
		a := &asked{}
		m := sqsdestination.OpenMailbox(a, "https://sqs.eu-west-1.amazonaws.com/123456789012/letters", func(o *sqsdestination.MailboxOptions) {
			o.Wait, o.Visibility = c.wait, c.visibility
		})
		if _, err := m.Receive(t.Context(), 5); err != nil || a.in.WaitTimeSeconds != c.wantWait || a.in.VisibilityTimeout != c.wantInvisible || a.in.MaxNumberOfMessages != 5 {
			t.Errorf("%v and %v: asked for %+v, %v", c.wait, c.visibility, a.in, err)
		}
	}
}
