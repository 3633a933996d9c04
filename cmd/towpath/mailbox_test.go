package main

import (
	"cmp"
	"context"
	"fmt"
	"testing"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard"
)

// queued is a queue of letters that gives ten at a time.
type queued struct {
	destination.Mailbox
	letters []destination.Letter
	given   int
}

func (q *queued) Receive(_ context.Context, most int) ([]destination.Letter, error) {
	n := min(most, 10, len(q.letters)-q.given)
	q.given += n
	return q.letters[q.given-n : q.given], nil
}

func (q *queued) Return(context.Context, destination.Letter) error { return nil }

// Who asks for a few letters of a queue does not receive all that are in it: that
// counts towards their maxReceiveCount.
func TestALimitLeavesTheRestOfAQueueAlone(t *testing.T) {
	q := &queued{}
	for i := range 100 {
		f := destination.Failure{
			Stream: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", Shard: "shardId-000000000000",
			Condition: destination.Rejected, Records: []shard.Record{{Sequence: fmt.Sprint(i + 1), PartitionKey: "k", Keyed: true}},
		}
		body, err := f.Envelope(destination.EnvelopeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		q.letters = append(q.letters, destination.Letter{ID: fmt.Sprint(i), Body: body})
	}
	for limit, received := range map[int]int{1: 10, 10: 10, 11: 20, 0: 100} {
		q.given = 0
		w := &chosen{limit: limit}
		s, err := redrive.Run(t.Context(), redrive.Config{From: enough{q, w}, Match: w.wants, DryRun: true})
		if err != nil || q.given != received || s.Letters[redrive.Ready] != cmp.Or(limit, 100) {
			t.Errorf("-limit %d: %d received, %+v, %v; want %d", limit, q.given, s.Letters, err, received)
		}
	}
}
