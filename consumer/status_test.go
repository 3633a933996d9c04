package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// Status tells what a worker is doing: its session, each shard with its
// positions, what is pending, how far behind it is, and the last error.
func TestStatusShowsWhatIsGoingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(2)
		hold := make(chan struct{})
		table := checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.BatchSize = 2
		cfg.Handler = &tally{do: func(_ context.Context, b *batching.Batch) error {
			if find(b, "slow") != nil {
				<-hold
			}
			if find(b, "bad") != nil {
				return errors.New("out of lamps")
			}
			return nil
		}}
		began := time.Now()
		r := start(t, cfg)
		if s := (&consumer.Consumer{}).Status(); s.Worker != "" || len(s.Shards) != 0 {
			t.Errorf("a consumer that does not run shows %+v", s)
		}
		await(t, "the shards", func() bool { return r.holds() == 2 })
		put := func(shardID, data string) shard.Record {
			record, err := stream.PutTo(shardID, "key", []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			return record
		}
		const zero, one = "shardId-000000000000", "shardId-000000000001"
		first := put(zero, "fine")
		time.Sleep(time.Second)
		put(zero, "slow")
		put(zero, "behind it")
		put(zero, "and this")
		put(one, "bad")
		time.Sleep(time.Second)
		s := r.Status()
		if !strings.HasPrefix(s.Worker, "w/") || !s.Valid || s.ValidFor < 6*time.Second || s.ValidFor > 8*time.Second {
			t.Errorf("the session is %s, valid %v for %v, want w/…, for 8s less what passed since a beat", s.Worker, s.Valid, s.ValidFor)
		}
		if s.MemoryHeld < 4 {
			t.Errorf("%d bytes are held, want those of 4 records at least", s.MemoryHeld)
		}
		at := s.Shards[0]
		if at.Shard != zero || at.Mark.Compare(first.Position()) != 0 || !at.Checkpoint.IsTrimHorizon() ||
			at.Pending != 3 || at.Busy != 1 || at.Handled != 1 || at.Error != "" {
			t.Errorf("the first shard shows %+v, want its mark at %s, 3 pending, 1 busy, 1 handled", at, first.Position())
		}
		if at.ReadAt.Before(began) || at.ProgressAt.Before(began) || !at.CheckpointAt.IsZero() || at.ReadAt.Before(at.ProgressAt) {
			t.Errorf("read at %v, progress at %v, checkpoint at %v", at.ReadAt, at.ProgressAt, at.CheckpointAt)
		}
		if bad := s.Shards[1]; !strings.Contains(bad.Error, "out of lamps") || bad.Handled != 0 || bad.Pending != 1 {
			t.Errorf("the other shard shows %+v, want its handler's error", bad)
		}
		time.Sleep(10 * time.Second)
		if at := r.Status().Shards[0]; at.Checkpoint.Compare(first.Position()) != 0 || at.CheckpointAt.IsZero() {
			t.Errorf("after the interval the checkpoint is %s, written at %v", at.Checkpoint, at.CheckpointAt)
		}
		stream.Fault(func(c shardtest.Call) error {
			if c.Op == shardtest.Next && c.Shard == zero {
				return errors.New("the road is closed")
			}
			return nil
		})
		time.Sleep(2 * time.Second)
		if at := r.Status().Shards[0]; !strings.Contains(at.Error, "the road is closed") {
			t.Errorf("the shard shows the error %q, want that of reading", at.Error)
		}
		table.Interfere(func(string, string) error { return errors.New("cut off") }, nil)
		time.Sleep(15 * time.Second)
		if s := r.Status(); s.Valid || s.ValidFor != 0 {
			t.Errorf("cut off for 15s the session shows valid %v for %v", s.Valid, s.ValidFor)
		}
		close(hold)
		table.Interfere(nil, nil)
		time.Sleep(time.Second) // the call that was left behind returns
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if s := r.Status(); s.Worker != "" || len(s.Shards) != 0 {
			t.Errorf("after the end it shows %+v", s)
		}
	})
}

// Behind is how far behind the tip the last read ended, and 0 at the tip.
func TestStatusTellsHowFarBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1, func(o *shardtest.Options) { o.Limit = 1 })
		for i := range 3 {
			stream.Put("key", fmt.Append(nil, i))
			time.Sleep(time.Hour)
		}
		hold := make(chan struct{})
		cfg := config(stream, checkpointtest.NewTable())
		cfg.MaximumInFlight, cfg.BatchSize = 1, 1
		cfg.Handler = &tally{do: func(context.Context, *batching.Batch) error { <-hold; return nil }}
		r := start(t, cfg)
		time.Sleep(time.Second)
		if got := r.Status().Shards[0].Behind.Round(time.Minute); got != 2*time.Hour {
			t.Errorf("it is %v behind, want 2h: the next record is as old", got)
		}
		close(hold)
		time.Sleep(time.Second)
		if got := r.Status().Shards[0].Behind; got != 0 {
			t.Errorf("it is %v behind at the tip, want 0", got)
		}
	})
}

// What a hook or a Status is given is the receiver's own: whatever it makes of it
// changes nothing that the engine, or another who asks, goes by.
func TestWhatIsToldIsTheReceiversOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("anna", []byte("a"))
		cfg := config(stream, table)
		cfg.BisectBatchOnError = true
		cfg.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Second}}
		cfg.Park = consumer.Park{Keys: 10, RetryEvery: time.Hour}
		cfg.Handler = &tally{do: func(_ context.Context, b *batching.Batch) error {
			if find(b, "a") != nil {
				return batching.FailFrom(b.First(), errors.New("no such account"))
			}
			return nil
		}}
		cfg.Hooks.ControlChanged = func(e consumer.ControlEvent) {
			for i := range e.Pauses {
				e.Pauses[i] = shard.Pause{} // which is everything
			}
		}
		r := start(t, cfg)
		await(t, "the key is parked", func() bool { return r.holds() == 1 && r.Status().Shards[0].Parked.Keys == 1 })
		first := r.Status().Shards[0].Parked.Shown
		key := first[0].Key
		first[0].Key = "scribbled over"
		if got := r.Status().Shards[0].Parked.Shown[0].Key; got != key {
			t.Errorf("the parked key is shown as %q to the next who asks, want %q", got, key)
		}
		must(t, r.Steering().Pause(t.Context(), consumer.PauseOf{Shard: "shardId-of-another"}))
		await(t, "the pause is known", func() bool { return len(r.Status().Pauses) == 1 })
		if s := r.Status(); s.Pauses[0].Shard != "shardId-of-another" || s.Shards[0].Paused {
			t.Errorf("paused are %v, the shard: %v, want another shard alone", s.Pauses, s.Shards[0].Paused)
		}
	})
}
