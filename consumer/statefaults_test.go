package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// A state that the handler cannot tell holds the position back, at the end of the
// shard too, and errors of Restore keep the shard from starting.
func TestErrorsOfAStatefulHandlerAreWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		keptWithEveryPosition(t, table)
		stream.Put("k", nil)
		if _, _, err := stream.Split(zeroShard); err != nil {
			t.Fatal(err)
		}
		h, began := newCounts(), time.Now()
		asked := 0 // of the one shard, so that its calls follow one another
		h.begin = func(r batching.Restored) error {
			if time.Since(began) < 10*time.Second {
				return errors.New("no database yet")
			}
			return nil
		}
		h.tell = func(shardID string) error {
			if shardID != zeroShard {
				return nil
			}
			switch asked++; {
			case asked < 4:
				return errors.New("no state yet")
			case asked < 6:
				panic("no state")
			}
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, time.Second
		r := start(t, cfg)
		await(t, "the end of the shard", func() bool {
			row, err := table.Get(context.Background(), zeroShard)
			return err == nil && row.Finished()
		})
		if asked < 6 || time.Since(began) < 10*time.Second {
			t.Errorf("the shard ended after %d asks and %s", asked, time.Since(began))
		}
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k=1") {
			t.Errorf("the last state is %q", got)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		h.sound(t)
	})
}

// A row that somebody deleted is put back where its last state belongs, and not
// where the shard already is.
func TestDeletedRowIsPutBackWithItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		h := newCounts()
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, 20*time.Second
		stream.Put("k", nil)
		r := start(t, cfg)
		await(t, "the first state", func() bool { return strings.HasSuffix(stateOf(t, table, zeroShard), " k=1") })
		stream.Put("k", nil)
		time.Sleep(5 * time.Second)
		table.Remove(zeroShard)
		stream.Put("k", nil)
		await(t, "the state of all", func() bool {
			row, err := table.Get(context.Background(), zeroShard)
			return err == nil && row.CreatedFrom == "repair" && strings.HasSuffix(stateOf(t, table, zeroShard), " k=3")
		})
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		h.sound(t)
	})
}

// What was kept beside a row goes with the row.
func TestStateGoesWithItsRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("k", nil)
		lower, upper, err := stream.Split(zeroShard)
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range []string{lower, upper} {
			if _, err := stream.PutTo(child, "k", nil); err != nil {
				t.Fatal(err)
			}
		}
		cfg := config(stream, table)
		cfg.Handler = newCounts()
		r := start(t, cfg)
		await(t, "the children", func() bool { return r.holds() == 2 })
		row, err := table.Get(t.Context(), zeroShard)
		if err != nil {
			t.Fatal(err)
		}
		if state, err := table.State(t.Context(), row, ""); err != nil || state == nil {
			t.Fatalf("the parent's state is %q, %v", state, err)
		}
		if err := stream.Trim(zeroShard, 1); err != nil {
			t.Fatal(err)
		}
		await(t, "the parent's row to go", func() bool {
			_, err := table.Get(t.Context(), zeroShard)
			return errors.Is(err, checkpoint.ErrNoLease)
		})
		await(t, "its state to go", func() bool {
			state, err := table.State(t.Context(), row, "")
			return err == nil && state == nil
		})
		if state := stateOf(t, table, lower); state == "" {
			t.Error("the child's state is gone, too")
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
}

// stateless is a table that keeps no states.
type stateless struct{ checkpoint.Leases }

func TestStatefulHandlerNeedsWhatItNeeds(t *testing.T) {
	cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
	cfg.Leases, cfg.Handler = stateless{cfg.Leases}, newCounts()
	cfg.ParallelizationFactor, cfg.Unordered, cfg.Positions = 2, true, checkpointtest.NewPositions()
	_, err := consumer.New(cfg)
	if err == nil {
		t.Fatal("the config was accepted")
	}
	for _, field := range []string{"Leases keeps no states", "ParallelizationFactor is 2", "Unordered is set", "Positions is set"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error %q does not say %q", err, field)
		}
	}
	cfg.Leases, cfg.ParallelizationFactor, cfg.Unordered, cfg.Positions = checkpointtest.NewTable(), 0, false, nil
	if _, err := consumer.New(cfg); err != nil {
		t.Error(err)
	}
}
