package streamtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed of the random faults")
	seeds     = flag.Int("seeds", 25, "how many seeds of the random faults")
)

// A fleet of three lives through a minute of random faults (deaths, pauses,
// partitions of one service, lost answers, throttling, reshards, gentle stops,
// poison records), and once they are over everything that was put is finished;
// the checker sees no promise broken on the way. A failing seed is tried again
// with -run TestFleetUnderRandomFaults -seed N -seeds 1.
func TestFleetUnderRandomFaults(t *testing.T) {
	if raceEnabled {
		*seeds = min(*seeds, 4)
	}
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				randomFaults(t, rand.New(rand.NewPCG(seed, 1)), streamtest.New(t, 3), "kinesis", reshard)
			})
		})
	}
}

// The same over the stream of a table, whose shards roll over and split.
func TestTableFleetUnderRandomFaults(t *testing.T) {
	n := min(*seeds, 8)
	if raceEnabled {
		n = min(n, 2)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				randomFaults(t, rand.New(rand.NewPCG(seed, 3)), streamtest.NewTable(t, 3), "dynamodbstreams", rollOrSplit)
			})
		})
	}
}

func randomFaults(t *testing.T, r *rand.Rand, rig *streamtest.Rig, source string, reshard func(*streamtest.Rig, *rand.Rand)) {
	defer rig.Close()
	poison := errors.New("poison")
	set := func(c *consumer.Config) {
		c.LeaseDuration, c.CheckpointInterval = 5*time.Second, 2*time.Second
		c.BatchSize, c.ParallelizationFactor = 1+r.IntN(40), 1+r.IntN(5)
		c.BisectBatchOnError, c.MaximumRetryAttempts = true, batching.AtMost(1)
		takes := time.Duration(r.IntN(30)) * time.Millisecond
		c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
			time.Sleep(takes)
			for i := range b.Records {
				if strings.Contains(string(b.Records[i].Data), "poison") {
					return poison
				}
			}
			return nil
		})
	}
	storm(t, rig, r, time.Minute, source, reshard, func(string) func(*consumer.Config) { return set })
}

// storm is a time of random faults over a fleet of three, and the calm behind
// it, in which everything that was put is finished. Set configures a worker by its
// name.
func storm(t *testing.T, rig *streamtest.Rig, r *rand.Rand, lasts time.Duration, source string, reshard func(*streamtest.Rig, *rand.Rand), set func(name string) func(*consumer.Config)) {
	var workers []*streamtest.Worker
	names := 0
	start := func() {
		names++
		name := fmt.Sprint("w", names)
		workers = append(workers, rig.Start(name, set(name)))
	}
	remove := func() *streamtest.Worker {
		i := r.IntN(len(workers))
		w := workers[i]
		workers = append(workers[:i], workers[i+1:]...)
		return w
	}
	for range 3 {
		start()
	}
	sky := newWeather(rig, r.Uint64())
	var heals []func()
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(time.Duration(r.IntN(900)) * time.Millisecond) {
		rig.PutN(r.IntN(30), 11)
		switch r.IntN(22) {
		case 0:
			if len(workers) > 1 {
				remove().Kill()
				start()
			}
		case 1:
			if len(workers) > 1 {
				w := remove()
				go w.Stop()
				start()
			}
		case 2:
			heals = append(heals, workers[r.IntN(len(workers))].Pause())
		case 3:
			heals = append(heals, workers[r.IntN(len(workers))].Cut([]string{"dynamodb", source, ""}[r.IntN(3)]))
		case 4, 5, 6:
			for _, heal := range heals {
				heal()
			}
			heals = nil
		case 7:
			sky.lostAnswers.Store(r.Int64N(60))
		case 8:
			sky.throttled.Store(r.Int64N(300))
		case 9:
			sky.clear()
		case 10:
			reshard(rig, r)
		case 11:
			rig.Put(fmt.Sprint("key-", r.IntN(11)), "poison")
		}
	}
	for _, heal := range heals {
		heal()
	}
	sky.clear()
	calm := time.Now()
	rig.Await("everything finished", rig.AllDone)
	if took := time.Since(calm); took > 2*time.Minute {
		t.Errorf("everything was finished %v after the last fault, want two minutes at most", took)
	}
}

// reshard splits a random open shard or merges two that lie side by side.
func reshard(rig *streamtest.Rig, r *rand.Rand) {
	var open []string
	for _, s := range rig.AWS.Kinesis().Shards(streamtest.Stream) {
		if s.EndingSequenceNumber == "" {
			open = append(open, s.ID)
		}
	}
	one := open[r.IntN(len(open))]
	if r.IntN(2) == 0 && len(open) < 8 {
		_, _, _ = rig.AWS.Kinesis().Split(streamtest.Stream, one)
		return
	}
	for _, other := range open {
		if _, err := rig.AWS.Kinesis().Merge(streamtest.Stream, one, other); err == nil {
			return
		}
	}
}

// rollOrSplit rolls every open shard of a table over, or splits one.
func rollOrSplit(rig *streamtest.Rig, r *rand.Rand) {
	var open []string
	for _, s := range rig.AWS.DynamoDB().StreamShards(streamtest.Table) {
		if s.Ending == "" {
			open = append(open, s.ID)
		}
	}
	if r.IntN(2) == 0 && len(open) < 8 {
		_ = rig.AWS.DynamoDB().SplitShard(streamtest.Table, open[r.IntN(len(open))])
		return
	}
	_ = rig.AWS.DynamoDB().Rollover(streamtest.Table)
}
