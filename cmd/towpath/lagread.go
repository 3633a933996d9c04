package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
)

// pageReads is how often a position is read before it is told how far behind the
// tip it is: the service may answer without records where there are some.
const pageReads = 8

// readOn reads once, and again while the service is throttling.
func readOn(ctx context.Context, r shard.Reader) (shard.Chunk, error) {
	for range pageReads {
		if err := r.Ready(ctx); err != nil {
			return shard.Chunk{}, err
		}
		chunk, err := r.Next(ctx)
		if !errors.Is(err, shard.ErrThrottled) {
			return chunk, err
		}
	}
	return shard.Chunk{}, fmt.Errorf("read: %w", shard.ErrThrottled)
}

// add counts the records of a chunk up to a position; more is false behind it.
func (p *page) add(chunk *shard.Chunk, to shard.Position) (more bool) {
	for i := range chunk.Records {
		r := &chunk.Records[i]
		if !to.IsTrimHorizon() && r.Position().Compare(to) > 0 {
			return false
		}
		if p.First.IsZero() {
			p.First = r.ArrivedAt
		}
		p.Last = r.ArrivedAt
		p.Records, p.Bytes = p.Records+1, p.Bytes+int64(len(r.Data)+len(r.PartitionKey))
	}
	p.Rest, p.Whole = chunk.Behind, chunk.Ended || chunk.Behind == 0
	return !p.Whole
}

// pageBehind reads what lies behind a position: until something came, the tip is
// reached or it was tried often enough.
func pageBehind(ctx context.Context, source shard.Source, start shard.Start) (page, error) {
	var p page
	r := source.Open(start)
	defer closeReader(r)
	for range pageReads {
		chunk, err := readOn(ctx, r)
		if err != nil {
			return p, err
		}
		if p.add(&chunk, shard.Position{}); p.Records > 0 || p.Whole {
			return p, nil
		}
	}
	return p, nil
}

// countBetween reads from a position up to another one, or to the tip where that
// is the zero Position, and most records at most. It is Whole if it got there.
func countBetween(ctx context.Context, source shard.Source, start shard.Start, to shard.Position, most int64) (page, error) {
	var p page
	r := source.Open(start)
	defer closeReader(r)
	for p.Records < most {
		chunk, err := readOn(ctx, r)
		if err != nil {
			return p, err
		}
		if !p.add(&chunk, to) {
			p.Whole = true
			return p, nil
		}
	}
	p.Whole = false
	return p, nil
}

// arrivals counts what comes to the tip of a shard in some time.
func arrivals(ctx context.Context, source shard.Source, start shard.Start, d time.Duration) (rate, error) {
	start.After, start.ReadUpTo, start.LastArrival = shard.Latest(), time.Time{}, time.Time{}
	r := source.Open(start)
	defer closeReader(r)
	chunk, err := readOn(ctx, r) // from here on
	if err != nil {
		return rate{}, err
	}
	began, p := time.Now(), page{}
	for !chunk.Ended {
		waiting, cancel := context.WithDeadline(ctx, began.Add(d))
		err := r.Ready(waiting)
		cancel()
		if err != nil && ctx.Err() != nil {
			return rate{}, context.Cause(ctx)
		}
		late := time.Since(began) >= d
		next, err := r.Next(ctx)
		switch {
		case errors.Is(err, shard.ErrThrottled):
			if late {
				return rate{}, nil
			}
			continue
		case err != nil:
			return rate{}, err
		}
		chunk = next
		if p.add(&chunk, shard.Position{}); late && (p.Whole || len(chunk.Records) == 0) {
			break
		}
	}
	if chunk.Ended {
		return rate{Known: true}, nil // nothing comes any more
	}
	return rateOf(p.amount, time.Since(began)), nil
}

func closeReader(r shard.Reader) {
	if c, ok := r.(interface{ Close() error }); ok {
		_ = c.Close() // only fan-out holds something, and it is over
	}
}

// watch notes which positions are written in some time, looking every second, and
// how long it has looked.
func watch(ctx context.Context, tables overview.Tables, first *overview.Fleet, d time.Duration) (map[string][]move, time.Duration, error) {
	began := time.Now()
	moves, at := map[string][]move{}, map[string]shard.Position{}
	for _, s := range first.Shards {
		if p, ok := s.At(); ok {
			at[s.Key] = p
		}
	}
	for {
		left := d - time.Since(began)
		if left <= 0 {
			return moves, time.Since(began), nil
		}
		if err := pause(ctx, min(time.Second, left)); err != nil {
			return nil, 0, err
		}
		rows, err := tables.List(ctx)
		if err != nil {
			return nil, 0, err
		}
		for _, row := range rows {
			was, ok := at[row.Key]
			if ok && row.Fault == nil && row.Checkpoint != was {
				moves[row.Key] = append(moves[row.Key], move{At: time.Now(), From: was, To: row.Checkpoint})
			}
			if row.Fault == nil {
				at[row.Key] = row.Checkpoint
			}
		}
	}
}

// written is how often a position is written of a shard that gets on, by default.
const written = 10 * time.Second

// measuring says how much is asked of the stream.
type measuring struct {
	source shard.Source
	stream shard.Stream
	d      time.Duration // how long is looked on
	count  bool
	most   int64
}

// measure finds out how far behind each shard is, all at once: what comes, while
// it looks which positions are written; then what was handled, and what is left.
func (m measuring) measure(ctx context.Context, tables overview.Tables, f *overview.Fleet, shards []overview.Shard) ([]lagging, error) {
	all := make([]lagging, len(shards))
	var moves map[string][]move
	var looked time.Duration
	looking, run := errgroup.WithContext(ctx)
	if m.d > 0 {
		looking.Go(func() (err error) {
			moves, looked, err = watch(run, tables, f, m.d)
			return err
		})
	}
	for i, s := range shards {
		all[i] = laggingOf(s)
		if m.d > 0 {
			looking.Go(func() (err error) {
				if !s.Open {
					all[i].arrival = rate{Known: true}
					return nil
				}
				all[i].arrival, err = arrivals(run, m.source, s.Start(m.stream), m.d)
				return err
			})
		}
	}
	if err := looking.Wait(); err != nil {
		return nil, fmt.Errorf("look at the tips: %w", err)
	}
	reading, run := errgroup.WithContext(ctx)
	for i, s := range shards {
		reading.Go(func() error { return m.finish(run, &all[i], s, moves[s.Key], looked) })
	}
	if err := reading.Wait(); err != nil {
		return nil, fmt.Errorf("read behind the positions: %w", err)
	}
	return all, nil
}

// finish finds out what was handled of one shard, and what is left.
func (m measuring) finish(ctx context.Context, l *lagging, s overview.Shard, moves []move, looked time.Duration) error {
	start := s.Start(m.stream)
	if m.d > 0 {
		from, to, in := stretch(moves, looked)
		switch {
		case len(moves) == 0:
			// Nobody writes what nobody holds; whoever does writes it every ten seconds.
			l.handling = rate{Known: s.Holder() == "" || looked >= written}
		default:
			start.After = from
			p, err := countBetween(ctx, m.source, start, to, m.most)
			if err != nil {
				return err
			}
			l.handling = rateOf(p.amount, in)
			l.handling.Known = l.handling.Known && p.Whole
		}
		if len(moves) > 0 {
			start.After = moves[len(moves)-1].To
			l.Position = start.After.String()
		}
	}
	if start.After.IsEnd() {
		l.settle(page{Whole: true}, amount{}, byCount)
		return nil
	}
	if m.count {
		p, err := countBetween(ctx, m.source, start, shard.Position{}, m.most)
		if err != nil {
			return err
		}
		how := byCount
		if !p.Whole {
			how = atLeast
		}
		l.settle(p, p.amount, how)
		return nil
	}
	p, err := pageBehind(ctx, m.source, start)
	if err != nil {
		return err
	}
	left, how := backlogOf(p, l.arrival)
	l.settle(p, left, how)
	return nil
}
