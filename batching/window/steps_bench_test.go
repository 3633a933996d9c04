package window_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// counting is an Aggregate that counts records by key in windows of ten seconds of
// their arrival; its codecs do next to nothing.
func counting(b *testing.B) *window.Aggregate[[]byte, int] {
	b.Helper()
	a, err := window.New(window.Spec[[]byte, int]{
		Size:  10 * time.Second,
		Codec: bytesAsTheyAre{},
		Add:   func(_ context.Context, n *int, _ *shard.Record, _ []byte) error { *n++; return nil },
		Merge: func(into *int, from int) error { *into += from; return nil },
		Close: func(context.Context, *window.Closed[int]) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// bytesAsTheyAre is the codec of a payload that is looked at as it is.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Name() string                    { return "bytes" }
func (bytesAsTheyAre) Encode(v any) ([]byte, error)    { return v.([]byte), nil }
func (bytesAsTheyAre) Decode(data []byte, v any) error { *v.(*[]byte) = data; return nil }

// keyed are records of as many keys, which have arrived at once.
func keyed(n int) *batching.Batch {
	records := make([]shard.Record, n)
	for i := range records {
		records[i] = record("key-"+strconv.Itoa(i), 0, 1)
	}
	return batchOf(records...)
}

func handled(b *testing.B, a *window.Aggregate[[]byte, int], batch *batching.Batch) {
	batch.Call = nil
	if err := a.Handle(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAggregate counts a hundred records of as many keys in windows that are
// open.
func BenchmarkAggregate(b *testing.B) {
	a, batch := counting(b), keyed(100)
	b.ReportAllocs()
	for b.Loop() {
		handled(b, a, batch)
	}
}

// BenchmarkAggregateGivesOut counts a hundred records of as many keys, each of
// which ends a window and begins another.
func BenchmarkAggregateGivesOut(b *testing.B) {
	a, batch := counting(b), keyed(100)
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch.Records {
			batch.Records[i].ArrivedAt = batch.Records[i].ArrivedAt.Add(10 * time.Second)
		}
		handled(b, a, batch)
	}
}

// BenchmarkState is what a checkpoint writes of a thousand open windows.
func BenchmarkState(b *testing.B) {
	a := counting(b)
	handled(b, a, keyed(1000))
	b.ReportAllocs()
	for b.Loop() {
		if state, err := a.State("shard-0"); err != nil || len(state) == 0 {
			b.Fatal(len(state), err)
		}
	}
}

// BenchmarkCut looks for the end of a tumbling window among ten thousand records,
// of which all belong to it.
func BenchmarkCut(b *testing.B) {
	records := keyed(10_000).Records
	b.ReportAllocs()
	for b.Loop() {
		if n := window.Cut(records, 10*time.Second); n != len(records) {
			b.Fatal(n)
		}
	}
}
