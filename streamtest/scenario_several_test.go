package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Three handlers over the real drivers. While all keep up they make the
// GetRecords calls of one. While one is stuck, the shard is read at most five
// times a second, the others have everything, and the row has a mark for each.
// Behind a restart on another worker the fast repeat nothing, the slow goes on
// from its own mark through a split, and in the end each has had all.
func TestScenarioSeveralHandlersOnOneLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awsfake.New(awsfake.WithLatency(streamtest.Latency))
		if err := aws.Kinesis().CreateStream(streamtest.Stream, 1); err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int64
		aws.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if strings.HasSuffix(c.Operation, "GetRecords") {
				reads.Add(1)
			}
			return awsfake.Fault{}
		})
		put := 0
		puts := func(n int) {
			for range n {
				if _, _, err := aws.Kinesis().Put(streamtest.Stream, "key-"+strconv.Itoa(put%20), []byte(strconv.Itoa(put))); err != nil {
					t.Fatal(err)
				}
				put++
			}
		}
		var mu sync.Mutex
		var stuck atomic.Bool
		got := map[string]map[string]int{"a": {}, "b": {}, "c": {}}
		having := func(handler string) int {
			mu.Lock()
			defer mu.Unlock()
			return len(got[handler])
		}
		begin := func(worker string, handlers string) (end func()) {
			cfg := aws.Config(worker)
			handle := consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if stuck.Load() && b.Handler == "b" {
					return errors.New("stuck")
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range b.Records {
					got[b.Handler][string(r.Data)]++
				}
				return nil
			})
			var named []consumer.NamedHandler
			for _, name := range handlers {
				named = append(named, consumer.NamedHandler{Name: string(name), Handler: handle})
			}
			c, err := consumer.New(consumer.Config{
				Name: "several", Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), streamtest.Stream, lent),
				Leases:   dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "several", func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
				Handlers: named, MaximumInFlight: 200, CheckpointInterval: time.Second,
				Logger: slog.New(slog.DiscardHandler), WorkerPrefix: worker,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		until := func(what string, cond func() bool) {
			t.Helper()
			for began := time.Now(); !cond(); time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > 10*time.Minute {
					t.Fatalf("still not: %s", what)
				}
			}
		}
		readsIn := func(d time.Duration, during func(second int)) int64 {
			before := reads.Load()
			for i := range int(d / time.Second) {
				if during != nil {
					during(i)
				}
				time.Sleep(time.Second)
			}
			return reads.Load() - before
		}

		end := begin("one", "a")
		puts(10)
		until("a", func() bool { return having("a") == 10 })
		alone := readsIn(60*time.Second, func(int) { puts(1) })
		end()
		end = begin("all", "abc")
		until("everything before", func() bool { return having("a") == put })
		together := readsIn(60*time.Second, func(int) { puts(1) })
		if together > alone+2 {
			t.Errorf("three handlers make %d reads a minute, one %d", together, alone)
		}

		stuck.Store(true)
		busy := readsIn(30*time.Second, func(int) { puts(200) })
		if busy > 5*30 {
			t.Errorf("%d reads in 30 s, want at most 5 a second", busy)
		}
		until("a and c", func() bool { return having("a") == put && having("c") == put-70 })
		end()
		stuck.Store(false)
		if _, _, err := aws.Kinesis().Split(streamtest.Stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		end = begin("two", "abc")
		puts(500)
		until("all of it", func() bool { return having("a") == put && having("b") == put-70 && having("c") == put-70 })
		end()
		for name, records := range got {
			for data, n := range records {
				if n != 1 {
					t.Fatalf("handler %s got record %s %d times", name, data, n)
				}
			}
		}
		if testing.Verbose() {
			fmt.Println("reads a minute alone and together, and in 30 s with one stuck:", alone, together, busy)
		}
	})
}
