package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/prometheus"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// worked is a recorder of a consumer that has handled some records, of which one
// call failed, and whose status is that of two shards.
func worked() *telemetry.Recorder {
	r := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	h := r.Hooks()
	for i, id := range []string{"shardId-0", "shardId-1"} {
		h.ShardStarted(consumer.ShardStartedEvent{Shard: id})
		h.Read(consumer.ReadEvent{Shard: id, Records: 10, Payload: 1000, Behind: time.Second, Took: 20 * time.Millisecond})
		h.BatchDone(consumer.BatchEvent{Shard: id, Handler: "billing", Records: 10, Handled: 10, Attempt: 1, Took: time.Duration(30+30*i) * time.Millisecond})
	}
	h.BatchDone(consumer.BatchEvent{Shard: "shardId-0", Handler: "billing", Records: 4, Attempt: 1, Took: time.Second, Err: errors.New("card 4242")})
	r.Watch(func() consumer.Status {
		return consumer.Status{Worker: "host/1", Valid: true, MemoryHeld: 4096, MemoryBudget: 64 << 20, Shards: []consumer.ShardStatus{
			{Shard: "shardId-0", Handler: "billing", Age: 90 * time.Second, Retention: 24 * time.Hour, Pending: 4}, {Shard: "shardId-1", Handler: "billing"},
		}}
	})
	return r
}

// The collector is what the registry takes, and what promlint finds no fault with.
func TestCollectorPassesTheLinter(t *testing.T) {
	c := prometheus.NewCollector(worked())
	registry := client.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Values, units and labels are those of the recorder.
func TestCollectorShowsWhatTheRecorderHas(t *testing.T) {
	c := prometheus.NewCollector(worked())
	want := `
# HELP towpath_age_max_seconds How old the oldest record of all shards is that is not finished, or that the last read has not reached.
# TYPE towpath_age_max_seconds gauge
towpath_age_max_seconds{application="clickstream",stream="clicks"} 90
# HELP towpath_handled_records_total Records that the handler finished.
# TYPE towpath_handled_records_total counter
towpath_handled_records_total{application="clickstream",handler="billing",stream="clicks"} 20
# HELP towpath_memory_held_bytes Bytes of the memory budget that are in use.
# TYPE towpath_memory_held_bytes gauge
towpath_memory_held_bytes{application="clickstream",stream="clicks"} 4096
# HELP towpath_read_bytes_total Payload of the records that were read.
# TYPE towpath_read_bytes_total counter
towpath_read_bytes_total{application="clickstream",stream="clicks"} 2000
# HELP towpath_shard_pending Records of the shard that are read and not finished.
# TYPE towpath_shard_pending gauge
towpath_shard_pending{application="clickstream",handler="billing",shard="shardId-0",stream="clicks"} 4
towpath_shard_pending{application="clickstream",handler="billing",shard="shardId-1",stream="clicks"} 0
`
	err := testutil.CollectAndCompare(c, strings.NewReader(want), "towpath_age_max_seconds", "towpath_handled_records_total",
		"towpath_memory_held_bytes", "towpath_read_bytes_total", "towpath_shard_pending")
	if err != nil {
		t.Error(err)
	}
	server := httptest.NewRecorder()
	registry := client.NewRegistry()
	registry.MustRegister(c)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(server, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := server.Body.String()
	for _, line := range []string{
		`towpath_handler_failures_total{application="clickstream",error_type="other",handler="billing",stream="clicks"} 1`,
		`towpath_handler_duration_seconds_bucket{application="clickstream",handler="billing",stream="clicks",le="0.05"} 1`,
		`towpath_handler_duration_seconds_bucket{application="clickstream",handler="billing",stream="clicks",le="+Inf"} 3`,
		`towpath_handler_duration_seconds_sum{application="clickstream",handler="billing",stream="clicks"} 1.09`,
		`towpath_handler_duration_seconds_count{application="clickstream",handler="billing",stream="clicks"} 3`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the page lacks %s", line)
		}
	}
	if strings.Contains(text, "4242") {
		t.Error("the text of an error is on the page")
	}
}

// Each metric of the catalogue has a name of its own, also for Prometheus.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, m := range telemetry.Catalogue() {
		name := prometheus.Name(m)
		if seen[name] != "" || strings.Contains(name, "seconds_seconds") || strings.Contains(name, "bytes_bytes") {
			t.Errorf("%s is %s, as %q is", m.Name, name, seen[name])
		}
		seen[name] = m.Name
	}
}

// What the text asks of Prometheus is there.
func TestTextNamesMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range telemetry.Catalogue() {
		name := prometheus.Name(m)
		known[name] = m.Kind != telemetry.Histogram
		known[name+"_bucket"] = m.Kind == telemetry.Histogram
	}
	named := regexp.MustCompile(`towpath_[a-z_]+`).FindAllString(string(text), -1)
	if len(named) < 5 {
		t.Errorf("docs/telemetry.md names %v", named)
	}
	for _, name := range named {
		if !known[name] {
			t.Errorf("docs/telemetry.md names %s, which is no series", name)
		}
	}
}

// Several consumers of one process are told apart by their labels, and a value that
// is no text is an error of the scrape and not of the process.
func TestSeveralRecordersShareACollector(t *testing.T) {
	other := telemetry.New(telemetry.Options{Application: "audit", Stream: "clicks"})
	other.Hooks().Read(consumer.ReadEvent{Records: 3})
	registry := client.NewPedanticRegistry()
	registry.MustRegister(prometheus.NewCollector(worked(), other))
	if n, err := testutil.GatherAndCount(registry, "towpath_read_records_total"); n != 2 || err != nil {
		t.Errorf("%d series, %v, want 2", n, err)
	}
	hostile := client.NewPedanticRegistry()
	hostile.MustRegister(prometheus.NewCollector(telemetry.New(telemetry.Options{Application: "\xff"})))
	if _, err := hostile.Gather(); err == nil {
		t.Error("a label that is no text is taken")
	}
}

// A scrape while a consumer works, and after it has ended.
func TestScrapesOfARunningConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(3)
		recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: slog.New(slog.DiscardHandler),
			Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
			Hooks:   recorder.Hooks(),
		})
		if err != nil {
			t.Fatal(err)
		}
		recorder.Watch(c.Status)
		registry := client.NewPedanticRegistry()
		registry.MustRegister(prometheus.NewCollector(recorder))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		for i := range 300 {
			stream.Put(fmt.Sprint(i), []byte("x"))
			time.Sleep(100 * time.Millisecond)
			if i%30 == 0 {
				if _, err := registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		}
		time.Sleep(2 * time.Second)
		if n, _ := testutil.GatherAndCount(registry, "towpath_shard_age_seconds"); n != 3 {
			t.Errorf("%d shards have series, want 3", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n, _ := testutil.GatherAndCount(registry, "towpath_shard_age_seconds", "towpath_leases_held"); n != 0 {
			t.Errorf("after the end there are %d gauges", n)
		}
	})
}
