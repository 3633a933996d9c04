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
	var token string
	err := r.begin(ctx, "GetShardIterator", func(p types.StartingPosition) (time.Time, error) {
		out, err := r.getIterator(ctx, n, p)
		if err != nil {
			return time.Time{}, err
		}
		token = aws.ToString(out.ShardIterator)
		said, _ := serverTime(out.ResultMetadata)
		return said, nil
	})
	if err != nil {
		return err
	}
	if token == "" {
		return errors.New("kinesis:GetShardIterator: the answer has no iterator")
	}
	r.iterator = iterator{token, now}
	return nil
}

// begin asks for reading to begin at the cursor: with ask, which says where, and
// which tells the service's time of the answer.
func (c *course) begin(ctx context.Context, action string, ask func(types.StartingPosition) (time.Time, error)) error {
	now := time.Now()
	at, anchored := request(c.cursor.last)
	said, err := ask(at)
	atHorizon := false
	if err != nil && anchored && isInvalid(err) && !isForeign(err) && !isMisplaced(err) {
		// The number may be refused because its record was trimmed.
		if err := c.plausible(ctx, action, err); err != nil {
			return err
		}
		at = types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
		said, err = ask(at)
		atHorizon = true
	}
	if err != nil && at.Timestamp != nil && isInvalid(err) {
		return c.early(ctx, action, *at.Timestamp, err)
	}
	if err != nil {
		return c.diagnose(ctx, action, err)
	}
	if p := c.cursor.last; p.IsLatest() && p.At.IsZero() {
		// From now on the tip is a moment, so that nothing is lost if reading has
		// to be begun again before the first record.
		p.At = now
		if !said.IsZero() {
			p.At = said
		}
		c.cursor.last = p
	}
	c.anchored, c.atHorizon = anchored, atHorizon
	return nil
}

// earlyError says that the start lies in the future, which the service refuses.
type earlyError struct{ wait time.Duration }

// Error says for how long.
func (e earlyError) Error() string { return fmt.Sprintf("the start is %s ahead", e.wait) }

// early explains why a time was refused. Only the service's clock can tell
// whether it is still to come.
func (c *course) early(ctx context.Context, action string, at time.Time, refusal error) error {
	stream, err := c.describe(ctx)
	if err != nil {
		return err
	}
	if wait := at.Sub(stream.Now); wait > 0 {
		return earlyError{wait}
	}
	return explain(action, refusal)
}

// mustVerify decides whether a usable iterator is given up for one that shows
// whether the cursor's record still exists. While such an answer is awaited, or
// the record was found already and nothing came since, it is not given up again:
// the iterator has moved through empty pages, and that would be lost.
func (c *course) mustVerify(now time.Time) bool {
	if c.anchored || c.verified == c.cursor.last.Sequence {
		return false
	}
	return c.cursor.atRisk(c.clock.now(now), c.retention)
}

func (r *reader) getIterator(ctx context.Context, n name, p types.StartingPosition) (*kinesis.GetShardIteratorOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &kinesis.GetShardIteratorInput{
		StreamName: text(n.short), ShardId: &r.start.Shard,
		ShardIteratorType: p.Type, StartingSequenceNumber: p.SequenceNumber, Timestamp: p.Timestamp,
	}
	if n.arn != "" {
		in.StreamName, in.StreamARN = nil, text(n.arn)
	}
	return r.source.client.GetShardIterator(ctx, in, fewTries)
}

// plausible asks whether a sequence number that the service refused can be that
// of a trimmed record: the shard is there and did not begin after it. If not,
// the position is wrong, and nothing is read in its place.
func (c *course) plausible(ctx context.Context, action string, refusal error) error {
	shards, err := c.source.List(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(shards, func(d shard.Shard) bool { return d.ID == c.start.Shard })
	if i < 0 {
		return fmt.Errorf("kinesis:%s: %w: %w", action, shard.ErrNoShard, refusal)
	}
	if first := shards[i].FirstSequence; first != "" && shard.CompareSequences(c.cursor.last.Sequence, first) < 0 {
		return fmt.Errorf("kinesis:%s: position %s lies before the shard's beginning: %w", action, c.cursor.last, refusal)
	}
	return nil
}

// contradiction reports a position that was refused as trimmed while older
// records are still there: it is not one of this shard's.
func (c *course) contradiction(h harvest) error {
	if h.skipped == 0 {
		return nil
	}
	return fmt.Errorf("the service does not know position %s, and has records from before it", c.cursor.last)
}

// diagnose says what a failed call means. That something was not found can mean
// the stream, the shard, or nothing much.
func (c *course) diagnose(ctx context.Context, action string, err error) error {
	if isForeign(err) {
		return fmt.Errorf("kinesis:%s: position %s is of another stream: %w: %w", action, c.cursor.last, shard.ErrNoStream, err)
	}
	if !isNotFound(err) {
		return explain(action, err)
	}
	if _, err := c.describe(ctx); err != nil {
		return err
	}
	shards, listErr := c.source.List(ctx)
	if listErr != nil {
		return listErr
	}
	if slices.ContainsFunc(shards, func(d shard.Shard) bool { return d.ID == c.start.Shard }) {
		return fmt.Errorf("kinesis:%s, of a shard that is listed: %w", action, err)
	}
	return fmt.Errorf("kinesis:%s: %w: %w", action, shard.ErrNoShard, err)
}

// describe asks for the stream and makes sure that it is the one the reader
// began with.
func (c *course) describe(ctx context.Context) (shard.Stream, error) {
	now, err := c.source.Describe(ctx)
	if err != nil {
		return shard.Stream{}, err
	}
	if was := c.start.Stream.CreatedAt; !was.IsZero() && !now.CreatedAt.Equal(was) {
		return shard.Stream{}, fmt.Errorf("%s was created at %s, the one that was read at %s: %w", c.source,
			now.CreatedAt.UTC().Format(time.RFC3339), was.UTC().Format(time.RFC3339), shard.ErrNoStream)
	}
	return now, nil
}

// end decides whether an answer without a next iterator is the end of the shard,
// and which shards go on from it.
func (c *course) end(ctx context.Context, told []types.ChildShard) (children []shard.Shard, ended bool, err error) {
	for _, d := range told {
		child := fromAnswer(d)
		if len(child.Parents) == 0 {
			child.Parents = []string{c.start.Shard}
		}
		children = append(children, child)
	}
	if len(children) > 0 {
		return children, true, nil
	}
	shards, err := c.source.List(ctx)
	if err != nil {
		return nil, false, err
	}
	closed := false
	for _, d := range shards {
		if d.ID == c.start.Shard {
			closed = !d.Open()
		}
		if slices.Contains(d.Parents, c.start.Shard) {
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
func (c *course) verify(ctx context.Context, h harvest, ended bool, now time.Time) (*shard.Loss, error) {
	missing := h.first != "" && shard.CompareSequences(h.first, c.cursor.last.Sequence) > 0
	if !c.anchored || !missing && !(ended && h.first == "") {
		return nil, nil
	}
	until := shard.End()
	if missing {
		until = shard.After(h.first, 0)
	}
	if !c.gap {
		// The retention may have been shortened since the start.
		stream, err := c.describe(ctx)
		if err != nil {
			return nil, err
		}
		if stream.Retention > 0 && (c.retention <= 0 || stream.Retention < c.retention) {
			c.retention = stream.Retention
		}
		if !c.cursor.lost(now, c.retention) {
			return nil, nil
		}
	}
	return c.cursor.loss(c.start.Shard, until, h.firstArrived), nil
}
