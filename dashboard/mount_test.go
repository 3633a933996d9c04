package dashboard_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// A service mounts the page of its consumer behind what guards its other pages.
func Example() {
	aws := awsfake.New()
	if err := aws.Kinesis().CreateStream("clicks", 2); err != nil {
		fmt.Println(err)
		return
	}
	source := kinesisshards.Open(kinesis.NewFromConfig(aws.Config("worker")), "clicks")
	leases := dynamocheckpoint.Open(dynamodb.NewFromConfig(aws.Config("worker")), "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	cfg := consumer.Config{Name: "clickstream", Source: source, Leases: leases, Logger: slog.New(slog.DiscardHandler),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil })}
	requireOperator := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				http.Error(w, "who are you", http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var seen dashboard.Recorder
	cfg.Hooks = seen.Hooks(cfg.Hooks) // your own hooks are called first
	c, err := consumer.New(cfg)

	before := (*overview.Fleet)(nil) // by the look before it is told who lives
	page, err := dashboard.New(dashboard.Config{Sources: []dashboard.Source{{
		Name:     "clickstream",
		Statuses: []func() consumer.Status{c.Status},
		Recorder: &seen,
		Tables: func(ctx context.Context) (*overview.Fleet, error) {
			fleet, err := overview.Look(ctx, overview.Config{Tables: leases, Source: source, Before: before})
			if fleet != nil {
				before = fleet
			}
			return fleet, err
		},
	}}})

	mux.Handle("/ops/fleet/", requireOperator(page)) // whatever guards your other pages
	go page.Run(ctx)                                 // looks; ends with ctx, and lets the viewers go

	for _, name := range []string{"", "operator"} {
		r := httptest.NewRequest("GET", "/ops/fleet/", nil)
		if name != "" {
			r.SetBasicAuth(name, "")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.Contains(w.Body.String(), "clickstream"), err)
	}
	// Output:
	// 401 false <nil>
	// 200 true <nil>
}

// Texts of errors are shown once something has taken out what may not be seen.
func ExampleConfig() {
	secrets := regexp.MustCompile(`user [a-z]+`)
	cfg := dashboard.Config{
		ErrorText: func(text string) string { return secrets.ReplaceAllString(text, "…") },
	}
	fmt.Println(cfg.ErrorText("charge user ada: no such card"))
	// Output:
	// charge …: no such card
}
