package consumer

import (
	"context"
	"sync"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// keepRenewed renews the lease of a go at a shard for as long as that lasts, if
// leases are renewed each by itself. The end that it returns stops it and waits.
func (t *tenure) keepRenewed(k *keeper) (end func()) {
	if !t.right.each {
		return func() {}
	}
	ctx, cancel := context.WithCancel(t.life)
	var renewing sync.WaitGroup
	renewing.Go(func() { // ends with end, or when the lease is not believed any more
		t.renewEvery(ctx, k)
	})
	return func() {
		cancel()
		renewing.Wait()
	}
}

// renewEvery has the keeper write when nothing else has been written for as long
// as may be. Any save that is answered counts.
func (t *tenure) renewEvery(ctx context.Context, k *keeper) {
	again := t.worker.timing.beat / 4 // while a write is under way, or has failed
	for {
		wait := t.right.due()
		if wait <= 0 {
			k.renew()
			wait = again
		}
		if clock.Sleep(ctx, min(wait, max(t.right.left(), 0))) != nil {
			return
		}
		if t.right.ranOut() {
			// Nobody has been seen to take it, but somebody may by now.
			t.worker.log.Warn("lease was not renewed in time, dropping the shard", "shard", t.row.Shard)
			t.lose(ErrLeaseLost)
			return
		}
	}
}

// renew starts a write that moves nothing but the counter, if no write is under
// way.
func (k *keeper) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saving || k.over {
		return
	}
	k.saving = true
	held := k.held
	k.saves.Go(func() { // ends with the work context at the latest; awaited by rest
		res, err := k.writer.renew(k.work, held)
		if k.renewed(res, err) {
			k.worker.fleet.rowGone(held.Key)
		}
	})
}

// renewed takes the answer of a renewal and wakes every loop. Gone tells that
// somebody has deleted the row.
func (k *keeper) renewed(res result, err error) (gone bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saving = false
	defer k.wakeAll()
	switch {
	case err != nil: // the work context has ended
	case res.verdict == checkpoint.Lost && res.gone:
		return true
	case res.verdict == checkpoint.Lost:
		k.over, k.out = true, outcomeLost
	case res.verdict == checkpoint.Restart || checkpoint.Further(res.row, k.merged(nil)):
		k.over, k.out, k.held = true, outcomeRestart, res.row
	default:
		k.held = res.row
	}
	return false
}

// wakeAll tells every loop that there is news. The caller holds mu.
func (k *keeper) wakeAll() {
	for _, s := range k.seats {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// renew moves the counter of a lease and nothing else.
func (w *rowWriter) renew(ctx context.Context, held shard.Lease) (result, error) {
	return w.write(ctx, "renew", held, w.counted(func(ctx context.Context) (shard.Lease, error) {
		return w.table.(checkpoint.Renewer).Renew(ctx, held, w.me) // validated
	}))
}

// advance adds one to the counter and leaves the position as it is.
func (w *rowWriter) advance(ctx context.Context, held shard.Lease) (result, error) {
	if _, ok := w.table.(checkpoint.Renewer); ok {
		return w.renew(ctx, held)
	}
	return w.save(ctx, held, asBefore(held))
}

// counted is a write that renews the lease when it is answered.
func (w *rowWriter) counted(f func(context.Context) (shard.Lease, error)) func(context.Context) (shard.Lease, error) {
	return func(ctx context.Context) (shard.Lease, error) {
		sentAt := w.right.worker.clock.Elapsed()
		row, err := f(ctx)
		if err == nil {
			w.right.renewed(sentAt)
		}
		return row, err
	}
}
