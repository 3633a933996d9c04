package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
)

// open makes sure that there is an iterator, and a verified one while the trim
// horizon is near.
func (r *reader) open(ctx context.Context, n name) error {
	now := time.Now()
	if r.iterator.usable(now) && !r.mustVerify(now) {
		return nil
	}
	in, anchored := request(r.cursor.last)
	out, err := r.getIterator(ctx, n, &in)
	atHorizon := false
	if err != nil && anchored && isInvalid(err) && !isForeign(err) && !isMisplaced(err) {
		// The number may be refused because its record was trimmed.
		if err := r.plausible(ctx, err); err != nil {
			return err
		}
		in = kinesis.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		out, err = r.getIterator(ctx, n, &in)
		atHorizon = true
	}
	if err != nil && in.Timestamp != nil && isInvalid(err) {
		return r.early(ctx, *in.Timestamp, err)
	}
	if err != nil {
		return r.diagnose(ctx, "GetShardIterator", err)
	}
	token := aws.ToString(out.ShardIterator)
	if token == "" {
		return errors.New("kinesis:GetShardIterator: the answer has no iterator")
	}
	if p := r.cursor.last; p.IsLatest() && p.At.IsZero() {
		// From now on the tip is a moment, so that nothing is lost if this
		// iterator expires before the first record.
		p.At = now
		if said, ok := serverTime(out.ResultMetadata); ok {
			p.At = said
		}
		r.cursor.last = p
	}
	r.iterator, r.anchored, r.atHorizon = iterator{token, now}, anchored, atHorizon
	return nil
}

// earlyError says that the start lies in the future, which the service refuses.
type earlyError struct{ wait time.Duration }

// Error says for how long.
func (e earlyError) Error() string { return fmt.Sprintf("the start is %s ahead", e.wait) }

// early explains why a time was refused. Only the service's clock can tell
// whether it is still to come.
func (r *reader) early(ctx context.Context, at time.Time, refusal error) error {
	stream, err := r.describe(ctx)
	if err != nil {
		return err
	}
	if wait := at.Sub(stream.Now); wait > 0 {
		return earlyError{wait}
	}
	return explain("GetShardIterator", refusal)
}

// mustVerify decides whether a usable iterator is given up for one that shows
// whether the cursor's record still exists. While such an answer is awaited, or
// the record was found already and nothing came since, it is not given up again:
// the iterator has moved through empty pages, and that would be lost.
func (r *reader) mustVerify(now time.Time) bool {
	if r.anchored || r.verified == r.cursor.last.Sequence {
		return false
	}
	return r.cursor.atRisk(r.clock.now(now), r.retention)
}

func (r *reader) getIterator(ctx context.Context, n name, in *kinesis.GetShardIteratorInput) (*kinesis.GetShardIteratorOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in.StreamName, in.ShardId = text(n.short), &r.start.Shard
	if n.arn != "" {
		in.StreamName, in.StreamARN = nil, text(n.arn)
	}
	return r.source.client.GetShardIterator(ctx, in, fewTries)
}

// plausible asks whether a sequence number that the service refused can be that
// of a trimmed record: the shard is there and did not begin after it. If not,
// the position is wrong, and nothing is read in its place.
func (r *reader) plausible(ctx context.Context, refusal error) error {
	shards, err := r.source.List(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(shards, func(d shard.Shard) bool { return d.ID == r.start.Shard })
	if i < 0 {
		return fmt.Errorf("kinesis:GetShardIterator: %w: %w", shard.ErrNoShard, refusal)
	}
	if first := shards[i].FirstSequence; first != "" && shard.CompareSequences(r.cursor.last.Sequence, first) < 0 {
		return fmt.Errorf("kinesis:GetShardIterator: position %s lies before the shard's beginning: %w", r.cursor.last, refusal)
	}
	return nil
}

// contradiction reports a position that was refused as trimmed while older
// records are still there: it is not one of this shard's.
func (r *reader) contradiction(h harvest) error {
	if h.skipped == 0 {
		return nil
	}
	return fmt.Errorf("the service does not know position %s, and has records from before it", r.cursor.last)
}

// diagnose says what a failed call means. That something was not found can mean
// the stream, the shard, or nothing much.
func (r *reader) diagnose(ctx context.Context, action string, err error) error {
	if isForeign(err) {
		return fmt.Errorf("kinesis:%s: position %s is of another stream: %w: %w", action, r.cursor.last, shard.ErrNoStream, err)
	}
	if !isNotFound(err) {
		return explain(action, err)
	}
	if _, err := r.describe(ctx); err != nil {
		return err
	}
	shards, listErr := r.source.List(ctx)
	if listErr != nil {
		return listErr
	}
	if slices.ContainsFunc(shards, func(d shard.Shard) bool { return d.ID == r.start.Shard }) {
		return fmt.Errorf("kinesis:%s, of a shard that is listed: %w", action, err)
	}
	return fmt.Errorf("kinesis:%s: %w: %w", action, shard.ErrNoShard, err)
}

// describe asks for the stream and makes sure that it is the one the reader
// began with.
func (r *reader) describe(ctx context.Context) (shard.Stream, error) {
	now, err := r.source.Describe(ctx)
	if err != nil {
		return shard.Stream{}, err
	}
	if was := r.start.Stream.CreatedAt; !was.IsZero() && !now.CreatedAt.Equal(was) {
		return shard.Stream{}, fmt.Errorf("%s was created at %s, the one that was read at %s: %w", r.source,
			now.CreatedAt.UTC().Format(time.RFC3339), was.UTC().Format(time.RFC3339), shard.ErrNoStream)
	}
	return now, nil
}

// end decides whether an answer without a next iterator is the end of the shard,
// and which shards go on from it.
func (r *reader) end(ctx context.Context, told []types.ChildShard) (children []shard.Shard, ended bool, err error) {
	for _, d := range told {
		child := fromAnswer(d)
		if len(child.Parents) == 0 {
			child.Parents = []string{r.start.Shard}
		}
		children = append(children, child)
	}
	if len(children) > 0 {
		return children, true, nil
	}
	shards, err := r.source.List(ctx)
	if err != nil {
		return nil, false, err
	}
	closed := false
	for _, d := range shards {
		if d.ID == r.start.Shard {
			closed = !d.Open()
		}
		if slices.Contains(d.Parents, r.start.Shard) {
			children = append(children, d)
		}
	}
	if !closed || len(children) == 0 {
		return nil, false, nil
	}
	return children, true, nil
}

// verify compares the first record that came with the one at the cursor, if that
// was expected, and says what was lost between them.
func (r *reader) verify(ctx context.Context, h harvest, ended bool, now time.Time) (*shard.Loss, error) {
	missing := h.first != "" && shard.CompareSequences(h.first, r.cursor.last.Sequence) > 0
	if !r.anchored || !missing && !(ended && h.first == "") {
		return nil, nil
	}
	until := shard.End()
	if missing {
		until = shard.After(h.first, 0)
	}
	if !r.gap {
		// The retention may have been shortened since the start.
		stream, err := r.describe(ctx)
		if err != nil {
			return nil, err
		}
		if stream.Retention > 0 && (r.retention <= 0 || stream.Retention < r.retention) {
			r.retention = stream.Retention
		}
		if !r.cursor.lost(now, r.retention) {
			return nil, nil
		}
	}
	return r.cursor.loss(r.start.Shard, until, h.firstArrived), nil
}
