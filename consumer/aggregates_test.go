package consumer_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// oddly is a stream whose readers say of each record that it was odd: see
// shard.Aggregates.
type oddly struct{ *shardtest.Stream }

func (s oddly) Open(start shard.Start) shard.Reader { return oddReader{s.Stream.Open(start)} }

type oddReader struct{ shard.Reader }

func (r oddReader) Next(ctx context.Context) (shard.Chunk, error) {
	c, err := r.Reader.Next(ctx)
	n := len(c.Records)
	c.Aggregates = shard.Aggregates{Malformed: n, Outside: 2 * n, Dropped: n}
	return c, err
}

// What readers say of aggregated records is told, with where it was read, and
// added up for each shard and handler.
func TestOddAggregatesAreToldAndCounted(t *testing.T) {
	for _, handlers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			const zero = "shardId-000000000000"
			stream := shardtest.NewStream(1)
			var put []shard.Record
			for range 5 {
				r, err := stream.PutTo(zero, "key", []byte("x"))
				if err != nil {
					t.Fatal(err)
				}
				put = append(put, r)
			}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.Source = oddly{stream}
			cfg.Handler = &tally{}
			if handlers == 2 {
				cfg.Handler = nil
				cfg.Handlers = []consumer.NamedHandler{{Name: "a", Handler: &tally{}}, {Name: "b", Handler: &tally{}}}
			}
			var mu sync.Mutex
			var events []consumer.OddAggregatesEvent
			cfg.Hooks.OddAggregates = func(e consumer.OddAggregatesEvent) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e)
			}
			r := start(t, cfg)
			await(t, "the records", func() bool {
				s := r.Status().Shards
				return len(s) == handlers && s[0].Handled == 5 && s[handlers-1].Handled == 5
			})
			for _, s := range r.Status().Shards {
				if s.Malformed != 5 || s.Outside != 10 || s.OutsideDropped != 5 {
					t.Errorf("%s %s shows %d malformed, %d outside, %d dropped; want 5, 10, 5", s.Shard, s.Handler, s.Malformed, s.Outside, s.OutsideDropped)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum := 0
			for _, e := range events {
				sum += e.Aggregates.Malformed
			}
			first, last := events[0], events[len(events)-1]
			if sum != 5 || first.Shard != zero || first.First != put[0].Position() || last.Last != put[4].Position() {
				t.Errorf("%d malformed were told, from %s to %s of %s", sum, first.First, last.Last, first.Shard)
			}
		})
	}
}
