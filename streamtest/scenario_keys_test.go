package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Poison keys are set aside, parked and released while workers are killed,
// answers are lost and the stream is split and merged, over the real driver:
// everything is finished in the order of its key, and no position passes what is
// neither finished nor parked. More seeds of the same run over fakes, in consumer.
func TestParkedKeysSurviveKillsAndReshards(t *testing.T) {
	n := 6
	if raceEnabled {
		n = 2
	}
	for seed := range uint64(n) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { parkedKeys(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func parkedKeys(t *testing.T, r *rand.Rand) {
	rig := streamtest.New(t, 2)
	defer rig.Close()
	healAt := time.Now().Add(time.Duration(10+r.IntN(20)) * time.Second)
	lost := 0
	dice := rand.New(rand.NewPCG(r.Uint64(), 2))
	turn := make(chan struct{}, 1) // guards lost and dice
	rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		turn <- struct{}{}
		defer func() { <-turn }()
		if c.Service == "dynamodb" && dice.IntN(1000) < lost {
			return awsfake.LoseAnswer()
		}
		return awsfake.Fault{}
	})
	factor, size := 1+r.IntN(3), 1+r.IntN(20)
	set := func(c *consumer.Config) {
		c.LeaseDuration, c.CheckpointInterval = 5*time.Second, time.Second
		c.BatchSize, c.ParallelizationFactor, c.BisectBatchOnError = size, factor, true
		c.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{500 * time.Millisecond}}
		c.Park = consumer.Park{Keys: 5, Backlog: 10, RetryEvery: 4 * time.Second}
		c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			time.Sleep(5 * time.Millisecond)
			for i := range b.Records {
				if strings.HasPrefix(string(b.Records[i].Data), "poison") && time.Now().Before(healAt) {
					return errors.New("poison")
				}
			}
			return nil
		})
	}
	names := 0
	start := func() *streamtest.Worker {
		names++
		return rig.Start(fmt.Sprint("w", names), set)
	}
	workers := []*streamtest.Worker{start(), start()}
	most := 0
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond) {
		rig.PutN(r.IntN(10), 7)
		switch r.IntN(12) {
		case 0:
			i := r.IntN(2)
			workers[i].Kill()
			workers[i] = start()
		case 1:
			i := r.IntN(2)
			go workers[i].Stop()
			workers[i] = start()
		case 2:
			turn <- struct{}{}
			lost = r.IntN(2) * 50
			<-turn
		case 3:
			reshard(rig, r)
		case 4, 5, 6:
			rig.Put(fmt.Sprint("key-", r.IntN(7)), "poison")
		case 7, 8:
			for _, w := range workers {
				for _, s := range w.Consumer.Status().Shards {
					most = max(most, s.Parked.Records)
					for _, k := range s.Parked.Shown {
						ctx, cancel := context.WithTimeout(context.Background(), time.Second)
						_ = w.Consumer.Unpark(ctx, s.Shard, k.Key)
						cancel()
					}
				}
			}
		}
	}
	turn <- struct{}{}
	lost = 0
	<-turn
	rig.Await("everything finished", rig.AllDone)
	t.Logf("up to %d records of one shard were seen parked", most)
}
