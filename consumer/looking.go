package consumer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// rows reads the table, and the listing of the stream if the table names shards
// that it lacks.
func (f *fleet) rows(ctx context.Context) ([]shard.Lease, error) {
	// The table after the listing: see shard.NewLineage.
	if f.listed == nil {
		if err := f.list(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := f.listRows(ctx)
	if err != nil {
		return nil, err
	}
	if rows = f.ours(rows); !f.covers(rows) || len(f.adrift(rows)) > 0 {
		if err := f.list(ctx); err != nil {
			return nil, err
		}
		if rows, err = f.listRows(ctx); err != nil {
			return nil, err
		}
		rows = f.placed(f.certain(f.ours(rows)))
		f.forget(rows)
	}
	f.tellStreams()
	for _, row := range rows {
		if row.Fault != nil && !f.quarantine[row.Key] {
			f.quarantine[row.Key] = true
			f.log.Error("lease row cannot be believed and is left alone", "row", row.Key, "error", row.Fault)
			fire(f.cfg.Hooks.RowQuarantined, RowEvent{Worker: f.session.id, Row: row})
		}
	}
	return rows, nil
}

// covers reports whether the listing is younger than every shard that rows name.
// A child's row may stand before that of its other parent, which a listing from
// before the merge lacks just as one does from after the parent's expiry: the
// one is in the way of the child, the other is not.
func (f *fleet) covers(rows []shard.Lease) bool {
	for _, row := range rows {
		if !f.named[row.Shard] {
			return false
		}
		for _, parent := range row.Parents {
			if !f.named[parent] {
				return false
			}
		}
	}
	return true
}

// lateListing is how long a shard that rows name may be missing from the listings
// before it counts as gone: a listing may be older than the call that asked for
// it. What is gone had been there for as long as the retention, which is hours.
const lateListing = 30 * time.Second

// adrift are the rows, by shard, of which the listing does not tell whether a parent
// is in the way: of the parent there is no row, and neither it nor the child is
// listed. Both may be gone, or both too young for the listing, as where two shards
// are merged of which one has only just come of a reshard itself. Where the child
// is listed, its parents would be. That one listing had them says nothing of the
// next, which may be the older one.
func (f *fleet) adrift(rows []shard.Lease) map[string]bool {
	known := make(map[string]bool, len(f.listed)+len(rows))
	for _, s := range f.listed {
		known[s.ID] = true
	}
	listed := maps.Clone(known)
	for _, row := range rows {
		known[row.Shard] = true
	}
	adrift := map[string]bool{}
	unknown := func(parent string) bool { return !known[parent] || adrift[parent] }
	for more := true; more; { // what comes of a row that is adrift is so, too
		more = false
		for _, row := range rows {
			if !adrift[row.Shard] && !listed[row.Shard] && row.Checkpoint.IsTrimHorizon() && slices.ContainsFunc(row.Parents, unknown) {
				adrift[row.Shard], more = true, true
			}
		}
	}
	return adrift
}

// placed is the rows without those that are adrift, until they have been for so
// long that what is not listed is gone.
func (f *fleet) placed(rows []shard.Lease) (placed []shard.Lease) {
	adrift := f.adrift(rows)
	now, since := f.clock.Elapsed(), map[string]time.Duration{}
	for _, row := range rows {
		if !adrift[row.Shard] {
			placed = append(placed, row)
			continue
		}
		at, seen := f.unsure[row.Key]
		if !seen {
			at = now
		}
		since[row.Key] = at
		if now-at >= lateListing {
			placed = append(placed, row)
		} else {
			f.planAt = min(f.planAt, now+f.timing.beat)
		}
	}
	f.unsure = since
	return placed
}

// forget takes note that rows were read after the listing: a shard that they
// name and it lacks is gone, and not one that it is too old for. What is
// remembered of shards that neither has is dropped: on a DynamoDB stream every
// shard is gone after a day, and a worker may live for months.
func (f *fleet) forget(rows []shard.Lease) {
	f.named = make(map[string]bool, len(f.listed)+len(rows))
	for _, s := range f.listed {
		f.named[s.ID] = true
	}
	for _, row := range rows {
		f.named[row.Shard] = true
		for _, parent := range row.Parents {
			f.named[parent] = true
		}
	}
	f.mu.Lock()
	for key := range f.tenures { // whoever holds one has been told of its shard
		f.named[key] = true
	}
	f.mu.Unlock()
	f.worker.forget(f.named)
	maps.DeleteFunc(f.spared, func(key string, _ time.Duration) bool { return !f.named[key] })
}

// listTime is what a listing of the stream or of the table may take: it has many
// pages, and a service that asks to slow down between them.
const listTime = time.Minute

// listShards asks for the listing of the stream.
func (w *worker) listShards(ctx context.Context) ([]shard.Shard, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	return w.cfg.Source.List(ctx)
}

// listRows reads the whole lease table.
func (f *fleet) listRows(ctx context.Context) ([]shard.Lease, error) {
	ctx, cancel := f.untilStop(ctx)
	defer cancel()
	ctx, over := context.WithTimeout(ctx, listTime)
	defer over()
	return f.cfg.Leases.List(ctx)
}

// untilStop is ctx that ends when the run is to stop, too: whoever leaves need
// not know the rest.
func (f *fleet) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if f.stop.Err() != nil {
		cancel() // now, and not when the function below gets round to it
	}
	remove := context.AfterFunc(f.stop, cancel)
	return ctx, func() { remove(); cancel() }
}

func (f *fleet) list(ctx context.Context) error {
	if f.streams != nil {
		return f.listStreams(ctx, false)
	}
	patient, cancel := f.untilStop(ctx)
	defer cancel()
	listed, err := f.listShards(patient)
	if err != nil {
		if errors.Is(err, shard.ErrNoStream) {
			f.streamGone(ctx, "", err)
		}
		return err
	}
	f.listed = listed
	for _, s := range listed {
		f.named[s.ID] = true
	}
	return nil
}

// recognise starts what a row says is this worker's and is not running, passes on
// a hand-over that was asked for, and ends what runs and is another's.
func (f *fleet) recognise(row shard.Lease, runnable bool) {
	if row.Fault != nil || row.Finished() {
		return
	}
	if row.Holder() != f.session.id {
		// Somebody who knows no sessions has taken it. A shard that is idle
		// writes nothing by which it would find out. One that is being left may
		// have been by now.
		if t := f.held(row.Key); t != nil && !t.isLeaving() {
			t.lose(ErrLeaseLost)
		}
		return
	}
	if f.held(row.Key) == nil && (runnable || row.CheckpointOwner != "") {
		f.start(row, "", never)
	}
	if t := f.held(row.Key); t != nil {
		t.moved(row)
	}
	f.handoverAsked(row)
}

// handoverAsked tells the tenure of a row that somebody else is to have it.
func (f *fleet) handoverAsked(row shard.Lease) {
	if row.CheckpointOwner != f.session.id {
		return
	}
	if t := f.held(row.Key); t != nil {
		t.handOver(row.Owner)
	}
}

// sweep looks for rows that name this worker and do not run: an answer was lost,
// a hint was, or the session had run out for a while. And the other way round, for
// shards that run and whose rows do not name it as the owner: somebody is to have
// it, or has, or has deleted the row. A sweep that found the row of every shard
// that runs is counted, see shard.Session.
func (f *fleet) sweep(ctx context.Context) {
	keys, err := tableCall(ctx, f.worker, func(ctx context.Context) ([]string, error) {
		return f.cfg.Leases.Owned(ctx, f.session.id)
	})
	if err != nil {
		f.tableFailed("read own leases", err)
		return
	}
	named := make(map[string]bool, len(keys))
	for _, key := range keys {
		named[key] = true
		if f.held(key) == nil {
			f.look(ctx, key)
		}
	}
	unnamed, found := f.heldWithout(named), true
	for _, key := range slices.Sorted(maps.Keys(unnamed)) {
		t := unnamed[key]
		f.turned()
		row, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
			return f.cfg.Leases.Get(ctx, key)
		})
		switch {
		case errors.Is(err, checkpoint.ErrNoLease):
			found = false // until it has drained, and put the row back
			t.leave(errRowGone, "")
		case err != nil:
			found = false
		default:
			f.recognise(row, false)
		}
	}
	if found {
		f.session.looks.Add(1)
	}
}

// rowGone has a tenure drain whose row was deleted: it finds the row gone, and puts
// it back.
func (f *fleet) rowGone(key string) {
	if t := f.held(key); t != nil {
		t.leave(errRowGone, "")
	}
}

// heldWithout is the tenures, by key, whose lease is not among those named.
func (f *fleet) heldWithout(named map[string]bool) map[string]*tenure {
	unnamed := map[string]*tenure{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, t := range f.tenures {
		if !named[key] {
			unnamed[key] = t
		}
	}
	return unnamed
}

// tableFailed takes note of a read of the tables that failed. A table that does
// not exist any more takes every lease with it: nothing can be taken by others
// meanwhile, but nothing that is handled could be written down either. It is not
// made again by a running worker, as that would be to begin anew without a word.
func (f *fleet) tableFailed(did string, err error) {
	if !errors.Is(err, checkpoint.ErrNoTable) {
		f.log.Debug(did, "error", err)
		return
	}
	f.log.Error("a table is gone, dropping every shard until it is back", "error", err)
	f.loseAll()
}

// look reads one row and does what it says. Parents are asked for by name, as
// the row of a child may name this worker before they are done.
func (f *fleet) look(ctx context.Context, key string) {
	f.turned()
	row, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
		return f.cfg.Leases.Get(ctx, key)
	})
	if err != nil {
		return
	}
	if _, ok := f.branchOf(row.Shard); !ok {
		f.ours([]shard.Lease{row}) // it may be new
		return
	}
	if holder := row.Holder(); holder == "" || holder != f.session.id && f.standing(holder) != holderLives {
		f.soon() // one without a session is watched from then on, if it is not yet
		return
	}
	runnable := true
	if f.held(key) == nil && row.Checkpoint.IsTrimHorizon() && len(row.Parents) > 0 {
		rows := []shard.Lease{row}
		for _, parent := range row.Parents {
			p, err := tableCall(ctx, f.worker, func(ctx context.Context) (shard.Lease, error) {
				return f.cfg.Leases.Get(ctx, parentKey(row, parent))
			})
			if err == nil {
				rows = append(rows, p)
			} else if !errors.Is(err, checkpoint.ErrNoLease) {
				return
			}
		}
		if !f.covers(rows) || len(f.adrift(rows)) > 0 {
			f.soon() // by the whole table, with a new listing
			return
		}
		runnable = shard.NewLineage(f.listed, rows).Runnable(row.Shard)
	}
	f.recognise(row, runnable)
}

// parentKey is the key of a parent's row: the shard id, with whatever stands
// before it in a table of many streams.
func parentKey(child shard.Lease, parent string) string {
	return child.Key[:len(child.Key)-len(child.Shard)] + parent
}

// follow looks where hints point, and takes them out of the inbox. A worker that is
// halted leaves them there: it looks at everything when it goes on.
func (f *fleet) follow(ctx context.Context, hints []shard.Hint) {
	if !f.act() {
		return
	}
	defer f.acted()
	seen := map[string]bool{}
	for _, h := range hints {
		if h.Kind == shard.HintFree {
			// Its holder may have died, which this worker has not seen.
			f.observeAt = min(f.observeAt, f.clock.Elapsed())
			f.offers.told[h.Key] = true
		}
		if !seen[h.Key] {
			seen[h.Key] = true
			f.look(ctx, h.Key)
		}
	}
	err := tableDo(ctx, f.worker, func(ctx context.Context) error {
		return f.cfg.Leases.Forget(ctx, f.session.id, hints)
	})
	if err != nil {
		f.log.Debug("forget hints", "error", err)
	}
}
