package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/dashboard"
)

func ExampleNew() {
	var seen dashboard.Recorder
	hooks := seen.Hooks(consumer.Hooks{}) // into consumer.Config.Hooks
	_ = hooks

	status := func() consumer.Status { // Status of your consumer
		return consumer.Status{Worker: "worker-1/0f1e2d3c4b5a6978", Valid: true}
	}
	page, err := dashboard.New(dashboard.Config{Title: "Clicks", Sources: []dashboard.Source{
		{Name: "clickstream", Statuses: []func() consumer.Status{status}, Recorder: &seen},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- page.Run(ctx) }()

	mux := http.NewServeMux()
	mux.Handle("/ops/fleet/", page)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/ops/fleet/", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "<h1>Clicks</h1>"))

	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/ops/fleet/", nil))
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))

	cancel()
	fmt.Println(<-done)
	// Output:
	// 200 true
	// 405 this page is only read: GET and HEAD
	// <nil>
}
