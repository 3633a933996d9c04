package prometheus_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/prometheus"
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

// Shards start, work and leave at once while two registries are scraped and the
// status changes (shown under -race): no scrape fails, and nothing is lost.
func TestScrapesAndShardsSideBySide(t *testing.T) {
	const workers, rounds = 6, 40
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	collector := prometheus.NewCollector(recorder)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				fireAll(recorder.Hooks(), fmt.Sprint("shardId-", (w+i)%workers), fmt.Sprint("handler-", w%3))
			}
		})
	}
	for range 2 {
		registry := client.NewPedanticRegistry()
		registry.MustRegister(collector)
		all.Go(func() {
			for range rounds {
				recorder.Watch(func() consumer.Status {
					return consumer.Status{Worker: "w", Shards: []consumer.ShardStatus{{Shard: "shardId-0"}, {Shard: "shardId-1"}}}
				})
				if _, err := registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want := fmt.Sprintf("# HELP towpath_read_records_total Records that were read, user records of aggregates one by one.\n"+
		"# TYPE towpath_read_records_total counter\ntowpath_read_records_total{application=\"clickstream\",stream=\"clicks\"} %d\n", workers*rounds)
	if err := testutil.CollectAndCompare(collector, strings.NewReader(want), "towpath_read_records_total"); err != nil {
		t.Error(err)
	}
}

// Every metric of the catalogue is there, and the linter finds no fault with one.
func TestEveryMetricPassesTheLinter(t *testing.T) {
	recorder := telemetry.New(telemetry.Options{Sizing: autoscale.Sizing{PerWorker: 2}})
	fireAll(recorder.Hooks(), "shardId-0", "")
	recorder.Watch(func() consumer.Status {
		return consumer.Status{
			Worker: "w", Limited: true, Loops: consumer.Loops{Answered: time.Now()}, Streams: []consumer.StreamStatus{{}},
			Shards: []consumer.ShardStatus{{Shard: "shardId-0", Retention: time.Hour}},
		}
	})
	collector := prometheus.NewCollector(recorder)
	for _, m := range telemetry.Catalogue() {
		if n := testutil.CollectAndCount(collector, prometheus.Name(m)); n == 0 {
			t.Errorf("%s is not there", prometheus.Name(m))
		}
	}
	problems, err := testutil.CollectAndLint(collector)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A recorder that is nil is an error of the scrape, and the process goes on.
func TestARecorderThatIsMissingIsSaid(t *testing.T) {
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(telemetry.New(telemetry.Options{}), nil))
	if _, err := registry.Gather(); err == nil || !strings.Contains(err.Error(), "recorder 2 of NewCollector is nil") {
		t.Errorf("a missing recorder: %v", err)
	}
}
