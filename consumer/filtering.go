package consumer

import (
	"slices"

	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/shard"
)

// compileFilters makes a Set of Filters; nil if there are none.
func (c Config) compileFilters() (*filter.Set, error) {
	if len(c.Filters) == 0 {
		return nil, nil
	}
	return filter.Compile(c.Filters...)
}

// filtering holds the records of one read against the filters.
type filtering struct {
	loop    *shardLoop
	set     *filter.Set
	bytes   int64   // of the records that are dropped
	tickets []int64 // and theirs
	matched []int   // by pattern
	dropped int
	notJSON int
}

// filter is the records that are to be handled, in room of their own if not all
// are: so that the others are not kept alive. Those are finished.
func (l *shardLoop) filter(records []shard.Record, tickets []int64) ([]shard.Record, []int64) {
	set := l.cfg.filters
	if set == nil {
		return records, tickets
	}
	f := &filtering{loop: l, set: set, matched: make([]int, set.Len())}
	some, with := records, tickets
	for i := range records {
		switch passes := f.passes(&records[i], tickets[i]); {
		case passes && f.dropped > 0:
			some, with = append(some, records[i]), append(with, tickets[i])
		case !passes && f.dropped == 1:
			some, with = slices.Clone(records[:i]), slices.Clone(tickets[:i])
		}
	}
	f.over(len(records))
	return some, with
}

// passes reports whether a record is to be handled.
func (f *filtering) passes(r *shard.Record, ticket int64) bool {
	result := f.set.Match(r)
	if result.Matched() {
		f.matched[result.Pattern]++
		return true
	}
	f.dropped++
	f.bytes += int64(r.Size())
	f.tickets = append(f.tickets, ticket)
	if result.NotJSON {
		f.notJSON++
	}
	return false
}

// over gives back the memory of what was dropped, and tells of it.
func (f *filtering) over(records int) {
	l := f.loop
	l.tracker.Done(f.tickets...)
	l.memory.finish(f.tickets, f.bytes)
	l.suspects -= f.dropped // no handler sees them
	if f.dropped > 0 {
		l.status.filtered(f.dropped)
	}
	fire(l.cfg.Hooks.Filtered, FilteredEvent{
		Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Records: records, Matched: f.matched, Dropped: f.dropped, NotJSON: f.notJSON,
	})
}
