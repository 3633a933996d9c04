package redrive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// notified is the message of a notification of SNS, or the body itself if it is
// none: a topic that a queue subscribes wraps it, see
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html.
func notified(body []byte) []byte {
	var n struct {
		Type, TopicArn string
		Message        *string
	}
	if json.Unmarshal(body, &n) == nil && n.Type == "Notification" && n.TopicArn != "" && n.Message != nil {
		return []byte(*n.Message)
	}
	return body
}

var (
	errNoLoader = errors.New("the payload lies elsewhere, and Load is not set")
	errNoSource = errors.New("the letter has no payload, and Source is not set to read it from the stream")
	errTrimmed  = errors.New("the letter has no payload, and retention has passed its records")
)

// payload sees to it that an envelope has its records. It is Ready if it has.
func (r *run) payload(ctx context.Context, e *destination.Envelope) (Outcome, error) {
	switch {
	case len(e.Failure.Records) > 0:
		return Ready, nil
	case e.Ref != nil && r.cfg.Load == nil:
		return Unreadable, errNoLoader
	case e.Ref != nil:
		event, err := r.cfg.Load.Load(ctx, e.Ref.URI)
		if err == nil {
			err = e.Open(event)
		}
		if err != nil {
			return Unreadable, err
		}
		return Ready, nil
	case r.cfg.Source == nil:
		return Unreadable, errNoSource
	}
	records, err := r.reread(ctx, e)
	switch {
	case errors.Is(err, errTrimmed):
		return Trimmed, err
	case err != nil:
		return Unreadable, err
	}
	e.Failure.Records = records
	return Ready, nil
}

// margin is by how much the reading begins before the arrival that the envelope
// names, which is cut to the millisecond, or to the second.
const margin = 2 * time.Second

// reread reads the records of an envelope from the stream, from the first to the
// last that it names.
func (r *run) reread(ctx context.Context, e *destination.Envelope) ([]shard.Record, error) {
	if err := r.describe(ctx, e.Failure.Stream); err != nil {
		return nil, err
	}
	start := shard.Start{Stream: *r.stream, Shard: e.Failure.Shard, After: shard.TrimHorizon()}
	if !e.FirstArrival.IsZero() {
		start.After = shard.AtTime(e.FirstArrival.Add(-margin))
	}
	reader := r.cfg.Source.Open(start)
	var records []shard.Record
	for failures := 0; ; {
		if err := reader.Ready(ctx); err != nil {
			return nil, err
		}
		c, err := reader.Next(ctx)
		switch {
		case errors.Is(err, shard.ErrNoShard):
			return nil, errTrimmed
		case errors.Is(err, shard.ErrNoStream), err != nil && failures >= 5:
			return nil, fmt.Errorf("read %s again: %w", e.Failure.Shard, err)
		case err != nil:
			failures++ // the reader waits before it tries again
			continue
		}
		for i := range c.Records {
			one := &c.Records[i]
			if shard.CompareSequences(one.Sequence, e.Last) > 0 {
				return complete(records, e)
			}
			if shard.CompareSequences(one.Sequence, e.First) >= 0 {
				records = append(records, *one)
			}
		}
		if c.Ended || c.Behind == 0 && (len(c.Records) == 0 || has(records, e.Last)) {
			return complete(records, e)
		}
	}
}

func has(records []shard.Record, last string) bool {
	return len(records) > 0 && records[len(records)-1].Sequence == last
}

// complete checks that no record was trimmed before it was read again.
func complete(records []shard.Record, e *destination.Envelope) ([]shard.Record, error) {
	if len(records) == 0 || records[0].Sequence != e.First || !has(records, e.Last) {
		return nil, errTrimmed
	}
	return records, nil
}

// describe asks once which stream Source is, and checks that it is the letter's.
func (r *run) describe(ctx context.Context, arn string) error {
	if r.stream == nil {
		s, err := r.cfg.Source.Describe(ctx)
		if err != nil {
			return fmt.Errorf("describe the stream of Source: %w", err)
		}
		r.stream = &s
	}
	if r.stream.ARN != arn {
		return fmt.Errorf("the letter is of %s, and Source is %s", arn, r.stream.ARN)
	}
	return nil
}
