package modelcheck

import (
	"context"
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// No order of events breaks an invariant of the lease row.
func TestLeasesHold(t *testing.T) {
	holds(t, "two workers", Leases{Workers: 2, Records: 2, Counter: 3}.Model)
	holds(t, "two workers, a request nobody waits for", Leases{Workers: 2, Records: 1, Counter: 3, Orphans: 1}.Model)
	holds(t, "hand-overs", Leases{Workers: 2, Records: 2, Counter: 3, HandOvers: true}.Model)
	holds(t, "hand-overs, a request nobody waits for", Leases{Workers: 2, Records: 1, Counter: 2, Orphans: 1, HandOvers: true}.Model)
	holds(t, "a position moved by hand", Leases{Workers: 2, Records: 1, Counter: 2, Orphans: 1, Seeks: 1}.Model)
	holds(t, "a row deleted by hand", Leases{Workers: 2, Records: 1, Counter: 2, Deletes: 1}.Model)
	holds(t, "three workers", Leases{Workers: 3, Records: 1, Counter: 2}.Model)
}

// loose is a table that forgets a part of a condition.
type loose struct {
	*checkpointtest.Table
	save, release bool // on no condition but the owner
}

// asSeen is what its caller would have seen a moment ago.
func (l loose) asSeen(held shard.Lease, me string) shard.Lease {
	now, err := l.Get(context.Background(), held.Key)
	if err == nil && now.Holder() == me {
		held.Counter, held.Checkpoint = now.Counter, now.Checkpoint
	}
	return held
}

func (l loose) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	if l.save {
		held = l.asSeen(held, me)
	}
	return l.Table.Save(ctx, held, me, p)
}

func (l loose) Release(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress, to string) (shard.Lease, error) {
	if l.release {
		held = l.asSeen(held, me)
	}
	return l.Table.Release(ctx, held, me, p, to)
}

// A rule or a condition that is wrong is found.
func TestLeasesFind(t *testing.T) {
	table := func(l loose) func(*checkpointtest.Table) LeaseTable {
		return func(t *checkpointtest.Table) LeaseTable { own := l; own.Table = t; return own } // workers explore at once
	}
	adopt := func(f func(held, now shard.Lease) checkpoint.Verdict) func(held, now shard.Lease, me string) checkpoint.Verdict {
		return func(held, now shard.Lease, me string) checkpoint.Verdict {
			if v := checkpoint.Adopt(held, now, me); v != checkpoint.Restart {
				return v
			}
			return f(held, now)
		}
	}
	for name, c := range map[string]struct {
		leases Leases
		rules  LeaseRules
	}{
		"adopt whenever the owner is me": {Leases{Records: 2, Counter: 4}, LeaseRules{
			Adopt:   adopt(func(_, _ shard.Lease) checkpoint.Verdict { return checkpoint.Adopted }),
			Further: func(shard.Lease, checkpoint.Progress) bool { return false },
		}},
		"adopt a row that was moved by hand": {Leases{Records: 2, Counter: 4, Seeks: 1}, LeaseRules{
			Adopt: adopt(func(held, now shard.Lease) checkpoint.Verdict {
				if now.Counter <= held.Counter+1 {
					return checkpoint.Adopted
				}
				return checkpoint.Restart
			}),
		}},
		"adopt a row that is ahead": {Leases{Records: 2, Counter: 4, Orphans: 1}, LeaseRules{
			Further: func(shard.Lease, checkpoint.Progress) bool { return false },
		}},
		"give away behind what is written": {Leases{Records: 1, Counter: 4, Orphans: 1}, LeaseRules{
			NotBehind: func(_ shard.Lease, p checkpoint.Progress) checkpoint.Progress { return p },
		}},
		"a save on no condition but the owner": {Leases{Records: 2, Counter: 4, Orphans: 1}, LeaseRules{Table: table(loose{save: true})}},
		"a release on no condition but the owner": {Leases{Records: 2, Counter: 4, Orphans: 1}, LeaseRules{
			Table: table(loose{release: true}),
		}},
	} {
		c.leases.Workers, c.leases.Rules = 2, c.rules
		finds(t, name, c.leases.Model)
	}
}
