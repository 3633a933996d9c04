package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/reposition"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
)

// mover moves the positions of a rig; faults are aimed at its name.
func mover(t *testing.T, rig *streamtest.Rig, name, application string) *reposition.Mover {
	t.Helper()
	return moverOf(t, rig, kinesisshards.Open(kinesis.NewFromConfig(rig.AWS.Config(name)), streamtest.Stream), name, application)
}

func moverOf(t *testing.T, rig *streamtest.Rig, source shard.Source, name, application string) *reposition.Mover {
	t.Helper()
	cfg := rig.AWS.Config(name)
	m, err := reposition.Open(reposition.Config{
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), application, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		Source: source,
		By:     name, Silence: 8 * time.Second, Patience: 40 * time.Second, Unread: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// operator moves positions at random, one or all, and is killed in the middle of
// it at random; whatever is left half done he finishes or gives up.
type operator struct {
	t     *testing.T
	rig   *streamtest.Rig
	r     *rand.Rand
	began time.Time
	moved int // moves that were made
}

func (o *operator) operate(until time.Time) {
	for n := 0; time.Now().Before(until); n++ {
		time.Sleep(time.Duration(o.r.IntN(6000)) * time.Millisecond)
		name := fmt.Sprint("op", n)
		m := mover(o.t, o.rig, name, streamtest.Application)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+o.r.IntN(60))*time.Second)
		kill := time.Duration(o.r.IntN(8000)) * time.Millisecond
		killed := o.r.IntN(3) == 0
		var heal atomic.Pointer[func()]
		timer := time.AfterFunc(kill, func() {
			if killed {
				f := o.rig.AWS.Cut(name, "") // he is gone, and nothing of his is given up
				heal.Store(&f)
			}
		})
		if err := o.once(ctx, m); err == nil {
			o.moved++
		} else if errors.Is(err, checkpoint.ErrNoLease) {
			o.t.Error(err)
		}
		timer.Stop()
		cancel()
		if f := heal.Load(); f != nil {
			(*f)()
		}
	}
}

func (o *operator) once(ctx context.Context, m *reposition.Mover) error {
	if move, err := m.Underway(ctx); err != nil || move.Active() {
		if err == nil && o.r.IntN(2) == 0 && !move.Writing {
			return m.Abort(ctx)
		}
		return errors.Join(err, m.Resume(ctx))
	}
	var to shard.Position
	switch o.r.IntN(5) {
	case 0:
		to = shard.Latest()
	case 1:
		to = shard.TrimHorizon()
	default:
		to = shard.AtTime(o.began.Add(time.Duration(o.r.Int64N(int64(time.Since(o.began))))))
	}
	target := reposition.Target{To: to}
	if o.r.IntN(3) > 0 {
		rows := o.rig.Rows()
		if len(rows) == 0 {
			return nil
		}
		row := rows[o.r.IntN(len(rows))]
		target.Shard = row.Shard
		if row.Checkpoint.IsRecord() && o.r.IntN(3) == 0 {
			target.To = row.Checkpoint
		}
	}
	plan, err := m.Seek(ctx, target)
	if err != nil {
		return err
	}
	return m.Apply(ctx, plan)
}

// settle finishes what was left half done.
func (o *operator) settle() {
	m := mover(o.t, o.rig, "last", streamtest.Application)
	for {
		err := m.Resume(context.Background())
		if err == nil || errors.Is(err, reposition.ErrNoMove) {
			return
		}
		time.Sleep(time.Second)
	}
}

// Positions are moved at random, of one shard and of all, back and forth, by
// movers that die in the middle of it, while a fleet lives through a minute of
// random faults, splits and merges. Behind each move what it asks for is handled
// again, parents first and in order for each key; nothing goes back without a
// greater seek generation; and in the end all of it is finished.
func TestSeeksUnderRandomFaults(t *testing.T) {
	n := min(*seeds, 12)
	if raceEnabled {
		n = min(n, 2)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, rig := rand.New(rand.NewPCG(seed, 17)), streamtest.New(t, 3)
				defer rig.Close()
				set := func(c *consumer.Config) {
					c.LeaseDuration, c.CheckpointInterval = 5*time.Second, 2*time.Second
					c.BatchSize, c.ParallelizationFactor, c.DrainTimeout = 1+r.IntN(40), 1+r.IntN(3), 5*time.Second
					c.BisectBatchOnError, c.MaximumRetryAttempts = true, batching.AtMost(1)
					c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
						time.Sleep(5 * time.Millisecond)
						for i := range b.Records {
							if strings.Contains(string(b.Records[i].Data), "poison") {
								return errors.New("poison")
							}
						}
						return nil
					})
				}
				o := &operator{t: t, rig: rig, r: rand.New(rand.NewPCG(seed, 18)), began: time.Now()}
				settled := make(chan struct{})
				go func() { // ends by itself; awaited below
					defer close(settled)
					o.operate(time.Now().Add(55 * time.Second))
					o.settle()
				}()
				storm(t, rig, r, time.Minute, "kinesis", reshard, func(string) func(*consumer.Config) { return set })
				<-settled
				rig.Await("everything finished behind the last move", rig.AllDone)
				t.Log(o.moved, "moves were made")
			})
		})
	}
}

// A shadow is made from the positions of an application at work: what was handled
// there does not come to it, and everything behind does, once.
func TestForkedShadowGoesOnWhereTheApplicationWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 3)
		defer rig.Close()
		rig.PutN(200, 11)
		w := rig.Start("w1", func(c *consumer.Config) { c.CheckpointInterval = time.Second })
		rig.Await("half of it", rig.AllDone)
		open := rig.AWS.Kinesis().Shards(streamtest.Stream)
		if _, _, err := rig.AWS.Kinesis().Split(streamtest.Stream, open[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if _, err := w.Stop(); err != nil {
			t.Fatal(err)
		}
		from := dynamocheckpoint.Open(dynamodb.NewFromConfig(rig.AWS.Config("op")), streamtest.Application)
		m := mover(t, rig, "op", "shadow")
		plan, err := m.Fork(t.Context(), reposition.Origin{Rows: from, Name: streamtest.Application})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Fork(t.Context(), reposition.Origin{Rows: from, Name: streamtest.Application}); !errors.Is(err, reposition.ErrNotEmpty) {
			t.Errorf("a second fork: got error %v", err)
		}
		var got atomic.Int64
		cfg := rig.Config("shadow")
		cfg.Name, cfg.Leases = "shadow", dynamocheckpoint.Open(dynamodb.NewFromConfig(rig.AWS.Config("shadow")), "shadow")
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			got.Add(int64(len(b.Records)))
			return nil
		})
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }() // ends with stop; awaited below
		rig.PutN(100, 11)
		rig.Start("w2")
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := got.Load(); n != 100 {
			t.Errorf("the shadow got %d records, want the 100 that came behind the fork", n)
		}
		rig.Await("the application went on as well", rig.AllDone)
	})
}

// The stream of a table, which knows no time to begin at, is rewound to one as
// well, past shards that rolled over.
func TestTablesStreamIsRewoundToATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.NewTable(t, 2)
		defer rig.Close()
		rig.Start("w1")
		rig.PutN(40, 11)
		rig.Await("the first of it", rig.AllDone)
		time.Sleep(5 * time.Second)
		half := time.Now()
		rig.PutN(20, 11)
		if err := rig.AWS.DynamoDB().Rollover(streamtest.Table); err != nil {
			t.Fatal(err)
		}
		rig.PutN(20, 11)
		rig.Await("everything", rig.AllDone)
		time.Sleep(30 * time.Second) // the ends of the old shards are written
		source := dynamoshards.Open(dynamodbstreams.NewFromConfig(rig.AWS.Config("op")), streamtest.Table)
		m := moverOf(t, rig, source, "op", streamtest.Application)
		plan, err := m.Seek(t.Context(), reposition.Target{To: shard.AtTime(half)})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		rig.Await("everything since", rig.AllDone)
		time.Sleep(10 * time.Second)
		if n := rig.Ledger.Repeated(); n != 40 {
			t.Errorf("%d records came again, want the 40 since", n)
		}
	})
}
