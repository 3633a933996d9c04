package dynamoshards_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// reading is what was read of a shard.
type reading struct {
	records []shard.Record
	losses  []shard.Loss
	last    shard.Chunk
	errs    []error
}

// read reads until n records have come, or the shard has ended if n is below
// zero. Errors are noted, and read over.
func read(t *testing.T, r shard.Reader, n int) *reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out := &reading{}
	for !out.last.Ended && (n < 0 || len(out.records) < n) {
		out.step(ctx, t, r)
	}
	return out
}

func (o *reading) step(ctx context.Context, t *testing.T, r shard.Reader) {
	t.Helper()
	if err := r.Ready(ctx); err != nil {
		t.Fatalf("%v, with %d records read; errors: %v", err, len(o.records), errors.Join(o.errs...))
	}
	chunk, err := r.Next(ctx)
	if err != nil {
		o.errs = append(o.errs, err)
		return
	}
	o.records, o.last = append(o.records, chunk.Records...), chunk
	if chunk.Loss != nil {
		o.losses = append(o.losses, *chunk.Loss)
	}
}
