package telemetry_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/telemetry"
)

// Counting allocates nothing: not for a read, not for a call, not for a save.
func TestCountingAllocatesNothing(t *testing.T) {
	r, events := busy()
	if n := testing.AllocsPerRun(1000, events); n != 0 {
		t.Errorf("%v allocations for a read, a call and a save, want none", n)
	}
	_ = read(r)
}

// busy is a recorder with some shards, and what one batch makes it count.
func busy() (*telemetry.Recorder, func()) {
	r := telemetry.New(telemetry.Options{})
	h := r.Hooks()
	for i := range 100 {
		h.ShardStarted(consumer.ShardStartedEvent{Shard: fmt.Sprintf("shardId-%012d", i)})
	}
	const one = "shardId-000000000042"
	failed := batching.FailFrom(&shard.Record{}, errors.New("no"))
	return r, func() {
		h.Read(consumer.ReadEvent{Shard: one, Records: 500, Payload: 100_000, Behind: 7 * time.Second, Took: 12 * time.Millisecond})
		h.BatchDone(consumer.BatchEvent{Shard: one, Records: 500, Handled: 500, Attempt: 1, Payload: 100_000, Took: 30 * time.Millisecond, Oldest: 2 * time.Second})
		h.BatchDone(consumer.BatchEvent{Shard: one, Handler: "billing", Records: 500, Handled: 10, Attempt: 2, Err: failed})
		h.Checkpointed(consumer.CheckpointEvent{Shard: one, Took: 5 * time.Millisecond})
	}
}

func BenchmarkCounting(b *testing.B) {
	_, events := busy()
	b.ReportAllocs()
	for b.Loop() {
		events()
	}
}

func BenchmarkCountingInParallel(b *testing.B) {
	_, events := busy()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			events()
		}
	})
}

func BenchmarkReading1000Shards(b *testing.B) {
	r, _ := busy()
	var s consumer.Status
	s.Worker = "w/1"
	for i := range 1000 {
		s.Shards = append(s.Shards, consumer.ShardStatus{Shard: fmt.Sprintf("shardId-%012d", i)})
	}
	r.Watch(func() consumer.Status { return s })
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range r.Points() {
			n++
		}
	}
}
