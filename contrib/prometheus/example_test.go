package prometheus_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/prometheus"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// A page of metrics beside a consumer.
func ExampleNewCollector() {
	stream := shardtest.NewStream(1)
	for i := range 3 {
		stream.Put("ada", fmt.Append(nil, i))
	}
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Until: consumer.CaughtUp(),
		Logger:  slog.New(slog.DiscardHandler),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
	}
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, recorder.Hooks())
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder.Watch(c.Status)

	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector(recorder))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	page := httptest.NewRecorder()
	mux.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "towpath_handled_records_total") || strings.HasPrefix(line, "towpath_handler_batch_sum") {
			fmt.Print(line)
		}
	}
	// Output:
	// towpath_handled_records_total{application="clickstream",handler="",stream="clicks"} 3
	// towpath_handler_batch_sum{application="clickstream",handler="",stream="clicks"} 3
}
