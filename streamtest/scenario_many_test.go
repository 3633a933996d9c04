package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/streams"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Two streams beside that of the rig: one of another account with the same name,
// and one of a table.
const (
	theirClicks = "arn:aws:kinesis:us-east-1:111122223333:stream/clicks"
	table       = "orders"
)

// A stream, one of another account with its name, and that of a table are read by
// one fleet over one table. Rows are KCL's; records, batches and envelopes say
// where they come from.
func TestManyStreamsOfAnyAccountAndKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t)
		failed := &destinationtest.Recorder{}
		configure := func(worker string) func(*consumer.Config) {
			return func(c *consumer.Config) {
				c.Source, c.OnFailure = streams.Of(s.sources(worker)), failed
				c.Handler = s.handle(worker, func(_ context.Context, b *batching.Batch) error {
					var rejected []error
					for i := range b.Records {
						if string(b.Records[i].Data) == "bad" {
							rejected = append(rejected, batching.Reject(&b.Records[i], errors.New("bad")))
						}
					}
					return errors.Join(rejected...)
				})
			}
		}
		s.rig.PutN(50, 7)
		s.write(t, 50)
		for _, name := range []string{"anna", "bert"} {
			s.rig.Start(name, configure(name))
		}
		s.rig.Await("all three", func() bool { return s.rig.AllDone() && s.done() })
		if _, _, err := s.rig.AWS.Kinesis().Split(streamtest.Stream, firstShard); err != nil {
			t.Fatal(err)
		}
		if _, err := s.rig.AWS.Kinesis().Merge(theirClicks, firstShard, secondShard); err != nil {
			t.Fatal(err)
		}
		if err := s.rig.AWS.DynamoDB().Rollover(table); err != nil {
			t.Fatal(err)
		}
		s.rig.PutN(50, 7)
		s.write(t, 50)
		s.rig.Await("all three after their reshards", func() bool { return s.rig.AllDone() && s.done() })
		if _, _, err := s.rig.AWS.Kinesis().Put(theirClicks, "bad", []byte("bad")); err != nil {
			t.Fatal(err)
		}
		s.rig.Await("the record that is given up", func() bool { return len(failed.Accepted()) == 1 })
		s.check(t)
		time.Sleep(10 * time.Second)

		if f := failed.Accepted()[0]; f.Stream != theirClicks || f.Shard != "shardId-000000000002" || f.Records[0].Shard != f.Shard {
			t.Errorf("the envelope is of %s in %s", f.Shard, f.Stream)
		}
		s.rowsAreKCLs(t)
		tableARN := s.rig.AWS.DynamoDB().StreamARN(table)
		for call := range s.calls {
			id, arn, _ := strings.Cut(call, " in ")
			key, _, many := shard.SplitID(id)
			if want, err := shard.KeyOf(shard.Stream{ARN: arn, CreatedAt: time.Unix(key.Epoch, 0)}); !many || err != nil || want != key {
				t.Errorf("a batch is of %s", call)
			}
			if arn != theirClicks && arn != tableARN && arn != s.rig.AWS.Kinesis().ARN(streamtest.Stream) {
				t.Errorf("a batch is of %s", call)
			}
		}
		s.rig.Close()
	})
}

// A fleet that reads three streams lives through faults, reshards of two at once,
// and streams that come and go: nothing of any is lost, and the order of keys
// holds.
func TestManyStreamsUnderRandomFaults(t *testing.T) {
	n := min(*seeds, 4)
	if raceEnabled {
		n = min(n, 2)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 7))
				s := newSeveral(t)
				defer s.rig.Close()
				named := [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}}
				var mu sync.Mutex
				now := 0
				batch, lanes, takes := 1+r.IntN(40), 1+r.IntN(4), time.Duration(r.IntN(20))*time.Millisecond
				set := func(name string) func(*consumer.Config) {
					return func(c *consumer.Config) {
						all := s.sources(name)
						c.Source = streams.Ask(func(context.Context) ([]shard.Source, error) {
							mu.Lock()
							defer mu.Unlock()
							var list []shard.Source
							for _, i := range named[now] {
								list = append(list, all[i])
							}
							return list, nil
						}, func(o *streams.Options) { o.Every = 3 * time.Second })
						c.LeaseDuration, c.CheckpointInterval = 5*time.Second, 2*time.Second
						c.BatchSize, c.ParallelizationFactor = batch, lanes
						c.Handler = s.handle(name, func(context.Context, *batching.Batch) error { time.Sleep(takes); return nil })
					}
				}
				dice := rand.New(rand.NewPCG(seed, 8))
				over := make(chan struct{})
				var others sync.WaitGroup
				others.Go(func() {
					for {
						select {
						case <-over:
							return
						case <-time.After(time.Duration(100+dice.IntN(900)) * time.Millisecond):
						}
						s.write(t, dice.IntN(8))
						if dice.IntN(8) == 0 {
							mu.Lock()
							now = dice.IntN(len(named))
							mu.Unlock()
						}
					}
				})
				both := func(rig *streamtest.Rig, r *rand.Rand) {
					reshard(rig, r)
					reshardOf(rig.AWS, theirClicks, r)
					_ = rig.AWS.DynamoDB().Rollover(table)
				}
				ended := time.AfterFunc(55*time.Second, func() {
					close(over)
					mu.Lock()
					defer mu.Unlock()
					now = 0
				})
				defer ended.Stop()
				storm(t, s.rig, r, time.Minute, "kinesis", both, set)
				others.Wait()
				s.rig.Await("everything of the others", s.done)
				s.check(t)
			})
		})
	}
}

// reshardOf splits a random open shard of a stream, or merges two.
func reshardOf(a *awsfake.AWS, stream string, r *rand.Rand) {
	var open []string
	for _, s := range a.Kinesis().Shards(stream) {
		if s.EndingSequenceNumber == "" {
			open = append(open, s.ID)
		}
	}
	one := open[r.IntN(len(open))]
	if r.IntN(2) == 0 && len(open) < 6 {
		_, _, _ = a.Kinesis().Split(stream, one)
		return
	}
	for _, other := range open {
		if _, err := a.Kinesis().Merge(stream, one, other); err == nil {
			return
		}
	}
}

// A stream that is deleted and created again under its name while it is read is
// let go; the other goes on, nothing of the new one is read by the old positions,
// and the rows of the old stay as they were.
func TestStreamCreatedAgainAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t)
		var mu sync.Mutex
		var told []consumer.StreamEvent
		configure := func(policy streams.Recreated) func(*consumer.Config) {
			return func(c *consumer.Config) {
				c.Source = streams.Of(s.sources("anna")[:2], func(o *streams.Options) { o.OnRecreated = policy })
				c.Handler = s.handle("anna", func(context.Context, *batching.Batch) error { return nil })
				c.Hooks.StreamChanged = func(e consumer.StreamEvent) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, e)
				}
			}
		}
		recreated := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(told, func(e consumer.StreamEvent) bool { return e.State == consumer.StreamRecreated && e.ARN == theirClicks })
		}
		theirs := func() int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.handled[theirClicks])
		}
		w := s.rig.Start("anna", configure(streams.Refuse))
		s.rig.PutN(20, 7)
		s.write(t, 20)
		s.rig.Await("both", func() bool { return s.rig.AllDone() && theirs() == 20 })
		time.Sleep(10 * time.Second)
		before := rowsOf(s.rig, theirClicks)

		client := kinesis.NewFromConfig(s.rig.AWS.Config("streamtest"))
		if _, err := client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamARN: aws.String(theirClicks)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if err := s.rig.AWS.Kinesis().CreateStream(theirClicks, 2); err != nil {
			t.Fatal(err)
		}
		s.write(t, 30)
		s.rig.PutN(20, 7)
		s.rig.Await("the other goes on, and somebody says what is the case", func() bool { return s.rig.AllDone() && recreated() })
		time.Sleep(5 * time.Minute)
		if n := theirs(); n != 20 {
			t.Errorf("%d records are handled, want those of the stream before", n)
		}
		after := rowsOf(s.rig, theirClicks)
		if !maps.Equal(before, after) {
			t.Errorf("the rows were %v and are %v", before, after)
		}
		if _, err := w.Stop(); err != nil {
			t.Error(err)
		}
		s.rig.Start("bert", configure(streams.StartAnew))
		s.rig.Await("the new stream from its beginning", func() bool { return theirs() == 50 })
		s.rig.Close()
	})
}

// rowsOf is the checkpoints of a stream's rows, by key.
func rowsOf(rig *streamtest.Rig, arn string) map[string]string {
	rows := map[string]string{}
	for _, it := range rig.AWS.DynamoDB().Items(streamtest.Application) {
		key := it["leaseKey"].Text()
		if strings.HasPrefix(key, strings.Split(arn, ":")[4]+":") {
			rows[key] = it["checkpoint"].Text()
		}
	}
	return rows
}
