package telemetry

import (
	"cmp"
	"maps"
	"slices"

	"github.com/towpath/towpath/consumer"
)

// tally is what the shards of one handler come to.
type tally struct {
	pending, busy, keys, deferred, failing float64
	parkedKeys, parkedRecords, parkedBytes float64
}

// extremes are the worst of all shards.
type extremes struct {
	behind, age, unsaved, still, used, left float64
	retained                                bool // a retention is known
}

// gauges are those of one shard and handler, or the worst of several.
type gauges struct{ behind, age, unsaved, still, pending float64 }

// seriesKey names the series of a shard and a handler.
type seriesKey struct{ shard, handler string }

// shards puts what the worker's shards are doing.
func (b *board) shards(r *Recorder, s *consumer.Status) {
	handlers := map[string]*tally{}
	worked, paused, omitted := map[string]bool{}, map[string]bool{}, map[string]bool{}
	single := map[seriesKey]gauges{}
	worst, none := extremes{}, r.options.Shards.Exceeded(1)
	for i := range s.Shards {
		one := &s.Shards[i]
		worked[one.Shard] = true
		if one.Paused {
			paused[one.Shard] = true
		}
		t := handlers[one.Handler]
		if t == nil {
			t = &tally{}
			handlers[one.Handler] = t
		}
		t.add(one)
		r.admit(one.Shard)
		series := r.series(one.Shard)
		g := gauges{
			behind: one.Behind.Seconds(), age: one.Age.Seconds(), still: one.Still.Seconds(), pending: float64(one.Pending),
		}
		if one.Mark.Compare(one.Checkpoint) != 0 {
			g.unsaved = r.unsavedFor(series).Seconds()
		}
		worst.add(g, one.Retention.Seconds())
		if series == nil || none {
			continue
		}
		key := seriesKey{one.Shard, one.Handler}
		if !series.own {
			key.shard = OtherShards
			omitted[one.Shard] = true
		}
		single[key] = single[key].with(g)
	}
	b.put(leasesHeld, float64(len(worked)))
	b.put(shardsPaused, float64(len(paused)))
	b.put(omittedShards, float64(len(omitted)))
	b.worst(worst)
	b.workers(r, s)
	for _, name := range slices.Sorted(maps.Keys(handlers)) {
		b.tally(name, handlers[name])
	}
	for _, key := range slices.SortedFunc(maps.Keys(single), func(a, c seriesKey) int {
		return cmp.Or(cmp.Compare(a.shard, c.shard), cmp.Compare(a.handler, c.handler))
	}) {
		g := single[key]
		b.put(shardBehind, g.behind, key.shard, key.handler)
		b.put(shardAge, g.age, key.shard, key.handler)
		b.put(shardCheckpointAge, g.unsaved, key.shard, key.handler)
		b.put(shardStill, g.still, key.shard, key.handler)
		b.put(shardPending, g.pending, key.shard, key.handler)
	}
	if !none {
		b.counts(r, worked)
	}
}

// counts puts the counters of the shards that are worked, and of the others
// together.
func (b *board) counts(r *Recorder, worked map[string]bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	others, any := [len(r.left)]int64{}, false
	for i := range r.left {
		others[i] = r.left[i].Load()
		any = any || others[i] > 0
	}
	for _, shard := range slices.Sorted(maps.Keys(worked)) {
		s := r.shards[shard]
		if s == nil {
			continue
		}
		for i := range s.counts {
			if n := s.counts[i].Load(); s.own {
				b.put(shardReadRecords+id(i), float64(n), shard)
			} else {
				others[i] += n
				any = true
			}
		}
	}
	for i := range others {
		if any {
			b.put(shardReadRecords+id(i), float64(others[i]), OtherShards)
		}
	}
}

func (t *tally) add(s *consumer.ShardStatus) {
	t.pending += float64(s.Pending)
	t.busy += float64(s.Busy)
	t.keys += float64(s.KeysHeld)
	t.deferred += float64(s.Deferred)
	t.parkedKeys += float64(s.Parked.Keys)
	t.parkedRecords += float64(s.Parked.Records)
	t.parkedBytes += float64(s.Parked.Bytes)
	if s.Error != "" {
		t.failing++
	}
}

func (b *board) tally(handler string, t *tally) {
	b.put(pendingRecords, t.pending, handler)
	b.put(busyLanes, t.busy, handler)
	b.put(keysHeld, t.keys, handler)
	b.put(deferredPending, t.deferred, handler)
	b.put(parkedKeys, t.parkedKeys, handler)
	b.put(parkedRecords, t.parkedRecords, handler)
	b.put(parkedBytes, t.parkedBytes, handler)
	b.put(shardsFailing, t.failing, handler)
}

// with is g and what another shard has.
func (g gauges) with(o gauges) gauges {
	return gauges{
		behind: max(g.behind, o.behind), age: max(g.age, o.age), unsaved: max(g.unsaved, o.unsaved), still: max(g.still, o.still),
		pending: g.pending + o.pending,
	}
}

func (e *extremes) add(g gauges, retention float64) {
	e.behind, e.age, e.unsaved, e.still = max(e.behind, g.behind), max(e.age, g.age), max(e.unsaved, g.unsaved), max(e.still, g.still)
	if retention <= 0 {
		return
	}
	left := max(0, retention-g.age)
	if !e.retained || left < e.left {
		e.left = left
	}
	e.used, e.retained = max(e.used, g.age/retention), true
}

func (b *board) worst(e extremes) {
	b.put(behindMax, e.behind)
	b.put(ageMax, e.age)
	b.put(checkpointAgeMax, e.unsaved)
	b.put(stillMax, e.still)
	if e.retained {
		b.put(retentionUsedMax, e.used)
		b.put(retentionLeftMin, e.left)
	}
}
