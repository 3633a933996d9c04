package reposition

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// origin is a table with rows as they are said, of shards without worker.
func origin(t *testing.T, rows ...shard.Lease) *checkpointtest.Table {
	t.Helper()
	table := checkpointtest.NewTable()
	epoch, err := table.Begin(t.Context())
	if err == nil {
		err = table.Create(t.Context(), epoch, rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A fork copies positions and what belongs to them, and neither owners, counters
// nor seek generations; rows of other streams stay out, and those that were read
// out of step are brought into it.
func TestForkCopiesPositionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		stream, err := b.stream.Describe(t.Context())
		b.must(err)
		prefix := "000000000000:" + stream.Name + ":" + "7:"
		if key, err := shard.KeyOf(stream); err == nil {
			prefix = key.String() + ":"
		}
		marks := map[string]shard.Position{"mail": shard.After("70", 0), "bill": shard.After("71", 0)}
		from := origin(t,
			shard.Lease{Key: prefix + zero, Shard: prefix + zero, Checkpoint: shard.After("70", 0), Marks: marks, Owner: "kcl-1", Counter: 99, SeekGen: 3,
				LastArrival: stream.CreatedAt.Add(time.Minute)},
			shard.Lease{Key: prefix + one, Shard: prefix + one, Checkpoint: shard.End(), Owner: "kcl-1", Counter: 12, Children: []string{prefix + two}},
			shard.Lease{Key: prefix + two, Shard: prefix + two, Checkpoint: shard.After("90", 4), Parents: []string{prefix + zero, prefix + one}},
			shard.Lease{Key: "000000000000:other:7:" + zero, Shard: "000000000000:other:7:" + zero, Checkpoint: shard.After("1", 0)},
		)
		m := b.mover()
		p := plan(b)(m.Fork(t.Context(), Origin{Rows: from, Name: "clickstream"}))
		b.must(m.Apply(t.Context(), p))
		rows, err := b.table.List(t.Context())
		b.must(err)
		if len(rows) != 3 {
			t.Fatalf("the fork has the rows %v", rows)
		}
		if row := b.row(zero); row.Checkpoint != shard.After("70", 0) || len(row.Marks) != 2 || row.Owner != "" || row.LastArrival.IsZero() || row.Counter == 99 {
			t.Errorf("got %+v", row)
		}
		if row := b.row(one); !row.Finished() || len(row.Children) != 1 || row.Children[0] != two {
			t.Errorf("got %+v", row)
		}
		if row := b.row(two); !row.Checkpoint.IsTrimHorizon() || len(row.Parents) != 2 || row.Parents[0] != zero {
			t.Errorf("a child in front of its parent is %+v, want it at its horizon", row)
		}
	})
}

// What a fork would write over, or cannot know, is an error; with force it is
// written over, and the counters go on.
func TestForkRefusesWhatItCannotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		m := b.mover()
		at := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
		unsaid := origin(t, shard.Lease{Key: zero, Checkpoint: shard.AtTime(at)})
		unsaid.Edit(zero, func(l *shard.Lease) { l.Checkpoint.At = time.Time{} })
		if _, err := m.Fork(t.Context(), Origin{Rows: unsaid, Name: "kcl"}); err == nil || !strings.Contains(err.Error(), "not which") {
			t.Errorf("got error %v of AT_TIMESTAMP without a time", err)
		}
		b.must(m.Apply(t.Context(), plan(b)(m.Fork(t.Context(), Origin{Rows: unsaid, Name: "kcl", At: shard.AtTime(at)}))))
		if row := b.row(zero); row.Checkpoint != shard.AtTime(at) {
			t.Errorf("the row is %v, want it at %v", row, at)
		}
		other := origin(t, shard.Lease{Key: zero, Checkpoint: shard.After("7", 0)})
		if _, err := m.Fork(t.Context(), Origin{Rows: other, Name: "kcl"}); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("got error %v of a fork over positions", err)
		}
		before := b.row(zero)
		b.must(m.Apply(t.Context(), plan(b)(m.Fork(t.Context(), Origin{Rows: other, Name: "kcl", Force: true}))))
		if row := b.row(zero); row.Checkpoint != shard.After("7", 0) || row.Counter != before.Counter+1 || row.SeekGen != before.SeekGen+1 {
			t.Errorf("with force %+v became %+v", before, row)
		}
		if _, err := m.Fork(t.Context(), Origin{Rows: checkpointtest.NewTable(), Name: "empty"}); err == nil || !strings.Contains(err.Error(), "no rows") {
			t.Errorf("got error %v of nothing to copy", err)
		}
		var none checkpoint.Rows
		if _, err := m.Fork(t.Context(), Origin{Rows: none}); err == nil {
			t.Error("a fork from nobody is planned")
		}
	})
}

// A reset begins every shard anew, finishes what the stream does not list any
// more, and leaves the rows, so that counters grow.
func TestResetFinishesWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.put("a", 0, 4)
		stop := b.work(b.table, b.log)
		b.await("all", func() bool { return b.log.len() == 4 })
		stop()
		epoch, err := b.table.Begin(t.Context())
		b.must(err)
		b.must(b.table.Create(t.Context(), epoch, []shard.Lease{{Key: "shardId-000000000077", Checkpoint: shard.After("7", 0)}}))
		before := b.row(zero)
		m := b.mover()
		p := plan(b)(m.Reset(t.Context(), shard.TrimHorizon()))
		if !strings.Contains(p.String(), "1 shards are not listed") {
			t.Errorf("the plan says nothing of what is gone:\n%s", p)
		}
		b.must(m.Apply(t.Context(), p))
		if row := b.row("shardId-000000000077"); !row.Finished() {
			t.Errorf("what is gone is %v", row)
		}
		if row := b.row(zero); row.Counter != before.Counter+1 || row.SeekGen != before.SeekGen+1 || !row.Checkpoint.IsTrimHorizon() {
			t.Errorf("%v became %v", before, row)
		}
		b.log.take()
		stop = b.work(b.table, b.log)
		b.await("all again", func() bool { return b.log.len() == 4 })
		stop()
	})
}
