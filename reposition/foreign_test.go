package reposition

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

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
