package dynamoshards

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/shard"
)

// maxIteratorAge is how old a shard iterator is used. The service lets one
// expire after fifteen minutes.
const maxIteratorAge = 14 * time.Minute

// iterator is a shard iterator with its age. The zero iterator is none.
type iterator struct {
	token string
	at    time.Time // when it was asked for, by the host's clock
}

func (i iterator) usable(now time.Time) bool {
	return i.token != "" && now.Sub(i.at) < maxIteratorAge
}

// open makes sure that there is an iterator. There is none that begins at a
// time: such a start is one at the trim horizon, from which what is older is
// dropped.
func (r *reader) open(ctx context.Context) error {
	if err := r.known(ctx); err != nil {
		return err
	}
	if r.iterator.usable(time.Now()) {
		return nil
	}
	in := dynamodbstreams.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch p := r.cursor.last; {
	case r.trimmed != nil:
		// What lies behind the cursor is gone; the horizon is where to go on.
	case p.IsRecord():
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &p.Sequence
	case p.IsLatest() && p.At.IsZero():
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	err := r.getIterator(ctx, &in)
	if err != nil && isTrimmed(err) {
		return r.toHorizon(ctx)
	}
	if err != nil {
		return r.diagnose(ctx, "GetShardIterator", err)
	}
	if p := r.cursor.last; p.IsLatest() && p.At.IsZero() {
		// From now on the tip is a moment, so that nothing is lost if this
		// iterator expires before the first record.
		p.At = r.serviceNow(time.Now())
		r.cursor.last, r.cursor.from = p, p.At
	}
	return nil
}

// known finds the stream, if the reader was not told which.
func (r *reader) known(ctx context.Context) (err error) {
	if r.arn == "" {
		r.arn, err = r.source.arn(ctx)
	}
	return err
}

// toHorizon goes on from the trim horizon, because it has passed the cursor. If
// that is a loss, it is told with the first record behind it.
func (r *reader) toHorizon(ctx context.Context) error {
	if r.trimmed == nil && r.cursor.lost(r.serviceNow(time.Now())) {
		r.trimmed = r.cursor.loss(r.start.Shard)
	}
	if err := r.getIterator(ctx, &dynamodbstreams.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}); err != nil {
		r.iterator = iterator{}
		return r.diagnose(ctx, "GetShardIterator", err)
	}
	return nil
}

func (r *reader) getIterator(ctx context.Context, in *dynamodbstreams.GetShardIteratorInput) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in.StreamArn, in.ShardId = &r.arn, &r.start.Shard
	asked := time.Now()
	out, err := r.source.client.GetShardIterator(ctx, in, fewTries)
	if err != nil {
		return err
	}
	token := aws.ToString(out.ShardIterator)
	if token == "" {
		return errors.New("the answer has no iterator")
	}
	if said, ok := serverTime(out.ResultMetadata); ok {
		r.said, r.heard = said, time.Now()
	}
	r.iterator = iterator{token, asked}
	return nil
}

// diagnose says what a failed call means. That something was not found can mean
// the stream, the shard, or nothing much.
func (r *reader) diagnose(ctx context.Context, action string, err error) error {
	if !isNotFound(err) {
		return explain(action, err)
	}
	now, describeErr := r.source.describe(ctx)
	if describeErr != nil {
		return describeErr
	}
	if now.ARN != r.arn {
		return fmt.Errorf("%s is %s now, and %s was read: %w", r.source, now.ARN, r.arn, shard.ErrNoStream)
	}
	shards, listErr := r.source.List(ctx)
	if listErr != nil {
		return listErr
	}
	if slices.ContainsFunc(shards, func(d shard.Shard) bool { return d.ID == r.start.Shard }) {
		return fmt.Errorf("dynamodb:%s, of a shard that is listed: %w", action, err)
	}
	return fmt.Errorf("dynamodb:%s: %w: %w", action, shard.ErrNoShard, err)
}

// childless is for how long a closed shard of a stream that is enabled is asked
// for children that are not listed. Then it ends without: a child that comes to
// be listed later has a finished parent, and is found by the maintenance.
const childless = 30 * time.Second

// end decides whether an answer without a next iterator is the end of the shard,
// and which shards go on from it. Such an answer alone is not believed: the
// listing has to show children, or that the shard is closed, or no longer there.
func (r *reader) end(ctx context.Context, host time.Time) (children []shard.Shard, ended bool, err error) {
	children, err = r.source.childrenOf(ctx, r.arn, r.start.Shard)
	if err != nil {
		return nil, false, failed("DescribeStream", err)
	}
	if len(children) > 0 {
		return children, true, nil
	}
	stream, err := r.source.describe(ctx)
	if err != nil {
		return nil, false, err
	}
	shards, err := r.source.List(ctx)
	if err != nil {
		return nil, false, err
	}
	open := false
	for _, d := range shards {
		if d.ID == r.start.Shard {
			open = d.Open()
		}
		if slices.Contains(d.Parents, r.start.Shard) {
			children = append(children, d)
		}
	}
	switch {
	case len(children) > 0, !stream.enabled && !open:
		return children, true, nil
	case open:
		r.closedSince = time.Time{}
		return nil, false, nil
	case r.closedSince.IsZero():
		r.closedSince = host
	}
	return nil, host.Sub(r.closedSince) >= childless, nil
}
