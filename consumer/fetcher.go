package consumer

import (
	"context"
	"errors"

	"github.com/towpath/towpath/shard"
)

// fetched is a chunk with the bytes that the budget holds for it.
type fetched struct {
	shard.Chunk
	held int64
	gone bool // the rest of the shard was trimmed unread
}

// fetcher reads a shard one chunk ahead of its loop, and stops at its end.
type fetcher struct {
	worker *worker
	shard  string
	reader shard.Reader
	chunks chan<- fetched
	status *shardStatus
}

// run reads until ctx ends or the shard does. A failed read is reported and
// repeated; the reader waits as long as it should between two.
func (f *fetcher) run(ctx context.Context) {
	for {
		if f.reader.Ready(ctx) != nil || f.worker.pace.open(ctx, f.shard) != nil || f.worker.breaker.ready(ctx) != nil {
			return
		}
		c, err := f.next(ctx)
		switch {
		case ctx.Err() != nil:
			f.worker.budget.release(c.held)
			return
		case errors.Is(err, shard.ErrNoShard):
			c = fetched{Chunk: shard.Chunk{Ended: true}, gone: true}
		case errors.Is(err, shard.ErrNoStream):
			f.worker.streamGone(ctx, err)
			return
		case err != nil:
			f.status.readFailed(err)
			fire(f.worker.cfg.Hooks.ReadFailed, ReadFailedEvent{Worker: f.worker.session.id, Shard: f.shard, Err: err})
			f.worker.log.Debug("read failed", "shard", f.shard, "error", err)
			continue
		}
		if c.Loss != nil && !f.worker.reportLoss(*c.Loss) {
			f.worker.budget.release(c.held)
			return
		}
		select {
		case f.chunks <- c:
		case <-ctx.Done():
			f.worker.budget.release(c.held)
			return
		}
		if c.Ended {
			return
		}
	}
}

// next reserves the memory that a read can need, reads, and gives back what it
// did not.
func (f *fetcher) next(ctx context.Context) (fetched, error) {
	reserved := f.reader.MaxBytes()
	waited, err := f.worker.budget.reserve(ctx, reserved)
	if waited {
		fire(f.worker.cfg.Hooks.MemoryPressure, PressureEvent{
			Worker: f.worker.session.id, Shard: f.shard, Held: f.worker.budget.inUse(), Budget: f.worker.cfg.MemoryBudget,
		})
	}
	if err != nil {
		return fetched{}, err
	}
	asked := f.worker.serviceNow()
	c, err := f.reader.Next(ctx)
	if err != nil {
		f.worker.budget.settle(reserved, 0)
		return fetched{}, err
	}
	f.worker.serviceSaid(c.Now)
	if c.Now.IsZero() {
		c.Now = asked
	}
	bytes := c.Bytes()
	held := f.worker.budget.settle(reserved, bytes)
	if len(c.Records) > 0 || c.Ended {
		fire(f.worker.cfg.Hooks.Read, ReadEvent{
			Worker: f.worker.session.id, Shard: f.shard, Records: len(c.Records), Bytes: bytes, Skipped: c.Skipped, Behind: c.Behind, Ended: c.Ended,
		})
	}
	return fetched{Chunk: c, held: held}, nil
}
