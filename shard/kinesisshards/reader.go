package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/internal/answerbound"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// reader reads one shard by polling.
type reader struct {
	*course
	pace     pace
	iterator iterator
	limit    int // records asked for at once: Options.Limit, less after an answer that was too large
}

func newReader(c *course, now time.Time) *reader {
	return &reader{course: c, pace: newPace(c.source.options, now), limit: c.source.options.Limit}
}

// Ready waits until the pace allows the next read.
func (r *reader) Ready(ctx context.Context) error {
	return clock.Sleep(ctx, time.Until(r.pace.next()))
}

// Next reads once. It asks the service a second time in the same call only if
// the iterator had expired.
func (r *reader) Next(ctx context.Context) (shard.Chunk, error) {
	if r.ended != nil {
		return *r.ended, nil
	}
	if err := ctx.Err(); err != nil {
		return shard.Chunk{}, err
	}
	chunk, err := r.read(ctx)
	var early earlyError
	switch {
	case err == nil:
		return chunk, nil
	case errors.As(err, &early):
		r.pace = r.pace.postponed(time.Now(), early.wait)
		return shard.Chunk{}, nil
	case ctx.Err() != nil:
		// Nobody's fault: no back-off. The read may have been counted.
		r.pace = r.pace.count(time.Now())
		return shard.Chunk{}, fmt.Errorf("read %s: %w", r, ctx.Err())
	}
	r.pace = r.pace.refused(time.Now(), kind(err), dice.From(ctx).Float64("read", r.start.Shard))
	return shard.Chunk{}, fmt.Errorf("read %s: %w", r, err)
}

// read asks for a page, and delivers what is new in it.
func (r *reader) read(ctx context.Context) (shard.Chunk, error) {
	limit := r.limit
	c := &call{answers: r.source.answers}
	out, used, err := r.getRecords(ctx, c)
	if err != nil {
		return shard.Chunk{}, err
	}
	defer c.harvested()
	next := aws.ToString(out.NextShardIterator)
	p := portion{
		records: out.Records, children: out.ChildShards, behind: out.MillisBehindLatest, closed: next == "", heard: time.Now(),
	}
	p.said, _ = serverTime(out.ResultMetadata)
	h, err := r.harvest(p)
	if err != nil {
		r.iterator = iterator{}
		return shard.Chunk{}, fmt.Errorf("kinesis:GetRecords: %w", err)
	}
	chunk, err := r.deliver(ctx, p, h)
	if err != nil {
		return shard.Chunk{}, err
	}
	if c.lends(out) {
		chunk.Release = c.release
	}
	r.iterator = iterator{}
	if !h.cut && h.skipped == 0 && (next != used || len(out.Records) == 0) {
		r.iterator = iterator{next, p.heard}
	}
	r.pace = r.pace.answered(p.heard, answer{
		records: len(h.records),
		bytes:   h.bytes,
		behind:  !p.closed && (chunk.Behind > 0 || len(out.Records) >= limit),
	})
	return chunk, nil
}

// getRecords asks for the next page. The iterator it used is told, so that an
// answer which gives the same one again is noticed.
func (r *reader) getRecords(ctx context.Context, c *call) (out *kinesis.GetRecordsOutput, used string, err error) {
	n, err := r.source.stream()
	if err != nil {
		return nil, "", err
	}
	for try := 0; ; try++ {
		if err := r.open(ctx, n); err != nil {
			return nil, "", err
		}
		used = r.iterator.token
		out, err = r.ask(ctx, n, c)
		if err == nil {
			r.limit = min(2*r.limit, r.source.options.Limit)
			return out, used, nil
		}
		if isTooLarge(err) {
			r.limit = max(1, r.limit/2)
		}
		if isExpired(err) && try == 0 {
			r.iterator = iterator{}
			continue
		}
		if isNotFound(err) || isInvalid(err) || isExpired(err) || kind(err) == troubleOther && r.pace.failed >= doubtfulAfter {
			r.iterator = iterator{}
		}
		return nil, "", r.diagnose(ctx, "GetRecords", err)
	}
}

// doubtfulAfter is how many failures in a row put the iterator itself in doubt:
// some servers answer a bad one with an internal error.
const doubtfulAfter = 2

func (r *reader) ask(ctx context.Context, n name, c *call) (*kinesis.GetRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.source.client.GetRecords(ctx, &kinesis.GetRecordsInput{
		ShardIterator: &r.iterator.token,
		Limit:         aws.Int32(int32(r.limit)),
		StreamARN:     text(n.arn),
	}, fewTries, boundAnswer, c.options)
}

// mostAnswer is how many bytes of an answer to GetRecords are read. The service
// sends at most 10 MiB of payload, which is 13.4 MiB in base64, and 10,000 records
// beside it, each with a key of up to 256 characters, six bytes each where they
// are escaped, and some 250 bytes of its own: 31 MiB at the very most.
const mostAnswer = 32 << 20

// boundAnswer has the SDK read no more of an answer than mostAnswer.
func boundAnswer(o *kinesis.Options) {
	o.HTTPClient = answerbound.Wrap(o.HTTPClient, mostAnswer)
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[answerbound.TooLargeError](err)
	return ok
}
