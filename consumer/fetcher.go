package consumer

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/towpath/towpath/shard"
)

// fetched is a chunk with the bytes that the budget holds for it.
type fetched struct {
	shard.Chunk
	held int64
	gone bool // the rest of the shard was trimmed unread

	// Where several handlers read: what they share, at which place in it Records
	// begin, and how far the shard has been read behind this chunk.
	share *share
	base  int
	until place
}

// fetcher reads a shard, with memory reserved before each read; run does so one
// chunk ahead of a loop.
type fetcher struct {
	worker   *worker
	shard    string
	handler  string // whose it is, where several read and one does so by itself
	reader   shard.Reader
	chunks   chan<- fetched
	statuses []*shardStatus
	breaker  *breaker                    // of the only handler that it reads for; nil: of several
	turn     func(context.Context) error // waits for its turn; nil: it reads alone
}

// run reads until ctx ends or the shard does, and closes the reader.
func (f *fetcher) run(ctx context.Context) {
	defer f.close()
	// It waits here and not further in: what an idle shard costs is above all the
	// stack that it waits with.
	for f.ready(ctx) && f.pass(ctx) {
	}
}

// pass reads once and hands over what that brings. It reports whether to go on.
func (f *fetcher) pass(ctx context.Context) bool {
	c, came, goOn := f.once(ctx)
	if !came {
		return goOn
	}
	select {
	case f.chunks <- c:
		return !c.Ended
	case <-ctx.Done():
		f.worker.budget.release(c.held)
		return false
	}
}

// close lets go of what the reader keeps open. Nothing is lost if that fails: it
// has read what it has read.
func (f *fetcher) close() {
	if err := closeReader(f.reader); err != nil {
		f.worker.log.Debug("close the reader", "shard", f.shard, "error", err)
	}
}

func closeReader(r shard.Reader) error {
	if c, ok := r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// read brings the next chunk; not ok is that there will be none. A failed read is
// reported and repeated; the reader waits as long as it should between two.
func (f *fetcher) read(ctx context.Context) (c fetched, ok bool) {
	for f.ready(ctx) {
		if c, came, goOn := f.once(ctx); came || !goOn {
			return c, came
		}
	}
	return fetched{}, false
}

// ready waits until the next read is due and may be made; false is that there
// will be none.
func (f *fetcher) ready(ctx context.Context) bool {
	return f.reader.Ready(ctx) == nil && f.mayRead(ctx) == nil
}

// once reads once. If no chunk came of it, goOn says whether to try again.
func (f *fetcher) once(ctx context.Context) (c fetched, came, goOn bool) {
	c, err := f.next(ctx)
	switch {
	case ctx.Err() != nil:
		f.worker.budget.release(c.held)
		return fetched{}, false, false
	case errors.Is(err, shard.ErrNoShard):
		c = fetched{Chunk: shard.Chunk{Ended: true}, gone: true}
	case errors.Is(err, shard.ErrNoStream) && f.worker.streamGone(ctx, f.shard, err):
		return fetched{}, false, false
	case err != nil:
		for _, status := range f.statuses {
			status.readFailed(err)
		}
		fire(f.worker.cfg.Hooks.ReadFailed, ReadFailedEvent{Worker: f.worker.session.id, Shard: f.shard, Handler: f.handler, Err: err})
		f.worker.log.Debug("read failed", "shard", f.shard, "error", err)
		return fetched{}, false, true
	}
	if c.Loss != nil && !f.worker.reportLoss(*c.Loss, f.handler) {
		f.worker.budget.release(c.held)
		return fetched{}, false, false
	}
	return c, true, true
}

// mayRead waits until nobody wants the shard left alone, what lies behind the
// handler is believed to be up, and it is this reader's turn.
func (f *fetcher) mayRead(ctx context.Context) error {
	if err := f.worker.pace.open(ctx, f.shard); err != nil {
		return err
	}
	if f.breaker != nil {
		if err := f.breaker.ready(ctx); err != nil {
			return err
		}
	}
	if f.turn != nil {
		return f.turn(ctx)
	}
	return nil
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
	asked, began := f.worker.serviceNow(), time.Now()
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
			Worker: f.worker.session.id, Shard: f.shard, Handler: f.handler, Records: len(c.Records), Bytes: bytes, Payload: payloadOf(c.Records),
			Skipped: c.Skipped, Behind: c.Behind, Took: time.Since(began), Ended: c.Ended,
		})
	}
	if c.Aggregates != (shard.Aggregates{}) {
		f.oddAggregates(&c)
	}
	return fetched{Chunk: c, held: held}, nil
}

// oddAggregates tells of aggregated records that are not as they should be.
func (f *fetcher) oddAggregates(c *shard.Chunk) {
	event := OddAggregatesEvent{Worker: f.worker.session.id, Shard: f.shard, Handler: f.handler, Aggregates: c.Aggregates}
	if n := len(c.Records); n > 0 {
		event.First, event.Last = c.Records[0].Position(), c.Records[n-1].Position()
	}
	for _, status := range f.statuses {
		status.oddAggregates(c.Aggregates)
	}
	fire(f.worker.cfg.Hooks.OddAggregates, event)
}
