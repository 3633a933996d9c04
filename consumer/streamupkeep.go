package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// listAnew lists for a maintenance run. Of many streams each is described before,
// so that one which was created again is not taken for the one it was; the first
// run of a worker comes right after they were.
func (f *fleet) listAnew(ctx context.Context) error {
	if f.streams == nil {
		return f.list(ctx)
	}
	return f.listStreams(ctx, f.audit.ran)
}

// lineageOf is the lineage of one stream, with what stands before its name in the
// report of a hole.
type lineageOf struct {
	*shard.Lineage
	prefix string
}

// lineages are those of the streams whose listing is from now: nothing is decided
// about the others.
func (f *fleet) lineages(rows []shard.Lease) []lineageOf {
	if f.streams == nil {
		return []lineageOf{{Lineage: shard.NewLineage(f.listed, rows)}}
	}
	byKey := rowsByKey(rows)
	var all []lineageOf
	for _, m := range f.bundle.members {
		if f.bundle.current(m) {
			all = append(all, lineageOf{shard.NewLineage(m.Listed, byKey[m.Key]), m.Key.String() + ": "})
		}
	}
	return all
}

// current reports whether the listing of a stream that is read is from now.
func (c *bundle) current(m shard.Member) bool {
	_, refused := c.refused(m)
	return m.Described() && m.Err == nil && !refused
}

// refused reports whether a stream is not read because it was created again, with
// the earlier incarnation that there are rows of.
func (c *bundle) refused(m shard.Member) (earlier shard.StreamKey, yes bool) {
	if m.Anew || !m.Described() {
		return shard.StreamKey{}, false
	}
	return shard.Predecessor(m.Key, c.keys)
}

func rowsByKey(rows []shard.Lease) map[shard.StreamKey][]shard.Lease {
	byKey := map[shard.StreamKey][]shard.Lease{}
	for _, row := range rows {
		key, _, _ := shard.SplitID(row.Key)
		byKey[key] = append(byKey[key], row)
	}
	return byKey
}

func deletable(lineages []lineageOf) (rows []shard.Lease) {
	for _, l := range lineages {
		rows = append(rows, l.Deletable()...)
	}
	return rows
}

// missingOfEach is missing for many streams: each is begun by itself.
func (f *fleet) missingOfEach(rows []shard.Lease) (missing []shard.Lease) {
	byKey := rowsByKey(rows)
	for _, m := range f.bundle.members {
		if !f.bundle.current(m) {
			continue
		}
		stream, listed, start := m.Stream, m.Listed, f.startingAt(m)
		if len(byKey[m.Key]) > 0 {
			stream.Now = f.serviceNow()
		} else if start.IsLatest() {
			listed = m.Before
		}
		missing = append(missing, shard.NewLineage(listed, byKey[m.Key]).Missing(start, stream)...)
	}
	return missing
}

// streamsMissing reports whether something of many streams is not read now that
// should be, so that nobody can say that all has been.
func (f *fleet) streamsMissing() bool {
	if f.streams == nil {
		return false
	}
	if f.bundle.unsure {
		return true
	}
	for _, m := range f.streams.Members() {
		if _, refused := f.bundle.refused(m); refused || m.Err != nil || !m.Described() {
			return true
		}
	}
	return false
}

// forgetStreams deletes the rows of streams that have not been named for
// ForgetAfter. Nobody holds them by then, or nobody that lives.
func (f *fleet) forgetStreams(ctx context.Context, epoch int64) error {
	if f.streams == nil || f.streams.ForgetAfter() == 0 {
		return nil
	}
	now, c := f.clock.Elapsed(), f.bundle
	over := map[shard.StreamKey]time.Duration{}
	for _, key := range shard.Forgettable(f.streams.Members(), c.keys) {
		since, known := c.over[key]
		if !known {
			since = now
		}
		over[key] = since
	}
	c.over = over
	for _, row := range c.foreign {
		key, _, _ := shard.SplitID(row.Key)
		since, yes := over[key]
		if !yes || now-since < f.streams.ForgetAfter() || row.Fault != nil || row.Holder() != "" && f.standing(row.Holder()) == holderLives {
			continue
		}
		err := tableDo(ctx, f.worker, func(ctx context.Context) error { return f.cfg.Leases.Drop(ctx, epoch, row) })
		switch {
		case errors.Is(err, checkpoint.ErrEpochOver):
			return nil
		case err == nil:
			f.audit.dropped = append(f.audit.dropped, row.Key)
			f.log.Info("row of a stream that is not read any more deleted", "shard", row.Key, "at", row.Checkpoint)
		case !errors.Is(err, checkpoint.ErrFenced):
			return err
		}
	}
	f.dropStates(ctx)
	return nil
}
