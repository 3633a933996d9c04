package streamtest_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A record that comes now and then to a shard that is polled is with the handler
// within 250 ms in half of all cases and within 500 ms in 99 of 100, whereby the
// shard is read four times a second at most of the five that it grants. With
// fan-out it is there as soon as the service has pushed it.
func TestRecordOfAQuietShardIsHandledSoon(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	uneven := func(d time.Duration) func() time.Duration {
		return func() time.Duration { return time.Duration(random.ExpFloat64() * float64(d)) }
	}
	for _, c := range []struct {
		name     string
		gap      func() time.Duration
		reading  []streamtest.Option
		p50, p99 time.Duration
		reads    float64 // a second, at most
	}{
		{"one in 3 s", uneven(3 * time.Second), nil, 250 * time.Millisecond, 500 * time.Millisecond, 4},
		{"one in 30 s", uneven(30 * time.Second), nil, 250 * time.Millisecond, 500 * time.Millisecond, 4},
		{"fan-out", uneven(10 * time.Second), []streamtest.Option{streamtest.WithFanOut()}, 5 * time.Millisecond, 5 * time.Millisecond, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1, c.reading...)
				defer rig.Close()
				var mu sync.Mutex
				put, took := map[string]time.Time{}, []time.Duration{}
				rig.Start("w1", func(cfg *consumer.Config) {
					cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
						mu.Lock()
						defer mu.Unlock()
						for i := range b.Records {
							took = append(took, time.Since(put[string(b.Records[i].Data)]))
						}
						return nil
					})
				})
				time.Sleep(20 * time.Second)
				var reads []time.Time
				defer rig.AWS.Trace(func(e awsfake.Exchange) {
					if e.Operation == "GetRecords" {
						mu.Lock()
						reads = append(reads, time.Now())
						mu.Unlock()
					}
				})()
				began := time.Now()
				const records = 200
				for i := range records {
					mu.Lock()
					put[strconv.Itoa(i)] = time.Now()
					mu.Unlock()
					rig.Put("key", strconv.Itoa(i))
					time.Sleep(c.gap())
				}
				lasted := time.Since(began)
				rig.Await("all of them", rig.AllDone)
				mu.Lock()
				defer mu.Unlock()
				slices.Sort(took)
				if len(took) != records {
					t.Fatalf("%d records were handled, want %d", len(took), records)
				}
				p50, p99 := took[records/2], took[records*99/100]
				if p50 > c.p50 || p99 > c.p99 {
					t.Errorf("half are handled after %v, 99 in 100 after %v; want %v and %v", p50, p99, c.p50, c.p99)
				}
				rate := float64(len(reads)) / lasted.Seconds()
				if rate > c.reads {
					t.Errorf("the shard was read %.2f times a second", rate)
				}
				for i := 5; i < len(reads); i++ {
					if within := reads[i].Sub(reads[i-5]); within < time.Second {
						t.Fatalf("six reads within %v", within)
					}
				}
				t.Logf("p50 %v, p99 %v, %.2f reads a second", p50, p99, rate)
			})
		})
	}
}
