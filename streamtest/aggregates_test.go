package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest"
)

// Under the random faults of TestFleetUnderRandomFaults, every second fleet over
// fan-out, aggregates of one key each come between plain records of the same keys,
// some with poison in them. Nothing of them is lost or out of order, and no
// position passes a user record that is not finished.
func TestAggregatesUnderRandomFaults(t *testing.T) {
	n := min(*seeds, 6)
	if raceEnabled {
		n = min(n, 2)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var options []streamtest.Option
				if seed%2 == 0 {
					options = append(options, streamtest.WithFanOut())
				}
				rig := streamtest.New(t, 3, options...)
				var producer sync.WaitGroup
				producer.Go(func() { putAggregates(rig, rand.New(rand.NewPCG(seed, 28)), 50*time.Second) })
				randomFaults(t, rand.New(rand.NewPCG(seed, 1)), rig, "kinesis", reshard)
				producer.Wait()
			})
		})
	}
}

// putAggregates puts aggregates for a while, each of one key, so that they belong
// to the shard of that key whatever is split or merged.
func putAggregates(rig *streamtest.Rig, r *rand.Rand, lasts time.Duration) {
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond) {
		key := fmt.Sprint("key-", r.IntN(11))
		var users []kpl.User
		for i := range 1 + r.IntN(60) {
			u := kpl.User{PartitionKey: key, Data: fmt.Append(nil, i)}
			if r.IntN(300) == 0 {
				u.Data = []byte("poison")
			}
			users = append(users, u)
		}
		rig.PutAggregate(users...)
	}
}

// Ids and positions of user records tell them apart.
func TestUserRecordsHaveIDsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		_, sequence := rig.PutAggregate(userRecords(0, 3, 3)...)
		var mu sync.Mutex
		var ids []string
		rig.Start("w", handling(func(_ context.Context, b *batching.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for i := range b.Records {
				_, id, _ := strings.Cut(b.Records[i].ID(), "/"+firstShard+"/")
				ids = append(ids, id)
			}
			return nil
		}))
		rig.Await("every record", rig.AllDone)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(ids)
		if want := []string{sequence, sequence + "/1", sequence + "/2"}; !slices.Equal(ids, want) {
			t.Errorf("got %v, want %v", ids, want)
		}
	})
}

// Two user records out of the middle of an aggregate are given up. The letter
// names the aggregate as its first and last record, as Lambda's does, and what is
// read out of it are the two alone, with their keys and indexes.
func TestUserRecordsAreGivenUpByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		_, sequence := rig.PutAggregate(userRecords(0, 10, 3)...)
		rig.Start("w", handling(func(_ context.Context, b *batching.Batch) error {
			var refused error
			for i := range b.Records {
				if r := &b.Records[i]; r.Sub == 4 || r.Sub == 5 {
					refused = errors.Join(refused, batching.Reject(r, errors.New("refused")))
				}
			}
			return refused
		}))
		rig.Await("every record", rig.AllDone)
		if rig.Ledger.Handled() != 8 || rig.Ledger.GaveUp() != 2 {
			t.Errorf("%d were handled and %d given up, want 8 and 2", rig.Ledger.Handled(), rig.Ledger.GaveUp())
		}
		given := map[int64]string{}
		for _, f := range rig.Failed.Accepted() {
			messages, err := (destination.Packing{}).Pack(t.Context(), f)
			if err != nil || len(messages) != 1 {
				t.Fatalf("%d messages, %v", len(messages), err)
			}
			body := string(messages[0].Body)
			for _, part := range []string{`"startSequenceNumber":"` + sequence + `"`, `"endSequenceNumber":"` + sequence + `"`} {
				if !strings.Contains(body, part) {
					t.Errorf("the letter has no %s: %s", part, body)
				}
			}
			back, err := destination.ParseEnvelope(messages[0].Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range back.Failure.Records {
				given[r.Sub] = r.PartitionKey + "=" + string(r.Data)
			}
		}
		if len(given) != 2 || given[4] != "user-1=4" || given[5] != "user-2=5" {
			t.Errorf("the letters have %v", given)
		}
	})
}

// Filters look at user records.
func TestFiltersSeeUserRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		var users []kpl.User
		for i := range 30 {
			users = append(users, kpl.User{PartitionKey: fmt.Sprint("user-", i), Data: fmt.Appendf(nil, `{"n":%d,"even":%v}`, i, i%2 == 0)})
		}
		shardID, sequence := rig.PutAggregate(users...)
		for i := range users {
			if i%2 == 1 || i >= 20 {
				rig.Ledger.Finish(shardID, sequence, int64(i)) // by a filter
			}
		}
		seen := newNoted()
		w := rig.Start("w", seen.handler("w"), func(c *consumer.Config) {
			c.Filters = []string{`{"data":{"even":[true],"n":[{"numeric":["<",20]}]}}`}
		})
		rig.Await("the records", func() bool {
			s := w.Consumer.Status().Shards
			return len(s) == 1 && s[0].Handled == 30
		})
		if s := w.Consumer.Status().Shards[0]; s.Filtered != 20 || s.Mark.Sequence != sequence || s.Mark.Sub != 29 {
			t.Errorf("%d were filtered, the mark is %s; want 20, the last user record", s.Filtered, s.Mark)
		}
		for i, u := range users {
			want := 0
			if i%2 == 0 && i < 20 {
				want = 1
			}
			if got := seen.of(string(u.Data)); got != want {
				t.Errorf("user record %d was handled %d times, want %d", i, got, want)
			}
		}
	})
}

// The lanes go by the keys of user records, and not by the one that all aggregates
// of a producer have.
func TestUserRecordsGoToLanesByTheirKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutAggregate(userRecords(0, 80, 16)...)
		var mu sync.Mutex
		running, most := 0, 0
		rig.Start("w", func(c *consumer.Config) { c.ParallelizationFactor, c.BatchSize = 8, 5 },
			handling(func(context.Context, *batching.Batch) error {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				return nil
			}))
		rig.Await("every record", rig.AllDone)
		mu.Lock()
		defer mu.Unlock()
		if most < 5 {
			t.Errorf("%d calls ran at once, want most of 8 lanes", most)
		}
	})
}

// A window's state is written with the index within the aggregate up to which it
// counts: a worker that dies within one leaves both, and whoever goes on counts
// every user record once.
func TestWindowsCountUserRecordsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		const n = 60
		var mu sync.Mutex
		totals := map[time.Time]int{} // of windows that ended
		counting := func(c *consumer.Config) {
			c.TumblingWindow, c.BatchSize, c.LeaseDuration, c.CheckpointInterval = time.Minute, 7, 3*time.Second, 20*time.Millisecond
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				count, _ := strconv.Atoi(string(b.Window.State))
				time.Sleep(20 * time.Millisecond)
				if b.Window.Final {
					mu.Lock()
					defer mu.Unlock()
					totals[b.Window.Start] = count
					return nil
				}
				b.Window.State = strconv.AppendInt(nil, int64(count+len(b.Records)), 10)
				return nil
			})
		}
		rig.PutAggregate(userRecords(0, n, 5)...)
		first := rig.Start("first", counting)
		rig.Await("a position within the aggregate", func() bool {
			rows := rig.Rows()
			return len(rows) == 1 && rows[0].Checkpoint.Sub > 10
		})
		first.Kill()
		if at := rig.Rows()[0].Checkpoint; at.Sub >= n-1 {
			t.Fatalf("it died at %s, want within the aggregate", at)
		}
		rig.Start("next", counting)
		rig.Await("the window's end", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(totals) > 0
		})
		mu.Lock()
		defer mu.Unlock()
		for start, total := range totals {
			if total != n {
				t.Errorf("the window of %s counted %d user records, want %d", start.Format("15:04"), total, n)
			}
		}
	})
}
