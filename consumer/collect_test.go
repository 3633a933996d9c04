package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// shelves is a bucket that objects of collected records are written to.
type shelves struct {
	mu      sync.Mutex
	do      func(ctx context.Context, c *consumer.Collected) error // before it is written; nil: nothing
	objects map[string][]string                                    // payloads by name
	names   []string                                               // in the order of the writes
	tries   int
}

func (s *shelves) flush(ctx context.Context, c *consumer.Collected) error {
	s.mu.Lock()
	s.tries++
	do := s.do
	s.mu.Unlock()
	if do != nil {
		if err := do(ctx, c); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var data []string
	for i := range c.Records {
		data = append(data, string(c.Records[i].Data))
	}
	if s.objects == nil {
		s.objects = map[string][]string{}
	}
	s.objects[c.Name()] = data
	s.names = append(s.names, c.Name())
	return nil
}

// sizes is how many records the objects have, in the order of their writes.
func (s *shelves) sizes() (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.names {
		sizes = append(sizes, len(s.objects[name]))
	}
	return sizes
}

func (s *shelves) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// numbered is a stream of one shard with n records that hold their number.
func numbered(n int) *shardtest.Stream {
	stream := shardtest.NewStream(1)
	for i := range n {
		stream.Put(fmt.Sprint("key-", i%7), fmt.Append(nil, i))
	}
	return stream
}

// A flush has what was collected of several batches, within its bounds of bytes
// and records, and nothing is finished before.
func TestCollectKeepsItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket := numbered(100), checkpointtest.NewTable(), &shelves{}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize = &consumer.Collect{MaxRecords: 30, Flush: bucket.flush}, 8
		runToTip(t, cfg)
		// Four batches of 8 do not fit into 30.
		if got, want := bucket.sizes(), []int{24, 24, 24, 28}; !slices.Equal(got, want) {
			t.Errorf("objects of %v records, want %v", got, want)
		}
		if !at(t, table, stream.Records()[99]) {
			t.Errorf("the checkpoint is %s", onlyRow(t, table).Checkpoint)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stream, bucket := numbered(100), &shelves{}
		size := int64(0)
		for _, r := range stream.Records()[90:] {
			size += int64(r.Size())
		}
		bucket.do = func(_ context.Context, c *consumer.Collected) error {
			if c.Bytes > size {
				t.Errorf("an object has %d bytes, want at most %d", c.Bytes, size)
			}
			return nil
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.BatchSize = &consumer.Collect{MaxBytes: size, Flush: bucket.flush}, 5
		runToTip(t, cfg)
		if got, want := bucket.sizes(), slices.Repeat([]int{10}, 10); !slices.Equal(got, want) {
			t.Errorf("objects of %v records, want %v", got, want)
		}
	})
}

// No record is collected for longer than MaxAge, and the checkpoint follows.
func TestCollectFlushesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket := shardtest.NewStream(1), checkpointtest.NewTable(), &shelves{}
		var oldest atomic.Int64
		bucket.do = func(_ context.Context, c *consumer.Collected) error {
			oldest.Store(max(oldest.Load(), int64(time.Since(c.First().ArrivedAt)))) // one flush at a time
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = &consumer.Collect{MaxAge: 30 * time.Second, Flush: bucket.flush}, time.Second
		start(t, cfg)
		for i := range 300 {
			stream.Put("key", fmt.Append(nil, i))
			time.Sleep(time.Second)
		}
		time.Sleep(35 * time.Second)
		if waited := time.Duration(oldest.Load()); waited < 30*time.Second || waited > 32*time.Second {
			t.Errorf("the oldest record was flushed after %v, want 30 s and what reading it takes", waited)
		}
		if n := len(bucket.sizes()); n < 9 || n > 11 {
			t.Errorf("%d objects in 335 s, want one each 30 s", n)
		}
		if !at(t, table, stream.Records()[299]) {
			t.Errorf("the checkpoint is %s", onlyRow(t, table).Checkpoint)
		}
	})
}

// A flush that fails is repeated with the same records, and costs none of them
// an attempt.
func TestFailingFlushBurnsNoRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket, failed := numbered(200), checkpointtest.NewTable(), &shelves{}, &destinationtest.Recorder{}
		fails := 40
		var names []string
		bucket.do = func(_ context.Context, c *consumer.Collected) error {
			names = append(names, c.Name())
			switch fails--; {
			case fails == 20:
				panic("no")
			case fails >= 0:
				return errClosed
			}
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.OnFailure = &consumer.Collect{MaxRecords: 50, Flush: bucket.flush}, 10, failed
		cfg.MaximumRetryAttempts, cfg.ParallelizationFactor, cfg.BisectBatchOnError = batching.AtMost(0), 3, true
		runToTip(t, cfg)
		if n := len(failed.Asked()); n != 0 {
			t.Errorf("%d failures were sent to OnFailure", n)
		}
		total := 0
		for _, n := range bucket.sizes() {
			total += n
		}
		if len(slices.Compact(names[:41])) != 1 || total != 200 {
			t.Errorf("%d records were written; the repeats of the first flush had %d names", total, len(slices.Compact(names[:41])))
		}
	})
}

// What is collected is flushed before the shard is let go, and before it ends.
func TestCollectFlushesBeforeTheShardGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket := letters(), checkpointtest.NewTable(), &shelves{}
		cfg := config(stream, table)
		cfg.Handler = &consumer.Collect{MaxAge: time.Hour, Flush: bucket.flush}
		r := start(t, cfg)
		await(t, "the batch", func() bool { s := r.Status().Shards; return len(s) == 1 && s[0].Deferred == 4 })
		if took, err := r.end(); err != nil || took > time.Second {
			t.Errorf("the stop took %v: %v", took, err)
		}
		if !at(t, table, stream.Records()[3]) {
			t.Errorf("the checkpoint is %s", onlyRow(t, table).Checkpoint)
		}
		stream.Put("key", []byte("e"))
		if _, _, err := stream.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		r = start(t, cfg)
		await(t, "the children", func() bool { return r.holds() == 2 })
		if got := bucket.sizes(); !slices.Equal(got, []int{4, 1}) {
			t.Errorf("objects of %v records", got)
		}
	})
}

// What was collected when the lease is lost is not written, unless its flush is
// running, and the next owner writes all of it.
func TestWhatWasCollectedIsDroppedWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket := letters(), checkpointtest.NewTable(), &shelves{}
		cfg := config(stream, table)
		cfg.Handler = &consumer.Collect{MaxAge: time.Minute, Flush: bucket.flush}
		r := start(t, cfg)
		collected := func() bool { s := r.Status().Shards; return len(s) == 1 && s[0].Deferred == 4 }
		await(t, "the batch", collected)
		before := r.Status().Worker
		s, err := table.Session(t.Context(), before)
		if err == nil {
			err = table.Revoke(t.Context(), s, "somebody")
		}
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the next session's batch", func() bool { return r.Status().Worker != before && collected() })
		if bucket.tried() != 0 {
			t.Error("what was collected in the lost tenure was written")
		}
		time.Sleep(2 * time.Minute)
		if got := bucket.sizes(); !slices.Equal(got, []int{4}) {
			t.Errorf("objects of %v records, want one of all", got)
		}
	})
}

// A record that Check has something against goes to OnFailure, and the others
// are collected.
func TestCheckedRecordsGoToOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, bucket, failed := letters(), checkpointtest.NewTable(), &shelves{}, &destinationtest.Recorder{}
		cfg := config(stream, table)
		cfg.OnFailure = failed
		cfg.Handler = &consumer.Collect{Flush: bucket.flush, Check: func(r *shard.Record) error {
			if string(r.Data) == "b" {
				return errClosed
			}
			return nil
		}}
		runToTip(t, cfg)
		if got := bucket.sizes(); !slices.Equal(got, []int{3}) || len(failed.Accepted()) != 1 || failed.Accepted()[0].Condition != destination.Rejected {
			t.Errorf("objects of %v records, and %v", got, failed.Accepted())
		}
		if !at(t, table, stream.Records()[3]) {
			t.Errorf("the checkpoint is %s", onlyRow(t, table).Checkpoint)
		}
	})
}

// The fields of a Collect are checked with the config.
func TestCollectIsValidated(t *testing.T) {
	cfg := config(letters(), checkpointtest.NewTable())
	cfg.Handler = &consumer.Collect{MaxRecords: -1, Check: func(*shard.Record) error { return nil }}
	_, err := consumer.New(cfg)
	for _, want := range []string{"Flush is missing", "MaxRecords is -1", "Check is set but OnFailure is nil"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New says %v, want %q in it", err, want)
		}
	}
}

// Only the same records have the same name.
func TestNameIsOfJustTheseRecords(t *testing.T) {
	records := numbered(5).Records()
	name := func(of ...int) string {
		c := consumer.Collected{Shard: "shardId-000000000000"}
		for _, i := range of {
			c.Records = append(c.Records, records[i])
		}
		return c.Name()
	}
	again := name(0, 1, 2)
	if name(0, 1, 4) == name(0, 2, 4) || name(0, 4) == name(0, 1, 4) || name(0, 1, 2) != again {
		t.Errorf("names: %s, %s, %s", name(0, 1, 4), name(0, 2, 4), name(0, 4))
	}
	if got, want := name(3), "shardId-000000000000-"+records[3].Sequence+"-"+records[3].Sequence; got != want {
		t.Errorf("a single record's name is %s, want %s", got, want)
	}
}
