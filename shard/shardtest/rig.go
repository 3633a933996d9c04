package shardtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/shard"
)

// Rig is a stream of two open shards, adjacent if shards can merge, without
// records, and what a test does to it. What cannot be done to it is nil; the subtests that need it end at
// once.
type Rig struct {
	// Source reads the stream.
	Source shard.Source
	// Put adds a record to an open shard. It returns when the record can be read.
	Put func(t *testing.T, shardID, key string, data []byte)
	// Split splits a shard and Merge merges two. They return when it is done.
	Split func(t *testing.T, shardID string)
	Merge func(t *testing.T, shardID, adjacent string)

	// Missing is a source of a stream that does not exist.
	Missing shard.Source
	// Fail makes the next n reads of records fail, each in a way that the source
	// does not repeat by itself.
	Fail func(t *testing.T, n int)
	// Trim makes the n oldest records of a shard unreadable.
	Trim func(t *testing.T, shardID string, n int)
	// PutUnkeyed adds a record without a partition key.
	PutUnkeyed func(t *testing.T, shardID string, data []byte)
	// Shards is how many open shards the stream has. The default is 2; with 1,
	// what needs another is left out.
	Shards int
	// Children is how many shards come of a Split. The default is 2.
	Children int
	// Unranged is set if the shards have no ranges of hashes.
	Unranged bool
	// Unwrap is what was put, of a record that carries it inside something else.
	// The default is the record's key and data.
	Unwrap func(r shard.Record) (key string, data []byte)
	// Rounding is what times of arrival are cut to. The default is exact ones.
	Rounding time.Duration
	// Largest is the size of the largest record that is tried, in bytes. The
	// default is 1 MiB.
	Largest int
}

// RunSource checks that a source keeps the promises of shard.Source, on the real
// clock. open makes a new rig for each subtest.
func RunSource(t *testing.T, open func(t *testing.T) Rig) {
	t.Helper()
	for _, c := range sourceCases {
		t.Run(c.name, func(t *testing.T) { c.check(t, newBench(t, open, false)) })
	}
}

// RunSourceInBubble is RunSource with each subtest in a testing/synctest bubble:
// for sources that open no sockets.
func RunSourceInBubble(t *testing.T, open func(t *testing.T) Rig) {
	t.Helper()
	for _, c := range sourceCases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.check(t, newBench(t, open, true)) })
		})
	}
}

// patience is how long a subtest waits for what has to come. Servers that stand
// in for the real service can be slow.
const patience = 2 * time.Minute

// bench is a rig with its stream described and listed.
type bench struct {
	Rig
	ctx     context.Context
	stream  shard.Stream
	shards  []shard.Shard
	virtual bool // in a bubble, where waiting costs nothing
}

func newBench(t *testing.T, open func(t *testing.T) Rig, virtual bool) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bench{Rig: open(t), ctx: ctx, virtual: virtual}
	if b.Largest == 0 {
		b.Largest = 1 << 20
	}
	if b.Shards == 0 {
		b.Shards = 2
	}
	if b.Children == 0 {
		b.Children = 2
	}
	if b.Unwrap == nil {
		b.Unwrap = func(r shard.Record) (string, []byte) { return r.PartitionKey, r.Data }
	}
	var err error
	if b.stream, err = b.Source.Describe(ctx); err != nil {
		t.Fatal(err)
	}
	b.shards = b.list(t)
	if len(b.shards) != b.Shards {
		t.Fatalf("the rig's stream has %d shards, want %d", len(b.shards), b.Shards)
	}
	return b
}

func (b *bench) list(t *testing.T) []shard.Shard {
	t.Helper()
	shards, err := b.Source.List(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return shards
}

// put adds records named prefix0 to prefix(n-1) to a shard.
func (b *bench) put(t *testing.T, shardID, prefix string, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		name := fmt.Sprint(prefix, i)
		b.Put(t, shardID, "key-"+name, []byte(name))
		names = append(names, name)
	}
	return names
}

func (b *bench) open(t *testing.T, shardID string, after shard.Position) *tail {
	t.Helper()
	return b.begin(t, shard.Start{Stream: b.stream, Shard: shardID, After: after})
}

// begin opens a reader that is closed at the end of the subtest.
func (b *bench) begin(t *testing.T, start shard.Start) *tail {
	t.Helper()
	r := b.Source.Open(start)
	if c, ok := r.(io.Closer); ok {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("close a reader of %s: %v", start.Shard, err)
			}
		})
	}
	return &tail{bench: b, Reader: r, shardID: start.Shard}
}

// tail is a reader with everything it has read.
type tail struct {
	shard.Reader
	bench   *bench
	shardID string
	records []shard.Record
	loss    []shard.Loss
	ended   *shard.Chunk
}

// step reads once, and checks what holds for every chunk.
func (r *tail) step(t *testing.T) error {
	t.Helper()
	if err := r.Ready(r.bench.ctx); err != nil {
		t.Fatalf("ready: %v, with %d records read", err, len(r.records))
	}
	chunk, err := r.Next(r.bench.ctx)
	if err != nil {
		return err
	}
	if got, most := chunk.Bytes(), r.MaxBytes(); got > most {
		t.Errorf("a chunk has %d bytes, MaxBytes is %d", got, most)
	}
	if chunk.Skipped != 0 {
		t.Errorf("a chunk has %d records skipped", chunk.Skipped)
	}
	for i := range chunk.Records {
		r.check(t, &chunk.Records[i])
		r.records = append(r.records, chunk.Records[i])
	}
	if chunk.Loss != nil {
		r.loss = append(r.loss, *chunk.Loss)
	}
	if chunk.Ended {
		r.ended = &chunk
	}
	return nil
}

// check checks what holds for every record.
func (r *tail) check(t *testing.T, record *shard.Record) {
	t.Helper()
	if record.Shard != r.shardID || record.Stream != r.bench.stream.ARN {
		t.Errorf("a record says it is of %s of %q, want %s of %q", record.Shard, record.Stream, r.shardID, r.bench.stream.ARN)
	}
	if err := record.Position().Validate(); err != nil || !record.Position().IsRecord() {
		t.Errorf("position %s of a record: %v", record.Position(), err)
	}
	if record.ArrivedAt.IsZero() {
		t.Errorf("record %s has no time of arrival", record.Sequence)
	}
	if n := len(r.records); n > 0 && record.Position().Compare(r.records[n-1].Position()) <= 0 {
		t.Errorf("record %s comes after %s", record.Sequence, r.records[n-1].Sequence)
	}
}

// until reads until n records have come in all, or the shard has ended if n is
// below zero. It fails on errors, but not on throttling: the subtests have
// several readers on one shard.
func (r *tail) until(t *testing.T, n int) *tail {
	t.Helper()
	for r.ended == nil && (n < 0 || len(r.records) < n) {
		if err := r.step(t); err != nil && !errors.Is(err, shard.ErrThrottled) {
			t.Fatalf("%v, with %d records read", err, len(r.records))
		}
	}
	return r
}

// more reads a few more times, so that what should not come has time to.
func (r *tail) more(t *testing.T, times int) *tail {
	t.Helper()
	for range times {
		if r.ended != nil {
			return r
		}
		if err := r.step(t); err != nil && !errors.Is(err, shard.ErrThrottled) {
			t.Fatal(err)
		}
	}
	return r
}

// data is the payload of everything read.
func (r *tail) data() []string {
	var all []string
	for _, record := range r.records {
		_, data := r.bench.Unwrap(record)
		all = append(all, string(data))
	}
	return all
}

// has checks that exactly these payloads were read, in this order.
func (r *tail) has(t *testing.T, want ...string) {
	t.Helper()
	if got := r.data(); !slices.Equal(got, want) {
		t.Errorf("read %.20q (%d records), want %.20q (%d records)", got, len(got), want, len(want))
	}
}

// wants checks an error.
func wants(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}
