package dynamoonce_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/dynamoonce"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed of the random faults")
	seeds     = flag.Int("seeds", 200, "how many seeds of the random faults")
)

// A fleet counts events while workers are killed and paused, cut off, and half of
// the answers of one table or the other are lost; some events are sent twice.
// When all is done each event is counted once. A failing seed is tried again with
// -run TestEffectsAreAppliedOnce -seed N -seeds 1.
func TestEffectsAreAppliedOnce(t *testing.T) {
	if raceEnabled {
		*seeds = min(*seeds, 10)
	}
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { countOnce(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func countOnce(t *testing.T, r *rand.Rand) {
	rig := streamtest.New(t, 2)
	defer rig.Close()
	operator := dynamodb.NewFromConfig(rig.AWS.Config("operator"))
	makeTable(t, operator, "once", "id")
	makeTable(t, operator, "counts", "id")
	start := func(name string) *streamtest.Worker {
		store := dynamoonce.Open(dynamodb.NewFromConfig(rig.AWS.Config(name)), "once")
		handler, err := once.Each(store, func(_ context.Context, e *once.Effect) error {
			e.Attach(count("counts", string(e.Record.Data)))
			return nil
		}, func(o *once.Options) {
			o.ID = func(r *shard.Record) (string, error) { return string(r.Data), nil }
			o.Lease = 20 * time.Second
		})
		if err != nil {
			t.Fatal(err)
		}
		return rig.Start(name, func(c *consumer.Config) {
			c.Handler, c.LeaseDuration, c.CheckpointInterval, c.BatchSize = handler, 5*time.Second, 2*time.Second, 10
			c.ParallelizationFactor = 1 + r.IntN(3)
		})
	}
	dice := rand.New(rand.NewPCG(r.Uint64(), 4))
	turn := make(chan struct{}, 1) // guards dice: a channel, as the bubble waits for it
	lost := r.Int64N(80)
	calm := false
	rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		turn <- struct{}{}
		defer func() { <-turn }()
		if !calm && c.Service == "dynamodb" && dice.Int64N(1000) < lost {
			return awsfake.LoseAnswer()
		}
		return awsfake.Fault{}
	})
	workers := []*streamtest.Worker{start("w0"), start("w1")}
	put, heal := 0, func() {}
	for step := range 8 {
		for range r.IntN(12) {
			event := fmt.Sprint("event-", put)
			rig.Put(fmt.Sprint("key-", put%7), event)
			if r.IntN(4) == 0 {
				rig.Put(fmt.Sprint("other-", put%5), event) // maybe into another shard
			}
			put++
		}
		switch i := r.IntN(len(workers)); r.IntN(4) {
		case 0:
			workers[i].Kill()
			workers[i] = start(fmt.Sprint("w", step+2))
		case 1:
			heal()
			heal = workers[i].Pause()
		case 2:
			heal()
			heal = workers[i].Cut("dynamodb")
		case 3:
			heal()
			heal = func() {}
		}
		time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
	}
	heal()
	turn <- struct{}{}
	calm = true
	<-turn
	rig.Await("everything finished", rig.AllDone)
	for i := range put {
		if n := counted(t, operator, "counts", fmt.Sprint("event-", i)); n != 1 {
			t.Errorf("event %d was counted %d times, want once", i, n)
		}
	}
}
