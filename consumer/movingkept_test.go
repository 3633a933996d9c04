package consumer_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// A user's own store of positions is told that the row was moved by hand, and
// believes it then: back, to a word too, and forward.
func TestMovedPositionIsBelievedByPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, d := shardtest.NewStream(1), checkpointtest.NewTable(), newDatabase()
		for i := range 20 {
			stream.Put("k", fmt.Append(nil, i))
		}
		all := stream.Records()
		cfg := config(stream, table)
		cfg.Handler, cfg.Positions, cfg.CheckpointInterval = d, d, time.Second
		r := start(t, cfg)
		await(t, "the effects", func() bool { once, _ := d.count(); return once == 20 })
		seek(t, table, all[9].Position(), true)
		await(t, "ten again", func() bool { _, twice := d.count(); return len(twice) == 10 })
		seek(t, table, shard.TrimHorizon(), true)
		await(t, "all again", func() bool { _, twice := d.count(); return len(twice) == 20 })
		await(t, "it is saved", func() bool { return onlyRow(t, table).Checkpoint == all[19].Position() })
		if at, ok := d.At(all[0].Shard); !ok || at != all[19].Position() {
			t.Errorf("the database is at %v", at)
		}
		_, err := r.end()
		must(t, err)
		for i := range 10 {
			stream.Put("k", fmt.Append(nil, "later ", i))
		}
		seek(t, table, stream.Records()[24].Position(), false)
		runToTip(t, cfg)
		if once, _ := d.count(); once != 25 {
			t.Errorf("behind a seek forward %d records are done, want 25", once)
		}
	})
}

// What is parked stays parked when the position is moved: nothing of it is lost by
// a move forward, and after one back it is handled from its table and once more as
// it is read, in order then.
func TestMovedPositionLeavesWhatIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := wide(1), checkpointtest.NewTable()
		putKeys(stream, 6, "a", "b")
		var mu sync.Mutex
		well := false
		h := newMoody(func(r *shard.Record, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if string(r.Data) == "a/2" && !well {
				return errPoison
			}
			return nil
		})
		cfg := config(stream, table)
		parks(&cfg, h)
		r := start(t, cfg)
		await(t, "the key is parked", func() bool { return len(parkedIn(t, table)) == 1 })
		await(t, "all but that is handled", func() bool { return h.of("b") == "0 1 2 3 4 5" })
		putKeys(stream, 1, "c")
		seek(t, table, shard.Position{Sequence: shard.Latest().Sequence, At: time.Now().Add(time.Millisecond)}, true)
		time.Sleep(5 * time.Second)
		if keys := parkedIn(t, table); len(keys) != 1 || keys[0].Records != 4 {
			t.Errorf("after a move forward %+v are parked, want four records of one key", keys)
		}
		seek(t, table, stream.Records()[0].Position(), true) // behind a/0
		await(t, "the other key again", func() bool { return strings.HasSuffix(h.of("b"), "0 1 2 3 4 5 0 1 2 3 4 5") })
		mu.Lock()
		well = true
		mu.Unlock()
		time.Sleep(5 * time.Second)
		must(t, r.Unpark(t.Context(), stream.Records()[0].Shard, "a"))
		await(t, "nothing is parked", func() bool { return len(parkedIn(t, table)) == 0 })
		if got := h.of("a"); !strings.HasPrefix(got, "0 1") || !strings.HasSuffix(got, "2 3 4 5") {
			t.Errorf("of the parked key %s were handled, want all of it, in order at last", got)
		} else {
			t.Log(got)
		}
		_, err := r.end()
		must(t, err)
	})
}
