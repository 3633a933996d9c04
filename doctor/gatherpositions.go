package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/shard"
)

const (
	// mostReads is how many shards are read, those first whose rows are oldest, and
	// atOnce how many at a time.
	mostReads = 256
	atOnce    = 8
	// sampled is how much of the past a sample is of.
	sampled = time.Minute
)

// positions reads a record behind each position that somebody could go on from.
func (g *gathering) positions(ctx context.Context) {
	listed := map[string]shard.Shard{}
	for _, s := range g.Shards {
		listed[s.ID] = s
	}
	lineage := shard.NewLineage(g.Shards, g.Second.Rows)
	var rows []shard.Lease
	for _, row := range g.Second.Rows {
		pinned := !row.Checkpoint.IsLatest() && !row.Checkpoint.IsAtTime() || !row.Checkpoint.At.IsZero()
		if _, there := listed[row.Shard]; there && pinned && lineage.Runnable(row.Shard) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b shard.Lease) int { return cmp.Compare(read(a).Unix(), read(b).Unix()) })
	if len(rows) > mostReads {
		g.unanswered(fmt.Sprintf("how far %d shards are behind", len(rows)-mostReads), fmt.Errorf("only the %d oldest positions are looked at", mostReads))
		rows = rows[:mostReads]
	}
	lags := make([]Lag, len(rows))
	failed := each(ctx, len(rows), func(ctx context.Context, i int) error {
		chunk, err := g.next(ctx, shard.Start{
			Stream: g.Stream, Shard: rows[i].Shard, Hashes: listed[rows[i].Shard].Hashes, After: rows[i].Checkpoint,
			LastArrival: rows[i].LastArrival, ReadUpTo: rows[i].ReadUpTo,
		})
		lags[i] = Lag{Shard: rows[i].Shard, Behind: chunk.Behind, Loss: chunk.Loss}
		return err
	})
	for i, err := range failed {
		if err == nil {
			g.Lags = append(g.Lags, lags[i])
		}
	}
	g.first("how far shards are behind", failed)
}

// read is until when a row says that its shard was read.
func read(row shard.Lease) time.Time {
	if row.ReadUpTo.After(row.LastArrival) {
		return row.ReadUpTo
	}
	return row.LastArrival
}

// next reads once behind a position. A stream of DynamoDB does not tell how far it
// is to the tip before it has given a record, or none several times.
func (g *gathering) next(ctx context.Context, start shard.Start) (shard.Chunk, error) {
	reader := g.Source.Open(start)
	for tries := 0; ; tries++ {
		if err := reader.Ready(ctx); err != nil {
			return shard.Chunk{}, err
		}
		chunk, err := reader.Next(ctx)
		if errors.Is(err, shard.ErrThrottled) && tries < 3 {
			continue // others read the shard, too; Ready waits
		}
		if err != nil || g.Config.Kinesis != nil || len(chunk.Records) > 0 || chunk.Behind == 0 || chunk.Ended || tries == 3 {
			return chunk, err
		}
	}
}

// sample reads what came into each open shard lately.
func (g *gathering) sample(ctx context.Context) {
	if g.Sample == nil {
		return
	}
	var open []shard.Shard
	for _, s := range g.Shards {
		if s.Open() && len(open) < mostReads {
			open = append(open, s)
		}
	}
	arrivals := make([]Arrival, len(open))
	failed := each(ctx, len(open), func(ctx context.Context, i int) error {
		reader := g.Sample.Open(shard.Start{Stream: g.Stream, Shard: open[i].ID, Hashes: open[i].Hashes, After: shard.AtTime(g.now().Add(-sampled))})
		if err := reader.Ready(ctx); err != nil {
			return err
		}
		chunk, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		// What one answer did not bring to the tip is a part of the minute.
		seconds := max(sampled-chunk.Behind, time.Second).Seconds()
		records, bytes := arrived(chunk)
		arrivals[i] = Arrival{Shard: open[i].ID, Records: float64(records) / seconds, Bytes: float64(bytes) / seconds}
		return nil
	})
	for i, err := range failed {
		if err == nil {
			g.Arrivals = append(g.Arrivals, arrivals[i])
		}
	}
	g.first("what came into shards", failed)
}

// arrived is how many records a chunk has and how large they are, as the limits of
// a shard count them: payloads with their keys, and an aggregate as one record.
func arrived(chunk shard.Chunk) (records, bytes int) {
	last := ""
	for i := range chunk.Records {
		r := &chunk.Records[i]
		bytes += len(r.Data) + len(r.PartitionKey)
		if r.Sequence != last {
			records++
			last = r.Sequence
		}
	}
	return records, bytes
}

// each does something for each of n, a few at once, and gives the error of each.
func each(ctx context.Context, n int, do func(context.Context, int) error) []error {
	failed := make([]error, n)
	var mu sync.Mutex // guards failed
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error {
			err := do(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			failed[i] = err
			return nil
		})
	}
	_ = group.Wait()
	return failed
}

// first notes the first of many errors, and how many there are.
func (g *gathering) first(what string, failed []error) {
	n := 0
	var one error
	for _, err := range failed {
		if err != nil {
			n++
			one = cmp.Or(one, err)
		}
	}
	if n > 0 {
		g.unanswered(fmt.Sprintf("%s (%d of %d)", what, n, len(failed)), one)
	}
}
