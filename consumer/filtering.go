package consumer

import (
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
	bytes   int64   // of the records that are dropped
	tickets []int64 // and theirs
	matched []int   // by pattern
	dropped int
	notJSON int
}

func (l *shardLoop) newFiltering() *filtering {
	f := &filtering{loop: l}
	if set := l.cfg.filters; set != nil {
		f.matched = make([]int, set.Len())
	}
	return f
}

// passes reports whether a record is to be handled.
func (f *filtering) passes(r *shard.Record, ticket int64) bool {
	set := f.loop.cfg.filters
	if set == nil {
		return true
	}
	result := set.Match(r)
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
	if l.cfg.filters == nil || records == 0 {
		return
	}
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
