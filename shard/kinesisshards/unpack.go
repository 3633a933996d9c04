package kinesisshards

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
)

// unpack has what a reader reads delivered as Options.Aggregated says.
func (s *Source) unpack(raw shard.Reader, start shard.Start) shard.Reader {
	if s.options.Aggregated == kpl.Whole {
		return raw
	}
	return &unpacking{raw: raw, limit: s.options.Limit, aggregates: kpl.Unpacker{
		Policy: s.options.Aggregated, Hashes: kpl.NewRange(start.Hashes), After: start.After,
	}}
}

// unpacking delivers the user records of the aggregates that another reader
// reads. A chunk of its own is no larger than one of the other, in records and in
// bytes: what does not fit in comes with the next, without another read.
type unpacking struct {
	raw        shard.Reader
	limit      int // records of one part
	aggregates kpl.Unpacker
	chunk      shard.Chunk // what was read last, without what has been told of it
}

// Ready waits until the other reader is ready, if nothing is left.
func (r *unpacking) Ready(ctx context.Context) error {
	if r.aggregates.Left() {
		return ctx.Err()
	}
	return r.raw.Ready(ctx)
}

// Next hands out what is left, or else reads once.
//
// What is told of the beginning of a read goes with its first part: a loss, and
// what was skipped. What is told of its end goes with its last: how far behind
// it is, and the end of the shard. An aggregate without user records, or one of
// which all are dropped, leaves nothing of itself. Nobody has to finish it; it
// is read again after a restart until a record behind it is finished.
func (r *unpacking) Next(ctx context.Context) (shard.Chunk, error) {
	if !r.aggregates.Left() {
		chunk, err := r.raw.Next(ctx)
		if err != nil {
			return shard.Chunk{}, err
		}
		r.aggregates.Feed(chunk.Records)
		chunk.Records = nil
		r.chunk = chunk
	} else if err := ctx.Err(); err != nil {
		return shard.Chunk{}, err
	}
	part := r.chunk
	part.Records, part.Aggregates = r.aggregates.Take(r.limit, r.MaxBytes())
	r.chunk.Loss, r.chunk.Skipped = nil, 0
	r.chunk.Release = nil // goes with a part that is all there is, and with no other
	if r.aggregates.Left() {
		part.Ended, part.Children, part.Release = false, nil, nil
		part.Behind = max(part.Behind, time.Millisecond)
	}
	return part, nil
}

// MaxBytes is that of the other reader. A user record is never larger than the
// aggregate it is in.
func (r *unpacking) MaxBytes() int64 { return r.raw.MaxBytes() }

// String is that of the other reader.
func (r *unpacking) String() string { return fmt.Sprint(r.raw) }

// Close closes the other reader, if it can be.
func (r *unpacking) Close() error {
	if c, ok := r.raw.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
