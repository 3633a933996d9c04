package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/telemetry"
)

// fireAll calls every hook there is once, for a shard and a handler.
func fireAll(hooks consumer.Hooks, shardID, handler string) {
	wrong := fmt.Errorf("handle: %w", errors.New("no"))
	some := map[reflect.Type]any{
		reflect.TypeFor[consumer.OddAggregatesEvent](): consumer.OddAggregatesEvent{Aggregates: shard.Aggregates{Malformed: 1, Outside: 1}},
		reflect.TypeFor[consumer.FilteredEvent]():      consumer.FilteredEvent{Records: 3, Dropped: 2, NotJSON: 1},
		reflect.TypeFor[consumer.GaveUpEvent]():        consumer.GaveUpEvent{Failure: destination.Failure{Records: make([]shard.Record, 1)}},
		reflect.TypeFor[consumer.ReadEvent]():          consumer.ReadEvent{Records: 3, Payload: 30, Took: time.Millisecond, Behind: time.Second},
		reflect.TypeFor[consumer.BatchEvent]():         consumer.BatchEvent{Records: 3, Handled: 2, Attempt: 1, Took: time.Millisecond, Err: wrong},
	}
	all := reflect.ValueOf(hooks)
	for i := range all.NumField() {
		event := reflect.New(all.Field(i).Type().In(0)).Elem()
		if e, ok := some[event.Type()]; ok {
			event.Set(reflect.ValueOf(e))
		}
		for name, value := range map[string]any{"Shard": shardID, "Handler": handler, "Err": wrong} {
			if f := event.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeOf(value) || name == "Err" && f.IsValid() && f.Kind() == reflect.Interface {
				f.Set(reflect.ValueOf(value))
			}
		}
		all.Field(i).Call([]reflect.Value{event})
	}
}

// Shards start, work and leave at once, while the metrics are read by several, EMF is
// written, observers come and the status changes (shown under -race); nothing is
// lost that was counted, and no counter goes back.
func TestEverythingHappensSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, rounds = 8, 60
		r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks", Sizing: autoscale.Sizing{PerWorker: 2}})
		hooks := r.Hooks()
		var observed atomic.Int64
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range rounds {
					time.Sleep(time.Second)
					fireAll(hooks, fmt.Sprint("shardId-", (w+i)%workers), fmt.Sprint("handler-", w%3))
				}
			})
		}
		out := &paper{}
		ctx, stop := context.WithCancel(t.Context())
		all.Go(func() {
			if err := (telemetry.EMF{Recorder: r, Writer: out, Interval: time.Second, PerShard: true, PerHandler: true}).Run(ctx); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			all.Go(func() {
				before := 0.0
				for i := range rounds {
					time.Sleep(time.Second)
					r.Watch(func() consumer.Status {
						return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: fmt.Sprint("shardId-", i%workers), Handled: int64(i)}}}
					})
					if i%20 == 0 {
						r.Observe(func(telemetry.Observation) { observed.Add(1) })
					}
					now := read(r).sum("towpath.read.records")
					if now < before {
						t.Errorf("towpath.read.records went from %v to %v", before, now)
					}
					before = now
				}
			})
		}
		time.Sleep((rounds + 2) * time.Second)
		stop()
		all.Wait()
		figures := read(r)
		for name, want := range map[string]float64{
			"towpath.read.records": 3, "towpath.handled.records": 2, "towpath.filtered.records": 2, "towpath.given_up.records": 1, "towpath.shards.started": 1,
		} {
			want *= workers * rounds
			if got := figures.sum(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
			if got := total(find(parse(t, out.String()), "towpath", ours, name)); got != want {
				t.Errorf("the lines of %s come to %v, want %v", name, got, want)
			}
		}
		if d := figures["towpath.read.duration"]; d.Count != workers*rounds || d.Total < .4799 || d.Total > .4801 {
			t.Errorf("%d reads took %v s, want 480 and 0.48", d.Count, d.Total)
		}
		if observed.Load() == 0 {
			t.Error("nothing was observed")
		}
	})
}
