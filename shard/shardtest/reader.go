package shardtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// Op is what a [Call] asks for.
type Op string

const (
	// Describe is a call of Source.Describe.
	Describe Op = "Describe"
	// List is a call of Source.List.
	List Op = "List"
	// Next is a call of Reader.Next.
	Next Op = "Next"
)

// Call is one call of a [Stream] as a source.
type Call struct {
	// Op is what is asked for.
	Op Op
	// Shard is the shard that is read; empty unless Op is Next.
	Shard string
	// After is the position of the reader; zero unless Op is Next.
	After shard.Position
	// Caller is who calls, of those that As made; else empty.
	Caller string
}

// Mood is how a [Stream] answers one call, as the hook of Interpose has it.
type Mood struct {
	// Stale is by how much a List is out of date: children that were opened
	// since are not in it, and those that were closed since are open.
	Stale time.Duration
	// Limit is how many records a Next returns at most, if fewer than the stream's
	// own limit; below zero is none, as in an answer without records.
	Limit int
}

// Fault has f asked before every call whether it shall fail, and how. It runs in
// the goroutine of the call and may wait. Nil is no faults, which is the default.
func (s *Stream) Fault(f func(Call) error) {
	if f == nil {
		s.Interpose(nil)
		return
	}
	s.Interpose(func(_ context.Context, c Call) (Mood, error) { return Mood{}, f(c) })
}

// Interpose is Fault with a hook that knows the context, and may have the call
// answered in a mood. It may wait, and ends with the context's error if that ends
// first.
func (s *Stream) Interpose(f func(context.Context, Call) (Mood, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// As is the same stream as one worker sees it: hooks get its name with every call.
func (s *Stream) As(caller string) shard.Source { return &view{s, caller} }

// view is a stream as one worker sees it.
type view struct {
	stream *Stream
	caller string
}

func (v *view) Describe(ctx context.Context) (shard.Stream, error) {
	return v.stream.describe(ctx, v.caller)
}
func (v *view) List(ctx context.Context) ([]shard.Shard, error) { return v.stream.list(ctx, v.caller) }
func (v *view) Open(start shard.Start) shard.Reader {
	r := v.stream.newReader(start)
	r.caller = v.caller
	return r
}

// begin is the beginning of every call: its context, and its fault.
func (s *Stream) begin(ctx context.Context, c Call) (Mood, error) {
	if err := ctx.Err(); err != nil {
		return Mood{}, err
	}
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	var mood Mood
	if fault != nil {
		var err error
		if mood, err = fault(ctx, c); err != nil {
			return Mood{}, fmt.Errorf("%s: %w", c.Op, err)
		}
	}
	return mood, ctx.Err()
}

// Describe says which stream this is.
func (s *Stream) Describe(ctx context.Context) (shard.Stream, error) { return s.describe(ctx, "") }

func (s *Stream) describe(ctx context.Context, caller string) (shard.Stream, error) {
	if _, err := s.begin(ctx, Call{Op: Describe, Caller: caller}); err != nil {
		return shard.Stream{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return shard.Stream{}, s.missing()
	}
	return shard.Stream{
		ARN: s.ARN(), Name: s.options.Name, CreatedAt: s.created,
		Retention: s.options.Retention, Now: time.Now(),
	}, nil
}

// List returns every shard that is not gone.
func (s *Stream) List(ctx context.Context) ([]shard.Shard, error) { return s.list(ctx, "") }

func (s *Stream) list(ctx context.Context, caller string) ([]shard.Shard, error) {
	mood, err := s.begin(ctx, Call{Op: List, Caller: caller})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return nil, s.missing()
	}
	s.age(time.Now())
	at := time.Now().Add(-mood.Stale)
	var listed []shard.Shard
	for _, d := range s.shards {
		if d.gone || len(d.Parents) > 0 && d.opened.After(at) {
			continue
		}
		told := d.told()
		if d.closed.After(at) {
			told.LastSequence = ""
		}
		listed = append(listed, told)
	}
	return listed, nil
}

// told is the shard as callers get it.
func (d *track) told() shard.Shard {
	told := d.Shard
	told.Parents = slices.Clone(d.Parents)
	return told
}

func (s *Stream) missing() error {
	return fmt.Errorf("stream %s: %w", s.options.Name, shard.ErrNoStream)
}

// Open begins to read a shard.
func (s *Stream) Open(start shard.Start) shard.Reader { return s.newReader(start) }

func (s *Stream) newReader(start shard.Start) *reader {
	return &reader{stream: s, start: start, after: start.After, place: -1, due: time.Now()}
}

// reader reads one shard of a stream.
type reader struct {
	stream *Stream
	caller string
	start  shard.Start
	after  shard.Position // the last record delivered, or a word
	place  int            // the index of the next record; -1 until after was looked up
	due    time.Time
}

// MaxBytes is 10 MiB of data, as Kinesis has it, and the overhead of as many
// records as one read returns at most.
func (r *reader) MaxBytes() int64 {
	return maxChunk + int64(r.stream.options.Limit*new(shard.Record).Size())
}

// maxChunk is how many bytes of data a chunk has at most.
const maxChunk = 10 << 20

// aggregateMagic begins a record of many user records.
var aggregateMagic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// Ready waits until the next read is due.
func (r *reader) Ready(ctx context.Context) error {
	return clock.Sleep(ctx, time.Until(r.due))
}

// Next reads once.
func (r *reader) Next(ctx context.Context) (shard.Chunk, error) {
	chunk, err := r.next(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		r.due = time.Now().Add(r.stream.options.BackOff)
	case err == nil && chunk.Behind == 0:
		r.due = time.Now().Add(r.stream.options.Poll)
	}
	return chunk, err
}

func (r *reader) next(ctx context.Context) (shard.Chunk, error) {
	s := r.stream
	mood, err := s.begin(ctx, Call{Op: Next, Shard: r.start.Shard, After: r.after, Caller: r.caller})
	if err != nil {
		return shard.Chunk{}, err
	}
	limit := s.options.Limit
	if mood.Limit != 0 {
		limit = min(limit, max(mood.Limit, 0))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.age(now)
	if s.deleted {
		return shard.Chunk{}, s.missing()
	}
	d := s.find(r.start.Shard)
	if d == nil {
		return shard.Chunk{}, fmt.Errorf("read %s: %w", r.start.Shard, shard.ErrNoShard)
	}
	if r.place < 0 {
		r.place = d.behind(r.after)
	}
	chunk := shard.Chunk{Now: now}
	if r.place < d.trimmed && d.trimmed == len(d.records) && d.Open() {
		return chunk, nil // what was lost is told with the next record
	}
	if r.place < d.trimmed {
		chunk.Loss = d.lost(r.after, r.place)
		r.place = d.trimmed
	}
	for size := 0; r.place < len(d.records) && len(chunk.Records) < limit; r.place++ {
		next := d.records[r.place]
		if size += len(next.Data); size > maxChunk && len(chunk.Records) > 0 {
			break
		}
		chunk.Records = append(chunk.Records, next)
		r.after = next.Position()
	}
	if r.place < len(d.records) {
		chunk.Behind = max(now.Sub(d.records[r.place].ArrivedAt), time.Millisecond)
		return chunk, nil
	}
	if !d.Open() {
		chunk.Ended = true
		for _, child := range d.children {
			chunk.Children = append(chunk.Children, child.told())
		}
	}
	return chunk, nil
}

// behind is the index of the first record behind a position.
func (d *track) behind(p shard.Position) int {
	switch {
	case p.IsTrimHorizon():
		return d.trimmed
	case p.IsLatest() && p.At.IsZero(), p.IsEnd():
		return len(d.records)
	case p.IsLatest(), p.IsAtTime():
		i := slices.IndexFunc(d.records, func(r shard.Record) bool { return !r.ArrivedAt.Before(p.At) })
		if i < 0 {
			i = len(d.records)
		}
		return max(i, d.trimmed)
	}
	// An aggregate may have user records behind p in it. Which, is for the reader's
	// user to find.
	i := slices.IndexFunc(d.records, func(r shard.Record) bool {
		order := shard.CompareSequences(r.Sequence, p.Sequence)
		return order > 0 || order == 0 && (p.Sub > 0 || bytes.HasPrefix(r.Data, aggregateMagic))
	})
	if i < 0 {
		return len(d.records)
	}
	return i
}

// lost is the window from a position to the first record that can be read, of
// which the one at place was trimmed unread.
func (d *track) lost(after shard.Position, place int) *shard.Loss {
	loss := &shard.Loss{Shard: d.ID, After: after, Until: shard.End()}
	if place > 0 {
		loss.LastArrival = d.records[place-1].ArrivedAt
	}
	if d.trimmed < len(d.records) {
		first := d.records[d.trimmed]
		loss.Until, loss.FirstArrival = first.Position(), first.ArrivedAt
	}
	return loss
}
