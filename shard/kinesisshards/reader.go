package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// reader reads one shard. The cursor moves only when a read has succeeded, and
// nothing fails after that: an error leaves it where it was.
type reader struct {
	source    *Source
	start     shard.Start
	cursor    cursor
	retention time.Duration
	pace      pace
	clock     serviceClock

	iterator iterator
	// anchored is set while the next record to come has to be the one at the
	// cursor, because the iterator was opened there.
	anchored bool
	// atHorizon is set while anchored if the service refused the cursor's
	// sequence number, so that the iterator stands at the trim horizon instead.
	atHorizon bool
	// gap is set while anchored if the shard once looked empty although the
	// cursor's record may have been trimmed together with others.
	gap bool
	// verified is the last sequence number that was found where it should be.
	verified string

	ended *shard.Chunk // what was said last, without its records
}

func newReader(s *Source, start shard.Start, now time.Time) *reader {
	return &reader{
		source:    s,
		start:     start,
		cursor:    cursor{last: start.After, arrived: start.LastArrival, caughtUp: start.ReadUpTo},
		retention: start.Stream.Retention,
		pace:      newPace(s.options, now),
	}
}

// String names the shard and its stream.
func (r *reader) String() string { return "shard " + r.start.Shard + " of " + r.source.String() }

// MaxBytes is the largest answer of the service, 10 MiB of data, with the
// overhead of as many records as one read may return.
func (r *reader) MaxBytes() int64 {
	overhead := new(shard.Record).Size()
	return maxAnswer + int64(r.source.options.Limit)*int64(overhead)
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
	r.pace = r.pace.refused(time.Now(), kind(err), rand.Float64())
	return shard.Chunk{}, fmt.Errorf("read %s: %w", r, err)
}

// read asks for a page, and delivers what is new in it.
func (r *reader) read(ctx context.Context) (shard.Chunk, error) {
	out, used, err := r.getRecords(ctx)
	if err != nil {
		return shard.Chunk{}, err
	}
	h, err := r.cursor.harvest(out.Records, r.anchored, r.arn(), r.start.Shard)
	if err == nil && r.atHorizon {
		err = r.contradiction(h)
	}
	if err != nil {
		r.iterator = iterator{}
		return shard.Chunk{}, fmt.Errorf("kinesis:GetRecords: %w", err)
	}

	host := time.Now()
	service := r.clock
	said, ok := serverTime(out.ResultMetadata)
	if ok {
		service = serviceClock{said, host}
	}
	now := service.now(host)
	chunk := shard.Chunk{Records: h.records, Skipped: h.skipped, Now: said, Behind: behind(out, h)}

	var ended bool
	if aws.ToString(out.NextShardIterator) == "" && !h.cut {
		chunk.Children, ended, err = r.end(ctx, out.ChildShards)
		if err != nil && len(h.records) == 0 {
			return shard.Chunk{}, err
		}
		// With records at hand they are delivered; the end is looked at again.
		ended = ended && err == nil
		chunk.Ended = ended
	}
	if chunk.Loss, err = r.verify(ctx, h, ended, now); err != nil {
		return shard.Chunk{}, err
	}

	// From here on nothing fails.
	r.clock = service
	r.settle(h, now, out)
	r.iterator = iterator{}
	if next := aws.ToString(out.NextShardIterator); !h.cut && h.skipped == 0 && (next != used || len(out.Records) == 0) {
		r.iterator = iterator{next, host}
	}
	closed := aws.ToString(out.NextShardIterator) == ""
	r.pace = r.pace.answered(host, answer{
		records: len(h.records),
		bytes:   h.bytes,
		behind:  !closed && (chunk.Behind > 0 || len(out.Records) >= r.source.options.Limit),
	})
	if closed && !ended {
		// What has come since it was closed is in its children: this is no tip.
		chunk.Behind = max(chunk.Behind, time.Millisecond)
	}
	if ended {
		chunk.Behind = 0
		r.ended = &shard.Chunk{Now: chunk.Now, Ended: true, Children: chunk.Children}
	}
	return chunk, nil
}

// getRecords asks for the next page. The iterator it used is told, so that an
// answer which gives the same one again is noticed.
func (r *reader) getRecords(ctx context.Context) (out *kinesis.GetRecordsOutput, used string, err error) {
	n, err := r.source.stream()
	if err != nil {
		return nil, "", err
	}
	for try := 0; ; try++ {
		if err := r.open(ctx, n); err != nil {
			return nil, "", err
		}
		used = r.iterator.token
		out, err = r.ask(ctx, n)
		if err == nil {
			return out, used, nil
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

func (r *reader) ask(ctx context.Context, n name) (*kinesis.GetRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.source.client.GetRecords(ctx, &kinesis.GetRecordsInput{
		ShardIterator: &r.iterator.token,
		Limit:         aws.Int32(int32(r.source.options.Limit)),
		StreamARN:     text(n.arn),
	}, fewTries)
}

// settle moves the reader on behind what was delivered.
func (r *reader) settle(h harvest, now time.Time, out *kinesis.GetRecordsOutput) {
	caughtUp := out.MillisBehindLatest != nil && *out.MillisBehindLatest == 0 && !h.cut
	if h.first != "" {
		if r.anchored {
			r.verified = r.cursor.last.Sequence
		}
		r.anchored, r.atHorizon, r.gap = false, false, false
	} else if r.anchored && caughtUp && r.cursor.lost(now, r.retention) {
		r.gap = true
	}
	r.cursor = r.cursor.advanced(h)
	if caughtUp {
		r.cursor.caughtUp = now
	}
}

// arn is what records carry as the name of their stream.
func (r *reader) arn() string {
	if r.start.Stream.ARN != "" {
		return r.start.Stream.ARN
	}
	return r.source.given
}

// behind is how far the end of a harvest is behind the tip. A page that was not
// used to its end, or that has records and does not say, leaves something
// behind: nobody is to conclude that all was read.
func behind(out *kinesis.GetRecordsOutput, h harvest) time.Duration {
	d := time.Duration(max(aws.ToInt64(out.MillisBehindLatest), 0)) * time.Millisecond
	if h.cut || out.MillisBehindLatest == nil && len(out.Records) > 0 {
		d = max(d, time.Millisecond)
	}
	return d
}
