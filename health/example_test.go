package health_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/health"
	"github.com/towpath/towpath/shard/shardtest"
)

// Both checks on a server of one's own, bound where only the one who asks can
// reach it.
func ExampleLive() {
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: shardtest.NewStream(1), Leases: checkpointtest.NewTable(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/livez", health.Live(c.Status, health.Rules{}))
	mux.Handle("/readyz", health.Ready(c.Status, health.Rules{}))

	for _, path := range []string{"/livez", "/readyz"} { // before c.Run was called
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, answer.Code)
	}
	// Output:
	// /livez 200
	// /readyz 503
}

// The decision without HTTP, for a supervisor of another kind.
func ExampleRules_Readiness() {
	now := time.Now()
	s := consumer.Status{Worker: "host/5f1d", Loops: consumer.Loops{Begun: now}, Stopping: true}
	report := health.Rules{}.Readiness(s, now)
	fmt.Println(report.OK, report.Problems)
	// Output:
	// false [the worker stops]
}
