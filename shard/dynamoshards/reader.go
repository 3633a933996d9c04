package dynamoshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/towpath/towpath/internal/answerbound"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// reader reads one shard. The cursor moves only when a read has succeeded, and
// nothing fails after that: an error leaves it where it was.
type reader struct {
	source *Source
	start  shard.Start
	arn    string // of the stream; empty until it is known
	cursor cursor
	pace   pace

	said, heard time.Time // the service's time in its last answer, and the host's then

	iterator iterator
	limit    int         // records asked for at once: Options.Limit, less after an answer that was too large
	trimmed  *shard.Loss // a window that is told with what lies behind it
	quiet    int         // answers without records since the last with some
	// closedSince is when the shard first had no next iterator and no children;
	// zero otherwise.
	closedSince time.Time
	ended       *shard.Chunk // what was said last, without its records
}

func newReader(s *Source, start shard.Start, now time.Time) *reader {
	c := cursor{last: start.After, arrived: start.LastArrival, caughtUp: start.ReadUpTo}
	if p := start.After; p.IsAtTime() || p.IsLatest() {
		c.from = p.At
	}
	return &reader{source: s, start: start, arn: start.Stream.ARN, cursor: c, pace: newPace(s.options, now), limit: s.options.Limit}
}

// String names the shard and its stream.
func (r *reader) String() string { return "shard " + r.start.Shard + " of " + r.source.String() }

// MaxBytes bounds one chunk: 10 MiB, which 1 MB of the service's cannot exceed as
// JSON, and the overhead of as many records as one read returns.
func (r *reader) MaxBytes() int64 {
	overhead := new(shard.Record).Size()
	return maxBytes + int64(r.source.options.Limit)*int64(overhead)
}

// Ready waits until the pace allows the next read.
func (r *reader) Ready(ctx context.Context) error {
	return clock.Sleep(ctx, time.Until(r.pace.next()))
}

// Next reads once. It asks the service again in the same call only if the
// iterator had expired, or the trim horizon had passed it.
func (r *reader) Next(ctx context.Context) (shard.Chunk, error) {
	if r.ended != nil {
		return *r.ended, nil
	}
	if err := ctx.Err(); err != nil {
		return shard.Chunk{}, err
	}
	chunk, err := r.read(ctx)
	switch {
	case err == nil:
		return chunk, nil
	case ctx.Err() != nil:
		// Nobody's fault: no back-off. The read may have been counted.
		r.pace = r.pace.count(time.Now())
		return shard.Chunk{}, fmt.Errorf("read %s: %w", r, ctx.Err())
	}
	r.pace = r.pace.refused(time.Now(), kind(err), dice.From(ctx).Float64("read", r.start.Shard))
	return shard.Chunk{}, fmt.Errorf("read %s: %w", r, err)
}

// surelyCaughtUp is after how many answers without a record in a row a shard
// counts as read up to its tip. One is no proof: the service gives empty answers
// on the way to the records, and does not say how far behind a reader is.
const surelyCaughtUp = 3

// read asks for a page, and delivers what is new in it.
func (r *reader) read(ctx context.Context) (shard.Chunk, error) {
	limit := r.limit
	out, used, err := r.getRecords(ctx)
	if err != nil {
		return shard.Chunk{}, err
	}
	h, err := r.cursor.harvest(out.Records, r.arn, r.start.Shard)
	if err != nil {
		r.iterator = iterator{}
		return shard.Chunk{}, fmt.Errorf("dynamodb:GetRecords: %w", err)
	}
	host := time.Now()
	now, stamped := serverTime(out.ResultMetadata)
	if stamped {
		r.said, r.heard = now, host
	}
	now = r.serviceNow(host)

	chunk := shard.Chunk{Records: h.records, Skipped: h.skipped}
	if stamped {
		chunk.Now = r.said
	}
	next := aws.ToString(out.NextShardIterator)
	if next == "" && !h.cut {
		chunk.Children, chunk.Ended, err = r.end(ctx, host)
		if err != nil && len(h.records) == 0 {
			return shard.Chunk{}, err
		}
		// With records at hand they are delivered; the end is looked at again.
		chunk.Ended = chunk.Ended && err == nil
		if !chunk.Ended {
			chunk.Children = nil
		}
	}
	chunk.Loss = told(r.trimmed, h.records, chunk.Ended)

	// From here on nothing fails.
	r.cursor = h.cursor
	if chunk.Loss != nil {
		r.trimmed = nil
	}
	more := h.cut || len(out.Records) >= limit
	r.iterator = iterator{}
	if !h.cut && h.skipped == 0 && (next != used || len(out.Records) == 0) {
		r.iterator = iterator{next, host}
	}
	r.pace = r.pace.answered(host, len(h.records), more)
	if chunk.Ended {
		r.ended = &shard.Chunk{Now: chunk.Now, Ended: true, Children: chunk.Children}
		return chunk, nil
	}
	chunk.Behind = r.behind(now, len(out.Records), more)
	if chunk.Behind == 0 && now.After(r.cursor.caughtUp) && len(out.Records) == 0 {
		r.cursor.caughtUp = now
	}
	return chunk, nil
}

// behind is how far the end of an answer is behind the tip. The service does not
// tell: it is the age of the last record, less the second by which that is
// rounded, and nothing once the shard has been silent for a few answers. While a
// loss is not told yet, nobody is to conclude that all was read.
func (r *reader) behind(now time.Time, records int, more bool) time.Duration {
	if records > 0 {
		r.quiet = 0
		age := max(0, now.Sub(r.cursor.arrived)-time.Second)
		if more {
			age = max(age, time.Millisecond)
		}
		return age
	}
	r.quiet++
	if r.quiet < surelyCaughtUp || r.trimmed != nil {
		return time.Millisecond
	}
	return 0
}

// serviceNow is the service's time: what it last said, and what has passed
// since. Until it has said anything it is the host's clock.
func (r *reader) serviceNow(host time.Time) time.Time {
	if r.said.IsZero() {
		return host
	}
	return r.said.Add(host.Sub(r.heard))
}

// getRecords asks for the next page. The iterator it used is told, so that an
// answer which gives the same one again is noticed.
func (r *reader) getRecords(ctx context.Context) (out *dynamodbstreams.GetRecordsOutput, used string, err error) {
	for try := 0; ; try++ {
		if err := r.open(ctx); err != nil {
			return nil, "", err
		}
		used = r.iterator.token
		out, err = r.ask(ctx)
		switch {
		case err == nil:
			r.limit = min(2*r.limit, r.source.options.Limit)
			return out, used, nil
		case isTooLarge(err):
			r.limit = max(1, r.limit/2)
		case isExpired(err) && try == 0:
			r.iterator = iterator{}
			continue
		case isTrimmed(err) && try < 2:
			if err := r.toHorizon(ctx); err != nil {
				return nil, "", err
			}
			continue
		}
		if isNotFound(err) || isInvalid(err) || isExpired(err) || isTrimmed(err) || kind(err) == troubleOther && r.pace.failed >= doubtfulAfter {
			r.iterator = iterator{}
		}
		return nil, "", r.diagnose(ctx, "GetRecords", err)
	}
}

// doubtfulAfter is how many failures in a row put the iterator itself in doubt:
// some servers answer a bad one with an internal error.
const doubtfulAfter = 2

func (r *reader) ask(ctx context.Context) (*dynamodbstreams.GetRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.source.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: &r.iterator.token,
		Limit:         aws.Int32(int32(r.limit)),
	}, fewTries, boundAnswer)
}

// mostAnswer is how many bytes of an answer to GetRecords are read. The service
// sends at most 1 MB of items, and the least of their values, such as an empty
// string or a null, takes some fifteen bytes of JSON for one of its own.
const mostAnswer = 16 << 20

// boundAnswer has the SDK read no more of an answer than mostAnswer.
func boundAnswer(o *dynamodbstreams.Options) {
	o.HTTPClient = answerbound.Wrap(o.HTTPClient, mostAnswer)
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[answerbound.TooLargeError](err)
	return ok
}
