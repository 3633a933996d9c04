package streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/towpath/towpath/shard"
)

// branch is one of the streams, with ids as they are among the many.
type branch struct {
	source shard.Source
	key    shard.StreamKey
	stream shard.Stream
}

// Describe says which stream this is.
func (b *branch) Describe(ctx context.Context) (shard.Stream, error) { return b.source.Describe(ctx) }

// List returns the stream's shards.
func (b *branch) List(ctx context.Context) ([]shard.Shard, error) {
	listed, err := b.source.List(ctx)
	return qualified(b.key, listed), err
}

// Open begins to read a shard.
func (b *branch) Open(start shard.Start) shard.Reader {
	start.Stream, start.Shard = b.stream, shard.PlainID(start.Shard)
	return &reader{Reader: b.source.Open(start), key: b.key}
}

// qualified is shards with the ids that they have among many streams.
func qualified(key shard.StreamKey, shards []shard.Shard) []shard.Shard {
	if shards == nil {
		return nil
	}
	all := slices.Clone(shards)
	for i := range all {
		all[i].ID = key.ID(all[i].ID)
		all[i].Parents = slices.Clone(all[i].Parents)
		for j, parent := range all[i].Parents {
			all[i].Parents[j] = key.ID(parent)
		}
	}
	return all
}

// reader reads one shard.
type reader struct {
	shard.Reader
	key shard.StreamKey
}

// Next reads once.
func (r *reader) Next(ctx context.Context) (shard.Chunk, error) {
	c, err := r.Reader.Next(ctx)
	c.Children = qualified(r.key, c.Children)
	if c.Loss != nil {
		loss := *c.Loss
		loss.Shard = r.key.ID(loss.Shard)
		c.Loss = &loss
	}
	return c, err
}

// Close closes what the reader keeps open.
func (r *reader) Close() error {
	if c, ok := r.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Open begins to read a shard of any of the streams.
func (s *Source) Open(start shard.Start) shard.Reader {
	if m, ok := s.Of(start.Shard); ok {
		return m.Source.Open(start)
	}
	err := fmt.Errorf("read %s: it is of none of the streams: %w", start.Shard, shard.ErrNoStream)
	return &nothing{most: s.mostBytes(), err: err}
}

// mostBytes is what one read of any of the streams brings at most.
func (s *Source) mostBytes() (most int64) {
	for _, m := range s.Members() {
		if m.Described() {
			r := &reader{Reader: m.Source.Open(shard.Start{Stream: m.Stream})}
			most = max(most, r.MaxBytes())
			_ = r.Close() // it has read nothing
		}
	}
	return most
}

// nothing reads a shard of no stream.
type nothing struct {
	most int64
	err  error
}

// Ready is at once, if ctx has not ended.
func (n *nothing) Ready(ctx context.Context) error { return ctx.Err() }

// Next is an error.
func (n *nothing) Next(ctx context.Context) (shard.Chunk, error) {
	return shard.Chunk{}, errors.Join(ctx.Err(), n.err)
}

// MaxBytes is what the largest of the streams brings.
func (n *nothing) MaxBytes() int64 { return n.most }
