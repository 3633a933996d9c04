package reposition

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
)

// foreign is the table of a library that knows neither parents nor ranges.
type foreign []shard.Lease

func (f foreign) List(context.Context) ([]shard.Lease, error) { return f, nil }

// An application that is given the positions of another library's table goes on
// behind each of them, over a reshard too: parents and ranges are the stream's.
// Where ends are not noted, a parent that was read to its last record ends at
// once, and a row of a shard that is gone is left out.
func TestForkOfAForeignTableGoesOnBehindItsPositions(t *testing.T) {
	for _, noEnds := range []bool{false, true} {
		t.Run(fmt.Sprint("noEnds=", noEnds), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 1)
				const parent = "shardId-000000000000"
				var last string
				put := func(id string, data string) string {
					record, err := b.stream.PutTo(id, "key", []byte(data))
					b.must(err)
					return record.Sequence
				}
				for i := range 3 {
					last = put(parent, fmt.Sprint("old", i))
				}
				left, right, err := b.stream.Split(parent)
				b.must(err)
				at := put(left, "seen")
				put(left, "new1")
				put(right, "new2")

				origin := foreign{
					{Key: parent, Shard: parent, Checkpoint: shard.End()},
					{Key: left, Shard: left, Checkpoint: shard.After(at, 0)},
				}
				if noEnds {
					origin[0].Checkpoint = shard.After(last, 0)
					origin = append(origin, shard.Lease{Key: "shardId-gone", Shard: "shardId-gone", Checkpoint: shard.After("1", 0)})
				}
				m, err := Open(Config{Leases: b.table, Source: b.stream})
				b.must(err)
				p, err := m.Fork(t.Context(), Origin{Rows: origin, Name: "checkpoints", NoEnds: noEnds})
				b.must(err)
				if len(p.Steps) != 2 {
					t.Fatalf("the plan is\n%s", p)
				}
				b.must(m.Apply(t.Context(), p))
				rows, err := b.table.List(t.Context())
				b.must(err)
				for _, row := range rows {
					if row.Hashes == (shard.HashRange{}) || row.Shard == left && !slices.Equal(row.Parents, []string{parent}) {
						t.Errorf("the row lacks what the stream knows: %+v", row)
					}
				}
				stop := b.work(b.table, b.log)
				b.await("what is new", func() bool { return b.log.len() >= 2 })
				stop()
				if got := b.log.take(); len(got) != 2 || !slices.Contains(got, "new1") || !slices.Contains(got, "new2") {
					t.Errorf("handled %v, want new1 and new2", got)
				}
			})
		})
	}
}

// A shard of which the other library noted nothing begins at its oldest record, also
// where a new application would begin at the tip: nobody has handled what is in it.
func TestShardsWithoutAForeignRowBeginAtTheirOldestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		const noted, quiet = "shardId-000000000000", "shardId-000000000001"
		seen, err := b.stream.PutTo(noted, "key", []byte("seen"))
		b.must(err)
		_, err = b.stream.PutTo(quiet, "key", []byte("unseen"))
		b.must(err)
		m, err := Open(Config{Leases: b.table, Source: b.stream})
		b.must(err)
		p, err := m.Fork(t.Context(), Origin{Rows: foreign{{Key: noted, Shard: noted, Checkpoint: shard.After(seen.Sequence, 0)}}, Name: "checkpoints", NoEnds: true})
		b.must(err)
		b.must(m.Apply(t.Context(), p))
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: b.stream, Leases: b.table, Handler: b.log, StartingPosition: shard.Latest(), Logger: slog.New(slog.DiscardHandler),
		})
		b.must(err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		b.await("the quiet shard", func() bool { return b.log.len() > 0 })
		cancel()
		b.must(<-ended)
		if got := b.log.take(); len(got) != 1 || got[0] != "unseen" {
			t.Errorf("handled %v, want what nobody has seen", got)
		}
	})
}

// What came between the stop of another library's fleet and the taking of a row at
// LATEST is had by moving the shard back to the stop, while the fleet runs.
func TestSeekBringsBackWhatCameBeforeARowAtLatestWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		const id = "shardId-000000000000"
		stream, err := b.stream.Describe(t.Context())
		b.must(err)
		b.must(b.table.Prepare(t.Context(), stream))
		epoch, err := b.table.Begin(t.Context())
		b.must(err)
		b.must(b.table.Create(t.Context(), epoch, []shard.Lease{{Key: id, Shard: id, Checkpoint: shard.Latest(), CreatedFrom: "initial"}}))
		stopped := time.Now()
		time.Sleep(time.Minute)
		_, err = b.stream.PutTo(id, "key", []byte("between"))
		b.must(err)
		time.Sleep(time.Minute)
		stop := b.work(b.table, b.log)
		time.Sleep(time.Minute)
		_, err = b.stream.PutTo(id, "key", []byte("after"))
		b.must(err)
		b.await("the record after the start", func() bool { return b.log.len() > 0 })
		if got := b.log.take(); !slices.Equal(got, []string{"after"}) {
			t.Fatalf("handled %v, want what came after the row was taken", got)
		}
		m, err := Open(Config{Leases: b.table, Source: b.stream})
		b.must(err)
		p, err := m.Seek(t.Context(), Target{Shard: id, To: shard.AtTime(stopped)})
		b.must(err)
		b.must(m.Apply(t.Context(), p))
		b.await("the record between", func() bool { return b.log.len() > 1 })
		stop()
		if got := b.log.take(); !slices.Equal(got, []string{"between", "after"}) {
			t.Errorf("handled %v, want what came since the stop", got)
		}
	})
}
