package otel_test

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/otel"
	"github.com/towpath/towpath/telemetry"
)

// fireAll calls every hook there is once, for a shard and a handler.
func fireAll(hooks consumer.Hooks, shardID, handler string) {
	all := reflect.ValueOf(hooks)
	for i := range all.NumField() {
		event := reflect.New(all.Field(i).Type().In(0)).Elem()
		for name, value := range map[string]any{
			"Shard": shardID, "Handler": handler, "Records": 1, "Took": time.Millisecond, "Attempt": 1, "Err": errors.New("no"),
		} {
			if f := event.FieldByName(name); f.IsValid() && reflect.TypeOf(value).AssignableTo(f.Type()) {
				f.Set(reflect.ValueOf(value))
			}
		}
		all.Field(i).Call([]reflect.Value{event})
	}
}

// Shards work at once while two readers collect, the status changes and another
// registration comes and goes (shown under -race): each sees every value once.
func TestRegistrationsAndShardsSideBySide(t *testing.T) {
	const workers, rounds = 6, 40
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	one, other := sdk.NewManualReader(), sdk.NewManualReader()
	if _, err := otel.Register(recorder, otel.Metrics{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(one), sdk.WithReader(other))}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				fireAll(recorder.Hooks(), fmt.Sprint("shardId-", (w+i)%workers), fmt.Sprint("handler-", w%3))
			}
		})
	}
	for _, reader := range []sdk.Reader{one, other} {
		all.Go(func() {
			for range rounds {
				recorder.Watch(func() consumer.Status {
					return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "shardId-0"}, {Shard: "shardId-1"}}}
				})
				if err := reader.Collect(t.Context(), new(metricdata.ResourceMetrics)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range rounds {
			passing, err := otel.Register(recorder, otel.Metrics{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader())), OwnNames: true})
			if err != nil {
				t.Error(err)
				return
			}
			if err := passing.Unregister(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	for i, reader := range []sdk.Reader{one, other} {
		figures := collected(t, reader)
		for name, want := range map[string]float64{"messaging.process.duration": workers * rounds, "messaging.client.consumed.messages": workers * rounds, "towpath.shards.started": workers * rounds} {
			got := 0.0
			for _, v := range series(figures[name]) {
				got += v
			}
			if got != want {
				t.Errorf("reader %d has %v of %s, want %v", i, got, name, want)
			}
		}
		if unit := figures["messaging.client.consumed.messages"].Unit; unit != "{message}" {
			t.Errorf("messages are measured in %s, want {message}", unit)
		}
	}
}
