package streamtest_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
)

// pooled has the workers read with memory that is lent, and overwritten as soon as
// it is given back. The rig holds every payload against what was put, whenever a
// handler is called or has returned, and when a destination accepts.
func pooled() streamtest.Option {
	return streamtest.WithReading(lent, func(o *kinesisshards.Options) { o.Limit = 40 })
}

func lent(o *kinesisshards.Options) { o.Pooled, o.Poison = true, true }

var errPoison = errors.New("poison")

// refusing fails on poison, and takes some time.
var refusing = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
	time.Sleep(3 * time.Millisecond)
	for i := range b.Records {
		if strings.HasPrefix(string(b.Records[i].Data), "poison") {
			return errPoison
		}
	}
	return nil
})

// Payloads that are lent are whole for as long as anything is to be done with
// them: over repeats, parts, destinations, keys that wait, what is parked, what is
// acknowledged later, and what is collected.
func TestLentPayloadsAreWholeUntilTheyAreFinished(t *testing.T) {
	whole := func(t *testing.T, records []shard.Record) {
		for i := range records {
			if _, err := strconv.Atoi(string(records[i].Data)); err != nil {
				t.Errorf("the payload of %s is %q", records[i].ID(), records[i].Data)
			}
		}
	}
	for name, set := range map[string]func(t *testing.T, c *consumer.Config){
		"repeats, parts and a destination": func(_ *testing.T, c *consumer.Config) {
			c.Handler, c.BisectBatchOnError, c.MaximumRetryAttempts = refusing, true, batching.AtMost(3)
		},
		"lanes and keys set aside": func(_ *testing.T, c *consumer.Config) {
			c.Handler, c.ParallelizationFactor, c.BatchSize, c.BisectBatchOnError = refusing, 5, 15, true
			c.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{2 * time.Second}}
			c.MaximumRecordAge = time.Minute
		},
		"records that grow too old": func(_ *testing.T, c *consumer.Config) {
			c.Handler, c.BatchSize, c.MaximumRecordAge = refusing, 25, time.Minute
		},
		"small batches in lanes": func(_ *testing.T, c *consumer.Config) {
			c.Handler, c.BisectBatchOnError, c.MaximumRetryAttempts, c.BatchSize = refusing, true, batching.AtMost(1), 7
			c.ParallelizationFactor = 3
		},
		"acknowledged later": func(t *testing.T, c *consumer.Config) {
			c.BatchSize, c.ParallelizationFactor = 9, 2
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				var bad []error
				good := make([]shard.Record, 0, len(b.Records))
				for i := range b.Records {
					if strings.HasPrefix(string(b.Records[i].Data), "poison") {
						bad = append(bad, batching.Reject(&b.Records[i], errPoison))
						continue
					}
					good = append(good, b.Records[i])
				}
				ack := b.Defer()
				time.AfterFunc(1500*time.Millisecond, func() {
					whole(t, good)
					ack.Done()
				})
				return errors.Join(bad...)
			})
		},
		"collected": func(t *testing.T, c *consumer.Config) {
			failures := 0
			c.BatchSize = 11
			c.Handler = &consumer.Collect{MaxRecords: 70, MaxAge: 4 * time.Second,
				Check: func(r *shard.Record) error {
					if strings.HasPrefix(string(r.Data), "poison") {
						return errPoison
					}
					return nil
				},
				Flush: func(_ context.Context, got *consumer.Collected) error {
					whole(t, got.Records)
					if failures++; failures%3 == 0 {
						return errors.New("the bucket is closed")
					}
					return nil
				}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 2, pooled())
				defer rig.Close()
				change := func(c *consumer.Config) {
					c.LeaseDuration, c.CheckpointInterval = 5*time.Second, time.Second
					set(t, c)
				}
				first := rig.Start("w1", change)
				for i := range 6 {
					rig.PutN(60, 9)
					rig.Put("key-"+strconv.Itoa(i), "poison "+strconv.Itoa(i))
					time.Sleep(700 * time.Millisecond)
				}
				rig.Start("w2", change)
				first.Kill()
				rig.PutN(60, 9)
				rig.Await("everything", rig.AllDone)
				for _, f := range rig.Failed.Accepted() {
					for i := range f.Records {
						if bytes.IndexByte(f.Records[i].Data, 0xDB) >= 0 {
							t.Errorf("the destination was given %q", f.Records[i].Data)
						}
					}
				}
			})
		})
	}
}

// A handler that ignores the end of its context keeps what it was given, whatever
// becomes of the shard.
func TestAHandlerLeftBehindKeepsItsPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1, pooled())
		defer rig.Close()
		release := make(chan struct{})
		var mu sync.Mutex
		var stuck []shard.Record
		w := rig.Start("w1", func(c *consumer.Config) {
			c.BatchSize, c.DrainTimeout = 10, time.Second
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if string(b.Records[len(b.Records)-1].Data) == "19" {
					mu.Lock()
					stuck = b.Records
					mu.Unlock()
					<-release
				}
				return nil
			})
		})
		rig.PutN(20, 3)
		rig.Await("a stuck handler", func() bool { mu.Lock(); defer mu.Unlock(); return stuck != nil })
		w.Kill()
		rig.Start("w2")
		rig.PutN(100, 3)
		rig.Await("everything", rig.AllDone)
		mu.Lock()
		defer mu.Unlock()
		for i := range stuck {
			if want := strconv.Itoa(10 + i); string(stuck[i].Data) != want {
				t.Errorf("record %d is %q, want %q", i, stuck[i].Data, want)
			}
		}
		close(release)
	})
}

// A handler that keeps bytes which it should have copied sees so in a test.
func TestPoisonShowsAHandlerThatKeepsPayloads(t *testing.T) {
	for _, poison := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var options []streamtest.Option
			if poison {
				options = append(options, pooled())
			}
			rig := streamtest.New(t, 1, options...)
			defer rig.Close()
			var mu sync.Mutex
			var kept []shard.Record
			rig.Start("w1", func(c *consumer.Config) {
				c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
					mu.Lock()
					defer mu.Unlock()
					kept = append(kept, b.Records...)
					return nil
				})
			})
			rig.PutN(10, 3)
			rig.Await("everything", rig.AllDone)
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			if len(kept) != 10 {
				t.Errorf("%d records were kept, want 10", len(kept))
			}
			for i := range kept {
				if rubbish := bytes.IndexByte(kept[i].Data, 0xDB) >= 0; rubbish != poison {
					t.Errorf("with Poison %v the payload that was kept of record %d is %q", poison, i, kept[i].Data)
				}
			}
		})
	}
}
